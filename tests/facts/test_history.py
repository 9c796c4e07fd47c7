from __future__ import annotations

from edge.facts.history import LENGTHS, TOTAL, History, Series


def test_seconds_come_last_and_the_oldest_first() -> None:
    series = Series()
    for number in range(1, 62):
        series.append(number)
    values = series.values()
    assert len(values) == TOTAL == 174
    assert values[-60:] == [float(number) for number in range(2, 62)]
    assert values[-61] == sum(range(1, 61)) / 60, "the mean of the first minute"
    assert values[:-61] == [0.0] * 113


def test_minutes_become_hours_and_hours_days() -> None:
    series = Series()
    for _ in range(60 * 60 * 24):
        series.append(5)
    days, hours = series.values()[:30], series.values()[30:54]
    assert days == [0.0] * 29 + [5.0]
    assert hours == [5.0] * 24
    assert sum(LENGTHS) == len(series.values())


def test_only_numbers_have_a_history_and_only_while_they_are_there() -> None:
    history = History()
    history.sample({"a": 1, "b": "text", "c": True, "d": 1.5})
    assert [name for name in "abcd" if history.find(name) is not None] == ["a", "d"]
    history.sample({"a": 2})
    assert history.find("d") is None
    assert history.find("a").values()[-2:] == [1.0, 2.0]  # type: ignore[union-attr]
    history.clear()
    assert len(history) == 0


def test_variables_beyond_the_bound_have_none() -> None:
    history = History(2)
    history.sample({"a": 1, "b": 2, "c": 3})
    assert len(history) == 2
    assert history.find("c") is None
