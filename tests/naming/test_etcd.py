"""``etcd://``: answers in the form of the JSON gateway (etcd documentation, "gRPC gateway"), and a real server."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from naming.base import NamingContext, NamingError, NamingOptions
from naming.etcd import EtcdService
from naming.url import parse_address
from naming.watcher import Watcher
from tests.harness.clock import deadline, free_port, require_program, wait_until, wait_until_sync
from tests.naming.fakes import FakeResolver
from tests.naming.web import FakeWeb, following, serving


def code(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def found(*values: str) -> str:
    entries = [{"key": code(f"live/{number}"), "value": code(value)} for number, value in enumerate(values)]
    return json.dumps({"header": {"revision": "7"}, "kvs": entries, "count": str(len(entries))})


def options(fake: FakeWeb) -> NamingOptions:
    return replace(NamingOptions(), etcd_address=fake.address)


class Gateway:
    """Answers ranges with ``text`` and ``status``; a watch stays silent until it is rung."""

    def __init__(self, fake: FakeWeb) -> None:
        self.text, self.status = found("10.0.0.1:80 5"), 200
        self.bell = asyncio.Event()
        fake.handler = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/v3/watch":
            return web.Response(text=self.text, status=self.status)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"result":{"header":{"revision":"7"},"created":true}}\n')
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


def test_an_empty_prefix_would_be_everything() -> None:
    context = NamingContext(NamingOptions(), FakeResolver(), lambda detail: None)
    with pytest.raises(NamingError, match="prefix"):
        EtcdService(context).check_name("")


def ask(address: str, path: str, **fields: str) -> None:
    """POST to the gateway; raises OSError while it is not up."""
    body = json.dumps({key: code(value) for key, value in fields.items()}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{address}{path}", body), timeout=2).close()


def is_up(address: str) -> bool:
    try:
        ask(address, "/v3/kv/put", key="live/a", value="10.0.0.1:1935 5")
    except OSError:
        return False
    return True


def start_etcd(address: str, peer: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(require_program("etcd"), f"--data-dir={folder}/data", f"--listen-client-urls={address}"),
            *(f"--advertise-client-urls={address}", f"--listen-peer-urls={peer}"),
            *(f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}", "--log-level=error"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.interop
async def test_real_server(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    server = start_etcd(address, f"http://127.0.0.1:{free_port()}", tmp_path)
    # Long, so that only the bell of the watch can be in time.
    settings = NamingOptions(etcd_address=address, ns_access_interval=60)
    watcher = Watcher(parse_address("etcd://live/"), lambda servers: None, options=settings)
    try:
        await asyncio.to_thread(wait_until_sync, lambda: is_up(address), deadline(15), "etcd is up")
        assert await watcher.start()
        assert [f"{node.endpoint} {node.tag}" for node in watcher.servers] == ["10.0.0.1:1935 5"]
        await asyncio.to_thread(ask, address, "/v3/kv/put", key="live/b", value='{"Addr":"10.0.0.2:1935"}')
        await asyncio.to_thread(ask, address, "/v3/kv/put", key="other", value="10.0.0.3:1935")
        await wait_until(lambda: len(watcher.servers) == 2, deadline(5), "the second server")
        await asyncio.to_thread(ask, address, "/v3/kv/deleterange", key="live/a")
        await wait_until(lambda: len(watcher.servers) == 1, deadline(5), "the first is gone")
    finally:
        await watcher.close()
        server.terminate()
        server.wait()
