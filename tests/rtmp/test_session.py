"""What both sides share: media, data, control messages, limits, ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.rtmp import amf0
from edge.rtmp.events import HandshakeCompleted, MediaReceived, Noticed, PongReceived, SessionEnded
from edge.rtmp.session import MAX_HELD_BYTES, MAX_STRAY_MEDIA_BYTES, is_short
from tests.harness.link import (
    CONFIG,
    SIMPLIFIED,
    VIDEO,
    Peer,
    command,
    connect,
    connected_peer,
    data,
    media,
    message,
    new_server,
    playing_peer,
    publishing_peer,
)


def user_control(event_type: int, *numbers: int) -> bytes:
    body = event_type.to_bytes(2, "big") + b"".join(number.to_bytes(4, "big") for number in numbers)
    return message(4, body, 0, 2)


def number_message(type_id: int, number: int) -> bytes:
    return message(type_id, number.to_bytes(4, "big"), 0, 2)


def test_media_and_data_of_a_publisher_are_delivered() -> None:
    peer = publishing_peer()
    found = peer.send(media(), media(b"\xaf\x01x", type_id=8), data("onMetaData", {"width": 1}))
    assert found == [
        MediaReceived(1, 9, 0, VIDEO),
        MediaReceived(1, 8, 0, b"\xaf\x01x"),
        MediaReceived(1, 18, 0, amf0.encode_all("onMetaData", {"width": 1})),
    ]


def test_set_data_frame_is_removed_byte_exact() -> None:
    body = amf0.encode_all("onMetaData", amf0.EcmaArray({"width": 1.0}))
    peer = publishing_peer()
    (event,) = peer.send(message(18, amf0.encode("@setDataFrame") + body, 1))
    assert event.payload == body


def test_amf3_data_comes_as_amf0() -> None:
    peer = publishing_peer()
    (event,) = peer.send(message(15, b"\0" + amf0.encode_all("@setDataFrame", "onMetaData") + b"\x11\x04\x07", 1))
    assert (event.type_id, event.payload) == (18, amf0.encode_all("onMetaData", 7))


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\0\x02\xff", amf0.encode_all(1.0), b"\0" + amf0.encode(1.0)])
def test_A12_malformed_amf3_data_is_ignored(payload: bytes) -> None:
    peer = publishing_peer()
    assert peer.send(message(15, payload, 1))[0].reason == "amf_data"
    assert peer.send(media()) == [MediaReceived(1, 9, 0, VIDEO)]


def test_A1_malformed_data_is_ignored_and_publishing_goes_on() -> None:
    body = amf0.encode_all("onMetaData", {"a": 1, "b": "text", "c": [1, None]})
    begin = len(amf0.encode("onMetaData"))
    for size in range(begin + 1, len(body)):
        peer = publishing_peer()
        found = peer.send(message(18, body[:size], 1))
        assert peer.reasons == ["amf_data"]
        fields = [amf0.decode_all(event.payload)[1] for event in found if isinstance(event, MediaReceived)]
        assert fields in ([], [{"a": 1.0}], [{"a": 1.0, "b": "text"}], [{"a": 1.0, "b": "text", "c": [1.0, None]}])
        assert peer.send(media()) == [MediaReceived(1, 9, 0, VIDEO)]


def test_A5_too_many_values_in_data_are_left_out() -> None:
    peer = publishing_peer()
    found = peer.send(data("onMetaData", {f"k{index}": None for index in range(4097)}))
    assert peer.reasons == ["amf_data"]
    name, fields = amf0.decode_all(found[-1].payload)
    assert name == "onMetaData" and list(fields) == [f"k{index}" for index in range(4094)]


def test_A4_large_data_are_passed_over_alone_and_in_an_aggregate() -> None:
    peer = publishing_peer(replace(CONFIG, max_data_bytes=1024))
    body = amf0.encode_all("onMetaData", {"x": "y" * 1024})
    tag = b"\x12" + len(body).to_bytes(3, "big") + bytes(7) + body + bytes(4)
    found = peer.send(message(18, body, 1), message(22, tag, 1), media())
    assert peer.reasons == ["data_too_big"] * 2
    assert found[-1] == MediaReceived(1, 9, 0, VIDEO)


def test_A10_amf3_data_that_amf0_cannot_express_is_ignored() -> None:
    peer = publishing_peer()
    peer.send(message(15, b"\0" + amf0.encode("onX") + b"\x11\x0c\x03a", 1))
    assert peer.reasons == ["amf_data"]


def test_end_of_an_encoder_is_not_noticed_as_a_broken_frame() -> None:
    peer = publishing_peer()
    assert peer.send(media(b"\x17\x02\0\0\0", type_id=9)) == []
    assert peer.reasons == []


@pytest.mark.parametrize("values", [("onStatus", {"code": "x"}), ("|RtmpSampleAccess", True, True), ("@setDataFrame",)])
def test_data_that_belongs_to_no_stream_is_dropped(values: tuple[object, ...]) -> None:
    assert publishing_peer().send(data(*values)) == []


@pytest.mark.parametrize(
    ("type_id", "payload", "is_dropped"),
    [
        (8, b"", True),
        (9, b"", True),
        (8, b"\xaf", True),
        (8, b"\xaf\x01", True),
        (8, b"\xaf\x01x", False),
        (8, b"\x2fx", False),
        (9, b"\x17", True),
        (9, b"\x17\x01\0\0\0", True),
        (9, b"\x17\x01\0\0\0x", False),
        (9, b"\x22x", False),
        (9, b"\x91hvc", True),
        (9, b"\x92hvc1", False),
    ],
)
def test_V3_bodies_without_a_frame(type_id: int, payload: bytes, is_dropped: bool) -> None:
    assert is_short(type_id, payload) is is_dropped
    peer = publishing_peer()
    found = peer.send(media(payload, type_id=type_id))
    if is_dropped:
        assert peer.reasons == ["media_short"]
    else:
        assert found == [MediaReceived(1, type_id, 0, payload)]


def test_C11_control_elsewhere_is_honoured() -> None:
    peer = connected_peer()
    peer.send(message(5, (1).to_bytes(4, "big"), 5, 7))
    assert peer.reasons == ["ctrl_misplaced"]
    assert peer.session.peer_window == 1


@pytest.mark.parametrize(("window", "count"), [(0, 0), (1, 1), (2**32 - 1, 0), (100, 1)])
def test_C15_window_acknowledgement_size(window: int, count: int) -> None:
    peer = publishing_peer()
    peer.send(number_message(5, window), *[media(bytes(200)) for _ in range(10)])
    found = [body for type_id, body in peer.received().controls() if type_id == 3]
    assert found == [peer.session.bytes_received.to_bytes(4, "big")] * count


def test_acknowledgements_are_a_window_apart() -> None:
    peer = publishing_peer()
    peer.send(number_message(5, 1000))
    count = 0
    for _ in range(100):
        peer.send(media(bytes(90)))
        count += sum(type_id == 3 for type_id, _ in peer.received().controls())
    assert 8 <= count <= 11


def test_C16_acknowledgements_and_bandwidth_are_tolerated() -> None:
    peer = connected_peer()
    peer.send(*[number_message(3, number) for number in (2**32 - 1, 0, 5)])
    peer.send(
        message(6, (77).to_bytes(4, "big") + b"\x09", 0, 2), message(6, (2500000).to_bytes(4, "big") + b"\x02", 0, 2)
    )
    assert peer.session.peer_acknowledged == 5
    assert peer.events == []
    assert peer.received().messages == []
    peer.send(message(6, (77).to_bytes(4, "big") + b"\x00", 0, 2))
    assert peer.received().controls() == [(5, (77).to_bytes(4, "big"))]


@pytest.mark.parametrize(
    "body", [(3, b"\0\0\0"), (5, b"\0" * 5), (6, b"\0" * 4), (4, b"\0"), (4, b"\0" * 33), (4, b"\0\3\0")]
)
def test_C16_C17_control_of_a_wrong_size_closes(body: tuple[int, bytes]) -> None:
    peer = connected_peer()
    peer.send(message(body[0], body[1], 0, 2))
    assert peer.end_reason == "ctrl_size"


def test_C17_unknown_and_foreign_events_are_ignored() -> None:
    peer = connected_peer()
    peer.send(user_control(9), user_control(0, 1), user_control(1, 1), user_control(31, 1), user_control(3, 5, 100))
    assert peer.end_reason is None
    assert peer.received().messages == []
    assert set(peer.reasons) == {"user_control"}


def test_C17_pings_are_answered_ten_times_a_second() -> None:
    peer = connected_peer()
    peer.send(*[user_control(6, number) for number in range(20)], now_ms=5000)
    assert peer.received().controls() == [(4, b"\0\7" + number.to_bytes(4, "big")) for number in range(10)]
    peer.send(user_control(6, 99), now_ms=6000)
    assert peer.received().controls() == [(4, b"\0\7\0\0\0\x63")]


def test_C17_ping_flood_closes() -> None:
    peer = connected_peer()
    peer.send(*[user_control(6, 1) for _ in range(1000)])
    assert peer.end_reason is None
    peer.send(user_control(6, 1), now_ms=999)
    assert peer.end_reason == "ping_flood"


def test_ping_and_pong() -> None:
    peer = connected_peer()
    peer.session.send_ping(2**32 + 5)
    assert peer.received().controls() == [(4, b"\0\6\0\0\0\5")]
    assert peer.send(user_control(7, 5)) == [PongReceived(5)]


@pytest.mark.parametrize("type_id", [0, 7, 10, 14, 21, 23, 255])
def test_C18_unknown_types(type_id: int) -> None:
    peer = connected_peer()
    peer.send(*[message(type_id, b"x", 0, 8) for _ in range(20)])
    assert peer.reasons == ["unknown_type"] * 20
    assert peer.end_reason is None
    peer.send(message(type_id, b"x", 0, 8))
    assert peer.end_reason == "too_many_unknown"


def test_shared_objects_are_ignored() -> None:
    peer = connected_peer()
    peer.send(*[message(type_id, b"x", 0, 8) for type_id in (16, 19) * 20])
    assert set(peer.reasons) == {"shared_object"}
    assert peer.end_reason is None


def tag(type_id: int, payload: bytes) -> bytes:
    return bytes((type_id,)) + len(payload).to_bytes(3, "big") + bytes(7) + payload + bytes(4)


def test_C19_aggregates_are_unpacked_and_inner_commands_ignored() -> None:
    peer = publishing_peer()
    body = tag(9, VIDEO) + tag(20, b"x") + tag(8, b"\xaf\x01x") + tag(9, b"")
    assert peer.send(message(22, body, 1)) == [MediaReceived(1, 9, 0, VIDEO), MediaReceived(1, 8, 0, b"\xaf\x01x")]
    assert peer.send(message(22, b"", 1)) == []


@pytest.mark.parametrize(
    ("body", "reason"), [(b"\x09\0\0\xff" + bytes(7), "aggregate_bounds"), (tag(22, b"x"), "aggregate_nested")]
)
def test_C19_broken_aggregates_close(body: bytes, reason: str) -> None:
    peer = publishing_peer()
    peer.send(media(), message(22, body, 1))
    assert peer.events[0] == MediaReceived(1, 9, 0, VIDEO)
    assert peer.end_reason == reason


@pytest.mark.parametrize(
    ("type_id", "reason"),
    [(20, "amf_malformed"), (17, "amf_malformed"), *[(t, "ctrl_size") for t in (1, 2, 3, 4, 5, 6)]],
)
def test_C21_empty_messages_that_close(type_id: int, reason: str) -> None:
    peer = publishing_peer()
    header = b"\x02\0\0\0\0\0\0" + bytes((type_id,)) + bytes(4)
    peer.send(header)
    assert peer.end_reason == reason


@pytest.mark.parametrize("type_id", [8, 9, 15, 18, 16, 19, 22])
def test_C21_empty_messages_that_are_ignored(type_id: int) -> None:
    peer = publishing_peer()
    peer.send(b"\x04\0\0\0\0\0\0" + bytes((type_id, 1, 0, 0, 0)))
    assert peer.end_reason is None
    assert not peer.of(MediaReceived)


@pytest.mark.parametrize("message_stream_id", [0, 1, 9])
def test_C22_media_without_a_stream(message_stream_id: int) -> None:
    peer = playing_peer()
    piece = media(bytes(65536), message_stream_id)
    for _ in range(MAX_STRAY_MEDIA_BYTES // 65536):
        peer.send(piece)
    assert peer.reasons == ["media_no_stream"]
    assert peer.end_reason is None
    peer.send(piece)
    assert peer.end_reason == "media_no_stream"
    assert not peer.of(MediaReceived)


@pytest.mark.parametrize("message_stream_id", [0, 2, 3, 4, 99])
def test_C22_media_that_can_only_be_meant_for_one_publish(message_stream_id: int) -> None:
    """On 0, on an id that plays (2), on one that was made and never used (3), on ids that do not exist."""
    peer = publishing_peer()
    create = command("createStream", 9, None)
    peer.send(create, create, command("play", 4, None, "other", message_stream_id=2))
    found = peer.send(
        *[media(message_stream_id=message_stream_id)] * 3, data("onX", 1, message_stream_id=message_stream_id)
    )
    media_found = [event for event in found if isinstance(event, MediaReceived)]
    assert [(event.message_stream_id, event.type_id) for event in media_found] == [(1, 9)] * 3 + [(1, 18)]
    assert peer.reasons == ["media_wrong_stream"]


def test_C22_media_that_may_be_meant_for_another_publish_are_ignored() -> None:
    peer = publishing_peer()
    create = command("createStream", 9, None)
    peer.send(create, command("publish", 4, None, "other", message_stream_id=2))
    assert not [event for event in peer.send(media(message_stream_id=0)) if isinstance(event, MediaReceived)]
    peer.send(command("deleteStream", 0, None, 2))
    found = peer.send(media(message_stream_id=2))
    assert not [event for event in found if isinstance(event, MediaReceived)], "late media of the publish that ended"
    peer.send(command("FCUnpublish", 0, None, "cam"), create, command("publish", 4, None, "third", message_stream_id=3))
    found = peer.send(media(message_stream_id=1))
    assert not [event for event in found if isinstance(event, MediaReceived)], "late media of the first one"
    assert peer.reasons == ["media_no_stream"]


def test_media_under_way_to_an_ended_publish_are_dropped_quietly() -> None:
    peer = publishing_peer()
    peer.session.end_stream(1, "NetStream.Publish.BadName", "stream_busy")
    for _ in range(20):
        peer.send(media(bytes(65536)))
    assert peer.events == []


def test_T2_handshake_and_setup_deadlines() -> None:
    peer = Peer(new_server(now_ms=1000))
    assert peer.session.next_deadline_ms() == 6000
    peer.send(b"\x03", now_ms=2000)
    peer.session.handle_timer(5999)
    assert peer.drain() == []
    peer.session.handle_timer(6000)
    peer.drain()
    assert peer.end_reason == "handshake_timeout"
    assert peer.events[-1].error.is_quiet
    assert peer.session.next_deadline_ms() is None


@pytest.mark.parametrize("script", [b"", connect(), connect() + command("createStream", 2, None)])
def test_T2_setup_timeout(script: bytes) -> None:
    peer = Peer(new_server(now_ms=1000))
    peer.send(SIMPLIFIED + script, now_ms=3000)
    assert peer.session.next_deadline_ms() == 23000
    peer.session.handle_timer(23000)
    peer.drain()
    assert peer.end_reason == "setup_timeout"
    assert peer.events[-1].error.is_quiet


def test_no_deadline_while_playing_and_none_when_switched_off() -> None:
    assert playing_peer().session.next_deadline_ms() is None
    config = replace(CONFIG, handshake_timeout_ms=0, rtmp_setup_timeout_ms=0)
    assert new_server(config).next_deadline_ms() is None
    assert connected_peer(config).session.next_deadline_ms() is None


def test_C8_message_timeout() -> None:
    peer = publishing_peer()
    peer.send(media(bytes(100))[:50], now_ms=7000)
    assert peer.session.next_deadline_ms() == 37000
    peer.session.handle_timer(36999)
    assert peer.drain() == []
    peer.session.handle_timer(37000)
    peer.drain()
    assert peer.end_reason == "message_timeout"
    peer.session.handle_timer(99000)
    assert peer.drain() == []


def test_the_earlier_deadline_counts() -> None:
    peer = connected_peer()
    peer.send(media(bytes(100))[:50], now_ms=1)
    assert peer.session.next_deadline_ms() == 20000


def test_events_before_a_fault_come_first_and_replies_can_still_be_sent() -> None:
    peer = publishing_peer()
    peer.send(media(), user_control(6, 7), b"\xc9")
    assert peer.events[0] == MediaReceived(1, 9, 0, VIDEO)
    assert peer.end_reason == "chunk_no_header"
    assert peer.events[-1].error.offset == peer.session.bytes_received
    assert peer.received().controls() == [(4, b"\0\7\0\0\0\7")]


def test_everything_after_the_end_is_ignored() -> None:
    peer = publishing_peer()
    peer.send(b"\xc9")
    assert peer.session.is_ended
    received = peer.session.bytes_received
    assert peer.send(media()) == []
    peer.session.receive_eof()
    peer.session.send_ping(1)
    peer.session.end_stream(1, "code", "why")
    assert peer.drain() == []
    assert (peer.session.bytes_received, peer.session.data_to_send()) == (received, b"")


@pytest.mark.parametrize("size", [1, 1536, 1537, 3072])
def test_HS3_end_within_the_handshake(size: int) -> None:
    peer = Peer()
    peer.send((b"\x03" + bytes(3072))[:size])
    peer.session.receive_eof()
    peer.drain()
    assert peer.end_reason == "handshake_truncated"
    assert peer.events[-1].error.is_quiet


def test_end_in_good_order() -> None:
    peer = publishing_peer()
    peer.session.receive_eof()
    assert peer.drain() == [SessionEnded(None)]


def test_HS2_wrong_c2_is_noticed() -> None:
    peer = Peer()
    peer.send(b"\x03" + bytes(3072))
    assert peer.events == [HandshakeCompleted(), Noticed("rtmp_c2_mismatch")]
    assert len(peer.session.data_to_send()) == 3073


def test_wrong_version_ends_the_session() -> None:
    peer = Peer()
    peer.send(b"\x06")
    assert peer.end_reason == "rtmp_version"


def test_messages_wait_for_the_answer_to_connect() -> None:
    peer = Peer(is_answering=False)
    asked = peer.send(SIMPLIFIED, connect(), command("createStream", 2, None), user_control(6, 7))[-1]
    assert peer.send(command("createStream", 3, None)) == []
    assert peer.session.data_to_send() == b""
    peer.session.accept_connect(asked.request_id)
    assert peer.received().names == ["_result NetConnection.Connect.Success", "onBWDone", "_result", "_result"]


def test_fault_waits_for_the_answer_to_connect() -> None:
    peer = Peer(is_answering=False)
    asked = peer.send(SIMPLIFIED, connect(), command("createStream", 2, None))[-1]
    assert peer.send(b"\xc9") == []
    peer.session.accept_connect(asked.request_id)
    peer.drain()
    assert peer.end_reason == "chunk_no_header"
    assert "_result" in peer.received().names


def test_fault_right_behind_connect_waits_too() -> None:
    peer = Peer(is_answering=False)
    asked = peer.send(SIMPLIFIED, connect(), b"\xc9")[-1]
    assert peer.end_reason is None
    peer.session.accept_connect(asked.request_id)
    peer.drain()
    assert peer.end_reason == "chunk_no_header"


def test_what_waits_for_connect_is_bounded() -> None:
    peer = Peer(is_answering=False)
    peer.send(SIMPLIFIED, connect())
    for _ in range(MAX_HELD_BYTES // 65536 + 1):
        peer.send(media(bytes(65536)))
    assert peer.end_reason == "held_overflow"


PUBLISH_AND_MORE = (
    command("createStream", 2, None),
    command("publish", 3, None, "cam", message_stream_id=1),
    media(),
    user_control(6, 7),
)


def test_messages_that_came_with_a_question_wait_for_its_answer() -> None:
    peer = connected_peer()
    peer.session.receive_data(b"".join(PUBLISH_AND_MORE), 0)
    (asked,) = peer.session.events
    peer.session.accept_publish(asked.request_id)
    assert list(peer.session.events) == [asked, MediaReceived(1, 9, 0, VIDEO)]
    assert [one.type_id for one in peer.received().messages] == [20, 20, 4]


@pytest.mark.parametrize("way", ["next_event", "data", "eof", "reject"])
def test_question_left_open_holds_nothing_for_long(way: str) -> None:
    peer = connected_peer()
    peer.is_answering = False
    peer.session.receive_data(b"".join(PUBLISH_AND_MORE), 0)
    asked = peer.session.events.popleft()
    assert not peer.session.events
    if way == "data":
        peer.session.receive_data(user_control(6, 8), 0)
    elif way == "eof":
        peer.session.receive_eof()
    elif way == "reject":
        peer.session.reject_publish(asked.request_id, "code", "why")
        assert peer.drain() == []
        return
    assert peer.drain()[0] == MediaReceived(1, 9, 0, VIDEO)
    assert [one.type_id for one in peer.received().messages] == [20, 4, 4][: 3 if way == "data" else 2]


def test_fault_behind_a_question_comes_last() -> None:
    peer = connected_peer()
    peer.send(*PUBLISH_AND_MORE, b"\xc9")
    assert [type(event) for event in peer.events[-2:]] == [MediaReceived, SessionEnded]
