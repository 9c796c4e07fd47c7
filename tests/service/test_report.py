from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.key import StreamKey
from edge.media.frame import VIDEO
from edge.service.answers import NodeReport, Trouble
from edge.service.condition import Condition
from edge.service.grants import Publish
from edge.service.insight import Insight, Way
from edge.service.refusal import Refusal
from edge.service.report import MAX_ANSWER_BYTES, MAX_NODES, decode_nodes, encode_nodes, node_report
from edge.service.story import MAX_ENTRIES, MAX_TEXT, Kind
from tests.service.fakes import VIEWER, Door, NoSource

KEY = StreamKey("_", "live", "s")
PUBLISHER = "10.9.9.9:5"


def fed() -> Door:
    door = Door()
    publish = door.publish()
    assert isinstance(publish, Publish)
    publish.publisher.push(VIDEO, 0, b"\x17\x00xxxxheader", door.now_ms)
    publish.publisher.push(VIDEO, 0, b"\x17\x01x", door.now_ms)
    return door


def test_origin_that_has_the_stream() -> None:
    door = fed()
    node = node_report(door.service, KEY, door.now_ms)
    assert (node.id, node.name, node.role, node.state) == ("me", "h", "origin", "live")
    assert (node.publisher, node.players, node.video, node.ways, node.conditions) == ("client", 0, "H264", (), ())
    assert [(row.kind, row.client) for row in node.story] == [("published", PUBLISHER)]


def test_origin_that_has_not_says_so_with_a_hint() -> None:
    door = fed()
    node = node_report(door.service, KEY._replace(stream_name="S"), door.now_ms)
    assert node.state == "absent"
    text = "nobody publishes it here; a stream is fed here whose name differs in upper and lower case"
    assert node.conditions == (Trouble("absent", text),)


def test_edge_says_what_its_source_knows_of_the_way() -> None:
    door = Door()
    source = door.service.source = NoSource()
    source.known = Insight(
        (Way("pull", "retrying", "10.0.0.1:1935", "connect: Connection refused", 3),),
        (Condition(Kind.DOWN, "server 10.0.0.1:1935 takes no connection"),),
    )
    door.play()
    node = node_report(door.service, KEY, door.now_ms)
    assert (node.role, node.ways[0].attempt_count) == ("edge", 3)
    assert node.conditions[0] == Trouble("upstream_down", "server 10.0.0.1:1935 takes no connection")


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        ((), "not_asked", "this edge has not asked its upstream for it yet"),
        ((Kind.NAMED,), "not_asked", "yet"),
        ((Kind.ASKED, Kind.NOT_FOUND, Kind.RUNS, Kind.LEFT), "not_asked", "this edge does not ask its upstream"),
        ((Kind.ASKED, Kind.RUNS, Kind.TOO_SLOW), "not_asked", "any more"),
        ((Kind.ASKED, Kind.NOT_FOUND), "absent", "there is no connection on which to ask the upstream"),
        ((Kind.PUBLISHED, Kind.PUBLISHER_LEFT), "absent", "nobody plays or publishes it here"),
    ],
)
def test_edge_without_a_connection_says_whether_it_has_asked_its_upstream(
    told: tuple[Kind, ...], kind: str, words: str
) -> None:
    door = Door()
    door.service.source = NoSource()
    for each in told:
        door.service.chronicle.stories.tell(each, each.value, key=KEY)
    (trouble,) = node_report(door.service, KEY, door.now_ms).conditions
    assert trouble.kind == kind and words in trouble.text


def test_server_that_is_being_stopped() -> None:
    door = fed()
    door.service.is_draining = True
    assert node_report(door.service, KEY, door.now_ms).conditions[0].kind == "draining"


