from __future__ import annotations

from edge.quality.audience import Audience, Present, Sums
from edge.quality.cmcd import parse
from edge.quality.config import QualityConfig


def take(audience: Audience, text: str, stream: object = None, at_ms: int = 0) -> None:
    audience.take(parse(text, max_bytes=1000, max_keys=50), stream, at_ms)


def test_sums_by_stream_and_of_all() -> None:
    audience, starts = Audience(QualityConfig()), []
    audience.on_start = starts.append
    take(audience, 'sid="a",bl=1000', "s")
    take(audience, 'sid="a",msd=500,bsa=1,bsda=300,dfa=2')
    take(audience, 'sid="b",msd=700,bl=2000', "s")
    take(audience, 'sid="c",bs,br=100', "t")
    take(audience, 'sid="d",dfa=9')
    assert audience.streams() == {"s": Sums(2, 2, 1200, 1, 300, 2), "t": Sums(1, 0, 0, 1, 0, 0)}
    assert audience.total == Sums(4, 2, 1200, 2, 300, 11)
    assert audience.present() == {"s": Present(2, 1500, None), "t": Present(1, None, 100)}
    assert (starts, len(audience), audience.report_count) == ([500, 700], 4, 5)


def test_who_tells_the_stream_later_or_changes_it() -> None:
    audience = Audience(QualityConfig())
    take(audience, 'sid="a",msd=500,bsa=1')
    take(audience, 'sid="a"', "s")
    assert audience.streams() == {"s": Sums(1, 1, 500, 1)}
    take(audience, 'sid="a",bsa=3', "t")
    assert audience.streams() == {"s": Sums(1, 1, 500, 1), "t": Sums(1, stalls=2)}
    assert audience.total == Sums(1, 1, 500, 3)


def test_who_has_left_or_is_silent_is_not_there_and_stays_in_the_sums() -> None:
    audience = Audience(QualityConfig(cmcd_session_timeout_s=10))
    take(audience, 'sid="a",sta=q,ts=1', "s", 1000)
    take(audience, 'sid="b"', "s", 2000)
    assert audience.present() == {"s": Present(1, None, None)}
    audience.tick(11500, lambda _: True)
    assert len(audience) == 1 and audience.session("b") is not None
    audience.tick(11600, lambda _: False)
    assert len(audience.streams()) == 1, "once a second"
    audience.tick(20000, lambda _: False)
    assert (len(audience), audience.streams(), audience.total.sessions) == (0, {}, 2)


def test_a_stream_that_has_gone_and_comes_back() -> None:
    audience = Audience(QualityConfig())
    take(audience, 'sid="a"', "s", 1000)
    audience.tick(5000, lambda _: False)
    assert (audience.streams(), audience.present()) == ({}, {})
    take(audience, 'sid="a"', "s", 6000)
    assert audience.streams() == {"s": Sums(1)}


def test_thousands_of_sessions_are_bounded() -> None:
    audience = Audience(QualityConfig(cmcd_max_sessions=100))
    for number in range(5000):
        take(audience, f'sid="{number}",bs', "s")
        take(audience, 'sid="faithful"', "s")
    assert len(audience) == 100 and audience.session("faithful") is not None
    assert audience.forgotten_count == 5001 - 100
    assert audience.streams() == {"s": Sums(5001, stalls=5000)}


def test_without_an_id_nobody_is_counted() -> None:
    audience = Audience(QualityConfig())
    take(audience, "bs", "s")
    take(audience, f'sid="{"x" * 65}"', "s")
    take(audience, "sid=17", "s")
    assert (len(audience), audience.rejected["no_session"], audience.streams()) == (0, 3, {})
