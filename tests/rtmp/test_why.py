"""The commands by which peers of ours ask each other why a stream plays or does not."""

from __future__ import annotations

from typing import Any

import pytest

from edge.rtmp.events import WhyAnswered, WhyAsked
from edge.rtmp.why import MAX_WHY_BYTES, MAX_WHY_WAIT_MS, parse_why_hops
from tests.harness.link import Peer, command, connected_peer
from tests.harness.upstream import Upstream, multiplexing, of

QUESTION = {"vhost": "_", "app": "live", "stream": "cam", "hops": "a,b", "withinMs": 700}
ASKED = WhyAsked(5, "_", "live", "cam", ("a", "b"), 700)


def peer_of_ours() -> Peer:
    return connected_peer(edgeId="them", edgeWhy=True, stream_multiplexing=True)


def upstream_of_ours() -> Upstream:
    return multiplexing(edgeId="up", edgeWhy=True)


def test_both_sides_say_that_they_know_the_commands() -> None:
    peer = Peer()
    peer.send(b"\x03BDMS", command("connect", 1, {"app": "live", "edgeId": "them", "edgeWhy": True}))
    assert peer.session.peer_knows_why
    (answer,) = [values for _, values in peer.received().commands if values[0] == "_result"]
    assert answer[2]["edgeId"] == "server" and answer[2]["edgeWhy"] is True
    assert upstream_of_ours().session.peer_knows_why


@pytest.mark.parametrize("properties", [{}, {"edgeWhy": True}, {"edgeId": "them"}, {"edgeId": "them", "edgeWhy": 1}])
def test_others_are_not_asked_and_not_answered(properties: dict[str, Any]) -> None:
    peer = connected_peer(**properties)
    assert not peer.session.peer_knows_why
    peer.send(command("edgeWhy", 5, QUESTION))
    assert peer.of(WhyAsked) == [] and peer.reasons == ["unexpected_why"]
    upstream = multiplexing(**properties)
    assert not upstream.session.peer_knows_why
    assert of(upstream.say(command("edgeWhy", 5, QUESTION)), WhyAsked) == []


def test_question_and_answer_go_both_ways() -> None:
    peer, upstream = peer_of_ours(), upstream_of_ours()
    assert of(peer.send(command("edgeWhy", 5, QUESTION)), WhyAsked) == [ASKED]
    assert of(upstream.say(command("edgeWhy", 5, QUESTION)), WhyAsked) == [ASKED]
    peer.session.answer_why(5, "[]")
    ((_, values),) = peer.received().commands
    assert values == ["edgeWhyAnswer", 5.0, None, "[]"]
    peer.session.ask_why(7, "_", "live", "cam", hops=("a", "b"), within_ms=700)
    ((_, values),) = peer.received().commands
    assert values == ["edgeWhy", 7.0, QUESTION]
    assert of(peer.send(command("edgeWhyAnswer", 7, None, "[1]")), WhyAnswered) == [WhyAnswered(7, "[1]")]
    assert of(upstream.say(command("edgeWhyAnswer", 7, None, "[1]")), WhyAnswered) == [WhyAnswered(7, "[1]")]


@pytest.mark.parametrize(
    "question",
    [
        None,
        {},
        {**QUESTION, "vhost": ""},
        {**QUESTION, "app": 7},
        {**QUESTION, "stream": "x" * 600},
    ],
)
def test_question_about_no_stream_is_noticed_only(question: dict[str, Any] | None) -> None:
    peer = peer_of_ours()
    peer.send(command("edgeWhy", 5, question))
    assert peer.of(WhyAsked) == [] and peer.reasons == ["unexpected_why"] and peer.end_reason is None


@pytest.mark.parametrize("number", [float("nan"), -1.0, 2.0**31, float("inf")])
def test_number_that_is_none(number: float) -> None:
    peer = peer_of_ours()
    peer.send(command("edgeWhy", number, QUESTION))
    assert peer.of(WhyAsked) == []


@pytest.mark.parametrize(
    ("value", "within_ms"),
    [(0, 0), (-5, 0), (float("nan"), 0), ("soon", 0), (True, 0), (1e300, MAX_WHY_WAIT_MS), (700.9, 700)],
)
def test_time_is_bounded(value: object, within_ms: int) -> None:
    peer = peer_of_ours()
    peer.send(command("edgeWhy", 5, {**QUESTION, "withinMs": value}))
    (asked,) = peer.of(WhyAsked)
    assert asked.within_ms == within_ms


def test_answer_that_is_too_long_or_none_is_not_taken() -> None:
    peer = peer_of_ours()
    peer.send(command("edgeWhyAnswer", 5, None, "x" * MAX_WHY_BYTES), command("edgeWhyAnswer", 6, None, 7))
    peer.send(command("edgeWhyAnswer", 7, None, "x" * (MAX_WHY_BYTES + 1)), command("edgeWhyAnswer", 8))
    assert [event.number for event in peer.of(WhyAnswered)] == [5] and peer.end_reason is None


@pytest.mark.parametrize(
    ("text", "hops"),
    [("", ()), ("a", ("a",)), ("a,,b\n,c", ("a", "c")), (7, ()), (",".join("x" * 100), ("x",) * 32)],
)
def test_hops_are_bounded_and_clean(text: object, hops: tuple[str, ...]) -> None:
    assert parse_why_hops({"hops": text}) == hops
