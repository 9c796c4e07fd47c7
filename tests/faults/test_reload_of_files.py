"""Flagfiles that are read again by a server that has players: what is wrong with them changes nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

# What the file holds, and what the log then says of it; FILE is the file. Each has a good line before the bad one.
BAD = [
    (b"-max_connections_per_ip=9\n-strict_flagfile\n-nosuch=1\n", "FILE:3: unknown flag -nosuch"),
    (b"-max_connections_per_ip=9\n-send_timeout_ms=x\n", "FILE:2: flag -send_timeout_ms=x: not an integer"),
    (b"-max_connections_per_ip=9\n-log_error_text=maybe\n", "FILE:2: flag -log_error_text=maybe: not a bool"),
    (b"-max_connections_per_ip=9\n-vmodule=\xff\n", "FILE:2: flagfile FILE: not valid UTF-8 in line 2"),
    (b"-max_connections_per_ip=9\n-flagfile=FILE\n", "FILE:2: flagfile FILE includes itself"),
    (b"-max_connections_per_ip=9\n-flagfile=FILE.not\n", "FILE:2: flagfile FILE.not: No such file or directory"),
    (b"-min_in_chunk_size=2000\n-max_in_chunk_size=1000\n", "FILE:1: -min_in_chunk_size=2000 is above"),
    (b"-max_connections_per_ip=9\n-proxy_to=nowhere://a\n", "FILE:2: -proxy_to"),
    (b"-https\n-certificate=FILE.pem\n", "FILE:2: -certificate=FILE.pem"),
    (
        b"-max_connections_per_ip=9\n-listen=TAKEN\n",
        "FILE:2: -listen=TAKEN: Fail to listen 0.0.0.0:TAKEN: Address already",
    ),
    (None, "command line: flagfile FILE: No such file or directory"),
    ("folder", "command line: flagfile FILE: Is a directory"),
]


def put(path: Path, content: bytes | str | None) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content.replace(b"FILE", str(path).encode()))


def flag(server: EdgeServer, name: str) -> str:
    found = json.loads(server.http(f"/flags/{name}?format=json"))
    return str(found["flags"][0]["value"])


async def test_R7_a_fault_of_the_files_keeps_everything_and_tells_its_place(tmp_path: Path) -> None:
    path = tmp_path / "edge.flags"
    put(path, b"-max_connections_per_ip=500\n")
    taken = socket.create_server(("", 0))
    port = str(taken.getsockname()[1])
    with taken, EdgeServer(f"-flagfile={path}") as server:
        url = server.rtmp_url("live", "s")
        publisher = SynthPublisher(url, Script(gop=10))
        await publisher.start()
        async with SynthPlayer(url) as player:
            await player.wait_frames(10, 3)
            for number, (content, said) in enumerate(BAD, 1):
                put(path, content.replace(b"TAKEN", port.encode()) if isinstance(content, bytes) else content)
                server.process.send_signal(signal.SIGHUP)
                line = f"reload refused id={number} by=SIGHUP reason=reload_failed " + said.replace(
                    "FILE", str(path)
                ).replace("TAKEN", port)
                await wait_until(lambda line=line: line in server.log, deadline(3), line)  # type: ignore[misc]
                player.assert_alive()
            assert await asyncio.to_thread(flag, server, "max_connections_per_ip") == "500"
            reloads = json.loads(await asyncio.to_thread(server.http, "/reloads?format=json"))["reloads"]
            assert [report["state"] for report in reloads] == ["refused"] * len(BAD)
            put(path, b"-max_connections_per_ip=400\n-default_vhost=x\n")
            server.process.send_signal(signal.SIGHUP)
            good = f"reload done id={len(BAD) + 1} by=SIGHUP requests=1 changed=max_connections_per_ip kept=- needs_"
            await wait_until(lambda: good in server.log, deadline(3), "the good one")
            assert await asyncio.to_thread(flag, server, "max_connections_per_ip") == "400"
            await player.wait_more_frames(5, 3)
            player.account.assert_complete()
        assert publisher.error is None
        await publisher.stop()
        counters = await asyncio.to_thread(server.counters)
        assert counters["error_reload_failed_count"] == len(BAD)


async def test_R7_a_storm_is_answered_by_few_readings_and_no_player_notices(tmp_path: Path) -> None:
    path = tmp_path / "edge.flags"
    put(path, b"-queue_length_s=20\n")
    with EdgeServer(f"-flagfile={path}") as server:
        url = server.rtmp_url("live", "s")
        publisher = SynthPublisher(url, Script(gop=10))
        await publisher.start()
        players = [SynthPlayer(url) for _ in range(5)]
        for player in players:
            await player.start()
            await player.wait_frames(5, 3)
        for number in range(100):
            bad = number % 2
            put(path, b"-queue_length_s=bad\n" if bad else f"-queue_length_s={21 + number}\n".encode())
            server.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.01)
        put(path, b"-queue_length_s=19\n")
        server.process.send_signal(signal.SIGHUP)
        await wait_until(lambda: "name=queue_length_s by=SIGHUP" in server.log, deadline(3), "a change")

        def is_over() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.internal_port}/flags/queue_length_s") as answer:
                return b"| 19 (default" in answer.read()

        await wait_until(lambda: "new=19" in server.log, deadline(5), "the last one")
        assert await asyncio.to_thread(is_over)
        readings = (
            server.log.count("reload done") + server.log.count("reload refused") + server.log.count("reload unch")
        )
        assert readings < 50
        for player in players:
            await player.wait_more_frames(10, 3)
            player.assert_alive()
            player.account.assert_complete()
            await player.stop()
        assert publisher.error is None
        await publisher.stop()


async def test_what_a_page_sets_stays_is_saved_and_is_so_after_a_restart(tmp_path: Path) -> None:
    path, saved = tmp_path / "edge.flags", tmp_path / "saved.flags"
    put(path, b"-queue_length_s=20\n")

    def post(server: EdgeServer, page: str) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{server.internal_port}{page}", method="POST")
        with urllib.request.urlopen(request, timeout=deadline(5)) as answer:
            return str(json.loads(answer.read())["text"])

    server = EdgeServer(f"-flagfile={path}", f"-save_flagfile={saved}")
    with server:
        assert (
            await asyncio.to_thread(server.http, "/flags/queue_length_s?setvalue=25") == b"Set `queue_length_s' to 25\n"
        )
        put(path, b"-queue_length_s=22\n-end_flush_ms=1000\n")
        said = await asyncio.to_thread(post, server, "/api/reload")
        assert said == "Changed: end_flush_ms. Kept as set by hand: queue_length_s."
        assert not saved.exists()
        assert await asyncio.to_thread(post, server, "/api/save_flags") == f"1 flag is in {saved}."
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.restart)
        assert await asyncio.to_thread(flag, server, "queue_length_s") == "25"
