"""Attempts that are going on."""

from __future__ import annotations

from lb.attempts import ATTEMPT_LIMIT_US, Attempts, latency_us_of


def test_count_and_mean_age() -> None:
    attempts = Attempts()
    assert (attempts.count(5), attempts.mean_age_us(5)) == (0, 0)
    for began_us in (100, 200, 600):
        attempts.begin(began_us)
    assert (attempts.count(1000), attempts.mean_age_us(1000)) == (3, 700)
    attempts.finish(200)
    assert (attempts.count(1000), attempts.mean_age_us(1000)) == (2, 650)


def test_one_that_began_at_an_unknown_moment_is_the_oldest() -> None:
    attempts = Attempts()
    attempts.finish(1)
    attempts.begin(100)
    attempts.begin(300)
    attempts.finish(150)
    assert attempts.mean_age_us(1000) == 700


def test_abandoned_ones_are_forgotten() -> None:
    attempts = Attempts()
    attempts.begin(0)
    assert attempts.count(ATTEMPT_LIMIT_US) == 1
    assert attempts.count(ATTEMPT_LIMIT_US + 1) == 0 == attempts.mean_age_us(ATTEMPT_LIMIT_US + 1)


def test_latency_is_never_0() -> None:
    assert [latency_us_of(each) for each in (0, 1, 12.5, -3)] == [500, 1000, 12500, 500]
