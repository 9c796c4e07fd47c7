"""When a server that leaves does what: scripts of time and of how many are left."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.runtime.drain import Drain, Step, Waits, waits_of

NOT_READY, CLOSE, TELL, END = Step.NOT_READY, Step.CLOSE, Step.TELL, Step.END

# What is given at each moment: milliseconds since the beginning, clients left, steps that are due.
Script = list[tuple[int, int, list[Step]]]

SCRIPTS: dict[str, tuple[int | None, int, Script]] = {
    # within_s, -grace_max_wait_s, script; with waits of 2300 and 3200 ms
    "nobody is served": (8, 0, [(0, 0, [NOT_READY, CLOSE, END])]),
    "at once": (0, 0, [(0, 7, [NOT_READY, CLOSE, END])]),
    "all leave in time": (
        *(8, 0),
        [(0, 2, [NOT_READY]), (1999, 2, []), (2000, 2, [CLOSE, TELL]), (2500, 1, []), (3000, 0, [END])],
    ),
    "all leave before it closes": (8, 0, [(0, 2, [NOT_READY]), (500, 0, [CLOSE, END])]),
    "some never leave": (
        *(8, 0),
        [(0, 2, [NOT_READY]), (2000, 2, [CLOSE, TELL]), (3000, 2, [TELL]), (5000, 2, [TELL]), (5999, 2, [])],
    ),
    "those are ended": (8, 0, [(0, 2, [NOT_READY]), (2000, 2, [CLOSE, TELL]), (6000, 2, [END]), (6001, 0, [])]),
    "the loop stood still": (8, 0, [(0, 2, [NOT_READY]), (9000, 2, [CLOSE, END])]),
    "a short limit shortens the first wait": (2, 0, [(0, 1, [NOT_READY]), (500, 1, [CLOSE, TELL]), (1500, 1, [END])]),
    "without a deadline": (
        *(None, 0),
        [(0, 0, [NOT_READY]), (2300, 1, [CLOSE, TELL]), (99_000, 1, [TELL]), (100_000, 0, []), (103_200, 0, [END])],
    ),
    "somebody comes back": (
        *(None, 0),
        [(0, 0, [NOT_READY]), (2300, 0, [CLOSE]), (4000, 1, [TELL]), (5600, 0, []), (8700, 0, []), (8800, 0, [END])],
    ),
    "the longest of all": (None, 60, [(0, 1, [NOT_READY]), (2300, 1, [CLOSE, TELL]), (58_000, 1, [END])]),
    "the longest of all is shorter": (60, 8, [(0, 1, [NOT_READY]), (2000, 1, [CLOSE, TELL]), (6000, 1, [END])]),
}


@pytest.mark.parametrize(("within_s", "max_s", "script"), SCRIPTS.values(), ids=SCRIPTS)
def test_each_step_is_due_at_its_time(within_s: int | None, max_s: int, script: Script) -> None:
    begun_ms = 5000
    drain = Drain(waits_of(2300, 3200, max_s, within_s), begun_ms)
    for at_ms, left_count, steps in script:
        assert drain.look(begun_ms + at_ms, left_count) == steps, at_ms
    assert drain.is_over is (END in [step for _, _, steps in script for step in steps])


def test_what_hurries_a_leave_shortens_it_and_never_stretches_it() -> None:
    drain = Drain(waits_of(2300, 3200, 0, None), 0)
    assert drain.look(0, 3) == [NOT_READY]
    assert drain.look(10_000, 3) == [CLOSE, TELL]
    drain.hurry(waits_of(2300, 3200, 0, 8), 20_000)
    assert END not in drain.look(25_999, 3)
    drain.hurry(waits_of(2300, 3200, 0, 60), 25_999)
    assert drain.look(26_000, 3) == [END]
    over = Drain(waits_of(2300, 3200, 0, None), 0)
    over.look(0, 3)
    over.hurry(waits_of(2300, 3200, 0, 0), 1)
    assert over.look(1, 3) == [CLOSE, END]


def test_it_looks_ever_more_rarely_and_never_too_late() -> None:
    drain = Drain(Waits(2300, 3200, 20_000), 0)
    now, looks = 0, []
    while not drain.is_over:
        drain.look(now, 1)
        looks.append(now)
        now += drain.next_check_ms(now)
    assert 2300 in looks and looks[-1] == 18_000
    steps = [after - before for before, after in pairwise(looks)]
    assert max(steps) == 1000 and steps[:3] == [50, 100, 200]


def test_the_lines_about_who_is_left_become_rarer() -> None:
    drain = Drain(waits_of(0, 0, 0, None), 0)
    told = [at_s for at_s in range(400) if TELL in drain.look(at_s * 1000, 1)]
    assert told == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]


@pytest.mark.parametrize(("within_s", "end_ms"), [(0, 2000), (1, 250), (4, 1000), (8, 2000), (600, 2000), (None, 2000)])
def test_the_end_has_its_share_of_the_time(within_s: int | None, end_ms: int) -> None:
    assert Drain(waits_of(2300, 3200, 0, within_s), 0).end_ms == end_ms
