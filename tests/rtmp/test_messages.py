"""Control messages and aggregates, well-formed or not."""

from __future__ import annotations

import pytest

from edge.errors import ChunkError, LocalProtocolError
from edge.rtmp import messages
from edge.rtmp.chunk import Message
from edge.rtmp.messages import (
    Abort,
    Acknowledgement,
    ControlMessage,
    MessageType,
    SetChunkSize,
    SetPeerBandwidth,
    UserControl,
    UserControlEvent,
    WindowAcknowledgementSize,
    decode_control,
    split_aggregate,
)

VECTORS: list[tuple[ControlMessage, str]] = [
    (SetChunkSize(60000), "0000ea60"),
    (Abort(65599), "0001003f"),
    (Acknowledgement(0xFFFFFFFF), "ffffffff"),
    (WindowAcknowledgementSize(2500000), "002625a0"),
    (WindowAcknowledgementSize(0), "00000000"),
    (SetPeerBandwidth(2500000, 2), "002625a002"),
    (SetPeerBandwidth(1, 9), "0000000109"),
    (UserControl.stream_begin(1), "000000000001"),
    (UserControl.stream_eof(2), "000100000002"),
    (UserControl.stream_dry(3), "000200000003"),
    (UserControl.set_buffer_length(4, 1000), "000300000004000003e8"),
    (UserControl.stream_is_recorded(5), "000400000005"),
    (UserControl.ping_request(6), "000600000006"),
    (UserControl.ping_response(0xFFFFFFFF), "0007ffffffff"),
    (UserControl(31, b"\0\0\0\1"), "001f00000001"),
    (UserControl(999), "03e7"),
]


@pytest.mark.parametrize(("message", "encoded"), VECTORS)
def test_control_message_both_ways(message: ControlMessage, encoded: str) -> None:
    assert message.encode().hex() == encoded
    assert decode_control(message.type_id, bytes.fromhex(encoded)) == message


@pytest.mark.parametrize(("message", "encoded"), VECTORS)
def test_every_prefix_of_a_control_message_is_refused(message: ControlMessage, encoded: str) -> None:
    body = bytes.fromhex(encoded)
    least = 2 if message.type_id == 4 and getattr(message, "event_type") > 7 else len(body)  # noqa: B009
    for length in range(least):
        with pytest.raises(ChunkError) as caught:
            decode_control(message.type_id, body[:length])
        assert caught.value.reason == "ctrl_size"


def test_user_control_fields() -> None:
    message = decode_control(4, bytes.fromhex("000300000004000003e8"))
    assert isinstance(message, UserControl)
    assert message.event_type == UserControlEvent.SET_BUFFER_LENGTH
    assert (message.value, message.buffer_ms) == (4, 1000)


@pytest.mark.parametrize(("type_id", "length"), [(3, 5), (5, 5), (5, 0), (6, 4), (6, 6), (1, 3), (2, 5)])
def test_C16_wrong_size_closes(type_id: int, length: int) -> None:
    with pytest.raises(ChunkError) as caught:
        decode_control(type_id, bytes(length))
    assert caught.value.reason == "ctrl_size"


@pytest.mark.parametrize("length", [0, 1, 33])
def test_C17_user_control_of_wrong_size_closes(length: int) -> None:
    with pytest.raises(ChunkError) as caught:
        decode_control(4, b"\xff" * length)
    assert caught.value.reason == "ctrl_size"


def test_only_control_types_are_decoded() -> None:
    with pytest.raises(LocalProtocolError):
        decode_control(8, b"")
    with pytest.raises(LocalProtocolError):
        SetChunkSize(1 << 32).encode()


def tag(type_id: int, moment: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return (
        bytes((type_id,)) + size.to_bytes(3, "big") + (moment & 0xFFFFFF).to_bytes(3, "big")
        + bytes((moment >> 24,)) + b"\0\0\0" + body + (size + 11).to_bytes(4, "big")
    )  # fmt: skip


def aggregate(payload: bytes, moment: int = 0) -> Message:
    return Message(MessageType.AGGREGATE, 1, moment, payload, 6)


def reason_of(payload: bytes) -> str:
    with pytest.raises(ChunkError) as caught:
        split_aggregate(aggregate(payload))
    return caught.value.reason


def test_aggregate_is_split_and_rebased() -> None:
    payload = tag(8, 1000, b"a") + tag(9, 1040, b"bc") + tag(18, 0x01000000, b"d")
    assert split_aggregate(aggregate(payload, 7000)) == [
        Message(8, 1, 7000, b"a", 6),
        Message(9, 1, 7040, b"bc", 6),
        Message(18, 1, 0x01000000 + 6000, b"d", 6),
    ]


def test_aggregate_times_wrap() -> None:
    payload = tag(8, 0xFFFFFFF0, b"a") + tag(8, 0x10, b"b")
    assert [m.wire_timestamp for m in split_aggregate(aggregate(payload, 5))] == [5, 37]


def test_last_back_pointer_may_be_missing() -> None:
    assert len(split_aggregate(aggregate((tag(8, 0, b"a") + tag(8, 0, b"b"))[:-4]))) == 2


@pytest.mark.parametrize("length", [2, 100, 0xFFFFFF])
def test_C19_inner_length_past_the_end_closes(length: int) -> None:
    assert reason_of(tag(8, 0, b"a") + tag(8, 0, b"b", length)[: 11 + 1]) == "aggregate_bounds"


def test_C19_every_truncation_closes() -> None:
    payload = tag(8, 0, b"a") + tag(9, 0, b"bcd")
    whole_at = {0, 12, 16, 16 + 14, len(payload)}
    for length in set(range(len(payload) + 1)) - whole_at:
        assert reason_of(payload[:length]) == "aggregate_bounds"


def test_C19_aggregate_inside_closes() -> None:
    assert reason_of(tag(8, 0, b"a") + tag(22, 0, tag(8, 0, b"a"))) == "aggregate_nested"


def test_C19_many_empty_messages() -> None:
    assert split_aggregate(aggregate(tag(8, 0, b"") * 100_000)) == []


def test_C19_too_many_messages_close() -> None:
    assert reason_of(tag(8, 0, b"") * (messages.MAX_AGGREGATE_MESSAGES + 1)) == "aggregate_bounds"


def test_C19_inner_commands_are_left_out() -> None:
    payload = tag(20, 0, b"x") + tag(1, 0, b"\0\0\0\1") + tag(8, 40, b"a")
    assert [(m.type_id, m.wire_timestamp) for m in split_aggregate(aggregate(payload, 100))] == [(8, 140)]


def test_C19_zero_length_aggregate() -> None:
    assert split_aggregate(aggregate(b"")) == []
