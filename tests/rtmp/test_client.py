"""The client's session against ours and against scripted servers, some with bad manners."""

from __future__ import annotations

import math
from typing import Any

import pytest

from edge.rtmp import amf0
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.commands import VIA_CODE, parse_via
from edge.rtmp.events import (
    Connected,
    ConnectRefused,
    ConnectRequested,
    HandshakeCompleted,
    MediaReceived,
    PlayEnded,
    PlayRequested,
    PongReceived,
    PublishEnded,
    PublishRequested,
    ReconnectRequested,
    ResumePoint,
    SessionEnded,
    StreamEofReceived,
    StreamFailed,
    StreamStarted,
    StreamStatus,
)
from edge.rtmp.server import ServerSession
from tests.harness.link import (
    CONFIG,
    TC_URL,
    VIDEO,
    Link,
    answer,
    command,
    data,
    drain,
    media,
    message,
    message_stream_count,
    new_client,
    new_server,
    playing_stream_ids,
    publishing_stream_ids,
)
from tests.harness.upstream import Upstream, foreign, multiplexing, of, status, user_control

# --- with a server of ours --------------------------------------------------------------


def test_a_node_of_ours_hears_that_its_server_will_stop() -> None:
    link = Link(new_server(edge_id="us"), new_client(edge_id="them"))
    link.client.open_play("cam")
    link.pump()
    assert link.server.ask_to_reconnect()
    link.pump()
    assert [event for event in link.client_events if isinstance(event, ReconnectRequested)] == [ReconnectRequested("")]


@pytest.mark.parametrize("step", [None, 1, 100])
@pytest.mark.parametrize("options", [{}, {"handshake": "complex"}, {"is_simplified": True}])
def test_play_from_a_server_of_ours(options: dict[str, Any], step: int | None) -> None:
    link = Link(new_server(edge_id="us"), new_client(edge_id="them", **options), step=step)
    request_id = link.client.open_play("cam?x=1", hops=("a", "them"), resume=ResumePoint("e", 9), buffer_ms=2000)
    link.pump()
    handshake = HandshakeCompleted("is_simplified" in options, "handshake" in options)
    assert link.client_events[0] == handshake
    assert link.server_events[0] == handshake
    (asked,) = of(link.server_events, ConnectRequested)
    assert (asked.app, asked.tc_url, asked.is_multiplexing, asked.edge_id) == ("live", TC_URL, True, "them")
    assert of(link.server_events, PlayRequested) == [
        PlayRequested(2, 1, "cam?x=1", hops=("a", "them"), resume=ResumePoint("e", 9))
    ]
    (connected,) = of(link.client_events, Connected)
    assert (connected.is_multiplexing, connected.edge_id, link.client.peer_edge_id) == (True, "us", "us")
    (started,) = of(link.client_events, StreamStarted)
    assert (started.request_id, started.message_stream_id) == (request_id, 1)
    assert link.client.message_stream_id(request_id) == 1
    link.client.receive_data(media(), 0)
    assert list(drain(link.client)) == [MediaReceived(1, 9, 0, VIDEO)]


def test_publish_to_a_server_of_ours() -> None:
    link = Link(client=new_client(edge_id="them"))
    first, second = link.client.open_publish("cam", hops=("them",)), link.client.open_publish("dog")
    link.pump()
    assert of(link.server_events, PublishRequested) == [
        PublishRequested(2, 1, "cam", "live", ("them",)),
        PublishRequested(3, 2, "dog", "live"),
    ]
    assert [event.request_id for event in of(link.client_events, StreamStarted)] == [first, second]
    link.client.close_stream(first)
    link.pump()
    assert of(link.server_events, PublishEnded) == [PublishEnded(1, "close_stream")]
    assert publishing_stream_ids(link.server) == (2,)
    assert message_stream_count(link.server) == 1


def test_close_of_a_play_on_a_shared_connection() -> None:
    link = Link(client=new_client(edge_id="them"))
    first, second = link.client.open_play("cam"), link.client.open_play("dog")
    link.pump()
    link.client.close_stream(first)
    link.client.close_stream(first)
    link.pump()
    assert of(link.server_events, PlayEnded) == [PlayEnded(1, "delete_stream")]
    assert (link.client.message_stream_id(first), link.client.message_stream_id(second)) == (None, 2)
    assert playing_stream_ids(link.server) == (2,)


