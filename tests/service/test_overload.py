"""When newcomers are refused, and when they may come again: by figures and moments alone."""

from __future__ import annotations

import pytest

from edge.service.config import OverloadConfig
from edge.service.overload import LEAVING_MS, Ladder, Level, OverloadGuard
from edge.service.refusal import Reason, Refusal
from tests.service.fakes import Door

MIB = 1 << 20
LIMIT = 1000 * MIB


def guard(**config: int | bool) -> OverloadGuard:
    return OverloadGuard(OverloadConfig(**config), LIMIT)


def look(one: OverloadGuard, at_ms: int, *, used: int = 0, lag_ms: int = 0) -> Level:
    """``used``: MiB of 1000."""
    one.look(at_ms, resident_bytes=used * MIB, lag_ms=lag_ms)
    return one.level


@pytest.mark.parametrize(
    ("used", "level"),
    [
        *((849, Level.CALM), (850, Level.REFUSING), (919, Level.REFUSING), (920, Level.CUTTING)),
        *((969, Level.CUTTING), (970, Level.CLOSING), (2000, Level.CLOSING)),
    ],
)
def test_R3_each_mark_of_memory_has_its_state(used: int, level: Level) -> None:
    one = guard()
    assert look(one, 0, used=used) is level
    assert one.cause == ("memory" if level else "")


@pytest.mark.parametrize(
    ("lag_ms", "level"),
    [(199, Level.CALM), (200, Level.REFUSING), (999, Level.REFUSING), (1000, Level.CUTTING), (9000, Level.CUTTING)],
)
def test_R4_each_mark_of_lag_has_its_state(lag_ms: int, level: Level) -> None:
    one = guard()
    assert look(one, 0, lag_ms=lag_ms) is level
    assert one.cause == ("lag" if level else "")


#: Moments, MiB in use, and the state then.
WAYS: dict[str, list[tuple[int, int, Level]]] = {
    "not below its twentieth": [(0, 850, Level.REFUSING), (20_000, 808, Level.REFUSING)],
    "below for not long enough": [
        *((0, 850, Level.REFUSING), (1000, 800, Level.REFUSING), (1000 + LEAVING_MS - 1, 800, Level.REFUSING)),
        *((6000, 810, Level.REFUSING), (7000, 800, Level.REFUSING), (7000 + LEAVING_MS - 1, 800, Level.REFUSING)),
    ],
    "below for long enough": [(0, 850, Level.REFUSING), (1000, 807, Level.REFUSING), (6000, 807, Level.CALM)],
    "one state after the other": [
        *((0, 970, Level.CLOSING), (1000, 700, Level.CLOSING), (6000, 700, Level.CUTTING)),
        *((10_999, 700, Level.CUTTING), (11_000, 700, Level.REFUSING), (16_000, 700, Level.CALM)),
    ],
    "down to the state in force": [
        *((0, 970, Level.CLOSING), (1000, 900, Level.CLOSING), (6000, 900, Level.CUTTING)),
        *((60_000, 900, Level.CUTTING), (61_000, 860, Level.CUTTING), (66_000, 860, Level.REFUSING)),
    ],
    "up again at once": [(0, 850, Level.REFUSING), (6000, 700, Level.REFUSING), (6001, 980, Level.CLOSING)],
}


@pytest.mark.parametrize("way", WAYS)
def test_R3_a_state_is_left_a_twentieth_below_for_five_seconds(way: str) -> None:
    one = guard()
    assert [look(one, at_ms, used=used) for at_ms, used, _ in WAYS[way]] == [level for *_, level in WAYS[way]]


def test_lag_is_left_in_the_same_way() -> None:
    one = guard()
    look(one, 0, lag_ms=300)
    assert look(one, 1000, lag_ms=189) is look(one, 5999, lag_ms=0) is Level.REFUSING
    assert look(one, 6000, lag_ms=0) is Level.CALM


def test_of_two_causes_the_one_that_does_more_is_named() -> None:
    one = guard()
    look(one, 0, used=860, lag_ms=1200)
    assert (one.level, one.cause) == (Level.CUTTING, "lag")
    assert "1200 ms" in one.reason and "-overload_lag_ms" in one.reason
    look(one, 1, used=980, lag_ms=1200)
    assert (one.level, one.cause) == (Level.CLOSING, "memory")
    assert "980 MiB of 1000 MiB" in one.reason and "-max_memory_mb" in one.reason


@pytest.mark.parametrize(
    "one",
    [guard(circuit_breaker=False), OverloadGuard(OverloadConfig(overload_lag_ms=0), 0)],
    ids=["switched off", "no limits"],
)
def test_nothing_is_done_where_nothing_is_to_be(one: OverloadGuard) -> None:
    assert look(one, 0, used=5000, lag_ms=5000) is Level.CALM
    assert one.refuse() is None and (one.refused_count, one.reason) == (0, "")


def test_memory_that_the_system_does_not_tell_is_no_reason() -> None:
    one = guard()
    one.look(0, resident_bytes=None, lag_ms=0)
    assert one.level is Level.CALM


def test_other_marks_are_looked_at_anew() -> None:
    one = guard()
    look(one, 0, used=900)
    one.reconfigure(OverloadConfig(), 2 * LIMIT)
    assert one.level is Level.CALM and look(one, 1, used=900) is Level.CALM
    one.reconfigure(OverloadConfig(overload_lag_ms=50), LIMIT)
    assert look(one, 2, lag_ms=50) is Level.REFUSING
    assert Ladder(()).level == 0


def test_newcomers_are_refused_and_counted_while_those_served_stay() -> None:
    door, one = Door(), guard()
    door.service.guard = one
    door.service.admission.rules.append(one)
    publish = door.publish("s")
    play = door.play("s")
    assert not isinstance(play, Refusal) and not isinstance(publish, Refusal)
    look(one, 0, used=860)
    for answer in (door.play("s"), door.publish("other"), door.service.refuse_newcomer()):
        assert isinstance(answer, Refusal) and answer.reason is Reason.OVERLOADED
        assert "overloaded: memory 860 MiB" in answer.detail
    assert one.refused_count == 3
    assert (play.stopped, publish.stopped, play.stream.player_count) == (None, None, 1)
    (told, *_) = door.service.chronicle.stories.of_address("10.9.9.9")
    assert told.kind.value == "overload"
