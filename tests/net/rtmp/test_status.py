"""Each refusal has its code and words in RTMP."""

from __future__ import annotations

import pytest

from edge.net.rtmp.status import BAD_NAME, NOT_FOUND, play_status, publish_status
from edge.rtmp.commands import KICKED, PROXY_LOOP
from edge.service.refusal import WORDS, Reason, Refusal


def test_words_by_which_nodes_know_a_refusal_again() -> None:
    assert Reason.LOOP.value == PROXY_LOOP
    assert publish_status(Refusal(Reason.KICKED, "who"))[1] == f"{KICKED}: who"


def test_code_of_an_upstream_goes_on() -> None:
    assert play_status(Refusal(Reason.UPSTREAM, "token", "NetStream.Play.Denied")) == (
        "NetStream.Play.Denied",
        "token",
        "upstream_refused",
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_can_be_said(reason: Reason) -> None:
    for status, default in ((play_status, NOT_FOUND), (publish_status, BAD_NAME)):
        code, text, word = status(Refusal(reason, "why"))
        is_of_server = reason is Reason.OVERLOADED
        assert code.startswith("NetConnection.Connect." if is_of_server else default.rpartition(".")[0])
        assert text == WORDS[reason] if reason in WORDS else text.endswith("why")
        assert word


def test_client_of_a_gate_hears_its_word_and_what_is_meant_for_it_alone() -> None:
    """And what librtmp ends on for good."""
    refusal = Refusal(Reason.HOOK_DENIED, "http://backend/x said 403", said="no credit left")
    assert play_status(refusal) == ("NetStream.Play.Failed", "HookDenied: no credit left", "hook_denied")
    assert publish_status(refusal)[:2] == ("NetStream.Publish.Rejected", "HookDenied: no credit left")


def test_no_word_starts_the_login_of_another_program() -> None:
    """ffmpeg, and what is made of librtmp, begin Adobe's or Limelight's at these, and ask again and again."""
    for text in (*WORDS.values(), *(play_status(Refusal(reason, ""))[1] for reason in Reason)):
        assert not any(sign in text for sign in ("authmod", "code=403", "?", "="))
