"""The log of a daemon to which ffmpeg publishes, and from which it plays: read as an operator's programs do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.clients import Program, ffmpeg_publish
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.raw_http import RawHttp, request_head
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.interop

_STAMP = r"[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} \d+ [a-z_]+\.py:\d+\] "
_PEER = r"127\.0\.0\.1:\d+"
_PREFIX = r"T\d{8} \d\d:\d\d:\d\d\.\d{6} \[STATS\] "
_HEAD = r"CreatedTime {15}\|From {15}\|Key {3,}\|Gop \|F/s\|Video B/s\|Audio B/s\|Fluency\|Play\|"
_ROW = (
    r"\d{4}/\d\d/\d\d-\d\d:\d\d:\d\d\.\d{6}\|127\.0\.0\.1:\d+ *\|_/live/s *\|\d+ *\|\d+ *\|\d+ *\|\d+ *\|"
    r"(?:\d+\.\d%\*?|-) *\|\d+ *\|"
)
_STATS = (
    r"\[CONN_STATS\](publish|play|play_flv) stats, session:_/live/s, ip:127\.0\.0\.1:\d+, flowrate:\d+, "
    r"videorate:\d+, audiorate:\d+, videofps:\d+, score:\d+"
)
_BILL = (
    r"(start|on|stop)_(publish|play|flv_play) key:_/live/s request:([0-9a-zA-Z_-]{22}) send:(\d+) recv:(\d+) "
    r"type:external endpoint:(127\.0\.0\.1:\d+)"
)
_STAGE = r"stage=(publish|play) clients=\d+ key=_/live/s peer=127\.0\.0\.1:\d+ age_ms=\d+ kbps=\d+"


def bills_of(log: str) -> dict[tuple[str, str], list[tuple[str, int, int]]]:
    """By kind and request: event, bytes sent and received, in the order of the log."""
    found: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    for event, what, request, sent, received, _ in re.findall(_STAMP + _BILL + "\n", log):
        found.setdefault((what, request), []).append((event, int(sent), int(received)))
    return found


async def test_the_log_tells_of_a_stream_as_the_reference_does(clips: Callable[[str], Path], tmp_path: Path) -> None:
    flags = ("-bind=127.0.0.1", "-log_stats", "-dump_stats_interval=1", "-pithy_print_ms=1000")
    server = EdgeServer(*flags)
    with server:
        url = f"{server.rtmp_url('live', 's')}"
        output = tmp_path / "played.flv"
        web = f"http://{server.address}/live/s.flv"
        with ffmpeg_publish(clips("bbb-360p-10s.flv"), f"{url}?token=secret-of-publisher", loops=-1):
            await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("s"), deadline(20.0), "the stream")
            async with await RawHttp.open(web) as http:
                await http.send(request_head(web))
                await http.read_head()
                player = Program(
                    *("ffmpeg", "-nostdin", "-v", "error", "-y", "-t", "12", "-i", f"{url}?token=secret-of-player"),
                    *("-c", "copy", str(output)),
                )
                with player:
                    await player.wait_ok(deadline(60.0))
                await asyncio.to_thread(
                    wait_until_sync, lambda: "[CONN_STATS]play_flv" in server.log, deadline(30.0), "the round"
                )
                await http.read(5.0, until_bytes=100_000)
            await asyncio.to_thread(
                wait_until_sync, lambda: "stop_flv_play" in server.log, deadline(10.0), "the end of the viewer"
            )
        await asyncio.to_thread(
            wait_until_sync, lambda: "stop_publish" in server.log, deadline(10.0), "the end of the publish"
        )
        log = server.log
    table = rf"{_STAMP}Stream stats \(1 in total\):\n{_PREFIX}{_HEAD}\n{_PREFIX}{_ROW}\n--------END--------\n"
    assert len(re.findall(table, log)) >= 5
    assert {found[0] if isinstance(found, tuple) else found for found in re.findall(_STAMP + _STATS + "\n", log)} >= {
        *("publish", "play_flv"),
    }
    assert set(re.findall(_STAMP + _STAGE + "\n", log)) == {"publish", "play"}
    check_bills(bills_of(log), output)
    assert "secret-of" not in log


def check_bills(bills: dict[tuple[str, str], list[tuple[str, int, int]]], output: Path) -> None:
    """Of each request the lines come in order and grow; what was sent is what the players had."""
    assert {what for what, _ in bills} == {"publish", "play", "flv_play"}
    for (what, _), lines in bills.items():
        events = [event for event, _, _ in lines]
        assert events == ["start", *["on"] * (len(lines) - 2), "stop"]
        side = 2 if what == "publish" else 1
        counts = [line[side] for line in lines]
        assert counts == sorted(counts)
        assert {line[3 - side] for line in lines} == {0}
        assert counts[-1] > 100_000
    ((_, flv_lines),) = [item for item in bills.items() if item[0][0] == "flv_play"]
    assert flv_lines[0] == ("start", 0, 0)
    ((_, play_lines),) = [item for item in bills.items() if item[0][0] == "play"]
    assert play_lines[-1][1] > output.stat().st_size * 9 // 10
