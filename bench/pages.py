"""What pages cost the loop of a node with many streams: ``python bench/pages.py``.

The node runs in this process, its streams have a publisher each and no media. For each page and format: the longest
that a turn of the loop has worked while it was made, of which others are kept waiting, and the time to the last byte.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.report import table
from edge.builtin.page import PAGES
from edge.flags.gflags import parse
from edge.hub.key import StreamKey
from edge.net.aio import now_ms
from edge.runtime.assembly import Daemon, assemble
from edge.runtime.daemon import settle_collector
from edge.runtime.settings import build_settings

STREAMS = 10_000
#: The longest that a page may hold the loop.
GOAL_MS = 50
_FORMATS = ("text", "html", "json")
# These wait for a profile, or end nothing that is measured here.
_LEFT_OUT = ("/hotspots", "/pprof", "/dir", "/threads")
# The probe of the loop looks ten times a second.
_PAUSE_S = 0.3
_LIMIT_S = 60.0


class Cost(NamedTuple):
    """Of one answer."""

    path: str
    form: str
    turn_ms: int
    took_ms: int
    status: int
    size: int


async def fetch(port: int, target: str) -> tuple[int, int]:
    """Status and size of an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(_LIMIT_S):
            answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    return int(answer.split(None, 2)[1]), len(answer)


async def cost_of(daemon: Daemon, path: str, form: str, pause_s: float) -> Cost:
    """Ask once, with a pause before, in which what was going on ends, and behind, in which the loop is looked at."""
    lag, loop = daemon.node.lag, asyncio.get_running_loop()
    await asyncio.sleep(pause_s)
    lag.turn_cpu_max_ms = 0
    began_s = loop.time()
    status, size = await fetch(daemon.node.listeners[0].port, f"{path}?format={form}")
    took_ms = round((loop.time() - began_s) * 1000)
    await asyncio.sleep(pause_s)
    return Cost(path, form, lag.turn_cpu_max_ms, took_ms, status, size)


async def measure(streams: int, *, pause_s: float = _PAUSE_S) -> list[Cost]:
    """All pages that can be looked at, in each format."""
    parsed = parse(["-port=0", "-bind=127.0.0.1", "-max_profiling_seconds=1"])
    daemon = assemble(build_settings(parsed), asyncio.get_running_loop())
    await daemon.start()
    registry = daemon.node.units[0].registry
    try:
        for number in range(streams):
            registry.claim_publisher(
                StreamKey("_", "live", f"s{number}"), f"10.0.{number >> 8}.{number & 255}:1", now_ms()
            )
        await fetch(daemon.node.listeners[0].port, "/status?format=html")
        settle_collector()
        await asyncio.sleep(4 * pause_s)
        pages = [page for page in PAGES.values() if page.methods[0] == "GET" and not page.path.startswith(_LEFT_OUT)]
        return [await cost_of(daemon, page.path, form, pause_s) for page in pages for form in _FORMATS]
    finally:
        await daemon.node.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, the longest turn first; returns 1 where one is longer than the goal."""
    parser = argparse.ArgumentParser(prog="bench/pages.py", description=__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--rows", type=int, default=12, help="of the table")
    arguments = parser.parse_args(argv)
    costs = sorted(asyncio.run(measure(arguments.streams)), key=lambda cost: -cost.turn_ms)
    rows = [[cost.path, cost.form, str(cost.turn_ms), str(cost.took_ms), f"{cost.size / 1e6:.2f}"] for cost in costs]
    head = ["page", "format", f"longest turn ms (goal {GOAL_MS})", "took ms", "MB"]
    print("\n".join(table(head, rows[: arguments.rows])))
    return 1 if costs[0].turn_ms > GOAL_MS else 0


if __name__ == "__main__":
    raise SystemExit(main())
