"""Every reason for a no has its HTTP status."""

from __future__ import annotations

import pytest

from edge.httpd.status import play_status, refuse_play
from edge.service.refusal import Reason, Refusal

STATUSES = {
    Reason.BAD_NAME: 400,
    Reason.NO_VHOST: 404,
    Reason.NOT_FOUND: 404,
    Reason.OVERLOAD: 503,
    Reason.OVERLOADED: 503,
    Reason.LOOP: 508,
    Reason.UPSTREAM: 403,
    Reason.UNREACHABLE: 502,
    Reason.SILENT: 504,
    Reason.FORBIDDEN: 403,
    Reason.RULE_FAILED: 500,
}
#: Nobody plays when these are said.
OF_PUBLISHES = {Reason.BUSY, Reason.KICKED, Reason.IDLE, Reason.TOO_FAST}


def test_each_reason_is_said_or_cannot_concern_a_player() -> None:
    assert STATUSES.keys() | OF_PUBLISHES == set(Reason)


@pytest.mark.parametrize(("reason", "status"), STATUSES.items())
def test_answer_has_status_reason_and_number(reason: Reason, status: int) -> None:
    answer = refuse_play(Refusal(reason, "why it is so"))
    assert (answer.status, answer.text) == (status, "why it is so\n")
    assert answer.headers["x-bd-error-code"].lstrip("-").isdigit()
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_upstream_without_the_stream_is_no_prohibition() -> None:
    assert play_status(Refusal(Reason.UPSTREAM, "x", "NetStream.Play.StreamNotFound")).status == 404
    assert play_status(Refusal(Reason.UPSTREAM, "x", "NetStream.Play.Failed")).status == 403


def test_words_of_an_upstream_that_are_no_utf8_can_be_answered() -> None:
    answer = refuse_play(Refusal(Reason.UPSTREAM, "gone: a\udcffb"))
    assert (answer.status, answer.text) == (403, "gone: a?b\n")


def test_who_is_refused_for_too_much_load_is_told_when_to_come_again() -> None:
    assert refuse_play(Refusal(Reason.OVERLOADED, "full")).headers["Retry-After"] == "5"
    assert "Retry-After" not in refuse_play(Refusal(Reason.NOT_FOUND, "no")).headers
