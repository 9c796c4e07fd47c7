"""How a source is doing."""

from __future__ import annotations

from naming.state import SourceState


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_life_of_a_source() -> None:
    clock = Clock()
    state = SourceState(clock)
    assert state.describe() == {"state": "waiting", "answer_age_s": None, "last_error": "", "error_age_s": None}
    state.fail("refused")
    assert state.describe()["state"] == "waiting" and state.is_failing and not state.has_answered
    clock.now += 2.5
    assert state.answer() == 2500
    assert state.answer() == 0
    clock.now += 7
    assert state.describe() == {"state": "current", "answer_age_s": 7, "last_error": "refused", "error_age_s": 9}
    state.answer(is_kept=True)
    assert state.describe()["state"] == "kept at empty answer"
    state.fail("silent")
    clock.now += 1
    state.fail("silent still")
    assert state.describe() == {
        "state": "kept in outage",
        "answer_age_s": 1,
        "last_error": "silent still",
        "error_age_s": 0,
    }
    assert state.answer() == 1000, "from the first failure on"
    assert state.describe()["state"] == "current"


def test_name_that_can_never_work() -> None:
    state = SourceState(Clock())
    state.end('bad address "x"')
    assert state.describe()["state"] == "unusable" and state.describe()["last_error"] == 'bad address "x"'


def test_errors_are_short_and_hold_no_secret() -> None:
    state = SourceState(Clock())
    state.fail('bad URL "http://a/b?token=hunter2&x=1" ' + "x" * 500)
    error = state.describe()["last_error"]
    assert "hunter2" not in error and len(error) == 200
