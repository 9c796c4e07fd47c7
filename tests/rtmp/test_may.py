"""Questions of one node to the next about its clients: who may ask, and what they hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.rtmp.events import MayAnswered, MayAsked
from tests.harness.link import command, connected_peer
from tests.harness.upstream import multiplexing, of

ASKED = MayAsked(
    5, False, "cam?a=1", "203.0.113.7", "http://p/", "Basic eA==", ".flv", "http-flv", "curl", hops=("a", "b")
)
SENT = {
    "action": "play",
    "name": "cam?a=1",
    "address": "203.0.113.7",
    "pageUrl": "http://p/",
    "authorization": "Basic eA==",
    "suffix": ".flv",
    "protocol": "http-flv",
    "userAgent": "curl",
    "hops": "a,b",
}


def test_question_and_answer_are_read_as_they_are_written() -> None:
    peer, upstream = connected_peer(edgeId="them"), multiplexing(edgeId="up", edgeMay=True)
    peer.session.ask_may(ASKED)
    ((_, values),) = peer.received().commands
    assert values == ["edgeMay", 5.0, SENT]
    assert of(peer.send(command("edgeMay", 5, SENT)), MayAsked) == [ASKED]
    peer.session.answer_may(5, "NetStream.Play.Failed", "TokenInvalid")
    ((_, values),) = peer.received().commands
    assert values == ["edgeMayAnswer", 5.0, None, "NetStream.Play.Failed", "TokenInvalid"]
    answer = command("edgeMayAnswer", 5, None, "NetStream.Play.Failed", "TokenInvalid")
    assert of(upstream.say(answer), MayAnswered) == [MayAnswered(5, "NetStream.Play.Failed", "TokenInvalid")]


def test_login_of_a_client_is_in_no_text_of_a_question() -> None:
    assert "eA==" not in repr(ASKED) and replace(ASKED, authorization="").authorization == ""


def test_only_nodes_of_ours_ask_and_only_who_was_asked_answers() -> None:
    peer = connected_peer()
    peer.send(command("edgeMay", 5, SENT))
    assert peer.of(MayAsked) == [] and peer.reasons == ["unexpected_may"] and peer.end_reason is None
    peer = connected_peer(edgeId="them")
    peer.send(command("edgeMayAnswer", 5, None, "", ""))
    assert peer.of(MayAnswered) == [] and peer.end_reason is None
    older = multiplexing(edgeId="up")
    assert not older.session.peer_knows_may
    assert of(older.say(command("edgeMayAnswer", 5, None, "", "")), MayAnswered) == []


@pytest.mark.parametrize("name", [None, 7, "", "../x", "a\x01", "x" * 5000])
def test_question_about_no_stream_is_answered_with_no(name: Any) -> None:
    peer = connected_peer(edgeId="them")
    peer.send(command("edgeMay", 5, {**SENT, "name": name}))
    assert peer.of(MayAsked) == [] and peer.end_reason is None
    (answer,) = [values for _, values in peer.received().commands if values[0] == "edgeMayAnswer"]
    assert answer[3] == "NetStream.Play.StreamNotFound"


@pytest.mark.parametrize("value", [None, 7, "x" * 10_000, {"a": "b"}])
def test_what_makes_no_sense_in_it_was_not_said(value: Any) -> None:
    peer = connected_peer(edgeId="them")
    peer.send(command("edgeMay", 5, {**SENT, "address": value, "hops": value}))
    (asked,) = peer.of(MayAsked)
    assert asked.address == ""


@pytest.mark.parametrize("number", [float("nan"), -1.0, 2.0**31, float("inf")])
def test_number_that_is_none(number: float) -> None:
    peer = connected_peer(edgeId="them")
    peer.send(command("edgeMay", number, SENT))
    assert peer.of(MayAsked) == []
