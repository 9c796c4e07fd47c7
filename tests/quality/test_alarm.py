from __future__ import annotations

import pytest

from edge.quality.alarm import LEAST_VIEWERS, WINDOW_MS, StallAlarm
from edge.quality.cmcd import parse
from edge.quality.session import Session


def sessions(count: int, stalled: int, *, stream: str = "a", text: str = "") -> list[Session]:
    """So many who report, of whom the first have run dry at 1 s."""
    found = []
    for number in range(count):
        session = Session(0)
        session.stream = stream
        session.take(parse(text + ("bs" if number < stalled else ""), max_bytes=99, max_keys=9), 1000)
        found.append(session)
    return found


@pytest.mark.parametrize(
    ("count", "stalled", "pct", "is_on"),
    [
        *((20, 1, 10, False), (20, 2, 10, True), (20, 20, 100, True), (20, 19, 100, False)),
        *((LEAST_VIEWERS - 1, 5, 10, False), (LEAST_VIEWERS, 1, 10, True), (0, 0, 10, False), (20, 20, 0, False)),
    ],
)
def test_from_which_part_on_it_is_on(count: int, stalled: int, pct: int, is_on: bool) -> None:
    alarm = StallAlarm(pct)
    assert alarm.look(sessions(count, stalled), 1000) is is_on is alarm.is_on
    assert (alarm.viewers, alarm.stalled) == (count, stalled)
    assert alarm.share == (stalled / count if count else 0)


def test_it_goes_off_when_the_stalls_are_long_ago_and_tells_each_change_once() -> None:
    alarm, who = StallAlarm(10), sessions(20, 5)
    times = (1000, 2000, 1000 + WINDOW_MS, 1001 + WINDOW_MS, 2001 + WINDOW_MS)
    assert [alarm.look(who, now_ms) for now_ms in times] == [True, False, False, True, False]
    assert (alarm.worst, alarm.share) == (None, 0)


def test_the_worst_stream_and_those_who_have_left() -> None:
    alarm = StallAlarm(10)
    who = [
        *sessions(20, 2, stream="a"),
        *sessions(10, 4, stream="b"),
        *sessions(30, 30, stream="c", text="sta=q,ts=1,"),
    ]
    assert alarm.look(who, 1000)
    assert (alarm.worst, alarm.stalled, alarm.viewers) == ("b", 6, 30)
