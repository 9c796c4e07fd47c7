"""``remotefile://``: lists behind HTTP. The sample is the one of brpc's documentation of naming services."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from naming.base import NamingError, NamingOptions
from naming.remotefile import RemoteFileService
from tests.naming.fakes import FakeResolver, make_context
from tests.naming.web import following, serving

SAMPLE = "# comment\n10.0.0.1:8001 10\n10.0.0.2:8001 20   # trailing comment\n"


async def test_N4_list_is_followed_through_outages() -> None:
    async with serving() as fake:
        fake.answer(SAMPLE)
        async with following(f"remotefile://127.0.0.1:{fake.port}/live/list?zone=a") as followed:
            assert followed.servers == ["10.0.0.1:8001 10", "10.0.0.2:8001 20"]
            assert fake.asked == ["GET /live/list?zone=a"]
            for text, status in (("", 500), ("<html>\nsorry", 200), ("", 302)):
                fake.answer(text, status)
                await followed.steps.next_round()
            assert len(followed.servers) == 2 and followed.watcher.failed_count == 3
            fake.answer("# nobody\n")
            await followed.steps.next_round()
            assert len(followed.servers) == 2 and followed.watcher.empty_count == 1
            fake.answer("\ufeff10.0.0.2:8001 20\r\nbad\r\n10.0.0.3:8001")
            await followed.steps.next_round()
            assert followed.servers == ["10.0.0.2:8001 20", "10.0.0.3:8001"]
            assert followed.watcher.skipped_count == 1
            assert set(followed.steps.waits) == {5} and len(followed.updates) == 2


async def test_inner_scheme_extra_slashes_and_names() -> None:
    async with serving() as fake:
        fake.answer("origin:80\n10.0.0.9:80\n")
        resolver = FakeResolver(lists=["127.0.0.1"], origin=["10.0.0.1"])
        async with following(f"remotefile://HTTP:////lists:{fake.port}", NamingOptions(), resolver) as followed:
            assert followed.servers == ["10.0.0.1:80", "10.0.0.9:80"] and fake.asked == ["GET /"]


@pytest.mark.parametrize("name", ["", "bns://a/b", "a b", "host:0x/list", "http:///"])
def test_bad_names(name: str) -> None:
    with pytest.raises(NamingError):
        RemoteFileService(make_context()).check_name(name)


async def test_N4_a_server_that_is_silent() -> None:
    is_over = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await is_over.wait()
        return web.Response(text=SAMPLE)

    options = NamingOptions(remote_file_timeout_ms=100, remote_file_connect_timeout_ms=50)
    async with serving() as fake:
        fake.handler = hang
        async with following(f"remotefile://127.0.0.1:{fake.port}/", options) as followed:
            assert not followed.watcher.has_answer and followed.watcher.failed_count == 1
        is_over.set()
