"""Lines of [CONN_STATS], byte for byte."""

from __future__ import annotations

import pytest

from edge.logbook.conn_stats import Counts, Rates, Subject, conn_line, rates
from edge.logbook.fluency import Expected


def text(subject: Subject, key: str, peer: str, flow: Rates, expected: Expected | None) -> str:
    line, values = conn_line(subject, key, peer, flow, expected)
    return line % values


@pytest.mark.parametrize(
    ("subject", "word"),
    [
        (Subject.INGESTER, "ingester"),
        (Subject.PUBLISH, "publish"),
        (Subject.PLAY, "play"),
        (Subject.FORWARD, "forward"),
        (Subject.PLAY_FLV, "play_flv"),
    ],
)
def test_the_line_byte_for_byte(subject: Subject, word: str) -> None:
    flow = Rates(489872, 128000, 24)
    assert text(subject, "_/live/test", "10.0.0.9:51234", flow, Expected(25.0, False)) == (
        f"[CONN_STATS]{word} stats, session:_/live/test, ip:10.0.0.9:51234, flowrate:617872, videorate:489872, "
        "audiorate:128000, videofps:24, score:96"
    )


def test_a_name_ends_no_field_and_no_line() -> None:
    line = text(Subject.PLAY, "_/live/a, ip:1\nb", "?", Rates(0, 0, 0), None)
    assert line.startswith("[CONN_STATS]play stats, session:_/live/a\\x2c\\x20ip:1\\x0ab, ip:?, flowrate:0,")
    assert line.endswith("score:100")


def test_rates_are_whole_numbers_over_the_time_that_has_passed() -> None:
    assert rates(Counts(1000, 10, 5), Counts(11000, 2010, 255), 10_000) == Rates(8000, 1600, 25)
    assert rates(Counts(), Counts(1000, 0, 9), 0) == Rates(8_000_000, 0, 9000)
    assert rates(Counts(9, 9, 9), Counts(8, 9, 9), 1000) == Rates(0, 0, 0)
