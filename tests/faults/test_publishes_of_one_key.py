"""Who is seen when several encoders publish one key, over two edges and the origin.

A publish that sends is seen within three seconds of its grant; when it ends, the
youngest of the others that still sends is; players are told no end meanwhile. Which
is younger is never told by wall clocks: here those of all nodes differ by hours.
"""

from __future__ import annotations

import random
from itertools import product
from typing import Literal, get_args

import pytest

from tests.harness.publishes import SEEN_WITHIN_MS, End, Publish, World

_HOUR_MS = 3_600_000
#: No two clocks agree: (monotonic, wall) by node.
_OFFSETS = {
    "O": (7_000_000, _HOUR_MS),
    "A": (123, -5 * _HOUR_MS),
    "B": (99_000_000, 9 * _HOUR_MS),
    "P": (5_000_000, 0),
}
_ENDS: tuple[End, ...] = get_args(End)
#: Publishes whose beginnings lie no further apart, as the nodes measure it, may be seen in either order.
_SAME_MOMENT_MS = 1100
#: How far behind the encoder the player may be.
_WAY_MS = 300


def check(world: World, down: tuple[tuple[str, int, int], ...] = ()) -> list[str]:
    """What is wrong with what ``P`` saw."""
    faults = list(world.faults)
    last: dict[int, int] = {}
    for moment, number, count in world.seen:
        if count <= last.get(number, -1):
            faults.append(f"{moment}: frame {count} of {number} again or out of order")
        last[number] = count
    end_ms = max(publish.released_ms or 0 for publish in world.publishes)
    for moment in range(world.began_ms, end_ms, 100):
        faults += _check_moment(world, moment, down)
    for moment in world.pull.ended_ms:
        for publish in world.publishes:
            if _sends(publish, moment - _WAY_MS, moment):
                faults.append(f"{moment}: the end was told while {publish.number} sends")
    return faults


def _sends(publish: Publish, since_ms: int, until_ms: int) -> bool:
    return publish.granted_ms is not None and publish.granted_ms <= since_ms and until_ms < publish.stop_ms


def _check_moment(world: World, moment: int, down: tuple[tuple[str, int, int], ...]) -> list[str]:
    since = moment - SEEN_WITHIN_MS
    there = [
        publish
        for publish in world.publishes
        if publish.granted_ms is not None
        and publish.granted_ms <= moment
        and (publish.released_ms is None or publish.released_ms > since)
    ]
    there.sort(key=lambda publish: publish.granted_ms or 0)
    if not there:
        return []
    youngest = there[-1]
    is_cut = any(
        name == youngest.node and 0 <= moment - world.began_ms - at_ms <= down_ms + SEEN_WITHIN_MS
        for name, at_ms, down_ms in down
    )
    if is_cut or not _sends(youngest, since, moment):
        return []  # it has not had its time, or has fallen silent: nothing is promised
    rivals = {
        publish.number for publish in there if (youngest.granted_ms or 0) - (publish.granted_ms or 0) <= _SAME_MOMENT_MS
    }
    seen = {number for at, number, _ in world.seen if since < at <= moment}
    if not seen & rivals:
        return [f"{moment}: {youngest.number} is not seen, but {sorted(seen)}"]
    return []


def run(publishes: list[Publish], **options: object) -> list[str]:
    world = World(publishes, offsets=_OFFSETS, **options)  # type: ignore[arg-type]
    cuts = tuple((name, at_ms, down_ms) for name, at_ms, down_ms in world.cuts)
    world.run()
    return check(world, cuts)


@pytest.mark.parametrize(("node", "end"), list(product("OAB", _ENDS)))
def test_one_publish_is_seen_to_its_end(node: str, end: End) -> None:
    world = World([Publish(node, 200, 4000, end)], offsets=_OFFSETS)
    world.run()
    assert check(world) == []
    assert [count for _, _, count in world.seen] == list(range(len(world.publishes[0].sent)))


Order = Literal["one after the other", "overlapping", "the second within the first"]
_SPANS: dict[Order, tuple[tuple[int, int], tuple[int, int]]] = {
    "one after the other": ((0, 4000), (6000, 5000)),
    "overlapping": ((0, 9000), (4500, 10_000)),
    "the second within the first": ((0, 16_000), (4500, 4500)),
}


@pytest.mark.parametrize("order", _SPANS)
@pytest.mark.parametrize(("first", "second"), list(product("OAB", repeat=2)))
def test_of_two_publishes_the_younger_is_seen_and_then_the_other(first: str, second: str, order: Order) -> None:
    faults = {}
    for ends in product(_ENDS, repeat=2):
        spans = _SPANS[order]
        publishes = [
            Publish(node, start_ms, duration_ms, end)
            for node, (start_ms, duration_ms), end in zip((first, second), spans, ends, strict=True)
        ]
        if found := run(publishes):
            faults[ends] = found[:3]
    assert faults == {}


def _drawn(seed: int) -> tuple[list[Publish], list[tuple[str, int, int]]]:
    draw = random.Random(seed)
    publishes = [
        Publish(draw.choice("OAB"), 20 * draw.randrange(0, 800), 20 * draw.randrange(50, 700), draw.choice(_ENDS))
        for _ in range(draw.randint(2, 4))
    ]
    cuts = [(draw.choice("AB"), draw.randrange(1000, 20_000), draw.randrange(20, 1500)) for _ in range(seed % 3)]
    return publishes, cuts


@pytest.mark.parametrize("first_seed", range(0, 200, 20))
def test_of_up_to_four_publishes_drawn_by_chance_the_youngest_that_sends_is_seen(first_seed: int) -> None:
    faults = {}
    for seed in range(first_seed, first_seed + 20):
        publishes, cuts = _drawn(seed)
        if found := run(publishes, cuts=cuts):
            faults[seed] = found[:3]
    assert faults == {}
