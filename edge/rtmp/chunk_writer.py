"""Messages to RTMP chunks (RTMP 1.0 §5.3.1).

``encode_message`` needs no memory of earlier messages and suits control
messages and what many players share; ``ChunkWriter`` compresses headers per
chunk stream for connections that carry several streams. Payloads are never
copied by the writer: it returns pieces for one gathering write.
"""

from __future__ import annotations

from edge.errors import LocalProtocolError
from edge.rtmp.chunk import MAX_CHUNK_STREAM_ID
from edge.rtmp.timestamp import EXTENDED_MARK, MASK, signed_difference

Pieces = tuple[bytes | memoryview, ...]


def encode_basic_header(fmt: int, chunk_stream_id: int) -> bytes:
    """Return the 1-3 bytes of RTMP 1.0 §5.3.1.1 for chunk stream ids 2-65599."""
    if 2 <= chunk_stream_id < 64:
        return bytes((fmt << 6 | chunk_stream_id,))
    if 64 <= chunk_stream_id < 320:
        return bytes((fmt << 6, chunk_stream_id - 64))
    if 320 <= chunk_stream_id <= MAX_CHUNK_STREAM_ID:
        return bytes((fmt << 6 | 1,)) + (chunk_stream_id - 64).to_bytes(2, "little")
    raise LocalProtocolError(f"chunk stream id {chunk_stream_id} is outside 2-{MAX_CHUNK_STREAM_ID}")


def split_payload(payload: bytes, chunk_size: int, continuation: bytes) -> Pieces:
    """Cut ``payload`` for chunks of ``chunk_size`` bytes, ``continuation`` headers between.

    A payload that fits is returned itself; else the parts are views of it.
    """
    if len(payload) <= chunk_size:
        return (payload,)
    view = memoryview(payload)
    pieces: list[bytes | memoryview] = [view[:chunk_size]]
    for begin in range(chunk_size, len(payload), chunk_size):
        pieces.append(continuation)
        pieces.append(view[begin : begin + chunk_size])
    return tuple(pieces)


def encode_header(
    chunk_stream_id: int, type_id: int, message_stream_id: int, wire_timestamp: int, length: int
) -> tuple[bytes, bytes]:
    """Return a type-0 header and the type-3 header that continues its message.

    From 0xFFFFFF ms on both end in the extended timestamp: Flash and ffmpeg
    expect it repeated, though RTMP 1.0 §5.3.1.3 can be read otherwise.
    """
    wire_timestamp &= MASK
    field, extended = wire_timestamp, b""
    if wire_timestamp >= EXTENDED_MARK:
        field, extended = EXTENDED_MARK, wire_timestamp.to_bytes(4, "big")
    header = b"".join(
        (
            encode_basic_header(0, chunk_stream_id),
            (field << 32 | length << 8 | type_id).to_bytes(7, "big"),
            message_stream_id.to_bytes(4, "little"),
            extended,
        )
    )
    return header, encode_basic_header(3, chunk_stream_id) + extended


def encode_message(
    chunk_stream_id: int, type_id: int, message_stream_id: int, wire_timestamp: int, payload: bytes, chunk_size: int
) -> bytes:
    """Return one whole message: a type-0 chunk, then type-3 chunks."""
    header, continuation = encode_header(chunk_stream_id, type_id, message_stream_id, wire_timestamp, len(payload))
    return b"".join((header, *split_payload(payload, chunk_size, continuation)))


class _Sent:
    """What the last header of a chunk stream said; ``delta_ms`` is None after a type-0 header."""

    __slots__ = ("delta_ms", "length", "message_stream_id", "type_id", "wire_timestamp")

    def __init__(self, type_id: int, message_stream_id: int, wire_timestamp: int, length: int) -> None:
        self.type_id = type_id
        self.message_stream_id = message_stream_id
        self.wire_timestamp = wire_timestamp
        self.length = length
        self.delta_ms: int | None = None


class ChunkWriter:
    """Writes the messages of one direction of one connection, headers compressed.

    Attributes:
        chunk_size: payload bytes per chunk; change it right after the
            SetChunkSize message was written.
    """

    __slots__ = ("_sent", "chunk_size")

    def __init__(self, chunk_size: int) -> None:
        self.chunk_size = chunk_size
        self._sent: dict[int, _Sent] = {}

    def pieces(
        self, chunk_stream_id: int, type_id: int, message_stream_id: int, wire_timestamp: int, payload: bytes
    ) -> Pieces:
        """Return header, payload and continuation headers in order; nothing for an empty payload.

        Type 0 comes first on a chunk stream, when the message stream changes,
        when time goes back, and instead of a delta that would need the
        extended field (which receivers read in two ways).
        """
        if not payload:
            return ()
        wire_timestamp &= MASK
        length = len(payload)
        sent = self._sent.get(chunk_stream_id)
        delta_ms = -1
        if sent is not None and sent.message_stream_id == message_stream_id:
            delta_ms = signed_difference(wire_timestamp, sent.wire_timestamp)
        if sent is None or not 0 <= delta_ms < EXTENDED_MARK:
            self._sent[chunk_stream_id] = _Sent(type_id, message_stream_id, wire_timestamp, length)
            header, continuation = encode_header(chunk_stream_id, type_id, message_stream_id, wire_timestamp, length)
            return (header, *split_payload(payload, self.chunk_size, continuation))
        continuation = encode_basic_header(3, chunk_stream_id)
        if sent.length != length or sent.type_id != type_id:
            body = (delta_ms << 32 | length << 8 | type_id).to_bytes(7, "big")
            header = encode_basic_header(1, chunk_stream_id) + body
        elif sent.delta_ms != delta_ms:
            header = encode_basic_header(2, chunk_stream_id) + delta_ms.to_bytes(3, "big")
        else:
            header = continuation
        sent.type_id, sent.length = type_id, length
        sent.wire_timestamp, sent.delta_ms = wire_timestamp, delta_ms
        return (header, *split_payload(payload, self.chunk_size, continuation))