def test_waiting_is_told() -> None:
    def decide(session: ServerSession, event: object) -> None:
        if isinstance(event, PlayRequested):
            session.accept_play(event.request_id, {"waiting": True})
        else:
            answer(session, event)

    link = Link(decide=decide)
    link.client.open_play("cam")
    link.pump()
    assert of(link.client_events, StreamStarted)[0].info["waiting"] is True


def test_refused_play_gives_its_message_stream_back() -> None:
    def decide(session: ServerSession, event: object) -> None:
        if isinstance(event, PlayRequested):
            session.reject_play(event.request_id, "NetStream.Play.StreamNotFound", "not here")
        else:
            answer(session, event)

    link = Link(decide=decide)
    request_id = link.client.open_play("cam")
    link.pump()
    assert of(link.client_events, StreamFailed) == [
        StreamFailed(request_id, "NetStream.Play.StreamNotFound", "not here")
    ]
    assert (message_stream_count(link.server), link.client.message_stream_id(request_id)) == (0, None)


def test_unpublish_is_told_downstream() -> None:
    link = Link(client=new_client(edge_id="them"))
    request_id = link.client.open_play("cam")
    link.pump()
    link.server.notify_unpublish(1, "cam is now unpublished")
    link.pump()
    notice, eof = link.client_events[-2:]
    assert (notice.request_id, notice.code) == (request_id, "NetStream.Play.UnpublishNotify")
    assert eof == StreamEofReceived(request_id, 1)


def test_unpublish_is_told_as_an_error_to_who_multiplexes_and_is_no_node() -> None:
    link = Link()
    request_id = link.client.open_play("cam")
    link.pump()
    link.server.notify_unpublish(1, "cam is gone")
    link.server.notify_unpublish(1, "cam is gone")
    link.pump()
    failed = [event for event in link.client_events if isinstance(event, StreamFailed)]
    assert failed == [StreamFailed(request_id, "NetStream.Play.StreamNotFound", "cam is gone")]
    assert not of(link.client_events, StreamEofReceived)


def test_way_of_a_stream_is_told_to_peers_of_ours_only() -> None:
    for edge_id, told in (("them", [("a", "b")]), ("", [])):
        link = Link(client=new_client(edge_id=edge_id))
        link.client.open_play("cam")
        link.pump()
        link.server.notify_via(1, ("a", "b"))
        link.server.notify_via(9, ("a", "b"))
        link.pump()
        news = [event for event in of(link.client_events, StreamStatus) if event.code == VIA_CODE]
        assert [parse_via(event.info) for event in news] == told


def test_connect_refused_and_redirected() -> None:
    def decide(session: ServerSession, event: object) -> None:
        if isinstance(event, ConnectRequested):
            session.reject_connect(event.request_id, "moved", redirect="rtmp://other/live")

    link = Link(decide=decide)
    link.client.open_play("cam")
    link.pump()
    assert link.client_events[-2:] == [
        ConnectRefused("NetConnection.Connect.Rejected", "moved", "rtmp://other/live"),
        SessionEnded(None),
    ]


def test_pings_both_ways() -> None:
    link = Link()
    link.pump()
    link.server.send_ping(7)
    link.client.send_ping(8)
    link.pump()
    assert of(link.server_events, PongReceived) == [PongReceived(7)]
    assert of(link.client_events, PongReceived) == [PongReceived(8)]


# --- the bytes that leave -----------------------------------------------------------------


def test_simplified_play_leaves_in_one_write() -> None:
    session = new_client(is_simplified=True)
    session.open_play("cam")
    output = session.data_to_send()
    assert output.startswith(b"\x03BDMS")
    messages: list[Message] = []
    ChunkReader(CONFIG).feed(output[5:], 0, messages)
    assert [one.type_id for one in messages] == [20, 5, 1, 20]
    create = amf0.decode_all(messages[-1].payload)
    assert create == ["createStream", 2.0, {"CommandName": "play", "StreamName": "cam"}]


