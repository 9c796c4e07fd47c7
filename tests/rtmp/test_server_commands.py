"""What a client's commands do, in and out of their order, well-formed or not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edge.rtmp import amf0
from edge.rtmp.commands import encode_command
from edge.rtmp.events import (
    BufferLengthSet,
    ConnectRequested,
    MediaChosen,
    MediaReceived,
    PauseRequested,
    PlayEnded,
    PlayRequested,
    PublishEnded,
    PublishRequested,
    ResumePoint,
)
from edge.rtmp.server_commands import MAX_UNKNOWN_COMMANDS
from tests.harness.link import (
    CONFIG,
    SIMPLIFIED,
    TC_URL,
    VIDEO,
    Peer,
    active_stream_count,
    command,
    connect,
    connected_peer,
    data,
    media,
    message,
    message_stream_count,
    new_server,
    playing_peer,
    playing_stream_ids,
    publishing_peer,
    publishing_stream_ids,
)

CREATE = command("createStream", 2, None)
UNPUBLISHED = "onStatus NetStream.Unpublish.Success"


def user_control(event_type: int, *numbers: int) -> bytes:
    body = event_type.to_bytes(2, "big") + b"".join(number.to_bytes(4, "big") for number in numbers)
    return message(4, body, 0, 2)


# --- connect ---------------------------------------------------------------------


def test_connect_asks_with_what_was_sent() -> None:
    peer = Peer(is_answering=False)
    event = peer.send(SIMPLIFIED, connect(edgeId="e1", stream_multiplexing=True, flashVer="x"))[-1]
    assert isinstance(event, ConnectRequested)
    assert (event.app, event.tc_url, event.is_multiplexing, event.edge_id) == ("live", TC_URL, True, "e1")
    assert event.properties["flashVer"] == "x"


def test_connect_as_amf3_command() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, command("connect", 1, {"app": "live"}, type_id=17))
    assert peer.of(ConnectRequested)[0].tc_url == "rtmp://localhost/live"


@pytest.mark.parametrize("name", ["createStream", "play", "publish", "releaseStream", "anything"])
def test_M1_commands_before_connect_close(name: str) -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, command(name, 1, None, "cam"))
    assert peer.end_reason == "not_connected"


def test_M2_second_connect_closes() -> None:
    peer = connected_peer()
    peer.send(connect(5, app="other"))
    assert peer.end_reason == "connect_twice"
    ((_, values),) = peer.received().commands
    assert values[:2] == ["_error", 5.0]
    assert values[3]["code"] == "NetConnection.Connect.Rejected"


@pytest.mark.parametrize(
    "properties",
    [
        {"tcUrl": "rtmp://h/" + "a" * 5000},
        {"tcUrl": "http://h/live"},
        {"tcUrl": "rtmp://h:99999/live"},
        {"tcUrl": "rtmp://h/li ve"},
        {"tcUrl": "rtmp://h/live\r\nX: y"},
        {"app": ".."},
        {"app": "a" * 513},
    ],
)
def test_M3_bad_url_is_refused(properties: dict[str, str]) -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, connect(**properties))
    assert peer.end_reason == "bad_url"
    assert peer.received().names == ["_error NetConnection.Connect.Rejected"]


@pytest.mark.parametrize("properties", [{"tcUrl": None}, {"tcUrl": 5.0}, {"tcUrl": None, "app": None}])
def test_M3_missing_tc_url_is_built(properties: dict[str, object]) -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, connect(**properties))
    (event,) = peer.of(ConnectRequested)
    assert event.tc_url == f"rtmp://localhost/{event.app}"


def test_A8_connect_without_object_is_refused_and_may_be_repeated() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, command("connect", 7, None))
    assert peer.received().names == ["_error NetConnection.Connect.Rejected"]
    peer.send(connect())
    assert peer.of(ConnectRequested)


def test_edge_id_with_control_characters_is_none() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, connect(edgeId="a\nb"))
    assert (peer.of(ConnectRequested)[0].edge_id, peer.session.peer_edge_id) == ("", "")


# --- createStream and the end of streams -------------------------------------------


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0, 0.0, 1e308, 0.5])
def test_A7_reply_bears_the_number_as_sent(number: float) -> None:
    peer = connected_peer()
    peer.send(command("createStream", number, None))
    (reply,) = peer.received().messages
    assert reply.payload == amf0.encode_all("_result", number, None, 1)


def test_M4_idle_streams_are_few() -> None:
    peer = connected_peer()
    peer.send(*[CREATE] * 17)
    names = peer.received().names
    assert names == ["_result"] * 16 + ["_error NetConnection.CreateStream.Rejected"]
    peer.send(command("deleteStream", 0, None, 3.0), CREATE)
    assert peer.received().commands[0][1] == ["_result", 2.0, None, 17.0]


def test_M4_streams_in_all_are_bounded() -> None:
    peer = connected_peer(replace(CONFIG, max_message_streams=3), stream_multiplexing=True)
    embedded = {"CommandName": "play", "StreamName": "cam"}
    peer.send(*[command("createStream", 2, embedded)] * 4)
    assert peer.end_reason == "too_many_streams"
    assert active_stream_count(peer.session) == 3


def test_embedded_play_and_publish() -> None:
    peer = connected_peer(stream_multiplexing=True)
    peer.send(command("createStream", 4, {"CommandName": "publish", "StreamName": "cam", "PublishType": "live"}))
    peer.send(command("createStream", 5, {"CommandName": "play", "StreamName": "dog"}))
    assert peer.of(PublishRequested) == [PublishRequested(2, 1, "cam")]
    assert peer.of(PlayRequested) == [PlayRequested(3, 2, "dog")]
    commands = peer.received().commands
    assert commands[0] == (0, ["_result", 4.0, {"PlayOrPublishAccepted": True}, 1.0])
    assert commands[1][1][3]["code"] == "NetStream.Publish.Start"
    assert commands[2] == (0, ["_result", 5.0, {"PlayOrPublishAccepted": True}, 2.0])


@pytest.mark.parametrize(
    "embedded", [{}, {"CommandName": "play"}, {"CommandName": 1.0, "StreamName": "a"}, {"StreamName": "a"}]
)
def test_create_stream_without_a_whole_request_is_plain(embedded: dict[str, object]) -> None:
    peer = connected_peer()
    peer.send(command("createStream", 4, embedded))
    assert peer.received().commands == [(0, ["_result", 4.0, None, 1.0])]
    assert peer.events == []


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0, 2.0**32, 77.0, 0.5, "1", None])
def test_M9_delete_of_what_is_not_there(number: object) -> None:
    peer = playing_peer()
    peer.send(command("deleteStream", 0, None, number))
    assert peer.reasons == ["no_stream"]
    assert playing_stream_ids(peer.session) == (1,)


def test_M9_delete_of_a_player_and_twice() -> None:
    peer = playing_peer()
    assert peer.send(command("deleteStream", 0, None, 1.0)) == [PlayEnded(1, "delete_stream")]
    assert peer.received().messages == []
    peer.send(command("deleteStream", 0, None, 1.0))
    assert peer.reasons == ["no_stream"]
    assert message_stream_count(peer.session) == 0


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (command("deleteStream", 0, None, 1.0), "delete_stream"),
        (command("closeStream", 0, None, message_stream_id=1), "close_stream"),
        (command("FCUnpublish", 9, None, "cam"), "fcunpublish"),
        (command("FCUnpublish", 9, None, "cam?token=1"), "fcunpublish"),
    ],
)
def test_ends_of_a_publish(end: bytes, why: str) -> None:
    peer = publishing_peer()
    assert peer.send(end) == [PublishEnded(1, why)]
    assert UNPUBLISHED in peer.received().names
    assert peer.send(end) == [] or why == "delete_stream"
    assert not publishing_stream_ids(peer.session)


def test_stream_may_publish_again() -> None:
    peer = publishing_peer()
    peer.send(command("FCUnpublish", 9, None, "cam"), command("publish", 3, None, "dog", message_stream_id=1), media())
    assert [type(event) for event in peer.events] == [PublishEnded, PublishRequested, MediaReceived]


def test_second_publish_on_a_stream_ends_the_first() -> None:
    peer = publishing_peer()
    peer.send(command("publish", 9, None, "dog", "record", message_stream_id=1))
    assert peer.events == [PublishEnded(1, "republish"), PublishRequested(3, 1, "dog", "record")]


def test_close_of_a_player_pauses_it_and_play_goes_on() -> None:
    peer = playing_peer()
    close = command("closeStream", 0, None, message_stream_id=1)
    assert peer.send(close, close) == [PauseRequested(1, is_paused=True, needs_answer=False)]
    assert peer.received().messages == []
    (event,) = peer.send(command("play", 0, None, "cam", message_stream_id=1))
    assert event.is_replay
    assert peer.send(close)  # the replay has taken the pause back


@pytest.mark.parametrize("message_stream_id", [0, 1, 9])
def test_close_of_an_idle_or_unknown_stream_is_nothing(message_stream_id: int) -> None:
    peer = connected_peer()
    peer.send(CREATE, command("closeStream", 0, None, message_stream_id=message_stream_id))
    assert peer.events == []


# --- publish and play ---------------------------------------------------------------


def test_play_arguments() -> None:
    peer = connected_peer()
    peer.send(CREATE, command("play", 0, None, "cam?a=b", 5, 7, False, message_stream_id=1))
    assert peer.events == [PlayRequested(2, 1, "cam?a=b", 5.0, 7.0, reset=False)]
    assert "onStatus NetStream.Play.Reset" not in peer.received().names


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 3, 0, 1), (1, 2, 0, 3), (2, 0, 3, 1)])
def test_M11_publish_commands_in_any_order(order: tuple[int, ...]) -> None:
    script = [
        command("releaseStream", 2, None, "cam"),
        command("FCPublish", 3, None, "cam"),
        command("createStream", 4, None),
        command("publish", 5, None, "cam", "live", message_stream_id=1),
    ]
    peer = connected_peer()
    peer.send(*[script[index] for index in order])
    assert peer.events == [PublishRequested(2, 1, "cam")]
    replies = [values for _, values in peer.received().commands]
    assert {values[1] for values in replies if values[0] == "_result"} == {2.0, 3.0, 4.0}
    assert any(values[0] == "onFCPublish" for values in replies)


@pytest.mark.parametrize("message_stream_id", [0, 1])
def test_publish_on_a_wrong_id_means_the_only_stream(message_stream_id: int) -> None:
    peer = connected_peer()
    peer.send(CREATE, command("deleteStream", 0, None, 1.0), CREATE)
    peer.send(command("publish", 5, None, "cam", message_stream_id=message_stream_id))
    assert peer.events == [PublishRequested(2, 2, "cam")]
    assert peer.send(media(VIDEO, message_stream_id), data("onX", message_stream_id=message_stream_id)) == [
        MediaReceived(2, 9, 0, VIDEO),
        MediaReceived(2, 18, 0, amf0.encode("onX")),
    ]


@pytest.mark.parametrize("message_stream_id", [0, 1, 3])
@pytest.mark.parametrize(
    ("name", "code"), [("play", "NetStream.Play.Failed"), ("publish", "NetStream.Publish.BadName")]
)
def test_M5_no_such_stream(name: str, code: str, message_stream_id: int) -> None:
    peer = connected_peer()
    peer.send(command(name, 3, None, "cam", message_stream_id=message_stream_id))
    assert peer.end_reason == "no_stream"
    ((where, values),) = peer.received().commands
    assert (where, values[3]["code"], values[3]["level"]) == (message_stream_id, code, "error")


def test_M5_deleted_stream_among_others() -> None:
    peer = connected_peer(stream_multiplexing=True)
    peer.send(CREATE, CREATE, command("deleteStream", 0, None, 1.0), CREATE)
    peer.send(command("play", 3, None, "cam", message_stream_id=1))
    assert (peer.refusals, peer.end_reason) == (["no_stream"], None)
    assert not peer.of(PlayRequested)


def test_M6_publish_then_play_and_play_then_publish() -> None:
    for peer, name in ((publishing_peer(), "play"), (playing_peer(), "publish")):
        peer.send(command(name, 3, None, "dog", message_stream_id=1))
        assert (peer.refusals, peer.end_reason) == (["stream_busy"], None)
        info = peer.received().info("NetStream.Failed")
        assert info["description"].startswith("stream_busy")
        assert active_stream_count(peer.session) == 1
    peer = publishing_peer()
    peer.send(command("play", 3, None, "cam", message_stream_id=1))
    assert peer.send(media()) == [MediaReceived(1, 9, 0, VIDEO)]


@pytest.mark.parametrize("name", [7.0, True, None, {}, [], amf0.UNDEFINED])
@pytest.mark.parametrize("verb", ["play", "publish"])
def test_A6_name_of_a_wrong_type(verb: str, name: object) -> None:
    peer = connected_peer()
    peer.send(CREATE, command(verb, 3, None, name, message_stream_id=1))
    assert peer.end_reason == "bad_argument"
    code = "NetStream.Play.Failed" if verb == "play" else "NetStream.Publish.BadName"
    assert peer.received().info(code)["description"].startswith("bad_argument")


@pytest.mark.parametrize("verb", ["play", "publish"])
def test_A8_missing_name(verb: str) -> None:
    peer = connected_peer()
    peer.send(CREATE, command(verb, 3, None, message_stream_id=1))
    assert peer.end_reason == "bad_argument"


@pytest.mark.parametrize("arguments", [(), ("",), ("other",), (7.0,), (None,)])
def test_A8_publish_type_defaults_to_live(arguments: tuple[object, ...]) -> None:
    peer = connected_peer()
    peer.send(CREATE, command("publish", 3, None, "cam", *arguments, message_stream_id=1))
    assert peer.events == [PublishRequested(2, 1, "cam", "live")]


@pytest.mark.parametrize(
    "name", ["", "a" * 513, "a" * 60000, "..", "a/../b", "/a", "a/", "a\\b", "a\nb", "a\x7f", "\udcff"]
)
def test_M14_M15_bad_names(name: str) -> None:
    for verb, code in (("play", "NetStream.Play.StreamNotFound"), ("publish", "NetStream.Publish.BadName")):
        peer = connected_peer()
        peer.send(CREATE, command(verb, 3, None, name, message_stream_id=1))
        assert peer.end_reason == "bad_name"
        assert peer.events[-1].error.is_quiet
        assert peer.received().info(code)["description"].startswith("bad_name")


@pytest.mark.parametrize("name", ["a" * 512, "%2e%2e%2f", "a b", "\N{PILE OF POO}", "x.pubproxy", "cam?token=a/../b"])
def test_M16_awkward_names_are_asked_for(name: str) -> None:
    peer = connected_peer()
    peer.send(CREATE, command("play", 3, None, name, message_stream_id=1))
    assert peer.of(PlayRequested)[0].stream_name == name


def test_refusal_leaves_a_multiplexed_connection_open() -> None:
    peer = connected_peer(stream_multiplexing=True)
    peer.send(CREATE, command("play", 3, None, "..", message_stream_id=1))
    assert (peer.refusals, peer.end_reason) == (["bad_name"], None)
    peer.send(command("play", 3, None, "cam", message_stream_id=1))
    assert peer.of(PlayRequested)


# --- hops -----------------------------------------------------------------------------


def test_hops_and_resume_of_a_peer_of_ours() -> None:
    peer = connected_peer(edgeId="e1", stream_multiplexing=True)
    embedded = {
        "CommandName": "play",
        "StreamName": "cam",
        "edgeHops": "e0,e1",
        "edgeResume": {"epoch": "x", "nextIndex": 5},
    }
    peer.send(command("createStream", 2, embedded))
    peer.send(CREATE, command("publish", 3, {"edgeHops": "e1"}, "dog", message_stream_id=2))
    (play,), (publish,) = peer.of(PlayRequested), peer.of(PublishRequested)
    assert (play.hops, play.resume) == (("e0", "e1"), ResumePoint("x", 5))
    assert publish.hops == ("e1",)


def test_hops_of_others_are_not_believed() -> None:
    peer = connected_peer()
    peer.send(CREATE, command("play", 3, {"edgeHops": "server"}, "cam", message_stream_id=1))
    assert peer.of(PlayRequested)[0].hops == ()


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ({"parent": "p", "state": "s"}, ("p", "s")),
        ({"parent": "p"}, ("p", "")),
        ({"parent": "p", "state": 1.0}, ("p", "")),
        ({"parent": "p", "state": "s" * 513}, ("p", "")),
        *((junk, ("", "")) for junk in ("p", 1.0, None, {}, {"state": "s"}, {"parent": 1.0}, {"parent": "p" * 513})),
    ],
)
def test_trace_of_a_peer_of_ours_alone_is_taken(sent: object, taken: tuple[str, str]) -> None:
    embedded = {"CommandName": "play", "StreamName": "cam", "edgeTrace": sent}
    peer, other = connected_peer(edgeId="e1", stream_multiplexing=True), connected_peer(stream_multiplexing=True)
    peer.send(command("createStream", 2, embedded))
    peer.send(CREATE, command("publish", 3, {"edgeTrace": sent}, "dog", message_stream_id=2))
    other.send(command("createStream", 2, embedded))
    assert [event.trace for event in (*peer.of(PlayRequested), *peer.of(PublishRequested))] == [taken, taken]
    assert [event.trace for event in other.of(PlayRequested)] == [("", "")]


@pytest.mark.parametrize("hops", ["a,server", "server", "a,b,c,d,e", "a" * 200, "a\nb", ",".join(["x"] * 1000)])
@pytest.mark.parametrize(
    ("verb", "code"), [("play", "NetStream.Play.StreamNotFound"), ("publish", "NetStream.Publish.BadName")]
)
def test_O2_O4_loops_are_refused(verb: str, code: str, hops: str) -> None:
    peer = connected_peer(edgeId="e1", stream_multiplexing=True)
    peer.send(CREATE, command(verb, 3, {"edgeHops": hops}, "cam", message_stream_id=1))
    assert (peer.refusals, peer.reasons) == (["proxy_loop"], [])
    assert peer.received().info(code)["description"].startswith("proxy_loop: the request for cam")
    assert active_stream_count(peer.session) == 0


def test_O2_connection_to_oneself_is_a_loop() -> None:
    peer = connected_peer(edgeId="server")
    peer.send(CREATE, command("play", 3, None, "cam", message_stream_id=1))
    assert (peer.end_reason, peer.refusals) == ("proxy_loop", []), "an end is counted once"


def test_O2_four_hops_are_allowed() -> None:
    peer = connected_peer(edgeId="e1")
    peer.send(CREATE, command("play", 3, {"edgeHops": "a,b,c,e1"}, "cam", message_stream_id=1))
    assert peer.of(PlayRequested)


# --- the other commands -------------------------------------------------------------------


def test_M10_unknown_commands() -> None:
    peer = connected_peer()
    peer.send(command("<b>", 5, None), command("x", 0, None), command("y", math.nan))
    assert peer.received().commands == [(0, ["_result", 5.0, None, None])]
    peer.send(*[command("x", 0)] * 97)
    assert peer.end_reason is None
    peer.send(command("x", 0))
    assert peer.end_reason == "too_many_unknown"


def test_M11_calls_that_are_answered_without_effect() -> None:
    peer = publishing_peer()
    peer.send(
        command("releaseStream", 2, None, "other"),
        command("FCPublish", 3, None, "other"),
        command("FCUnpublish", 4, None, "other"),
        command("FCUnpublish", 5, None),
        command("getStreamLength", 6, None, "cam"),
        command("_checkbw", 7, None),
        command("FCSubscribe", 8, None, "cam"),
        command("onBWDone", 0, None),
        command("play2", 0, None, {}),
    )
    assert peer.events == []
    commands = [values for _, values in peer.received().commands]
    assert [values[1] for values in commands if values[0] == "_result"] == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert ["_result", 6.0, None, 0.0] in commands
    assert [values[0] for values in commands if values[0].startswith("on")] == [
        "onFCPublish",
        "onFCUnpublish",
        "onFCUnpublish",
        "onFCSubscribe",
    ]
    assert publishing_stream_ids(peer.session) == (1,)


def test_M12_pause_and_repeat_and_seek() -> None:
    peer = playing_peer()
    pause, resume = (command("pause", 0, None, flag, 0, message_stream_id=1) for flag in (True, False))
    assert peer.send(pause, pause) == [PauseRequested(1, is_paused=True)]
    reply = peer.received()
    assert reply.names == ["onStatus NetStream.Pause.Notify"]
    assert reply.controls() == [(4, b"\0\1\0\0\0\1")]
    assert peer.send(resume, resume) == [PauseRequested(1, is_paused=False)]
    reply = peer.received()
    assert reply.names == ["onStatus NetStream.Unpause.Notify"]
    assert reply.controls() == [(4, b"\0\0\0\0\0\1")]
    peer.send(command("seek", 0, None, 5000, message_stream_id=1))
    assert peer.received().commands[0][1][0] == "_error"


@pytest.mark.parametrize("message_stream_id", [0, 1, 9])
def test_M12_pause_before_play(message_stream_id: int) -> None:
    peer = connected_peer()
    peer.send(CREATE, command("pause", 0, None, True, 0, message_stream_id=message_stream_id))
    assert peer.received().names == ["_result", "_error NetStream.Pause.Notify"]
    assert peer.events == []


def test_M13_replies_to_the_server_are_ignored() -> None:
    peer = publishing_peer()
    peer.send(*[command(name, 1, None, {"level": "error", "code": "x"}) for name in ("_result", "_error", "onStatus")])
    assert peer.reasons == ["unexpected_reply"] * 3
    assert peer.received().messages == []


def test_buffer_length() -> None:
    peer = playing_peer()
    assert peer.send(user_control(3, 1, 3000)) == [BufferLengthSet(1, 3000)]
    assert peer.send(user_control(3, 0, 3000), user_control(3, 7, 3000)) == []


def test_A1_malformed_command_closes() -> None:
    peer = publishing_peer()
    peer.send(message(20, command("pause", 0, None, True)[12:20], 1))
    assert peer.end_reason == "amf_malformed"


def test_new_server_has_no_peer() -> None:
    session = new_server()
    assert (session.is_multiplexing, session.peer_edge_id, session.should_close_on_error) == (False, "", True)


# --- what is not needed is no reason to hang up -----------------------------------------------


def receive(medium: str, is_wanted: object, message_stream_id: int = 1) -> bytes:
    return command(f"receive{medium}", 0, None, is_wanted, message_stream_id=message_stream_id)


def test_player_switches_sound_and_picture_off_and_on() -> None:
    """RTMP 1.0 §7.2.2.4, §7.2.2.5."""
    peer = playing_peer()
    assert peer.send(receive("Video", False), receive("Video", False)) == [
        MediaChosen(1, has_audio=True, has_video=False)
    ]
    assert peer.received().names == []
    assert peer.send(receive("Audio", 0.0)) == [MediaChosen(1, has_audio=False, has_video=False)]
    assert peer.session.media_choice(1) == (False, False)
    assert peer.send(receive("Video", True)) == [MediaChosen(1, has_audio=False, has_video=True)]
    assert peer.received().names == ["onStatus NetStream.Seek.Notify", "onStatus NetStream.Play.Start"]
    for number in range(2 * MAX_UNKNOWN_COMMANDS):
        peer.send(receive("Audio", bool(number % 2)))
    assert (peer.end_reason, peer.reasons) == (None, [])


def test_switched_media_hold_for_the_message_stream() -> None:
    peer = connected_peer()
    peer.send(CREATE, receive("Video", False))
    assert peer.session.media_choice(1) == (True, False), "before the play"
    peer.send(command("play", 3, None, "cam", message_stream_id=1), command("play", 4, None, "b", message_stream_id=1))
    assert peer.session.media_choice(1) == (True, False), "over plays"
    peer.send(receive("Video", False, 9), receive("Audio", False, 0), command("deleteStream", 0, None, 1), CREATE)
    assert peer.session.media_choice(2) == (True, True), "of this one only"
    assert peer.session.media_choice(9) == (True, True)
    assert (peer.end_reason, "unknown_command" in peer.reasons) == (None, False)


@pytest.mark.parametrize("name", ["madeUp", "type"])
def test_few_unknown_ones_in_an_evening_are_no_reason(name: str) -> None:
    """A client that asks for something each few seconds, for hours."""
    peer = publishing_peer()
    piece = command("madeUp", 0, None) if name == "madeUp" else message(13, b"?", 1, 9)
    for number in range(500):
        peer.send(piece, now_ms=number * 5000)
    assert peer.end_reason is None
    for _ in range(MAX_UNKNOWN_COMMANDS):
        peer.send(piece, now_ms=500 * 5000)
    assert peer.end_reason == "too_many_unknown"


@pytest.mark.parametrize("type_id", [17, 20])
@pytest.mark.parametrize("names", [("@setDataFrame", "onMetaData"), ("onMetaData",)])
def test_metadata_that_come_as_a_command_are_metadata(type_id: int, names: tuple[str, ...]) -> None:
    peer = publishing_peer()
    body = amf0.encode_all(*names, {"width": 1.0})
    found = peer.send(message(type_id, (b"\0" if type_id == 17 else b"") + body, 1))
    assert found[-1].payload == amf0.encode_all("onMetaData", {"width": 1.0})
    assert peer.reasons == ["data_as_command"]


def test_M1_metadata_as_a_command_before_connect_close() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, message(20, amf0.encode_all("onMetaData", 0.0, {"width": 1.0})))
    assert peer.end_reason == "not_connected"


def test_delete_stream_with_a_whole_number_of_amf3_ends_the_publish() -> None:
    peer = publishing_peer()
    peer.send(message(17, b"\0" + encode_command("deleteStream", 0, None) + b"\x11\x04\x01"))
    assert peer.of(PublishEnded)
