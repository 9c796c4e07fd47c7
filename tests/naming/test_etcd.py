"""``etcd://``: answers in the form of the JSON gateway (etcd documentation, "gRPC gateway"), and a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from naming.base import NamingContext, NamingError, NamingOptions
from naming.etcd import EtcdService
from naming.url import parse_address
from naming.watcher import Watcher
from tests.harness.clock import deadline, wait_until
from tests.naming.fakes import FakeResolver
from tests.naming.programs import Etcd, code
from tests.naming.web import FakeWeb, following, serving


def found(*values: str) -> str:
    entries = [{"key": code(f"live/{number}"), "value": code(value)} for number, value in enumerate(values)]
    return json.dumps({"header": {"revision": "7"}, "kvs": entries, "count": str(len(entries))})


def options(fake: FakeWeb) -> NamingOptions:
    return replace(NamingOptions(), etcd_address=fake.address)


class Gateway:
    """Answers ranges with ``text`` and ``status``; a watch stays silent until it is rung."""

    def __init__(self, fake: FakeWeb) -> None:
        self.text, self.status = found("10.0.0.1:80 5"), 200
        self.first = '{"result":{"header":{"revision":"7"},"created":true}}\n'
        self.bell = asyncio.Event()
        fake.handler = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/v3/watch":
            return web.Response(text=self.text, status=self.status)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(self.first.encode())
        await self.bell.wait()
        await response.write(b'{"result":{"header":{"revision":"8"},"events":[{}]}}\n')
        return response


async def test_range_and_the_forms_of_values() -> None:
    async with serving() as fake:
        gateway = Gateway(fake)
        gateway.text = found(
            *("10.0.0.1:80 5", "origin:81", "[1]", "{bad", "{}"),
            '{"Op":0,"Addr":"10.0.0.3:82","Metadata":{"weight":7}}',
            '{"Op":0,"Addr":"10.0.0.4:83","Metadata":null}',
        )
        names = FakeResolver(origin=["10.0.0.2"])
        async with following("etcd://live/", options(fake), names) as followed:
            assert followed.servers == ["10.0.0.1:80 5", "10.0.0.2:81", "10.0.0.3:82 7", "10.0.0.4:83"]
            assert followed.watcher.skipped_count == 1, "the values that are no servers are told"
            assert fake.asked == ["POST /v3/kv/range"]
            assert json.loads(fake.bodies[0]) == {"key": code("live/"), "range_end": code("live0"), "limit": "1025"}


async def test_a_change_rings_and_readings_are_apart() -> None:
    async with serving() as fake:
        gateway = Gateway(fake)
        async with following("etcd://live/", options(fake)) as followed:
            await followed.steps.next_round()
            await wait_until(lambda: len(fake.asked) == 2, deadline(3), "the watch")
            assert json.loads(fake.bodies[1])["create_request"]["start_revision"] == "8"
            gateway.text = found("10.0.0.2:80")
            gateway.bell.set()
            await wait_until(lambda: followed.servers == ["10.0.0.2:80"], deadline(3), "the change")
            assert followed.steps.waits[:3] == [0.5, 5, 0.5]
        gateway.bell.set()


async def test_N4_N5_outages_and_an_empty_prefix_keep_the_list() -> None:
    async with serving() as fake:
        gateway = Gateway(fake)
        gateway.bell.set()

        async def quick(seconds: float) -> None:
            await asyncio.sleep(0.001)

        watcher = Watcher(
            parse_address("etcd://live/"),
            lambda servers: None,
            options=options(fake),
            resolver=FakeResolver(),
            sleep=quick,
        )
        assert await watcher.start()
        for text, status in (
            ("", 503),
            ("[]", 200),
            ("{}", 200),
            ('{"header":{"revision":"x"}}', 200),
            (found("x"), 200),
        ):
            failed = watcher.failed_count
            gateway.text, gateway.status = text, status
            await wait_until(lambda now=failed: watcher.failed_count > now + 1, deadline(3), text)  # type: ignore[misc]
        gateway.text, gateway.status = json.dumps({"header": {"revision": "9"}}), 200
        await wait_until(lambda: watcher.empty_count, deadline(3), "the empty answer")
        assert [node.endpoint for node in watcher.servers] == ["10.0.0.1:80"]
        await watcher.close()


async def test_a_watch_that_is_refused_each_time_is_no_hot_loop() -> None:
    async with serving() as fake:
        gateway = Gateway(fake)
        gateway.first = '{"result":{"created":true,"canceled":true,"cancel_reason":"permission denied"}}\n'
        async with following("etcd://live/", options(fake)) as followed:
            await followed.steps.next_round()
            await wait_until(lambda: len(fake.asked) == 2, deadline(3), "the watch")
            await asyncio.sleep(0.05)
            assert fake.asked[2:] == [] and followed.steps.waits == [0.5, 5], "it waits for the interval"
            await followed.steps.end_sleep()
            await wait_until(lambda: len(fake.asked) == 3, deadline(3), "the next reading")
        gateway.bell.set()


async def test_a_message_longer_than_lines_may_be_rings_as_well() -> None:
    async with serving() as fake:
        gateway = Gateway(fake)
        gateway.first = json.dumps({"result": {"events": ["x" * 1000] * 1000}}) + "\n"
        async with following("etcd://live/", options(fake)) as followed:
            await followed.steps.next_round()
            gateway.text = found("10.0.0.2:80")
            await wait_until(lambda: followed.servers == ["10.0.0.2:80"], deadline(3), "the change")
            assert followed.watcher.failed_count == 0
        gateway.bell.set()


def test_an_empty_prefix_would_be_everything() -> None:
    context = NamingContext(NamingOptions(), FakeResolver(), lambda detail: None)
    with pytest.raises(NamingError, match="prefix"):
        EtcdService(context).check_name("")


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    server = Etcd(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.mark.interop
async def test_real_server_rings(etcd: Etcd) -> None:
    etcd.put("live/a", "10.0.0.1:1935 5")
    # Long, so that only the bell of the watch can be in time.
    async with following("etcd://live/", NamingOptions(etcd_address=etcd.address, ns_access_interval=600)) as followed:
        assert followed.servers == ["10.0.0.1:1935 5"]
        await followed.steps.end_sleep()
        await asyncio.to_thread(etcd.replace, {"live/b": '{"Addr":"10.0.0.2:1935"}', "other": "10.0.0.3:1935"})
        await wait_until(lambda: len(followed.servers) == 2, deadline(5), "the second server")


@pytest.mark.interop
async def test_changes_that_etcd_has_forgotten_when_the_watch_begins_are_read(etcd: Etcd) -> None:
    etcd.put("live/a", "10.0.0.1:1935 5")
    async with following("etcd://live/", NamingOptions(etcd_address=etcd.address, ns_access_interval=600)) as followed:
        await followed.steps.reach_sleep()
        for server in ("10.0.0.2:1935", "10.0.0.3:1935"):
            await asyncio.to_thread(etcd.put, "live/a", server)
        found = await asyncio.to_thread(etcd.ask, "/v3/kv/range", {"key": code("live/a")})
        await asyncio.to_thread(etcd.ask, "/v3/kv/compaction", {"revision": found["header"]["revision"]})
        await followed.steps.end_sleep()
        await wait_until(lambda: followed.servers == ["10.0.0.3:1935"], deadline(5), "the newest server")
        assert followed.watcher.failed_count == 0


@pytest.mark.interop
async def test_a_lease_that_ends_takes_its_server_away(etcd: Etcd) -> None:
    lease = etcd.ask("/v3/lease/grant", {"TTL": "1"})["ID"]
    etcd.put("live/a", "10.0.0.1:1935")
    etcd.ask("/v3/kv/put", {"key": code("live/b"), "value": code("10.0.0.2:1935"), "lease": lease})
    async with following("etcd://live/", NamingOptions(etcd_address=etcd.address, ns_access_interval=600)) as followed:
        assert len(followed.servers) == 2
        await followed.steps.end_sleep()
        await wait_until(lambda: followed.servers == ["10.0.0.1:1935"], deadline(10), "the server is gone")
