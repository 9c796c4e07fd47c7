"""What is told of streams between two looks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from edge.control.watching import FRESH_MS, MAX_CHANGES, Became, Change, Looks, Watch
from edge.facts.records import StreamFacts
from tests.builtin import sample

ONE = replace(sample.stream(), key="_/live/one", service="", state="live", players=0)


def told(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.became.value, change.stream.key) for change in changes]


def named(key: str) -> StreamFacts:
    return replace(ONE, key=key)


def test_streams_are_told_once_and_again_when_something_is_new() -> None:
    watch = Watch()
    assert told(watch.changes([ONE])[0]) == [("present", ONE.key)]
    assert watch.changes([replace(ONE, video_bps=99, uptime_s=100)]) == ([], 0)
    other = named("_/live/other")
    assert told(watch.changes([replace(ONE, players=3), other])[0]) == [("changed", ONE.key), ("begun", other.key)]
    (gone,), _ = watch.changes([other])
    assert gone.became is Became.ENDED and gone.stream.players == 3


def test_a_stream_of_both_services_is_two() -> None:
    both = [replace(ONE, service="front"), replace(ONE, service="merge")]
    assert len(Watch().changes(both)[0]) == 2


def test_one_stream_alone_may_be_watched() -> None:
    watch = Watch(ONE.key)
    assert told(watch.changes([ONE, named("other")])[0]) == [("present", ONE.key)]
    assert watch.changes([ONE]) == ([], 0)


def test_what_there_is_no_room_for_is_told_later() -> None:
    many = [named(f"{number:05}") for number in range(2 * MAX_CHANGES + 1)]
    watch = Watch()
    looks = [watch.changes(many) for _ in range(4)]
    assert [(len(found), left) for found, left in looks] == [
        (MAX_CHANGES, MAX_CHANGES + 1),
        (MAX_CHANGES, 1),
        (1, 0),
        (0, 0),
    ]
    assert {change.became for found, _ in looks for change in found} == {Became.PRESENT}
    assert len(watch.changes([])[0]) == MAX_CHANGES and len(watch.changes([])[0]) == MAX_CHANGES


async def test_one_look_serves_all_who_ask_at_the_same_time() -> None:
    class Counting:
        count = 0

        async def streams(self) -> list[StreamFacts]:
            self.count += 1
            await asyncio.sleep(0)
            return [ONE]

    facts: Any = Counting()
    now = 0
    looks = Looks(facts, lambda: now)
    assert await asyncio.gather(*(looks.streams() for _ in range(5))) == [[ONE]] * 5
    assert facts.count == 1
    now = FRESH_MS
    await looks.streams()
    assert facts.count == 2