def test_connect_object_has_the_order_of_the_reference() -> None:
    session = new_client(edge_id="them", is_simplified=True)
    messages: list[Message] = []
    ChunkReader(CONFIG).feed(session.data_to_send()[5:], 0, messages)
    connect = amf0.decode_all(messages[0].payload)
    assert connect[:2] == ["connect", 1.0]
    assert list(connect[2].items()) == [
        ("app", "live"),
        ("flashVer", "LNX 9,0,124,2"),
        ("tcUrl", TC_URL),
        ("fpad", False),
        ("capabilities", 239.0),
        ("audioCodecs", 3575.0),
        ("videoCodecs", 252.0),
        ("videoFunction", 1.0),
        ("objectEncoding", 0.0),
        ("stream_multiplexing", True),
        ("edgeId", "them"),
        ("edgeClock", True),
        ("edgeWhy", True),
        ("capsEx", 1.0),
    ]


def test_play_from_a_foreign_server() -> None:
    upstream = foreign()
    request_id = upstream.session.open_play("cam", hops=("a",), resume=ResumePoint("e", 1))
    assert upstream.heard().commands == [(0, ["createStream", 2.0, None])]
    upstream.say(command("_result", 2, None, 1))
    reply = upstream.heard()
    assert reply.commands == [(1, ["play", 3.0, None, "cam", -2.0, -1.0, True])]
    assert reply.controls() == [(4, b"\0\3\0\0\0\1" + (1000).to_bytes(4, "big"))]
    (started,) = upstream.say(status("NetStream.Play.Start"))
    assert (started.request_id, started.message_stream_id) == (request_id, 1)
    assert upstream.say(data("|RtmpSampleAccess", True, True), media()) == [MediaReceived(1, 9, 0, VIDEO)]
    upstream.session.close_stream(request_id)
    assert upstream.heard().commands == [(1, ["closeStream", 0.0, None]), (0, ["deleteStream", 0.0, None, 1.0])]


def test_publish_to_a_foreign_server() -> None:
    upstream = foreign()
    request_id = upstream.session.open_publish("cam", hops=("a",))
    assert upstream.heard().commands == [
        (0, ["releaseStream", 2.0, None, "cam"]),
        (0, ["FCPublish", 3.0, None, "cam"]),
        (0, ["createStream", 4.0, None]),
    ]
    upstream.say(command("_result", 2, None, amf0.UNDEFINED), command("onFCPublish", 0, None, {}))
    upstream.say(command("_result", 4, None, 1))
    assert upstream.heard().commands == [(1, ["publish", 5.0, None, "cam", "live"])]
    (started,) = upstream.say(status("NetStream.Publish.Start"))
    assert started.request_id == request_id
    upstream.session.close_stream(request_id)
    assert upstream.heard().names == ["FCUnpublish", "closeStream", "deleteStream"]


def test_hops_go_to_peers_of_ours_only() -> None:
    upstream = multiplexing()  # the simplified form is understood by nobody else
    upstream.session.open_play("cam", hops=("a",))
    assert upstream.heard().commands[0][1][2]["edgeHops"] == "a"
    link = Link(new_server(edge_id=""), new_client(edge_id="them"))
    link.pump()
    link.client.open_play("cam", hops=("a",))
    link.pump()
    assert of(link.server_events, PlayRequested)[0].hops == ()


def test_trace_goes_to_those_who_have_said_that_they_are_ours() -> None:
    trace = ("00-1-2-01", "a=1")
    ours = Link(new_server(edge_id="us"), new_client(edge_id="them"))
    ours.client.open_play("cam", trace=trace)
    ours.client.open_publish("dog", trace=trace)
    ours.pump()
    asked = (*of(ours.server_events, PlayRequested), *of(ours.server_events, PublishRequested))
    assert [event.trace for event in asked] == [trace, trace]
    upstream = foreign()
    upstream.session.open_play("cam", trace=trace)
    upstream.session.open_publish("dog", trace=trace)
    asked_of_others = upstream.heard().commands
    upstream.say(command("_result", 2, None, 1), command("_result", 5, None, 2))
    asked_of_others += upstream.heard().commands
    assert {words[0] for _, words in asked_of_others} >= {"createStream", "play", "publish"}
    shared = multiplexing()  # as one of brpc; in the simplified form it has said nothing yet
    shared.session.open_play("cam", trace=trace)
    early = new_client(edge_id="them", is_simplified=True)
    early.open_play("cam", trace=trace)
    said = f"{asked_of_others}{shared.heard().commands}{early.data_to_send()!r}"
    assert "cam" in said and "edgeTrace" not in said and trace[0] not in said


