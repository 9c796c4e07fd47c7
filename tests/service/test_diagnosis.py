from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.hub.key import StreamKey
from edge.service.answers import Happened, NodeReport, Trouble
from edge.service.diagnosis import diagnose
from edge.service.insight import Way

KEY = StreamKey("_", "live", "cam")


def node(name: str = "far", **changes: Any) -> NodeReport:
    """A node where the stream is live."""
    known = NodeReport(name, name, "edge", "live", "pulled", 2, "H264", "AAC", (), (), ())
    rows = {field: tuple(value) for field, value in changes.items() if field in ("ways", "conditions", "story")}
    return replace(known, **{**changes, **rows})


def condition(kind: str, text: str = "") -> Trouble:
    return Trouble(kind, text or kind)


def entry(kind: str, text: str = "", age_s: int = 5, **changes: Any) -> Happened:
    return replace(Happened(kind, text or kind, age_s, age_s, 1, 0, "", ""), **changes)


def waiting(name: str, *conditions: Trouble, **changes: Any) -> NodeReport:
    return node(name, **{"state": "waiting", "conditions": conditions, "video": "", "audio": "", **changes})


def test_stream_that_plays() -> None:
    found = diagnose(KEY, [node(), node("origin", publisher="client")])
    assert found.plays and found.verdict == "it plays over 2 nodes (H264, AAC), 2 players here"
    assert found.causes == ()


def test_cause_is_looked_for_at_the_end_of_the_way() -> None:
    nodes = [
        waiting("far", condition("upstream_silent", "server b has sent nothing")),
        waiting("origin", condition("absent", "nobody publishes it here")),
    ]
    found = diagnose(KEY, nodes)
    assert not found.plays
    assert found.verdict == "it does not play: nobody publishes it here (at origin, node 2)"
    assert [cause.kind for cause in found.causes] == ["absent", "upstream_silent"]


def test_what_is_vague_is_explained_by_what_happened_there() -> None:
    nodes = [
        waiting("far", condition("waiting_for_publisher"), story=[entry("upstream_closed", "far cause", 1)]),
        waiting(
            "origin",
            condition("absent", "nobody publishes it here"),
            story=[entry("joined"), entry("publisher_lost", "its connection broke", 7), entry("published", age_s=20)],
        ),
    ]
    verdict = diagnose(KEY, nodes).verdict
    assert verdict.endswith(
        "nobody publishes it here (at origin, node 2); its connection broke (at origin, node 2), 7 s ago"
    )


def test_newest_cause_comes_first_and_what_came_before_the_stream_ran_is_over() -> None:
    story = [
        entry("upstream_closed", "cut", 3),
        entry("runs", age_s=10),
        entry("upstream_down", "refused", 30),
    ]
    found = diagnose(KEY, [waiting("far", state="retrying", story=story)])
    assert [(cause.text, cause.is_in_force) for cause in found.causes] == [("cut", True), ("refused", False)]
    assert "cut" in found.verdict and "refused" not in found.verdict


def test_what_a_server_did_goes_before_what_came_of_it() -> None:
    story = [
        entry("upstream_refused", "a player was ended"),
        entry("upstream_refused", "server b says no", server="b:1"),
    ]
    assert diagnose(KEY, [waiting("far", state="absent", story=story)]).verdict.endswith("server b says no, 5 s ago")


def test_trouble_of_some_while_it_plays() -> None:
    story = [entry("jumped", "a player fell behind"), entry("published", age_s=60), entry("publisher_lost", age_s=70)]
    found = diagnose(KEY, [node(story=story)])
    assert found.plays and found.verdict.endswith("; but a player fell behind, 5 s ago")


def test_old_trouble_is_no_part_of_the_sentence() -> None:
    found = diagnose(KEY, [node(story=[entry("jumped", age_s=4000)])])
    assert "but" not in found.verdict and found.causes


@pytest.mark.parametrize("kind", ["no_keyframe", "no_header", "no_media"])
def test_media_that_nobody_can_show_do_not_play_wherever_that_is_seen(kind: str) -> None:
    assert not diagnose(KEY, [node(), node("origin", conditions=[condition(kind)])]).plays


