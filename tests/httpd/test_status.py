"""Every reason for a no has its HTTP status."""

from __future__ import annotations

import pytest

from edge.httpd.status import play_status, refuse_play
from edge.service.refusal import WORDS, Reason, Refusal

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
    Reason.ADDRESS: 403,
    Reason.PAGE: 403,
    Reason.TOKEN_MISSING: 403,
    Reason.TOKEN_INVALID: 403,
    Reason.TOKEN_MALFORMED: 403,
    Reason.TOKEN_EXPIRED: 403,
    Reason.KEYS_MISSING: 503,
    Reason.LOGIN_MISSING: 401,
    Reason.LOGIN_INVALID: 401,
    Reason.KEY_INVALID: 403,
    Reason.GUESSING: 429,
    Reason.HOOK_DENIED: 403,
    Reason.HOOK_UNAVAILABLE: 503,
    Reason.ASK_UNANSWERED: 503,
    Reason.LIMIT: 503,
    Reason.EXPIRED: 403,
}
#: Nobody plays when these are said.
OF_PUBLISHES = {Reason.BUSY, Reason.KICKED, Reason.IDLE, Reason.UNUSED, Reason.TOO_FAST}


def test_each_reason_is_said_or_cannot_concern_a_player() -> None:
    assert STATUSES.keys() | OF_PUBLISHES == set(Reason)


@pytest.mark.parametrize(("reason", "status"), STATUSES.items())
def test_answer_has_status_reason_and_number(reason: Reason, status: int) -> None:
    answer = refuse_play(Refusal(reason, "why it is so"))
    assert (answer.status, answer.text) == (status, f"{WORDS.get(reason, 'why it is so')}\n")
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
    for reason, seconds in (
        (Reason.HOOK_UNAVAILABLE, "2"),
        (Reason.ASK_UNANSWERED, "2"),
        (Reason.LIMIT, "10"),
        (Reason.KEYS_MISSING, "10"),
    ):
        assert refuse_play(Refusal(reason, "later")).headers["Retry-After"] == seconds
    assert refuse_play(Refusal(Reason.GUESSING, "later", retry_after_s=17)).headers["Retry-After"] == "17"
    assert "Retry-After" not in refuse_play(Refusal(Reason.NOT_FOUND, "no")).headers


def test_only_who_may_log_in_is_asked_to() -> None:
    assert refuse_play(Refusal(Reason.LOGIN_MISSING, "")).headers["WWW-Authenticate"].startswith("Basic ")
    assert "WWW-Authenticate" not in refuse_play(Refusal(Reason.TOKEN_MISSING, "")).headers