def test_embedded_request_not_taken_is_sent_again() -> None:
    upstream = multiplexing()
    upstream.session.open_play("cam")
    upstream.heard()
    upstream.say(command("_result", 2, None, 1))
    assert upstream.heard().names == ["play"]


# --- what servers get wrong, and hostile answers ----------------------------------------------


@pytest.mark.parametrize("message_stream_id", [0, 1, 5])
def test_status_on_a_wrong_stream_means_the_only_one(message_stream_id: int) -> None:
    upstream = foreign()
    request_id = upstream.session.open_play("cam")
    upstream.say(command("_result", 2, None, 5))
    (started,) = upstream.say(status("NetStream.Play.Start", message_stream_id=message_stream_id))
    assert (started.request_id, started.message_stream_id) == (request_id, 5)
    assert upstream.say(media(VIDEO, message_stream_id)) == [MediaReceived(5, 9, 0, VIDEO)]


def test_status_on_an_unknown_stream_among_several_is_ignored() -> None:
    upstream = multiplexing()
    for transaction_id in (2, 3):
        upstream.session.open_play("cam")
        upstream.say(command("_result", transaction_id, {"PlayOrPublishAccepted": True}, transaction_id))
    assert upstream.say(status("NetStream.Play.StreamNotFound", "error", 0)) == []
    failed = upstream.say(status("NetConnection.Connect.Closed", "error", 0))
    assert [event.request_id for event in failed] == [1, 2]


@pytest.mark.parametrize("level", ["error", "status"])
def test_failures_whatever_their_level(level: str) -> None:
    upstream = foreign()
    request_id = upstream.session.open_play("cam")
    upstream.say(command("_result", 2, None, 1))
    assert upstream.say(status("NetStream.Play.StreamNotFound", level)) == [
        StreamFailed(request_id, "NetStream.Play.StreamNotFound", "why")
    ]
    assert upstream.say(status("NetStream.Play.Start")) == []


def test_other_statuses_are_passed_on() -> None:
    upstream = foreign()
    request_id = upstream.session.open_play("cam")
    upstream.say(command("_result", 2, None, 1))
    (event,) = upstream.say(status("NetStream.Play.Reset"))
    assert isinstance(event, StreamStatus)
    assert (event.request_id, event.code, event.description) == (request_id, "NetStream.Play.Reset", "why")


def test_create_stream_refused() -> None:
    upstream = foreign()
    request_id = upstream.session.open_play("cam")
    info = {"level": "error", "code": "NetConnection.CreateStream.Rejected", "description": "full"}
    assert upstream.say(command("_error", 2, None, info)) == [
        StreamFailed(request_id, "NetConnection.CreateStream.Rejected", "full")
    ]


@pytest.mark.parametrize("number", [0, -1, math.nan, math.inf, 1.5, 2.0**32, "1", None])
def test_message_stream_id_that_cannot_be(number: object) -> None:
    upstream = foreign()
    request_id = upstream.session.open_play("cam")
    (event,) = upstream.say(command("_result", 2, None, number))
    assert (event.request_id, event.code) == (request_id, "NetConnection.CreateStream.Failed")


def test_same_message_stream_id_for_two_streams() -> None:
    upstream = multiplexing()
    first, second = upstream.session.open_play("cam"), upstream.session.open_play("dog")
    upstream.say(command("_result", 2, None, 1))
    (event,) = upstream.say(command("_result", 3, None, 1))
    assert event.request_id == second
    assert upstream.session.message_stream_id(first) == 1


@pytest.mark.parametrize("transaction_id", [0, 1, 3, 99, math.nan, math.inf, -2])
def test_M13_reply_with_an_unknown_number_is_ignored(transaction_id: float) -> None:
    upstream = foreign()
    upstream.session.open_play("cam")
    assert upstream.say(command("_result", transaction_id, None, 1)) == []
    assert upstream.say(command("_result", 2, None, 1), status("NetStream.Play.Start"))