@pytest.mark.parametrize("kind", ["silent", "upstream_silent", "no_answer"])
def test_stream_that_stands_still_does_not_play(kind: str) -> None:
    assert not diagnose(KEY, [node(conditions=[condition(kind)])]).plays


@pytest.mark.parametrize("kind", ["clock", "slow_line", "codec", "naming"])
def test_stream_with_a_fault_plays_and_the_fault_is_named(kind: str) -> None:
    found = diagnose(KEY, [node(conditions=[condition(kind, "the fault")])])
    assert found.plays and found.verdict.endswith("; but the fault")


def test_fault_of_media_is_told_by_the_deepest_node_only() -> None:
    found = diagnose(KEY, [node(conditions=[condition("codec")]), node("origin", conditions=[condition("codec")])])
    assert [cause.node for cause in found.causes] == [1]


def test_stream_that_nobody_plays_here_is_looked_for_farther_on() -> None:
    here = waiting("far", condition("absent", "nobody plays it here"), state="absent")
    assert diagnose(KEY, [here, node("origin")]).plays
    assert not diagnose(KEY, [here]).plays


def test_names_that_are_much_alike_are_named() -> None:
    found = diagnose(KEY, [waiting("far", condition("absent", "nobody"), state="absent")], ["_/live/cam1"])
    assert found.near == ("_/live/cam1",) and "there is _/live/cam1" in found.verdict


def not_asked(name: str) -> NodeReport:
    return waiting(name, condition("not_asked", "this edge has not asked its upstream for it yet"), state="absent")


def test_edge_that_has_not_asked_its_upstream_does_not_say_that_nobody_publishes() -> None:
    found = diagnose(KEY, [not_asked("far")])
    assert (found.state, found.plays) == ("not_known", False)
    text = "not known: this edge has not asked its upstream for it yet; play it once, or ask the origin"
    assert found.verdict == text
    assert ["encoder" in cause.advice for cause in found.causes] == [False]


def test_node_behind_that_has_not_asked_its_upstream_is_named() -> None:
    here = waiting("far", condition("absent", "nobody plays it here"), state="absent")
    found = diagnose(KEY, [here, not_asked("mid")], ["_/live/cam1"])
    assert found.state == "not_known"
    assert "yet (at mid, node 2); there is _/live/cam1; play it once" in found.verdict


def test_edge_that_has_not_asked_and_is_being_stopped_does_not_play() -> None:
    conditions = condition("draining", "the server is being stopped"), condition("not_asked")
    found = diagnose(KEY, [waiting("far", *conditions, state="absent")])
    assert (found.state, found.verdict) == ("does_not_play", "it does not play: the server is being stopped")


def test_states() -> None:
    assert diagnose(KEY, [node()]).state == "plays"
    assert diagnose(KEY, [waiting("origin", condition("absent"))]).state == "does_not_play"


def test_nothing_is_known() -> None:
    assert "nothing is known" in diagnose(KEY, [waiting("far", state="absent")]).verdict
    assert not diagnose(KEY, []).plays


def test_kinds_of_later_nodes_are_passed_over() -> None:
    found = diagnose(KEY, [node(conditions=[condition("not_yet_invented")], story=[entry("nor_this")])])
    assert found.plays and found.causes == ()


def test_what_a_server_does_now_is_not_told_of_before_too() -> None:
    story = [entry("waiting_for_publisher", server="b:1"), entry("publisher_lost", "it broke")]
    conditions = condition("waiting_for_publisher", "b waits"), condition("publisher_lost", "it is waited for")
    found = diagnose(KEY, [waiting("far", *conditions, story=story)])
    assert [cause.text for cause in found.causes] == ["b waits", "it is waited for", "it broke"]


def test_publish_that_reaches_no_server_does_not_play() -> None:
    way = Way("push", "retrying", "b:1", "refused", 7)
    found = diagnose(KEY, [node(publisher="client", ways=[way], conditions=[condition("upstream_down", "b is down")])])
    assert not found.plays and found.verdict == "it does not play: b is down"
    assert diagnose(KEY, [node(publisher="client", ways=[replace(way, state="live")])]).plays
