"""A viewer of the two-level scheme leaves in the middle of a segment that is still being made."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.clients import ffmpeg_publish
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.interop


async def test_its_leaving_is_no_fault_of_ours(clips: Callable[[str], Path]) -> None:
    def leave(server: EdgeServer, path: str) -> None:
        with socket.create_connection((server.host, server.port), deadline(5)) as viewer:
            viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: {server.address}\r\n\r\n".encode())
            assert viewer.recv(64).startswith(b"HTTP/1.1 200")

    def watch(server: EdgeServer) -> None:
        wait_until_sync(lambda: server.has_stream("clip"), deadline(5), "the stream")
        media = server.http("/live/clip.m3u8", on_internal=False).decode().splitlines()[-1]
        for _ in range(2):
            text = server.http(f"/live/{media}", on_internal=False).decode()
            written = re.search(r"#WRITE-SEQUENCE:(\d+)", text)
            assert written
            # The one after that which is being made: its first bytes come when it begins, and most of it later.
            ahead = next(line for line in text.splitlines() if f".seq{int(written[1]) + 1}.ts" in line)
            leave(server, f"/live/{ahead}")
        ended = server.http(f"/live/{ahead}", on_internal=False)
        assert ended[0] == 0x47 and len(ended) % 188 == 0
        assert server.counters()["error_internal_count"] == 0

    with EdgeServer() as server, ffmpeg_publish(clips("bbb-360p-10s.flv"), server.rtmp_url("live", "clip"), loops=-1):
        await asyncio.to_thread(watch, server)  # the log is looked at in the end
