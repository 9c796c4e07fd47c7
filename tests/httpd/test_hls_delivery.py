"""What a node sees of the media that it sends, by real connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.quality.delivery import LEAST_LATE
from tests.harness.clock import deadline, wait_until
from tests.harness.m3u8 import parse_media
from tests.harness.portable import needs_linux
from tests.httpd.hls_asking import ask
from tests.httpd.hls_watching import watched
from tests.runtime.nodes import RunningNode, running

LIST = "-hls_siblings=list://http://127.0.0.1:1"


@asynccontextmanager
async def loading(node: RunningNode, path: str, count: int) -> AsyncIterator[list[socket.socket]]:
    """So many who ask for a segment, have little room, and read nothing."""
    found = []
    for _ in range(count):
        sock = socket.socket()
        found.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", node.port()))
        await asyncio.get_running_loop().sock_sendall(sock, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    try:
        yield found
    finally:
        for sock in found:
            sock.close()


async def segment_of(node: RunningNode) -> str:
    """Path of the first segment that is listed."""
    answer = await ask(node, ".classic.media.m3u8")
    return f"/live/{parse_media(answer.body.decode()).segments[0].uri}"


@needs_linux
async def test_media_that_few_take_are_their_own_business_and_those_of_many_the_nodes() -> None:
    async with running(LIST) as node:
        await watched(node, ".classic.media.m3u8")
        path, steering = await segment_of(node), node.node.steering
        assert steering is not None
        watch = steering.deliveries

        async with loading(node, path, LEAST_LATE - 1):
            await wait_until(lambda: any(each.is_late for each in watch._deliveries._under_way.values()), 10, "late")
            assert (await node.facts.counters())["hls_late_share"] == 0 == watch.share
            async with loading(node, path, LEAST_LATE):
                await wait_until(lambda: watch.share == 1, deadline(5), "the share")
                counters = await node.facts.counters()
                assert (counters["hls_late_share"], counters["hls_steer_share"]) == (1, 1)
        await wait_until(lambda: not watch._deliveries._under_way, deadline(5), "their end")


async def test_media_that_are_taken_are_in_time_and_where_it_is_off_nobody_looks() -> None:
    for flags in ((), ("-hls_steer_late_pct=0",)):
        async with running(LIST, *flags) as node:
            await watched(node, ".classic.media.m3u8")
            path, steering = await segment_of(node), node.node.steering
            assert steering is not None
            for _ in range(LEAST_LATE + 1):
                assert (await ask(node, path)).status == 200
            deliveries = steering.deliveries._deliveries
            assert deliveries.is_idle is bool(flags)
            await wait_until(lambda seen=deliveries: not seen._under_way, deadline(5), "the end")
            assert deliveries.late_share() == 0 == steering.deliveries.share
