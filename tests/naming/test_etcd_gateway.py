"""The login at etcd, against a real one and a fake (etcd documentation, "gRPC gateway")."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from naming.base import NamingContext, NamingError, NamingOptions
from naming.etcd_gateway import Gateway
from naming.fetch import Fetcher
from naming.origins import parse_origins
from tests.naming.fakes import FakeResolver
from tests.naming.programs import Etcd
from tests.naming.web import FakeWeb, following, serving

A, B = "10.0.0.1:1935 5", "10.0.0.2:1935 5"


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    server = Etcd(tmp_path)
    try:
        server.start()
        server.put("live/a", A)
        yield server
    finally:
        server.kill()


@pytest.fixture
def options(etcd: Etcd, tmp_path: Path) -> NamingOptions:
    (tmp_path / "password").write_text("hunter2\n")
    return NamingOptions(etcd_address=etcd.address, etcd_user="edge", etcd_password_file=f"{tmp_path}/password")


@pytest.mark.interop
async def test_real_login_is_renewed_after_all_that_ends_a_token(
    etcd: Etcd, options: NamingOptions, tmp_path: Path
) -> None:
    etcd.require_login("edge", "hunter2", "live/")
    async with following("etcd://live/", options) as followed:
        assert followed.servers == [A]

        async def check_put(value: str) -> None:
            await asyncio.to_thread(lambda: etcd.put("live/a", value, etcd.log_in("root", "root")))
            await followed.steps.end_sleep()  # the pause behind the last reading
            await followed.steps.next_round()
            assert followed.servers == [value] and followed.watcher.failed_count == 0

        (tmp_path / "password").write_text("new")
        await asyncio.to_thread(
            lambda: etcd.ask("/v3/auth/user/changepw", {"name": "edge", "password": "new"}, etcd.log_in("root", "root"))
        )
        await check_put(B)
        await asyncio.to_thread(lambda: etcd.ask("/v3/auth/disable", {}, etcd.log_in("root", "root")))
        await asyncio.to_thread(etcd.put, "live/a", A)
        await followed.steps.end_sleep()
        await followed.steps.next_round()
        assert followed.servers == [A] and followed.watcher.failed_count == 0, "nobody is asked who he is any more"
        await asyncio.to_thread(etcd.ask, "/v3/auth/enable", {})
        await check_put(B)


@pytest.mark.interop
async def test_real_refusals_keep_the_list_and_tell_no_password(
    etcd: Etcd, options: NamingOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    etcd.require_login("edge", "other than hunter2", "live/")
    async with following("etcd://live/", options) as followed:
        assert followed.watcher.failed_count == 1 and not followed.watcher.has_answer
        assert 'the login of "edge" at etcd: etcdserver: authentication failed' in caplog.text
        (tmp_path / "password").unlink()
        await followed.steps.next_round()
        assert followed.watcher.failed_count == 2
        (tmp_path / "password").write_text("other than hunter2")
        await followed.steps.next_round()
        assert followed.servers == [A]
    assert "hunter2" not in caplog.text
    async with following("etcd://live/", replace(options, etcd_user="")) as followed:
        assert followed.watcher.failed_count == 1, "etcd serves nobody without a name now"


class Login:
    """A fake that gives tokens ``T1``, ``T2`` ..., and serves who brings the newest."""

    def __init__(self, fake: FakeWeb) -> None:
        self.count = 0
        self.status = 401
        self.answers: list[str] = []
        fake.handler = self.handle

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/v3/auth/authenticate":
            if self.answers:
                return web.Response(text=self.answers.pop(0))
            self.count += 1
            return web.json_response({"token": f"T{self.count}"})
        if request.headers.get("Authorization") != f"T{self.count}":
            return web.json_response({"code": 16}, status=self.status)
        return web.json_response({})


async def ask(address: str, tmp_path: Path, *, times: int = 1, before_each: object = None) -> Gateway:
    (tmp_path / "password").write_text("hunter2")
    options = NamingOptions(etcd_address=address, etcd_user="edge", etcd_password_file=f"{tmp_path}/password")
    async with Fetcher(NamingContext(options, FakeResolver(), lambda detail: None)) as fetcher:
        gateway = Gateway(fetcher, parse_origins(address, "etcd_address"), options)
        for _ in range(times):
            assert await gateway.ask("/v3/kv/range", {}) == {}
            if callable(before_each):
                before_each()
    return gateway


async def test_one_login_serves_many_requests_and_a_refused_token_is_renewed_at_once(tmp_path: Path) -> None:
    async with serving() as fake:
        login = Login(fake)
        await ask(fake.address, tmp_path, times=3)
        assert login.count == 1 and json.loads(fake.bodies[0]) == {"name": "edge", "password": "hunter2"}
        login.status = 400

        def end_token() -> None:
            login.count += 1

        await ask(fake.address, tmp_path, times=2, before_each=end_token)
        assert login.count == 5, "two logins, and two tokens that ended"


async def test_a_server_that_is_down_hides_no_refusal(tmp_path: Path) -> None:
    """The token was refused by the one that is up: to ask with it for ever would be an outage without end."""
    async with serving() as fake:
        login = Login(fake)

        def end_token() -> None:
            login.count += 1

        await ask(f"{fake.address},http://127.0.0.1:1", tmp_path, times=2, before_each=end_token)
        assert login.count == 4


async def test_a_refusal_with_a_new_token_is_final(tmp_path: Path) -> None:
    async with serving() as fake:
        login = Login(fake)

        async def refuse(request: web.Request) -> web.Response:
            if request.path == "/v3/auth/authenticate":
                return await login.handle(request)
            return web.Response(status=403)

        fake.handler = refuse
        with pytest.raises(NamingError, match="answered 403"):
            await ask(fake.address, tmp_path)
        assert login.count == 1


@pytest.mark.parametrize("answer", ["{}", "[]", '{"token":5}', '{"token":"a\\nb: c"}', '{"token":""}', "<html>"])
async def test_login_without_a_token(answer: str, tmp_path: Path) -> None:
    async with serving() as fake:
        Login(fake).answers = [answer]
        with pytest.raises(NamingError):
            await ask(fake.address, tmp_path)
        assert len(fake.asked) == 1
