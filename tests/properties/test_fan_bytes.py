"""Every byte that RTMP players of a shared log get, against digests of what they got before.

The scripts are the tests of the fan-out and courses of chance. The digests beside this file are written by
``python -m tests.properties.test_fan_bytes``; they change only with a wish to send RTMP players something else,
or the same in another order: as when a newcomer's first messages were put behind the answer to its play, so that
a pong, or a jump, of one that takes nothing yet comes behind them.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.net.fakes import FakePeer
from tests.net.fan import test_log_fan

DIGESTS = Path(__file__).with_name("fan_bytes.json")
_COURSES = 60
_KINDS = ("video", "key", "audio", "data", "header", "join", "room", "private", "leave", "pass", "tick")
_VALUES: dict[str, tuple[int | None, ...]] = {
    "header": (0, 1, 2),
    "join": (None, 0, 1, 40, 300),
    "room": (None, 0, 1, 33, 200, 1000),
    "pass": (5, 60, 1000),
}


class Chance:
    """Numbers that are the same with each version of Python."""

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def choice(self, among: Any) -> Any:
        return among[int(self._next() * len(among))]


def course(seed: int) -> None:
    """The property of any course of events, with one drawn here."""
    chance = Chance(seed)
    steps = []
    for _ in range(30 + chance.choice(range(90))):
        what = chance.choice(_KINDS)
        steps.append((what, chance.choice(_VALUES.get(what, range(90)))))
    run = test_log_fan.test_any_course_of_events_leaves_every_player_a_clean_stream.hypothesis.inner_test  # type: ignore[attr-defined]
    run(steps, (0, 50)[seed % 2], chance)


def arguments(function: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """What pytest would call a test with."""
    axes = []
    for mark in getattr(function, "pytestmark", []):
        said = mark.args[0]
        names = [name.strip() for name in said.split(",")] if isinstance(said, str) else list(said)
        axes.append([dict(zip(names, [value] if len(names) == 1 else value, strict=True)) for value in mark.args[1]])
    for chosen in product(*axes):
        yield {name: value for part in chosen for name, value in part.items()}


def scripts() -> Iterator[tuple[str, Callable[[], None]]]:
    for seed in range(_COURSES):
        yield f"course {seed}", partial(course, seed)
    for path in sorted(Path(test_log_fan.__file__).parent.glob("test_*.py")):
        for name, function in vars(import_module(f"tests.net.fan.{path.stem}")).items():
            if not name.startswith("test_") or hasattr(function, "hypothesis"):
                continue
            wanted = set(inspect.signature(function).parameters)
            for number, chosen in enumerate(arguments(function)):
                if set(chosen) == wanted:
                    yield f"{name} {number}", partial(function, **chosen)


def digest_of(script: Callable[[], None]) -> str:
    """Of all bytes of all players that the script makes, each by itself."""
    peers: list[FakePeer] = []
    make = FakePeer.__init__

    def make_noted(self: FakePeer, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        peers.append(self)

    FakePeer.__init__ = make_noted  # type: ignore[method-assign]
    try:
        script()
    finally:
        FakePeer.__init__ = make  # type: ignore[method-assign]
    found = hashlib.sha256()
    for peer in peers:
        found.update(len(peer.received).to_bytes(8, "big") + peer.received)
    return f"{len(peers)} {found.hexdigest()[:24]}"


def test_players_get_the_bytes_that_they_always_got() -> None:
    wanted = json.loads(DIGESTS.read_text(encoding="utf-8"))
    found = {name: digest_of(script) for name, script in scripts() if name in wanted}
    assert {name: found.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("name", ["course 1", "test_jump_repeats_only_headers_that_changed_meanwhile 0"])
def test_digest_sees_each_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = json.loads(DIGESTS.read_text(encoding="utf-8"))[name]
    send, left = FakePeer.send, [1]

    def send_other(self: FakePeer, data: bytes | memoryview) -> int:
        sent = send(self, data)
        if left and self.received:
            left.pop()
            self.received[-1] ^= 1
        return sent

    monkeypatch.setattr(FakePeer, "send", send_other)

    def run() -> None:
        with contextlib.suppress(AssertionError):  # the script sees it too
            dict(scripts())[name]()

    assert digest_of(run) != wanted


if __name__ == "__main__":
    digests = {name: digest_of(script) for name, script in scripts()}
    json.dump({name: text for name, text in digests.items() if not text.startswith("0 ")}, sys.stdout, indent=1)
    print()
