"""``consul://``: answers in the form of ``GET /v1/health/service/:service``.

Source of the form: Consul's HTTP API documentation, "Health" and "Blocking Queries".
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from naming.base import NamingContext, NamingError, NamingOptions
from naming.consul import ConsulService, read_instances
from naming.fetch import Answer, Fetcher
from naming.node import ServerNode
from tests.harness.clock import deadline, wait_until
from tests.naming.fakes import FakeResolver, make_context
from tests.naming.web import FakeWeb, following, serving


def entry(address: object = "10.0.0.1", port: object = 8001, tags: object = ("10",)) -> dict[str, object]:
    return {
        "Node": {"Node": "n1", "Address": "10.0.0.1"},
        "Service": {"ID": "svc-1", "Service": "svc", "Tags": tags, "Address": address, "Port": port},
        "Checks": [{"CheckID": "serfHealth", "Status": "passing"}],
    }


def answer(fake: FakeWeb, index: str | None, *entries: object) -> None:
    fake.answer(json.dumps(entries), headers={} if index is None else {"X-Consul-Index": index})


def options(fake: FakeWeb, **more: object) -> NamingOptions:
    return replace(NamingOptions(consul_agent_addr=fake.address), **more)  # type: ignore[arg-type]


async def test_long_polls_carry_the_index() -> None:
    async with serving() as fake:
        answer(fake, "42", entry())
        async with following("consul://svc", options(fake)) as followed:
            assert followed.servers == ["10.0.0.1:8001 10"]
            answer(fake, "43", entry(), entry("10.0.0.2", 8002, []))
            await followed.steps.next_round()
            answer(fake, "43")
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.1:8001 10", "10.0.0.2:8002"]
            assert followed.watcher.failed_count == followed.watcher.empty_count == 0
            assert len(followed.updates) == 2
            assert fake.asked == [
                "GET /v1/health/service/svc?stale&passing",
                "GET /v1/health/service/svc?stale&passing&index=42&wait=60s",
                "GET /v1/health/service/svc?stale&passing&index=43&wait=60s",
            ]


async def test_wait_that_ends_without_news_renews_the_age_of_the_list() -> None:
    async with serving() as fake:
        answer(fake, "42", entry())
        async with following("consul://svc", options(fake)) as followed:
            followed.watcher._state._clock = lambda: time.monotonic() + 60
            assert followed.watcher.describe()["answer_age_s"] >= 60
            await followed.steps.next_round()
            assert followed.watcher.describe()["answer_age_s"] == 0
            assert followed.servers == ["10.0.0.1:8001 10"] and len(followed.updates) == 1


async def test_file_that_stands_in_for_consul_is_no_answer_of_consul(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "svc").write_text("10.0.0.1:8001 10\n")
    caplog.set_level(logging.INFO)
    async with serving() as fake:
        spare = {
            "consul_enable_degrade_to_file_naming_service": True,
            "consul_file_naming_service_dir": f"{tmp_path}/",
        }
        async with following("consul://svc", options(fake, **spare)) as followed:
            await followed.steps.reach_sleep()
            assert followed.servers == ["10.0.0.1:8001 10"]
            assert followed.watcher.describe()["state"] == "kept in outage" and "answers" not in caplog.text


async def test_N6_bad_answers_keep_the_list_and_are_half_a_second_apart() -> None:
    async with serving() as fake:
        answer(fake, "42", entry())
        async with following("consul://svc", options(fake)) as followed:
            for index in (None, "0", "text", "-1", "1" * 30):
                answer(fake, index, entry("10.0.0.9"))
                await followed.steps.next_round()
            for body in ("[{", "{}", "", json.dumps([entry(None)])):
                fake.answer(body, headers={"X-Consul-Index": "50"})
                await followed.steps.next_round()
            fake.answer("no", 500)
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.1:8001 10"] and followed.watcher.failed_count == 10
            assert followed.steps.waits[1:] == [0.5] * 10
            assert all(asked.endswith("&index=42&wait=60s") for asked in fake.asked[1:])


async def test_N6_a_lower_index_is_taken_and_starts_anew() -> None:
    async with serving() as fake:
        answer(fake, "42", entry())
        async with following("consul://svc", options(fake)) as followed:
            answer(fake, "7", entry("10.0.0.2"))
            await followed.steps.next_round()
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.2:8001 10"]
            assert [asked.partition("&index=")[2] for asked in fake.asked] == ["", "42&wait=60s", ""]


async def test_list_of_a_consul_that_was_set_up_anew_is_not_waited_for() -> None:
    async with serving() as fake:
        answer(fake, "4200", entry())
        async with following("consul://svc", options(fake)) as followed:
            fake.answer("no", 500)
            await followed.steps.next_round()
            answer(fake, "7", entry("10.0.0.2"))
            await followed.steps.next_round()
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.2:8001 10"]
            assert [asked.partition("&index=")[2] for asked in fake.asked] == ["", "4200&wait=60s", "", "7&wait=60s"]


async def test_agent_that_uses_its_whole_time_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds_ms: list[int | None] = []
    get = Fetcher.get

    async def note(self: Fetcher, *args: Any, timeout_ms: int | None = None, **more: Any) -> Answer:
        bounds_ms.append(timeout_ms)
        return await get(self, *args, timeout_ms=timeout_ms, **more)

    monkeypatch.setattr(Fetcher, "get", note)
    for wait_s, bound_s in ((60, 70), (600, 642)):  # Consul: the wait and up to a sixteenth of it
        async with serving() as fake:
            answer(fake, "42", entry())
            async with following("consul://svc", options(fake, consul_blocking_query_wait_secs=wait_s)) as followed:
                await followed.steps.next_round()
                assert bounds_ms[-2:] == [5000, bound_s * 1000]


async def test_N6_instant_answers_make_no_hot_loop() -> None:
    async with serving() as fake:
        index = 0

        async def count(request: web.Request) -> web.Response:
            nonlocal index
            index += 1
            return web.json_response([entry()], headers={"X-Consul-Index": str(index)})

        fake.handler = count
        async with following("consul://svc", options(fake)) as followed:
            for _ in range(3):
                await followed.steps.next_round()
            assert all(0.3 < wait <= 0.5 for wait in followed.steps.waits)


async def test_N6_a_blocking_query_is_held_and_ends_with_the_watch() -> None:
    async with serving() as fake:
        answer(fake, "1", entry())
        async with following("consul://svc", options(fake, consul_retry_interval_ms=1)) as followed:
            is_over = asyncio.Event()

            async def hold(request: web.Request) -> web.Response:
                await is_over.wait()
                return web.json_response([entry("10.0.0.2")], headers={"X-Consul-Index": "2"})

            fake.handler = hold
            await followed.steps.end_sleep()
            await wait_until(lambda: len(fake.asked) == 2, deadline(3), "the blocking query")
            is_over.set()
            await followed.steps.reach_sleep()
            assert followed.servers == ["10.0.0.2:8001 10"]
            is_over.clear()
            await followed.steps.end_sleep()
            await wait_until(lambda: len(fake.asked) == 3, deadline(3), "the next one")
        is_over.set()


async def test_N5_an_empty_array_is_an_empty_answer() -> None:
    async with serving() as fake:
        answer(fake, "1", entry())
        async with following("consul://svc", options(fake)) as followed:
            answer(fake, "2")
            await followed.steps.next_round()
            assert len(followed.servers) == 1 and followed.watcher.empty_count == 1


async def test_a_file_stands_in_until_the_agent_answers(tmp_path: Path) -> None:
    (tmp_path / "svc").write_text("10.0.0.7:80 3\n")
    async with serving() as fake:
        settings = options(
            fake,
            consul_enable_degrade_to_file_naming_service=True,
            consul_file_naming_service_dir=f"{tmp_path}/",
        )
        async with following("consul://svc", settings) as followed:
            await followed.steps.reach_sleep()
            assert followed.servers == ["10.0.0.7:80 3"]
            answer(fake, "1", entry())
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.1:8001 10"]
        async with following("consul://absent", replace(settings, consul_agent_addr="127.0.0.1:1")) as followed:
            await followed.steps.reach_sleep()
            assert followed.watcher.failed_count == 2 and not followed.watcher.has_answer


async def test_file_that_comes_later_than_the_edge_stands_in_as_well(tmp_path: Path) -> None:
    async with serving() as fake:
        fake.answer("no", 500)
        settings = options(
            fake,
            consul_enable_degrade_to_file_naming_service=True,
            consul_file_naming_service_dir=f"{tmp_path}/",
        )
        async with following("consul://svc", settings) as followed:
            await followed.steps.next_round()
            assert followed.servers == []
            (tmp_path / "svc").write_text("10.0.0.7:80 3\n")
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.7:80 3"]
            (tmp_path / "svc").write_text("10.0.0.8:80\n")
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.7:80 3"], "it is read once, as in brpc"


async def test_token_is_sent_and_read_anew_and_a_lost_file_is_an_outage(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first-secret\n")
    async with serving() as fake:
        tokens: list[str] = []

        async def check(request: web.Request) -> web.Response:
            tokens.append(request.headers.get("X-Consul-Token", ""))
            return web.json_response([entry()], headers={"X-Consul-Index": str(len(tokens))})

        fake.handler = check
        async with following("consul://svc", options(fake, consul_token_file=str(token))) as followed:
            token.write_text("second-secret")
            await followed.steps.next_round()
            token.unlink()
            await followed.steps.next_round()
            assert tokens == ["first-secret", "second-secret"], "nothing is asked without the token"
            assert followed.watcher.failed_count == 1 and followed.servers == ["10.0.0.1:8001 10"]
            assert not any("secret" in asked for asked in fake.asked)


async def test_a_spare_file_that_hangs_does_not_keep_from_asking_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = threading.Event()
    monkeypatch.setattr("naming.consul.read_list", lambda path, limit: is_over.wait(20))
    async with serving() as fake:
        settings = options(
            fake,
            consul_enable_degrade_to_file_naming_service=True,
            consul_file_naming_service_dir=f"{tmp_path}/",
            ns_fetch_timeout_ms=200,
        )
        async with following("consul://svc", settings) as followed:
            await asyncio.wait_for(followed.steps.reach_sleep(), deadline(5))
            answer(fake, "1", entry())
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.1:8001 10"]
        is_over.set()


def test_N6_N7_instances_that_cannot_be_used_are_left_out() -> None:
    faults: list[str] = []
    bad = [
        entry("host"),
        entry(""),
        entry(port="80"),
        entry(port=0),
        entry(port=True),
        entry(tags="x"),
        entry(tags=[1]),
    ]
    entries = [entry(tags=["-1", "b"]), entry("::1", 1, None), 7, {}, {"Service": []}, *bad]
    servers = read_instances(json.loads(json.dumps(entries)), make_context(on_failure=faults.append))
    assert servers == [ServerNode("10.0.0.1", 8001, "-1"), ServerNode("::1", 1)]
    assert faults == ["10 of 12 instances cannot be used"]


def test_bad_names() -> None:
    context = NamingContext(NamingOptions(), FakeResolver(), lambda detail: None)
    for name in ("", "a b"):
        with pytest.raises(NamingError, match="service name"):
            ConsulService(context).check_name(name)


def test_registration_without_an_address_is_told_by_the_name_of_the_field() -> None:
    with pytest.raises(NamingError, match=r"none of 1 instances has a numeric Service\.Address"):
        read_instances([entry("")], make_context())
