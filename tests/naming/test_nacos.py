"""``nacos://``: answers in the form of ``GET /nacos/v1/ns/instance/list`` and ``POST /nacos/v1/auth/login``.

Source of the form: the Nacos manual, "Open API guide" (service discovery, authentication).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from naming.base import NamingContext, NamingError, NamingOptions
from naming.nacos import NacosService
from naming.url import parse_address
from naming.watcher import Watcher
from tests.naming.fakes import FakeResolver
from tests.naming.web import FakeWeb, following, serving

NAME = "serviceName=test&groupName=g1"
LIST = f"GET /nacos/v1/ns/instance/list?{NAME}"


def host(ip: object = "127.0.0.1", port: object = 8888, **more: object) -> dict[str, object]:
    return {"ip": ip, "port": port, "weight": 10.0, "healthy": True, "enabled": True, "metadata": {}, **more}


def hosts(*entries: object, cache_ms: object = 10000) -> str:
    return json.dumps({"name": "g1@@test", "cacheMillis": cache_ms, "hosts": entries, "valid": True})


def options(fake: FakeWeb, **more: str) -> NamingOptions:
    return replace(NamingOptions(nacos_address=fake.address), **more)


async def test_N7_instances_with_weights_at_the_pace_of_the_answer() -> None:
    without = host("127.0.0.3")
    del without["weight"]
    bad = [host("name"), host(port="1"), host(enabled=False), host(healthy="true"), host(port=True), 5]
    good = [
        host(),
        host("127.0.0.2", weight=0.5),
        without,
        host("::1", weight=-1),
        host("127.0.0.4", weight=float("inf")),
    ]
    async with serving() as fake:
        fake.answer(hosts(*good, *bad))
        async with following(f"nacos://{NAME}", options(fake)) as followed:
            expected = ["127.0.0.1:8888 10", "127.0.0.2:8888 0", "127.0.0.3:8888", "127.0.0.4:8888", "[::1]:8888 -1"]
            assert followed.servers == expected
            for cache_ms in (1, 10**12, "x"):
                fake.answer(hosts(*good, cache_ms=cache_ms))
                await followed.steps.next_round()
            assert followed.steps.waits == [10, 1, 300, 300] and fake.asked == [LIST] * 4


async def test_N4_N5_outages_and_empty_answers_keep_the_list() -> None:
    async with serving() as fake:
        fake.answer(hosts(host()))
        async with following(f"nacos://{NAME}", options(fake)) as followed:
            for text, status in (("", 500), ("caused by: x", 200), ("{}", 200), (hosts(host(healthy=False)), 200)):
                fake.answer(text, status)
                await followed.steps.next_round()
            assert followed.watcher.failed_count == 4
            fake.answer(hosts())
            await followed.steps.next_round()
            assert followed.watcher.empty_count == 1 and followed.servers == ["127.0.0.1:8888 10"]


async def test_logs_in_renews_the_token_and_survives_a_refusal() -> None:
    async with serving() as fake:
        logins: list[web.Response] = []

        async def handle(request: web.Request) -> web.Response:
            if request.path == "/nacos/v1/auth/login":
                return logins.pop(0)
            return (
                web.Response(text=hosts(host())) if request.query["accessToken"] != "old" else web.Response(status=403)
            )

        fake.handler = handle
        logins += [
            web.Response(status=403, text="unknown user!"),
            web.json_response({"tokenTtl": 18000}),
            web.json_response({"accessToken": "old", "tokenTtl": 18000}),
            web.json_response({"accessToken": "T", "tokenTtl": 10}),
            web.json_response({"accessToken": "U"}),
        ]
        settings = options(fake, nacos_username="u", nacos_password="p%20w")
        async with following(f"nacos://{NAME}", settings) as followed:
            for _ in range(5):
                await followed.steps.next_round()
        assert followed.watcher.failed_count == 3 and followed.servers == ["127.0.0.1:8888 10"]
        assert fake.bodies[0] == "username=u&password=p%20w" and not logins
        assert [asked.partition("accessToken=")[2].partition("&")[0] for asked in fake.asked if "=" in asked] == [
            *("old", "T", "U", "U")
        ]


async def test_password_of_a_file_goes_before_that_of_the_flag_and_is_read_at_each_login(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("p w&1%\n")

    async def handle(request: web.Request) -> web.Response:
        if request.path == "/nacos/v1/auth/login":
            return web.json_response({"accessToken": "T", "tokenTtl": 10})
        return web.Response(text=hosts(host()))

    async with serving() as fake:
        fake.handler = handle
        settings = options(fake, nacos_username="u", nacos_password="other", nacos_password_file=str(path))
        async with following(f"nacos://{NAME}", settings) as followed:
            path.write_text("hunter2")
            await followed.steps.next_round()
            assert [body for body in fake.bodies if body] == [
                "username=u&password=p%20w%261%25",
                "username=u&password=hunter2",
            ]
            path.unlink()
            await followed.steps.next_round()
            assert followed.watcher.failed_count == 1 and followed.servers == ["127.0.0.1:8888 10"]
            assert "cannot read" in followed.watcher.describe()["last_error"]


async def test_without_an_address_it_can_never_work() -> None:
    watcher = Watcher(parse_address(f"nacos://{NAME}"), lambda servers: None)
    assert not await watcher.start()
    assert watcher.fault == "-nacos_address is empty"
    await watcher.close()


def test_bad_names() -> None:
    context = NamingContext(NamingOptions(), FakeResolver(), lambda detail: None)
    with pytest.raises(NamingError, match="query of Nacos"):
        NacosService(context).check_name("serviceName=a b")
