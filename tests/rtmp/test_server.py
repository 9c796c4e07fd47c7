"""The answers of the server's session, and whole sessions of real publishers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.errors import LocalProtocolError
from edge.rtmp import amf0
from edge.rtmp.events import (
    ConnectRequested,
    HandshakeCompleted,
    MediaReceived,
    Noticed,
    PlayRequested,
    PublishRequested,
    SessionEnded,
)
from tests.harness.link import (
    CONFIG,
    SIMPLIFIED,
    VIDEO,
    Peer,
    active_stream_count,
    command,
    connect,
    connected_peer,
    data,
    media,
    new_server,
    pieces,
    playing_peer,
    playing_stream_ids,
    publishing_peer,
    publishing_stream_ids,
)

CAPTURES = sorted((Path(__file__).parent.parent / "vectors" / "rtmp").glob("*.bin"))
CREATE = command("createStream", 2, None)
PLAY = command("play", 3, None, "cam", message_stream_id=1)
PUBLISH = command("publish", 3, None, "cam", message_stream_id=1)


# --- connect --------------------------------------------------------------------------


def test_connect_reply_is_that_of_the_reference() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, connect(4, objectEncoding=3))
    reply = peer.received()
    assert reply.controls() == [
        (5, bytes.fromhex("002625a0")),
        (6, bytes.fromhex("002625a002")),
        (1, bytes.fromhex("0000ea60")),
    ]
    assert [one.type_id for one in reply.messages] == [5, 6, 1, 20, 20]
    assert [values for _, values in reply.commands] == [
        [
            "_result",
            4.0,
            {"fmsVer": "FMS/3,5,3,888", "capabilities": 127.0, "mode": 1.0, "create_stream_with_play_or_publish": True},
            {
                "level": "status",
                "code": "NetConnection.Connect.Success",
                "description": "Connection succeeded",
                "objectEncoding": 3.0,
            },
        ],
        ["onBWDone", 0.0, None],
    ]
    assert peer.session.out_chunk_size == 60000


def test_connect_reply_to_a_peer_of_ours_names_us() -> None:
    peer = Peer(new_server(edge_id="us"))
    peer.send(SIMPLIFIED, connect(edgeId="e1"))
    assert peer.received().commands[0][1][2]["edgeId"] == "us"
    assert peer.session.peer_edge_id == "e1"


def test_connect_reply_to_an_enhanced_client() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, connect(fourCcList=["av01"], videoFourCcInfoMap={"*": 7}, capsEx=15))
    properties = peer.received().commands[0][1][2]
    assert properties["fourCcList"] == ["*"]
    assert properties["videoFourCcInfoMap"] == {"*": 4.0}
    assert "audioFourCcInfoMap" not in properties
    assert properties["capsEx"] == 15.0


def test_connect_reply_with_properties_of_the_owner() -> None:
    peer = Peer(is_answering=False)
    event = peer.send(SIMPLIFIED, connect())[-1]
    peer.session.accept_connect(event.request_id, {"serverId": "s", "mode": 2})
    properties = peer.received().commands[0][1][2]
    assert (properties["serverId"], properties["mode"]) == ("s", 2.0)


def test_connect_refused_ends_the_session() -> None:
    peer = Peer(is_answering=False)
    event = peer.send(SIMPLIFIED, connect(9), CREATE)[-1]
    peer.session.reject_connect(event.request_id, "AccessDenied")
    peer.drain()
    assert peer.end_reason == "connect_rejected"
    assert peer.received().commands == [
        (
            0,
            [
                "_error",
                9.0,
                None,
                {"level": "error", "code": "NetConnection.Connect.Rejected", "description": "AccessDenied"},
            ],
        )
    ]


def test_connect_redirected_ends_in_good_order() -> None:
    peer = Peer(is_answering=False)
    event = peer.send(SIMPLIFIED, connect())[-1]
    peer.session.reject_connect(event.request_id, "moved", redirect="rtmp://other/live")
    peer.drain()
    assert peer.end_reason == ""
    info = peer.received().info("NetConnection.Connect.Rejected")
    assert info["ex"] == {"code": 302.0, "redirect": "rtmp://other/live"}


# --- publish and play ---------------------------------------------------------------------


def test_play_is_granted_in_the_order_of_the_reference() -> None:
    peer = connected_peer()
    peer.is_answering = False
    event = peer.send(CREATE, PLAY)[-1]
    peer.received()
    peer.session.accept_play(event.request_id, {"waiting": True})
    reply = peer.received()
    assert [(one.type_id, one.message_stream_id) for one in reply.messages] == [
        (4, 0),
        (20, 1),
        (20, 1),
        (18, 1),
    ]
    assert reply.controls() == [(4, b"\0\0\0\0\0\1")]
    assert reply.names == ["onStatus NetStream.Play.Reset", "onStatus NetStream.Play.Start"]
    assert reply.info("NetStream.Play.Start") == {
        "level": "status",
        "code": "NetStream.Play.Start",
        "description": "Start playing cam",
        "waiting": True,
    }
    assert not {one.chunk_stream_id for one in reply.messages} & {4, 6, 7}


@pytest.mark.parametrize("is_sent", [False, True])
def test_data_track_is_announced_only_when_asked_for(is_sent: bool) -> None:
    """ffmpeg shows a data track for it, which in most streams stays empty."""
    peer = connected_peer(replace(CONFIG, rtmp_send_data_start=is_sent))
    peer.send(CREATE, PLAY)
    data = [amf0.decode_all(one.payload) for one in peer.received().messages if one.type_id == 18]
    assert (["onStatus", {"code": "NetStream.Data.Start"}] in data) is is_sent


def test_publish_is_granted() -> None:
    peer = connected_peer()
    peer.send(CREATE, PUBLISH)
    info = peer.received().info("NetStream.Publish.Start")
    assert (info["level"], info["description"]) == ("status", "Started publishing cam")
    assert publishing_stream_ids(peer.session) == (1,)


@pytest.mark.parametrize("is_play", [True, False])
def test_refusal_says_why_and_leaves_closing_to_the_owner(is_play: bool) -> None:
    peer = connected_peer()
    peer.is_answering = False
    event = peer.send(CREATE, PLAY if is_play else PUBLISH)[-1]
    reject = peer.session.reject_play if is_play else peer.session.reject_publish
    reject(event.request_id, "NetStream.Some.Code", "why")
    info = peer.received().info("NetStream.Some.Code")
    assert (info["level"], info["description"]) == ("error", "why")
    assert peer.session.should_close_on_error
    assert active_stream_count(peer.session) == 0
    assert peer.send(media()) == [] or is_play


@pytest.mark.parametrize(
    ("is_closing", "is_multiplexing", "expected"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_should_close_on_error(is_closing: bool, is_multiplexing: bool, expected: bool) -> None:
    config = replace(CONFIG, rtmp_server_close_connection_on_error=is_closing)
    peer = connected_peer(config, stream_multiplexing=is_multiplexing)
    assert peer.session.should_close_on_error is expected


def test_answer_that_comes_too_late_is_void() -> None:
    peer = connected_peer(stream_multiplexing=True)
    peer.is_answering = False
    play = peer.send(CREATE, PLAY)[-1]
    peer.send(command("deleteStream", 0, None, 1.0))
    peer.received()
    peer.session.accept_play(play.request_id)
    peer.session.reject_play(play.request_id, "code", "why")
    assert peer.received().messages == []


def test_only_the_newest_question_on_a_stream_counts() -> None:
    peer = connected_peer()
    peer.is_answering = False
    first = peer.send(CREATE, PLAY)[-1]
    second = peer.send(PLAY)[-1]
    assert (first.is_replay, second.is_replay) == (False, True)
    peer.received()
    peer.session.accept_play(first.request_id)
    assert peer.received().messages == []
    peer.session.accept_play(second.request_id)
    assert peer.received().messages


def test_answers_to_what_was_never_asked_are_our_fault() -> None:
    peer = connected_peer()
    for answer in (peer.session.accept_play, peer.session.accept_publish, peer.session.accept_connect):
        with pytest.raises(LocalProtocolError):
            answer(77)


def test_answers_after_the_end_are_void() -> None:
    peer = Peer(is_answering=False)
    event = peer.send(SIMPLIFIED, connect())[-1]
    peer.session.receive_eof()
    peer.session.accept_connect(event.request_id)
    assert peer.session.data_to_send() == b""


def test_M7_play_again() -> None:
    peer = playing_peer()
    for name in ("cam", "dog"):
        (event,) = peer.send(command("play", 3, None, name, message_stream_id=1))
        assert (event.stream_name, event.is_replay) == (name, True)
        assert peer.received().names == ["onStatus NetStream.Play.Reset", "onStatus NetStream.Play.Start"]
    assert active_stream_count(peer.session) == 1


# --- during play and publish -----------------------------------------------------------------


def test_end_of_a_stream() -> None:
    peer = playing_peer()
    peer.session.end_stream(1, "NetStream.Play.StreamNotFound", "gone")
    assert peer.received().info("NetStream.Play.StreamNotFound")["level"] == "error"
    peer.session.end_stream(1, "NetStream.Play.StreamNotFound", "gone")
    peer.session.end_stream(9, "NetStream.Play.StreamNotFound", "gone")
    assert peer.received().messages == []


def test_unpublish_is_told_to_players_only() -> None:
    peer = playing_peer()
    peer.session.notify_unpublish(1, "cam is now unpublished")
    reply = peer.received()
    assert reply.info("NetStream.Play.UnpublishNotify")["level"] == "status"
    assert reply.controls() == [(4, b"\0\1\0\0\0\1")]
    assert playing_stream_ids(peer.session) == ()
    peer = publishing_peer()
    peer.session.notify_unpublish(1, "x")
    assert peer.received().messages == []


def test_pause_answer_for_a_stream_that_is_gone_is_void() -> None:
    peer = playing_peer()
    peer.session.answer_pause(5, is_paused=True)
    assert peer.received().messages == []


@pytest.mark.parametrize(("said", "can_reconnect"), [({"capsEx": 1}, True), ({"capsEx": 14}, False), ({}, False)])
@pytest.mark.parametrize("where", [{}, {"tcUrl": "rtmp://b/live"}])
def test_a_client_is_asked_to_connect_anew_if_it_has_said_that_it_can(
    said: dict[str, int], can_reconnect: bool, where: dict[str, str]
) -> None:
    peer = Peer()
    assert not peer.session.ask_to_reconnect(), "it has not even connected"
    peer.send(SIMPLIFIED, connect(**said))
    peer.received()
    assert peer.session.ask_to_reconnect(where.get("tcUrl", "")) is can_reconnect
    reply = peer.received()
    if can_reconnect:
        assert reply.info("NetConnection.Connect.ReconnectRequest") == {
            "level": "status",
            "code": "NetConnection.Connect.ReconnectRequest",
            "description": "this server is being stopped",
            **where,
        }
        assert [message.message_stream_id for message in reply.messages] == [0]
    else:
        assert reply.messages == []


# --- whole sessions --------------------------------------------------------------------------


WHOLE_SESSION = b"".join(
    (
        b"\x03" + bytes(3072),
        connect(),
        command("releaseStream", 2, None, "cam"),
        command("FCPublish", 3, None, "cam"),
        command("createStream", 4, None),
        command("publish", 5, None, "cam", "live", message_stream_id=1),
        data("@setDataFrame", "onMetaData", {"width": 640}),
        *[media(VIDEO + bytes((index,))) for index in range(50)],
        command("FCUnpublish", 6, None, "cam"),
        command("deleteStream", 7, None, 1),
    )
)


def run(session_bytes: bytes, step: int | None) -> tuple[list[Any], bytes]:
    peer = Peer()
    sent = b""
    for piece in pieces(session_bytes, step):
        peer.send(piece)
        sent += peer.session.data_to_send()
    return peer.events, sent


def test_T14_everything_in_one_write() -> None:
    events, _ = run(WHOLE_SESSION, None)
    kinds = [type(event) for event in events]
    assert kinds[:4] == [HandshakeCompleted, Noticed, ConnectRequested, PublishRequested]
    assert [event.payload[-1] for event in events if isinstance(event, MediaReceived) and event.type_id == 9] == list(
        range(50)
    )
    assert not any(isinstance(event, SessionEnded) for event in events)


@pytest.mark.parametrize("step", [1, 7, 128, 4096])
def test_T13_cut_anywhere_gives_the_same_events_and_replies(step: int) -> None:
    assert run(WHOLE_SESSION, step) == run(WHOLE_SESSION, None)


@pytest.mark.parametrize("step", [1, None])
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_T13_capture_of_a_real_publisher(path: Path, step: int | None) -> None:
    messages = json.loads(path.with_suffix(".json").read_text())["messages"]
    events, sent = run(path.read_bytes(), step)
    media_events = [event for event in events if isinstance(event, MediaReceived)]
    wanted = [one for one in messages if one[1] in (8, 9) and one[4] > 5]
    assert [
        (e.type_id, e.wire_timestamp, len(e.payload)) for e in media_events if e.type_id != 18 and len(e.payload) > 5
    ] == [(one[1], one[3], one[4]) for one in wanted]
    assert [event.stream_name for event in events if isinstance(event, PublishRequested)]
    assert not any(isinstance(event, SessionEnded | PlayRequested) for event in events)
    assert len(sent) > 3073
