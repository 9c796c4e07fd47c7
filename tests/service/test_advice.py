from __future__ import annotations

from edge.service.advice import ADVICE, BEGINNINGS, EVENTS, OF_SOME, advice_of
from edge.service.story import Kind


def test_each_kind_is_an_event_or_has_advice() -> None:
    assert set(ADVICE) | EVENTS == set(Kind) and not EVENTS & set(ADVICE)
    assert BEGINNINGS <= EVENTS and OF_SOME.isdisjoint(EVENTS)


def test_advice_is_a_sentence() -> None:
    assert all(text[0].isupper() and text.endswith(".") for text in ADVICE.values())
    assert advice_of(Kind.JOINED) == ""