def test_stream_closed_before_it_was_created() -> None:
    upstream = foreign()
    request_id = upstream.session.open_play("cam")
    upstream.session.close_stream(request_id)
    upstream.heard()
    assert upstream.say(command("_result", 2, None, 1), status("NetStream.Play.Start")) == []
    assert upstream.heard().commands == [(0, ["deleteStream", 0.0, None, 1.0])]


def test_stream_closed_before_connect_is_never_asked_for() -> None:
    link = Link()
    link.client.close_stream(link.client.open_play("cam"))
    link.pump()
    assert not of(link.server_events, PlayRequested)


def test_C22_media_of_a_closed_stream_are_dropped_quietly() -> None:
    upstream = multiplexing()
    request_id = upstream.session.open_play("cam")
    upstream.say(command("_result", 2, {"PlayOrPublishAccepted": True}, 4))
    upstream.session.close_stream(request_id)
    for _ in range(20):
        assert upstream.say(media(bytes(65536), 4)) == []
    upstream.say(media(VIDEO, 9))
    assert upstream.events[-1].reason == "media_no_stream"


def test_server_commands_at_the_client_are_ignored() -> None:
    upstream = foreign()
    names = ("onBWDone", "onFCSubscribe", "close", "createStream", "play", "connect")
    assert upstream.say(*[command(name, 5, None) for name in names]) == []
    assert upstream.say(user_control(0, 1), user_control(1, 7), user_control(2, 1), user_control(4, 1)) == []
    assert upstream.heard().messages == []


def test_status_without_an_information_object_is_nothing() -> None:
    upstream = foreign()
    upstream.session.open_play("cam")
    upstream.say(command("_result", 2, None, 1))
    (event,) = upstream.say(command("onStatus", 0, None, "text", message_stream_id=1))
    assert (event.code, event.info) == ("", {})


@pytest.mark.parametrize(
    ("info", "redirect"),
    [
        ({"ex": {"code": 302, "redirect": "rtmp://b/live"}}, "rtmp://b/live"),
        ({"ex": {"redirect": "rtmp://b/live"}}, "rtmp://b/live"),
        ({"ex": {"code": 302}, "description": "go to rtmp://b/live now"}, "rtmp://b/live"),
        ({"ex": {"code": 302, "redirect": "http://b/"}}, ""),
        ({"ex": {"code": 302, "redirect": 5}, "description": "x"}, ""),
        ({"ex": 5}, ""),
        ({}, ""),
    ],
)
def test_redirect_is_found(info: dict[str, Any], redirect: str) -> None:
    upstream = Upstream(is_simplified=True)
    refused, ended = upstream.say(command("_error", 1, None, {"code": "c", "description": "d", **info}))[-2:]
    assert isinstance(refused, ConnectRefused)
    assert (refused.code, refused.redirect, ended) == ("c", redirect, SessionEnded(None))


def test_result_of_level_error_is_a_refusal() -> None:
    upstream = Upstream(is_simplified=True)
    found = upstream.say(command("_result", 1, None, {"level": "error", "code": "c"}))
    assert ConnectRefused("c", "") in found


# --- ends and deadlines --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "handshake_timeout"),
        (b"\x03" + bytes(1536), "handshake_timeout"),
        (b"\x03" + bytes(3072), "connect_timeout"),
    ],
)
def test_HS7_upstream_that_does_not_answer(said: bytes, reason: str) -> None:
    session = new_client(now_ms=100, timeout_ms=1000)
    session.receive_data(said, 200)
    assert session.next_deadline_ms() == 1100
    session.handle_timer(1099)
    assert not of(list(drain(session)), SessionEnded)
    session.handle_timer(1100)
    (ended,) = drain(session)
    assert ended.error.reason == reason


def test_HS7_wrong_version() -> None:
    session = new_client()
    session.receive_data(b"\x06", 0)
    (ended,) = drain(session)
    assert ended.error.reason == "rtmp_version"


