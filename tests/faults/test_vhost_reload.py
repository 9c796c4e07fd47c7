"""Files by vhost that are read again by a server that has players: what is wrong with them changes nothing."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

GOOD = "vhost __defaultVhost__ { queue_length 20; }\nvhost a.example.com { queue_length 5; }\n"
# What the file holds, and what the log then says of it.
BAD = [
    (b"vhost __defaultVhost__ {", "FILE:1: the block of `vhost __defaultVhost__` is never closed"),
    (b"queue_length_s 3;\nvhost a { nosuch 1; }", 'FILE:2: unknown directive "nosuch" in a vhost'),
    (b"queue_length_s 3;\nvhost a { dvr { enabled true; } }", "FILE:2: dvr: enabled true: write on or off"),
    (b"queue_length_s 3;\nqueue_length_s", "FILE:2: missing ';' after `queue_length_s`?"),
    (b"include FILE;", "FILE:1: FILE includes itself"),
    (b"worker_processes 1;", "FILE:1: this is an nginx configuration"),
    (b"queue_length_s 3;\n\0", "FILE:2: byte 18: a NUL byte"),
    (None, "command line: -vhost_config=FILE: No such file or directory"),
]


def put(path: Path, content: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content.replace(b"FILE", str(path).encode()))


async def test_VC12_bad_and_good_files_disconnect_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    put(path, GOOD.encode())
    with EdgeServer(f"-c={path}") as server:
        url = server.rtmp_url("live", "s")
        publisher = SynthPublisher(url, Script(gop=10))
        await publisher.start()
        async with SynthPlayer(url) as player:
            await player.wait_frames(10, 3)
            for number, (content, said) in enumerate(BAD, 1):
                put(path, content)
                server.process.send_signal(signal.SIGHUP)
                line = f"reload refused id={number} by=SIGHUP reason=reload_failed {said.replace('FILE', str(path))}"
                await wait_until(lambda line=line: line in server.log, deadline(3), line)  # type: ignore[misc]
            page = await asyncio.to_thread(server.http, "/vhosts/a.example.com")
            assert f"queue_length_s 5 ({path}:2; root: 30)" in page.decode()
            put(path, GOOD.replace("5;", "6;").encode())
            server.process.send_signal(signal.SIGHUP)
            good = "vhosts changed by=SIGHUP queue_length_s 5 -> 6 (a.example.com)"
            await wait_until(lambda: good in server.log, deadline(3), "the good one")
            await player.wait_more_frames(5, 3)
            player.assert_alive()
            player.account.assert_complete()
        assert publisher.error is None
        await publisher.stop()