def test_other_nodes_are_told_no_addresses_of_clients_and_no_queries() -> None:
    door = fed()
    stories = door.service.chronicle.stories
    stories.tell(Kind.KICKED, "Replaced by publisher from 10.7.7.7:99 and [2001:db8::7]:99", key=KEY, peer=VIEWER.peer)
    stories.tell(Kind.DOWN, "server 10.0.0.1:1935 takes no connection", key=KEY, server="10.0.0.1:1935")
    stories.tell(Kind.FORBIDDEN, "no secret1", key=KEY, peer=VIEWER.peer, query="token=secret1")
    text = encode_nodes([node_report(door.service, KEY, door.now_ms)])
    for secret in ("10.9.9.9", "10.7.7.7", "2001:db8", "secret1"):
        assert secret not in text
    assert "server 10.0.0.1:1935 takes no connection" in text
    (node,) = decode_nodes(text)
    assert {row.client for row in node.story} == {""}


def test_answer_fits_and_the_newest_entries_of_all_nodes_are_in_it() -> None:
    door = fed()
    for number in range(MAX_ENTRIES):
        door.service.chronicle.stories.tell(Kind.PROTOCOL, f"{number} " + "x" * MAX_TEXT, key=KEY)
    node = node_report(door.service, KEY, door.now_ms)
    text = encode_nodes([node, replace(node, id="second"), replace(node, id="third")])
    assert len(text) <= MAX_ANSWER_BYTES
    nodes = decode_nodes(text)
    assert [each.id for each in nodes] == ["me", "second", "third"]
    assert all(each.story and each.story[0].text.startswith("31 ") for each in nodes)


def test_nodes_beyond_the_limit_are_left_out() -> None:
    node = node_report(fed().service, KEY, 1000)
    assert len(decode_nodes(encode_nodes([node] * (MAX_NODES + 4)))) <= MAX_NODES


def test_what_was_encoded_is_what_is_decoded() -> None:
    node = node_report(fed().service, KEY, 1000)
    wanted = replace(node, story=tuple(replace(row, client="") for row in node.story))
    assert decode_nodes(encode_nodes([node])) == [wanted]


EMPTY = NodeReport("", "", "", "", "", 0, "", "", (), (), ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        '[1, null, [], "x"]',
        "[",
        "[" * 4000,
        "x" * (MAX_ANSWER_BYTES + 1),
        '{"id": "' + "x" * 5000 + '"}',
    ],
)
def test_answers_that_make_no_sense_are_no_nodes(text: str) -> None:
    assert decode_nodes(text) == []


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"id": 7, "players": "many", "ways": {"a": 1}, "conditions": "x", "story": 5},
        {"players": True, "story": [1, None, []]},
        {"players": 1e300, "ways": None},
    ],
)
def test_fields_of_a_wrong_kind_are_left_empty(node: dict[str, Any]) -> None:
    (found,) = decode_nodes(json.dumps([node]))
    assert found in (EMPTY, replace(EMPTY, players=1))


def test_rows_of_a_wrong_kind_become_plain_ones() -> None:
    rows = [{"kind": ["x"], "text": "y" * 1000, "age_s": -5, "count": 10**30, "client": "10.0.0.9:1"}]
    (found,) = decode_nodes(json.dumps([{"story": rows}]))
    (row,) = found.story
    assert (row.kind, len(row.text), row.age_s, row.client) == ("", MAX_TEXT, 0, "")
    assert row.count <= 2**53


def test_text_of_another_node_that_is_no_unicode_can_be_shown() -> None:
    (found,) = decode_nodes('[{"name": "a\\ud800b", "conditions": [{"kind": "no_header", "text": "\\udfff"}]}]')
    assert (found.name, found.conditions) == ("a?b", (Trouble("no_header", "?"),))


def test_refusal_of_another_key_is_not_told() -> None:
    door = Door()
    assert isinstance(door.play("other"), Refusal)
    assert node_report(door.service, KEY, door.now_ms).story == ()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["story", "ways", "text", "id"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(_VALUES)
def test_whatever_a_peer_sends_becomes_plain_nodes(value: Any) -> None:
    for found in decode_nodes(json.dumps(value)):
        assert isinstance(found, NodeReport)
        assert len(encode_nodes([found])) <= MAX_ANSWER_BYTES
