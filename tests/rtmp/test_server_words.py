"""Ends in the words of servers of many makes, and what is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge.rtmp import amf0
from edge.rtmp.events import MediaReceived, SessionEnded, StreamEofReceived, StreamFailed, StreamStatus
from edge.rtmp.server_words import CLOSING
from tests.harness.link import VIDEO, command, data, media, message
from tests.harness.upstream import Upstream, foreign, of, status, user_control


def playing(**properties: Any) -> Upstream:
    """A foreign server, or one of ours with ``edgeId``, that plays ``cam`` on stream 1."""
    upstream = Upstream()
    upstream.accept_connect(**properties)
    upstream.session.open_play("cam")
    upstream.say(command("_result", 2, None, 1), status("NetStream.Play.Start"), media())
    upstream.events.clear()
    return upstream


def publishing() -> Upstream:
    upstream = foreign()
    upstream.session.open_publish("cam")
    upstream.say(command("_result", 4, None, 1), status("NetStream.Publish.Start"))
    upstream.events.clear()
    return upstream


def play_status(code: str, *, is_data: bool = True) -> bytes:
    info = {"level": "status", "code": code}
    return data("onPlayStatus", info) if is_data else command("onPlayStatus", 0, None, info, message_stream_id=1)


PLAY_ENDS = {
    "unpublish": status("NetStream.Play.UnpublishNotify"),
    "unpublish on stream 0": status("NetStream.Play.UnpublishNotify", message_stream_id=0),
    "unpublish on a stream that never was": status("NetStream.Play.UnpublishNotify", message_stream_id=7),
    "stop": status("NetStream.Play.Stop"),
    "stop of another level": status("NetStream.Play.Stop", "warning"),
    "stop without a number": message(20, amf0.encode_all("onStatus", None, {"code": "NetStream.Play.Stop"}), 1),
    "stop with the object missing": message(20, amf0.encode_all("onStatus", 0, {"code": "NetStream.Play.Stop"}), 1),
    "stop as AMF3": message(17, amf0.encode_all("onStatus", 0, None, {"code": "NetStream.Play.Stop"}), 1),
    "stop as data": data("onStatus", {"code": "NetStream.Play.Stop"}),
    "stop as a result": command("_result", 9, None, {"code": "NetStream.Play.Stop"}, message_stream_id=1),
    "complete": play_status("NetStream.Play.Complete"),
    "complete on stream 0": data("onPlayStatus", {"code": "NetStream.Play.Complete"}, message_stream_id=0),
    "complete behind a null": data("onPlayStatus", None, {"code": "NetStream.Play.Complete"}),
    "complete as a command": play_status("NetStream.Play.Complete", is_data=False),
    "complete as a status": status("NetStream.Play.Complete"),
    "unpublish success": status("NetStream.Unpublish.Success"),
    "onFCUnsubscribe": command("onFCUnsubscribe", 0, None, {"code": "NetStream.Play.Stop"}),
    "onFCUnpublish": command("onFCUnpublish", 0, None, {"code": "NetStream.Unpublish.Success"}),
    "a bare onFCUnpublish": message(20, amf0.encode_all("onFCUnpublish")),
    "onUnpublish": command("onUnpublish", 0, None, "cam", message_stream_id=1),
    "closeStream": command("closeStream", 0, None, message_stream_id=1),
    "deleteStream": command("deleteStream", 0, None, 1),
}


@pytest.mark.parametrize("name", PLAY_ENDS)
def test_end_of_a_play_in_any_words_is_one(name: str) -> None:
    upstream = playing()
    (event,) = upstream.say(PLAY_ENDS[name])
    assert isinstance(event, StreamStatus)
    assert (event.request_id, event.code) == (1, "NetStream.Play.UnpublishNotify")


def test_U6_stream_eof_is_an_end_and_dry_is_none() -> None:
    assert playing().say(user_control(1, 1)) == [StreamEofReceived(1, 1)]
    assert playing().say(user_control(1, 0)) == [StreamEofReceived(1, 1)]
    assert playing().say(user_control(2, 1), user_control(31, 1), user_control(32, 1)) == []


@pytest.mark.parametrize(
    "said",
    [
        *(status(f"NetStream.{code}") for code in ("Play.Reset", "Play.Switch", "Play.Transition", "Pause.Notify")),
        *(status(f"NetStream.{code}") for code in ("Unpause.Notify", "Play.PublishNotify", "Play.InsufficientBW")),
        *(
            status(f"NetStream.{code}")
            for code in ("Seek.Notify", "Buffer.Empty", "Data.Start", "Video.DimensionChange")
        ),
        play_status("NetStream.Play.Switch"),
        play_status("NetStream.Play.TransitionComplete"),
        play_status("NetStream.Play.Bandwidth", is_data=False),
        data("onStatus", {"code": "NetStream.Data.Start"}),
        data("|RtmpSampleAccess", True, True),
        status("NetConnection.Call.Failed", "error", message_stream_id=0),
        command("_error", 3, None, {"level": "error", "code": "NetConnection.Call.Failed"}),
        *(command(name, 0, None, "x") for name in ("onFCSubscribe", "onBWDone", "onBWCheck", "madeUp", "play")),
        message(20, amf0.encode_all("onFCPublish")),
        message(20, b""),
        message(20, b"\x0d\x0d"),
        message(17, b"\x01"),
        message(20, amf0.encode_all("onMetaData", {"width": 1.0})),
        message(20, amf0.encode_all("onStatus", 0.0) + b"\x07\x00\x01\x0e"),
        message(18, amf0.encode_all("onMetaData") + b"\x0e", 1),
        message(15, b"\x01\x02", 1),
        message(4, b"\0\0", 0, 2),
        message(4, b"\0\3\0", 0, 2),
        message(4, b"\xff\xff", 0, 2),
        message(3, b"\0\0", 0, 2),
        message(5, bytes(4), 0, 2),
        message(6, bytes(4), 0, 2),
        message(19, b"shared", 1),
        message(13, b"?", 1),
        message(9, b"", 1),
    ],
)
def test_oddity_of_a_server_ends_nothing(said: bytes) -> None:
    upstream = playing()
    found = upstream.say(said, media())
    assert not [event for event in found if isinstance(event, StreamFailed | SessionEnded | StreamEofReceived)]
    assert not [event for event in of(found, StreamStatus) if event.code == "NetStream.Play.UnpublishNotify"]
    assert found[-1] == MediaReceived(1, 9, 0, VIDEO)


@pytest.mark.parametrize("name", ["stop", "complete", "onFCUnpublish", "closeStream", "deleteStream"])
def test_node_of_ours_tells_ends_in_one_way_only(name: str) -> None:
    upstream = playing(edgeId="ours")
    ends = [event for event in upstream.say(PLAY_ENDS[name]) if getattr(event, "code", "").endswith("UnpublishNotify")]
    assert not ends


@pytest.mark.parametrize(
    "said",
    [
        status("NetStream.Unpublish.Success"),
        command("onFCUnpublish", 0, None, {"code": "NetStream.Unpublish.Success"}),
        command("deleteStream", 0, None, 1),
        command("closeStream", 0, None, message_stream_id=1),
        *(
            status(f"NetConnection.Connect.{word}", message_stream_id=0)
            for word in ("Closed", "AppShutdown", "IdleTimeout")
        ),
    ],
)
def test_publish_that_the_server_has_ended_is_over(said: bytes) -> None:
    (event,) = publishing().say(said)
    assert isinstance(event, StreamFailed)
    assert event.code in CLOSING


@pytest.mark.parametrize("ask", [playing, publishing])
@pytest.mark.parametrize("said", [command("close", 0, None), message(20, amf0.encode_all("close"))])
def test_server_that_asks_to_close_the_connection_leaves(ask: Callable[[], Upstream], said: bytes) -> None:
    (event,) = ask().say(said)
    assert isinstance(event, StreamFailed)
    assert event.code in CLOSING


def test_close_ends_a_request_that_is_not_answered_yet() -> None:
    upstream = foreign()
    upstream.session.open_play("cam")
    assert [event.request_id for event in of(upstream.say(command("close", 0, None)), StreamFailed)] == [1]


def test_node_of_ours_does_not_leave_by_a_command() -> None:
    assert not playing(edgeId="ours").say(command("close", 0, None))


def test_playlist_going_on_is_no_end_of_a_publish() -> None:
    found = publishing().say(status("NetStream.Play.Stop"), play_status("NetStream.Play.Complete"))
    assert not of(found, StreamFailed)
