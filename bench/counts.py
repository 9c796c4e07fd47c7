"""What our server does, counted instead of timed: ``python bench/counts.py``. Linux only.

System calls for a connect, for a message in and for a delivered one, as strace shows them, and the bytes that Python
holds for connections and frames. Clients go one step at a time, so that the figures depend on the code only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import held
from bench.load import BenchError
from bench.report import table
from bench.stepwise import AVC_HEADER, StepClient, inter_frame, keyframe
from bench.traced import OPTIONS, RECVS, SENDS, WAITS, Served, TracedServer, total

_MESSAGES = 10
_FRAME_BYTES = 1000
_FRAME_MS = 40
PLAYERS = (1, 20)


@dataclass(frozen=True, slots=True)
class Unit:
    """System calls by name for one of something; a fraction where they are an average."""

    name: str
    calls: dict[str, float]

    def of(self, names: Sequence[str]) -> float:
        """How many of all these."""
        return total(self.calls, names)

    @property
    def recvs(self) -> float:
        return self.of(RECVS)

    @property
    def sends(self) -> float:
        return self.of(SENDS)

    @property
    def options(self) -> float:
        return self.of(OPTIONS)

    @property
    def epoll_ctls(self) -> float:
        return self.of(("epoll_ctl",))

    @property
    def all(self) -> float:
        """Those that depend on the code only."""
        return sum(self.calls.values()) - self.of(WAITS)


def _less(more: Counter[str], fewer: Counter[str], units: int) -> dict[str, float]:
    """What ``more`` has beyond ``fewer``, for each of the units."""
    names = sorted({*more, *fewer})
    return {name: (more[name] - fewer[name]) / units for name in names if more[name] != fewer[name]}


def _publish(server: TracedServer, name: str) -> StepClient:
    client = server.dial()
    client.connect()
    client.publish(name)
    for payload in (AVC_HEADER, keyframe(_FRAME_BYTES)):
        client.send_video(0, payload)
        server.wait_until_read(client)
    return client


def _play(server: TracedServer, name: str) -> StepClient:
    client = server.dial()
    client.connect()
    client.play(name)
    return client


def _publish_messages(server: TracedServer, name: str, players: int, messages: int) -> tuple[Served, list[Served]]:
    """One publish with so many players, each message sent when the one before has arrived everywhere."""
    with contextlib.ExitStack() as stack:
        publisher = stack.enter_context(_publish(server, name))
        playing = [stack.enter_context(_play(server, name)) for _ in range(players)]
        for number in range(1, messages + 1):
            payload = inter_frame(_FRAME_BYTES + number)
            publisher.send_video(number * _FRAME_MS, payload)
            server.wait_until_read(publisher)
            for player in playing:
                player.wait_for_video(payload)
        played = [server.leave(player) for player in playing]
        return server.leave(publisher), played


def measure(players: Sequence[int] = PLAYERS) -> list[Unit]:
    """All units; raises ``BenchError`` where nothing can be traced."""
    units = []
    with TracedServer("-publish_normal_timeout_ms=0") as server:  # or a slow machine's silent publisher is asked
        publisher, (player,) = _publish_messages(server, "begin", 1, 0)
        units.append(Unit("connect to first keyframe", dict(player.life())))
        units.append(Unit("close of that player", dict(player.end())))
        units.append(Unit("connect to publish, with a header and a keyframe", dict(publisher.life())))
        units.append(Unit("close of that publisher", dict(publisher.end())))
        for count in (0, *players):
            name = f"with{count}"
            before, unplayed = _publish_messages(server, f"{name}-none", count, 0)
            after, played = _publish_messages(server, name, count, _MESSAGES)
            with_words = "nobody plays" if not count else f"{count} play"
            units.append(Unit(f"message in, {with_words}", _less(after.life(), before.life(), _MESSAGES)))
            if count:
                first, last = (sum((one.life() for one in each), Counter()) for each in (unplayed, played))
                units.append(Unit(f"message out to one of {count}", _less(last, first, _MESSAGES * count)))
    return units


def calls_table(units: Sequence[Unit]) -> list[str]:
    """Sums first, then each call."""

    def shown(value: float) -> str:
        return f"{value:g}" if value == int(value) else f"{value:.2f}"

    rows = []
    for unit in units:
        order = sorted(unit.calls.items(), key=lambda item: (total({item[0]: 1}, WAITS), item[0]))
        each = [f"{shown(count)} {name}{' *' if total({name: 1}, WAITS) else ''}" for name, count in order]
        sums = (unit.all, unit.recvs, unit.sends, unit.options, unit.epoll_ctls)
        rows.append([unit.name, *map(shown, sums), ", ".join(each)])
    return table(["for each", "calls", "recvs", "sends", "options", "epoll_ctls", "by name"], rows)


def held_table(found: dict[str, float]) -> list[str]:
    """Bytes by what they are for."""
    return table(["bytes of Python for each", ""], [[name, f"{value:.0f}"] for name, value in found.items()])


def main(argv: Sequence[str] | None = None) -> int:
    """Count and print; returns 1 where something could not be counted."""
    parser = argparse.ArgumentParser(prog="bench/counts.py", description=__doc__)
    parser.add_argument("--only", choices=("calls", "held"), help="half of it")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args(argv)
    figures: dict[str, dict[str, dict[str, float]] | dict[str, float]] = {}
    try:
        if arguments.only != "held":
            units = measure()
            figures["calls"] = {unit.name: unit.calls for unit in units}
            print("\n".join(calls_table(units)))
            print("\n* depends on what comes together, so on the machine; not in the sums\n", flush=True)
        if arguments.only != "calls":
            figures["held"] = found = held.measure()
            print("\n".join(held_table(found)))
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