def test_simplified_connect_must_be_answered_too() -> None:
    session = new_client(is_simplified=True, now_ms=100)
    session.open_play("cam")
    session.handle_timer(1100)
    assert list(drain(session))[-1].error.reason == "connect_timeout"


def test_no_deadline_once_connected_or_without_a_limit() -> None:
    assert foreign().session.next_deadline_ms() is None
    assert new_client(timeout_ms=0).next_deadline_ms() is None


def test_requests_after_the_end_are_void() -> None:
    upstream = foreign()
    upstream.session.receive_eof()
    request_id = upstream.session.open_play("cam")
    upstream.session.close_stream(request_id)
    assert upstream.session.data_to_send() == b""


# --- servers that answer in other ways ------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_publish", "number", "code"), [(False, 3, "NetStream.Play.Start"), (True, 5, "NetStream.Publish.Start")]
)
def test_play_and_publish_may_be_answered_by_number(is_publish: bool, number: int, code: str) -> None:
    for name, level, kind in (("_result", "status", StreamStarted), ("_error", "error", StreamFailed)):
        upstream = foreign()
        if is_publish:
            upstream.session.open_publish("cam")
        else:
            upstream.session.open_play("cam")
        upstream.say(command("_result", number - 1, None, 1))
        (event,) = upstream.say(command(name, number, None, {"level": level, "code": code}, message_stream_id=1))
        assert isinstance(event, kind)


@pytest.mark.parametrize("values", [(2, None, 1), (2, 1), (2, None, amf0.UNDEFINED, 1)])
def test_number_of_a_message_stream_is_found(values: tuple[Any, ...]) -> None:
    upstream = foreign()
    upstream.session.open_play("cam")
    upstream.heard()
    upstream.say(message(20, amf0.encode_all("_result", *values)))
    assert upstream.heard().commands[0][1][0] == "play"


HEADER, PICTURE = b"\x17\0\0\0\0header", b"\x17\1\0\0\0picture"


def test_headers_before_play_start_count_and_pictures_begin_behind_it() -> None:
    upstream = foreign()
    upstream.session.open_play("cam")
    upstream.say(command("_result", 2, None, 1))
    early = (data("onMetaData", {"width": 1}), media(HEADER), media(b"\xaf\0\x12\x10", type_id=8), media(PICTURE))
    assert upstream.say(*early, data("|RtmpSampleAccess", True, True)) == []
    started, *found = upstream.say(status("NetStream.Play.Start"), media(PICTURE), now_ms=200)
    assert isinstance(started, StreamStarted)
    assert [(event.type_id, event.payload) for event in found] == [
        (18, amf0.encode_all("onMetaData", {"width": 1})),
        (9, HEADER),
        (8, b"\xaf\0\x12\x10"),
        (9, PICTURE),
    ]


@pytest.mark.parametrize("message_stream_id", [0, 1, 5])
def test_server_that_sends_no_play_start_is_taken_at_its_media(message_stream_id: int) -> None:
    upstream = foreign()
    upstream.session.open_play("cam")
    upstream.say(command("_result", 2, None, 1))
    assert upstream.say(media(HEADER, message_stream_id), now_ms=1000) == []
    assert upstream.say(media(PICTURE, message_stream_id), now_ms=1499) == []
    found = upstream.say(media(PICTURE, message_stream_id), now_ms=1500)
    assert [type(event) for event in found] == [StreamStarted, MediaReceived, MediaReceived]
    assert [event.payload for event in found[1:]] == [HEADER, PICTURE]
    again = upstream.say(status("NetStream.Play.Start"), media(PICTURE, message_stream_id), now_ms=1600)
    assert again[-1] == MediaReceived(1, 9, 0, PICTURE)


def test_encoder_looks_like_one_and_stays_ours() -> None:
    session = new_client(edge_id="us", is_encoder=True)
    session.data_to_send()
    session.receive_data(b"\x03" + bytes(3072), 0)
    messages: list[Message] = []
    ChunkReader(CONFIG).feed(session.data_to_send()[1536:], 0, messages)
    asked = amf0.decode_all(messages[0].payload)[2]
    assert asked["flashVer"].startswith("FMLE/3.0") and asked["type"] == "nonprivate"
    assert (asked["stream_multiplexing"], asked["edgeId"]) == (True, "us")
