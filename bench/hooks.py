"""Viewers whose hook has died: ``python bench/hooks.py``. Linux only.

RTMP players, each with a credential of its own, are let in by a hook, which then takes calls and never answers
again. From then on others join: every second one with a credential that was let in, the others with unknown ones.
Prints what became of the players, and how long joiners waited from ``play`` to what they were told. Leaves with 1
if a player lost anything, or somebody was told what he should not be.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.load import BenchError, Load, Row, built_tool, cores
from bench.servers import Edge, Running
from edge.tools.hook_demo import HookDemo
from tests.harness.client import RtmpClient, decode_command
from tests.harness.wire import COMMAND

GOAL_MS = 5.0
_STREAM = "s0"
_KBPS = 100
_LIMIT_S = 300.0
_JOIN_WITHIN_S = 20.0
#: What the players of the load generator say of themselves: the same people come again.
_PROGRAM = "LNX 9,0,124,2"
_STARTED, _FAILED = "NetStream.Play.Start", "NetStream.Play.Failed"


@dataclass
class Joins:
    """Those who came: what each was told, and after how many milliseconds; ``when_open``: the hook was left alone."""

    told: dict[tuple[bool, str], int] = field(default_factory=dict)
    before_ms: list[float] = field(default_factory=list)
    known_ms: list[float] = field(default_factory=list)
    unknown_ms: list[float] = field(default_factory=list)

    def add(self, is_known: bool, text: str, waited_ms: float, *, is_open: bool) -> None:
        """One more."""
        self.told[is_known, text] = self.told.get((is_known, text), 0) + 1
        (self.before_ms if not is_open else self.known_ms if is_known else self.unknown_ms).append(waited_ms)


async def join(port: int, token: str) -> tuple[str, float]:
    """Ask to play with a credential; what is told, and after how many milliseconds."""
    async with asyncio.timeout(_JOIN_WITHIN_S):
        url = f"rtmp://127.0.0.1:{port}/live"
        client, _ = await RtmpClient.open(url, flashVer=_PROGRAM, tcUrl=url)
        try:
            began_s = time.monotonic()
            client.play(f"{_STREAM}?token={token}")
            while True:
                message = await client.next_message()
                said = decode_command(message) if message.type_id == COMMAND else []
                if said[:1] == ["onStatus"] and said[3]["code"] in (_STARTED, _FAILED):
                    text = "" if said[3]["code"] == _STARTED else str(said[3]["description"])
                    return text, (time.monotonic() - began_s) * 1000
        finally:
            client.peer.abort()


def wait_until_left_alone(port: int, within_s: float) -> None:
    """Until the node leaves the hook alone."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            if b"edge_hooks_left_alone 1" in answer.read():
                return
        time.sleep(0.1)
    raise BenchError(f"the hook is not left alone after {within_s:g} s")


async def come(port: int, viewers: int, arguments: argparse.Namespace) -> Joins:
    """Join at the rate, for so long."""
    joins, is_open = Joins(), asyncio.Event()

    async def watch() -> None:
        await asyncio.to_thread(wait_until_left_alone, port, arguments.seconds)
        is_open.set()

    async def one(number: int) -> None:
        is_known, was_open = number % 2 == 0, is_open.is_set()
        try:
            text, waited_ms = await join(port, f"{number % viewers}" if is_known else f"unknown{number}")
        except (OSError, EOFError, TimeoutError) as error:
            text, waited_ms = type(error).__name__, _JOIN_WITHIN_S * 1000
        joins.add(is_known, text, waited_ms, is_open=was_open)

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        began_s, count = time.monotonic(), 0
        while (elapsed_s := time.monotonic() - began_s) < arguments.seconds:
            for number in range(count, int(elapsed_s * arguments.rate)):
                group.create_task(one(number))
            count = max(count, int(elapsed_s * arguments.rate))
            await asyncio.sleep(0.005)
    return joins


async def measure(tool: Path, arguments: argparse.Namespace) -> tuple[Row, Joins]:
    """The players' window, and those who came in it."""
    server_core, load_core = cores()
    viewers = arguments.players
    demo = HookDemo()
    await demo.start()
    try:
        with Running(Edge(), [f"-hooks_on_play={demo.url('/play')}"], server_core) as running:
            common = ["--port", str(running.port), "--kbps", str(_KBPS)]
            publisher = Load(tool, load_core, ["publish", *common, "--streams", "1"], _LIMIT_S)
            try:
                await asyncio.to_thread(publisher.wait_for, "publishing")
                people = ["--stream", f"{_STREAM}?token=", "--streams", str(viewers), "--steps", str(viewers)]
                times = ["--settle", "2", "--window", f"{arguments.seconds + 5:g}", "--sample", "5", "--srcs", "0"]
                players = Load(tool, load_core, ["play", *common, *people, *times], _LIMIT_S)
                try:
                    await asyncio.to_thread(players.wait_for, "window_start")
                    if (asked := demo.actions().count("on_play")) != viewers:
                        raise BenchError(f"the hook was asked about {asked} of {viewers} players")
                    demo.say("nothing")
                    joins = await come(running.port, viewers, arguments)
                    row = await asyncio.to_thread(players.wait_for, "window_end")
                finally:
                    players.stop()
            finally:
                publisher.stop()
    finally:
        await demo.close()
    return row, joins


def waits(values: Sequence[float]) -> str:
    """Median and the hundredth that waited longest."""
    if not values:
        return "nobody"
    ordered = sorted(values)
    return f"{len(ordered)}, p50 {statistics.median(ordered):.1f} ms, p99 {ordered[len(ordered) * 99 // 100]:.1f} ms"


def main(argv: Sequence[str] | None = None) -> int:
    """Print all; the exit code says whether it is as it should be."""
    parser = argparse.ArgumentParser(prog="bench/hooks.py", description="Measure a node whose hook has died.")
    parser.add_argument("--players", type=int, default=500)
    parser.add_argument("--rate", type=float, default=50.0, help="joins a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long they come")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        row, joins = asyncio.run(measure(built_tool(Path(folder)), arguments))
    lost = arguments.players - row["alive"] + row["closed"] + row["failed"] + row["gaps_total"]
    print(
        f"{row['alive']:.0f} of {arguments.players} players play on, {row['gaps_total']:.0f} gaps, "
        f"delay p50 {row['lat_p50_ms']:.1f} ms, p99 {row['lat_p99_ms']:.1f} ms"
    )
    for (is_known, text), count in sorted(joins.told.items()):
        print(f"{count} with {'a known' if is_known else 'an unknown'} credential: {text or 'let in'}")
    print(f"before the hook was left alone: {waits(joins.before_ms)}")
    print(f"after that, let in by grace: {waits(joins.known_ms)}")
    print(f"after that, refused: {waits(joins.unknown_ms)} (goal {GOAL_MS:g} ms)")
    is_right = set(joins.told) == {(True, ""), (False, "HookUnavailable")}
    return int(lost > 0 or not is_right or not joins.unknown_ms or statistics.median(joins.unknown_ms) > GOAL_MS)


if __name__ == "__main__":
    sys.exit(main())
