"""RTMP message types, the control messages (1-6) and aggregates (22).

One dataclass per control message, named as in RTMP 1.0 §5.4 and §7.1.7, with
``encode`` for its body; ``decode_control`` is the way back. Commands have their
own module.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import ClassVar

from edge.errors import ChunkError, LocalProtocolError
from edge.rtmp.chunk import MAX_CONTROL_BYTES, Message
from edge.rtmp.timestamp import advance, signed_difference

MAX_AGGREGATE_MESSAGES = 131072
"""Sub-messages in one aggregate: bounds the work that one message can cause."""

_REMEMBERED = 128  # control messages: clients of a kind announce the same

_TAG_HEADER = struct.Struct(">IIBH")  # type + length, time + its high byte, message stream id
_TAG_BYTES = 11
_BACK_POINTER_BYTES = 4


class MessageType(IntEnum):
    """RTMP 1.0 §5.4, §7.1; the AMF3 types as in the AMF3 appendix of Flash."""

    SET_CHUNK_SIZE = 1
    ABORT = 2
    ACKNOWLEDGEMENT = 3
    USER_CONTROL = 4
    WINDOW_ACKNOWLEDGEMENT_SIZE = 5
    SET_PEER_BANDWIDTH = 6
    AUDIO = 8
    VIDEO = 9
    AMF3_DATA = 15
    AMF3_SHARED_OBJECT = 16
    AMF3_COMMAND = 17
    DATA = 18
    SHARED_OBJECT = 19
    COMMAND = 20
    AGGREGATE = 22


class UserControlEvent(IntEnum):
    """Event types of RTMP 1.0 §7.1.7, and the buffer reports of Flash Media Server."""

    STREAM_BEGIN = 0
    STREAM_EOF = 1
    STREAM_DRY = 2
    SET_BUFFER_LENGTH = 3
    STREAM_IS_RECORDED = 4
    PING_REQUEST = 6
    PING_RESPONSE = 7
    BUFFER_EMPTY = 31
    BUFFER_READY = 32


_EVENT_DATA_BYTES = {
    UserControlEvent.STREAM_BEGIN: 4,
    UserControlEvent.STREAM_EOF: 4,
    UserControlEvent.STREAM_DRY: 4,
    UserControlEvent.SET_BUFFER_LENGTH: 8,
    UserControlEvent.STREAM_IS_RECORDED: 4,
    UserControlEvent.PING_REQUEST: 4,
    UserControlEvent.PING_RESPONSE: 4,
}


def _u32(value: int) -> bytes:
    if not 0 <= value < 1 << 32:
        raise LocalProtocolError(f"{value} does not fit 32 bits")
    return value.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class SetChunkSize:
    """RTMP 1.0 §5.4.1: payload bytes per chunk from now on, 1 to 2**31 - 1."""

    type_id: ClassVar[MessageType] = MessageType.SET_CHUNK_SIZE
    chunk_size: int

    def encode(self) -> bytes:
        return _u32(self.chunk_size)


@dataclass(frozen=True, slots=True)
class Abort:
    """RTMP 1.0 §5.4.2: forget the unfinished message of ``chunk_stream_id``."""

    type_id: ClassVar[MessageType] = MessageType.ABORT
    chunk_stream_id: int

    def encode(self) -> bytes:
        return _u32(self.chunk_stream_id)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """RTMP 1.0 §5.4.3: bytes received so far, modulo 2**32."""

    type_id: ClassVar[MessageType] = MessageType.ACKNOWLEDGEMENT
    sequence_number: int

    def encode(self) -> bytes:
        return _u32(self.sequence_number)


@dataclass(frozen=True, slots=True)
class WindowAcknowledgementSize:
    """RTMP 1.0 §5.4.4: bytes between two acknowledgements; 0 switches them off."""

    type_id: ClassVar[MessageType] = MessageType.WINDOW_ACKNOWLEDGEMENT_SIZE
    window_bytes: int

    def encode(self) -> bytes:
        return _u32(self.window_bytes)


@dataclass(frozen=True, slots=True)
class SetPeerBandwidth:
    """RTMP 1.0 §5.4.5; ``limit_type`` 0 hard, 1 soft, 2 dynamic, others are to be ignored."""

    type_id: ClassVar[MessageType] = MessageType.SET_PEER_BANDWIDTH
    window_bytes: int
    limit_type: int = 2

    def encode(self) -> bytes:
        return _u32(self.window_bytes) + bytes((self.limit_type,))


@dataclass(frozen=True, slots=True)
class UserControl:
    """RTMP 1.0 §7.1.7: an event and its data, big-endian 32-bit numbers.

    Attributes:
        event_type: a ``UserControlEvent``, or any other number as received.
        data: what follows the event type; long enough for the known events.
    """

    type_id: ClassVar[MessageType] = MessageType.USER_CONTROL
    event_type: int
    data: bytes = b""

    def encode(self) -> bytes:
        return self.event_type.to_bytes(2, "big") + self.data

    @property
    def value(self) -> int:
        """The first number: a message stream id, or the time of a ping."""
        return int.from_bytes(self.data[:4], "big")

    @property
    def buffer_ms(self) -> int:
        """The second number, of SetBufferLength."""
        return int.from_bytes(self.data[4:8], "big")

    @classmethod
    def stream_begin(cls, message_stream_id: int) -> UserControl:
        return cls(UserControlEvent.STREAM_BEGIN, _u32(message_stream_id))

    @classmethod
    def stream_eof(cls, message_stream_id: int) -> UserControl:
        return cls(UserControlEvent.STREAM_EOF, _u32(message_stream_id))

    @classmethod
    def stream_dry(cls, message_stream_id: int) -> UserControl:
        return cls(UserControlEvent.STREAM_DRY, _u32(message_stream_id))

    @classmethod
    def stream_is_recorded(cls, message_stream_id: int) -> UserControl:
        return cls(UserControlEvent.STREAM_IS_RECORDED, _u32(message_stream_id))

    @classmethod
    def set_buffer_length(cls, message_stream_id: int, buffer_ms: int) -> UserControl:
        return cls(UserControlEvent.SET_BUFFER_LENGTH, _u32(message_stream_id) + _u32(buffer_ms))

    @classmethod
    def ping_request(cls, ping_timestamp: int) -> UserControl:
        return cls(UserControlEvent.PING_REQUEST, _u32(ping_timestamp))

    @classmethod
    def ping_response(cls, ping_timestamp: int) -> UserControl:
        return cls(UserControlEvent.PING_RESPONSE, _u32(ping_timestamp))


ControlMessage = SetChunkSize | Abort | Acknowledgement | UserControl | WindowAcknowledgementSize | SetPeerBandwidth

_NUMBER_MESSAGES: dict[int, type[SetChunkSize | Abort | Acknowledgement | WindowAcknowledgementSize]] = {
    message.type_id: message for message in (SetChunkSize, Abort, Acknowledgement, WindowAcknowledgementSize)
}


@lru_cache(_REMEMBERED)
def decode_control(type_id: int, payload: bytes) -> ControlMessage:
    """Decode the body of a control message, type 1-6.

    SetChunkSize and Abort are judged and obeyed by the chunk reader; here they
    are only read.

    Raises:
        ChunkError: the body has the wrong size (``ctrl_size``).
    """
    if (number_message := _NUMBER_MESSAGES.get(type_id)) is not None:
        _check_size(type_id, payload, 4, 4)
        return number_message(int.from_bytes(payload, "big"))
    if type_id == MessageType.SET_PEER_BANDWIDTH:
        _check_size(type_id, payload, 5, 5)
        return SetPeerBandwidth(int.from_bytes(payload[:4], "big"), payload[4])
    if type_id != MessageType.USER_CONTROL:
        raise LocalProtocolError(f"type {type_id} is not a control message")
    _check_size(type_id, payload, 2, MAX_CONTROL_BYTES)
    event_type = int.from_bytes(payload[:2], "big")
    data_bytes = _EVENT_DATA_BYTES.get(event_type, 0)  # type: ignore[call-overload]
    _check_size(type_id, payload, 2 + data_bytes, MAX_CONTROL_BYTES)
    return UserControl(event_type, payload[2:])


def _check_size(type_id: int, payload: bytes, least: int, most: int) -> None:
    if not least <= len(payload) <= most:
        raise ChunkError(
            f"control message of type {type_id} has {len(payload)} bytes, not {least}-{most}", reason="ctrl_size"
        )


_MEDIA_TYPES = frozenset((MessageType.AUDIO, MessageType.VIDEO, MessageType.DATA, MessageType.AMF3_DATA))


def split_aggregate(message: Message) -> list[Message]:
    """Split an aggregate (type 22) into its audio, video and data messages.

    RTMP 1.0 §7.1.6: FLV tags, each of an 11-byte header (type, 24-bit length,
    24-bit time and its high byte, 24-bit message stream id, which is ignored),
    the body and a 4-byte back pointer, which the last may lack. Times are moved
    so that the first tag has the aggregate's. Empty and other tags (commands)
    are left out.

    Raises:
        ChunkError: a tag passes the end, or there are more than
            ``MAX_AGGREGATE_MESSAGES`` (``aggregate_bounds``); an aggregate lies
            inside (``aggregate_nested``).
    """
    payload = message.payload
    size = len(payload)
    unpack = _TAG_HEADER.unpack_from
    found: list[Message] = []
    pos = count = 0
    shift_ms: int | None = None
    while pos < size:
        begin = pos + _TAG_BYTES
        if begin > size:
            raise _aggregate_bounds(message, f"{size - pos} bytes at {pos} are less than a header")
        head, clock, _, _ = unpack(payload, pos)
        type_id, end = head >> 24, begin + (head & 0xFFFFFF)
        if end > size:
            raise _aggregate_bounds(message, f"{head & 0xFFFFFF} byte body at {begin} passes the end at {size}")
        if type_id == MessageType.AGGREGATE:
            raise ChunkError(f"aggregate inside an aggregate at {pos}", reason="aggregate_nested")
        moment = clock >> 8 | (clock & 255) << 24
        if shift_ms is None:
            shift_ms = signed_difference(message.wire_timestamp, moment)
        if end > begin and type_id in _MEDIA_TYPES:
            found.append(
                Message(
                    type_id,
                    message.message_stream_id,
                    advance(moment, shift_ms),
                    payload[begin:end],
                    message.chunk_stream_id,
                )
            )
        count += 1
        if count > MAX_AGGREGATE_MESSAGES:
            raise _aggregate_bounds(message, f"more than {MAX_AGGREGATE_MESSAGES} messages")
        pos = end
        if pos < size:
            pos += _BACK_POINTER_BYTES
            if pos > size:
                raise _aggregate_bounds(message, f"back pointer at {end} is cut off")
    return found


def _aggregate_bounds(message: Message, what: str) -> ChunkError:
    return ChunkError(f"aggregate on message stream {message.message_stream_id}: {what}", reason="aggregate_bounds")
