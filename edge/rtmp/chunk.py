"""RTMP chunk streams: bytes in, messages out (RTMP 1.0 §5.3).

How the reader works: a chunk header is needed whole, so at most 17 bytes of an
unfinished one are kept in ``_rest``; payload is taken as it comes into the
``partial`` buffer of its chunk stream, so memory follows the bytes received and
never an announced length. ``_current`` is the chunk stream in the middle of
whose chunk the last feed ended, ``_left`` the payload bytes that chunk lacks.
Audio, video and commands that lie whole in the bytes fed, in one chunk, take a
short cut that touches none of this (``_read_whole_messages``).

Limits are judged when a header is complete, on figures that do not depend on
how the bytes were cut, so any split of the bytes gives the same messages and
the same fault.
"""

from __future__ import annotations

import struct

from edge.errors import ChunkError
from edge.rtmp import timestamp
from edge.rtmp.config import RtmpConfig
from edge.rtmp.timestamp import EXTENDED_MARK, MASK

INITIAL_CHUNK_SIZE = 128
CONTROL_CHUNK_STREAM_ID = 2
MAX_CHUNK_STREAM_ID = 65599
MAX_CONTROL_BYTES = 32
"""Body of the longest control message (types 1-6) that anybody sends."""
MEDIA_OVER_BYTES = 5
"""An audio or video body longer than this is more than its codec header."""

_SET_CHUNK_SIZE = 1
_ABORT = 2
_LAST_CONTROL = 6
_AUDIO_OR_VIDEO = 8  # 8 and 9 are equal to this once bit 0 is cleared
_COMMAND = 20
_COMMANDS = frozenset((17, _COMMAND))
_PLAIN_CONTROL = frozenset((3, 4, 5, 6))  # those that change nothing about how bytes are read
_PLAIN = _PLAIN_CONTROL | {8, 9, _COMMAND}
_UNNEEDED = frozenset((15, 16, 18, 19))  # AMF data and shared objects: a stream goes on without one that is too big
_HEADER_BYTES = (11, 7, 3, 0)
_LONGEST_PLAIN_HEADER = 12
_TWO_WORDS = struct.Struct(">II")
_MESSAGE_STREAM_ID = struct.Struct("<I")


class Message:
    """One RTMP message.

    Attributes:
        type_id: RTMP 1.0 §7.1, see ``messages.MessageType``.
        message_stream_id: 32 bits, 0 for the connection itself.
        wire_timestamp: absolute milliseconds, 32 bits, summed up per chunk stream.
        payload: the body.
        chunk_stream_id: 2-65599, where it came.
    """

    __slots__ = ("chunk_stream_id", "message_stream_id", "payload", "type_id", "wire_timestamp")

    def __init__(
        self, type_id: int, message_stream_id: int, wire_timestamp: int, payload: bytes, chunk_stream_id: int
    ) -> None:
        self.type_id = type_id
        self.message_stream_id = message_stream_id
        self.wire_timestamp = wire_timestamp
        self.payload = payload
        self.chunk_stream_id = chunk_stream_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __hash__(self) -> int:
        return hash((self.type_id, self.message_stream_id, self.wire_timestamp, self.payload, self.chunk_stream_id))

    def __repr__(self) -> str:
        return (
            f"Message(type_id={self.type_id}, message_stream_id={self.message_stream_id}, "
            f"wire_timestamp={self.wire_timestamp}, payload=<{len(self.payload)} bytes>, "
            f"chunk_stream_id={self.chunk_stream_id})"
        )


class _ChunkStream:
    """What the headers of one chunk stream inherit, and its unfinished message.

    ``extended`` is the extended timestamp field of the last header, or None;
    ``partial`` is None between messages; ``since_ms`` the time of the first
    byte of the unfinished message. Of a message that is passed over ``partial``
    stays empty, and ``passed_bytes`` counts what has come; else that is -1.
    """

    __slots__ = (
        "chunk_stream_id",
        "delta_ms",
        "extended",
        "length",
        "message_stream_id",
        "partial",
        "passed_bytes",
        "since_ms",
        "type_id",
        "wire_timestamp",
    )

    def __init__(self, chunk_stream_id: int) -> None:
        self.chunk_stream_id = chunk_stream_id
        self.message_stream_id = 0
        self.type_id = 0
        self.length = 0
        self.wire_timestamp = 0
        self.delta_ms = 0
        self.extended: int | None = None
        self.partial: bytearray | None = None
        self.passed_bytes = -1
        self.since_ms = 0

    @property
    def arrived_bytes(self) -> int:
        """Bytes of the unfinished message that have come, kept or not."""
        return max(self.passed_bytes, len(self.partial or b""))

    def advance(self, fmt: int, field: int, extended: int | None) -> None:
        """Apply the time of the header that starts a message; ``field`` is its 24-bit time."""
        self.extended = extended
        if fmt == 0:
            self.wire_timestamp = field if extended is None else extended
            self.delta_ms = timestamp.delta_after_absolute(self.wire_timestamp)
            return
        if extended is not None:
            self.wire_timestamp, self.delta_ms = timestamp.resolve_extended(extended, self.wire_timestamp)
            return
        if fmt != 3:
            self.delta_ms = field
        self.wire_timestamp = (self.wire_timestamp + self.delta_ms) & MASK


class ChunkReader:
    """Reassembles the messages of one direction of one connection.

    After a ``ChunkError`` the reader must not be fed again.

    Attributes:
        in_chunk_size: payload bytes per chunk that the peer uses now.
        notices: ``(reason, detail)`` of what was tolerated; the session empties it.
        media_of: audio and video of this message stream, if they are longer than ``MEDIA_OVER_BYTES``, are
            put into ``media`` as long as no other message has been completed by the same bytes; -1 for none.
        media: those, as type id, wire timestamp and body; the session empties it.
    """

    __slots__ = (
        "_config",
        "_current",
        "_left",
        "_omits_extended",
        "_open",
        "_partial_bytes",
        "_rest",
        "_rest_since_ms",
        "_streams",
        "in_chunk_size",
        "media",
        "media_of",
        "notices",
    )

    def __init__(self, config: RtmpConfig) -> None:
        self._config = config
        self.in_chunk_size = INITIAL_CHUNK_SIZE
        self.notices: list[tuple[str, str]] = []
        self.media_of = -1
        self.media: list[tuple[int, int, bytes]] = []
        self._streams: dict[int, _ChunkStream] = {}
        self._open: dict[int, _ChunkStream] = {}  # unfinished messages, oldest first
        self._partial_bytes = 0
        self._current: _ChunkStream | None = None
        self._left = 0
        self._rest = b""
        self._rest_since_ms = 0
        # True once a type-3 header came without the extended timestamp: from then
        # on payload that happens to look like it is not mistaken for it.
        self._omits_extended = False

    def feed(self, data: bytes, now_ms: int, out: list[Message]) -> None:
        """Append the messages that ``data`` completes to ``out``.

        SetChunkSize and Abort are obeyed at once, because they change how the
        next bytes are read, and are appended like any other message.

        Raises:
            ChunkError: after everything before the fault was appended; reason
                ``chunk_no_header``, ``chunk_header_mid_message``, ``chunk_size``,
                ``message_too_big``, ``command_too_big``, ``partial_overflow``,
                ``too_many_chunk_streams``, ``ctrl_size`` or ``ctrl_value``.
        """
        since_ms = now_ms
        if self._rest:
            data = self._rest + data
            self._rest = b""
            since_ms = self._rest_since_ms
        pos = 0
        size = len(data)
        if self._current is not None:
            pos = self._take_payload(self._current, data, 0, out)
        while pos < size:
            pos = self._read_whole_messages(data, pos, out)
            if pos == size:
                return
            if pos:
                since_ms = now_ms
            begin = self._read_header(data, pos, since_ms)
            if begin < 0:
                self._rest = data[pos:]
                self._rest_since_ms = since_ms
                return
            assert self._current is not None
            pos = self._take_payload(self._current, data, begin, out)

    @property
    def is_amid_message(self) -> bool:
        """A part of a message has come."""
        return bool(self._open or self._rest)

    def next_deadline_ms(self) -> int | None:
        """Return when the oldest unfinished header or message is due, or None."""
        limit_ms = self._config.message_timeout_ms
        if not limit_ms or not self.is_amid_message:
            return None
        since_ms = next(iter(self._open.values())).since_ms if self._open else self._rest_since_ms
        if self._rest:
            since_ms = min(since_ms, self._rest_since_ms)
        return since_ms + limit_ms

    def handle_timer(self, now_ms: int) -> None:
        """Raise ``ChunkError`` (``message_timeout``) when the deadline has passed."""
        deadline_ms = self.next_deadline_ms()
        if deadline_ms is not None and now_ms >= deadline_ms:
            raise ChunkError(
                f"{len(self._open)} unfinished messages with {self._partial_bytes} bytes, "
                f"the oldest {now_ms - deadline_ms + self._config.message_timeout_ms} ms old",
                reason="message_timeout",
            )

    def _read_whole_messages(self, data: bytes, pos: int, out: list[Message]) -> int:
        """Take audio, video, commands and plain control messages that lie whole, in one chunk, at ``pos``.

        The hot path: whatever is not plain (two-byte ids, extended timestamps,
        other types, anything over a limit) is left to the careful path. Returns
        the position of the first chunk not taken.
        """
        get = self._streams.get
        unpack = _TWO_WORDS.unpack_from
        size = len(data)
        last = size - _LONGEST_PLAIN_HEADER
        limit = self.in_chunk_size
        config, media, media_of, least = self._config, self.media, self.media_of, MEDIA_OVER_BYTES
        if limit > config.max_message_bytes:
            limit = config.max_message_bytes
        if limit > config.max_partial_bytes - self._partial_bytes:
            limit = config.max_partial_bytes - self._partial_bytes
        while pos <= last:
            head, second = unpack(data, pos)
            fmt = head >> 30
            stream = get(head >> 24 & 63)
            if stream is None:
                stream = self._first_of_plain_stream(data, pos, head, second)
                if stream is None:
                    return pos
            elif stream.partial is not None or stream.extended is not None:
                return pos
            if fmt < 2:
                length = second >> 8
                type_id = second & 255
                begin = pos + (8 if fmt else 12)
            else:
                length = stream.length
                type_id = stream.type_id
                begin = pos + (4 if fmt == 2 else 1)
            end = begin + length
            if end > size or length > limit:
                return pos
            if type_id & 0xFE != _AUDIO_OR_VIDEO and not (
                length <= config.max_command_bytes
                if type_id == _COMMAND
                else type_id in _PLAIN_CONTROL and length <= MAX_CONTROL_BYTES and self._is_control_in_place(data, pos)
            ):
                return pos
            if fmt == 3:
                moment = (stream.wire_timestamp + stream.delta_ms) & MASK
            else:
                field = head & 0xFFFFFF
                if field == EXTENDED_MARK:
                    return pos
                if fmt:
                    stream.delta_ms = field
                    moment = (stream.wire_timestamp + field) & MASK
                else:
                    (stream.message_stream_id,) = _MESSAGE_STREAM_ID.unpack_from(data, pos + 8)
                    stream.delta_ms = timestamp.delta_after_absolute(field)
                    moment = field
                if fmt != 2:
                    stream.length = length
                    stream.type_id = type_id
            stream.wire_timestamp = moment
            if stream.message_stream_id == media_of and length > least and not out and type_id != _COMMAND:
                media.append((type_id, moment, data[begin:end]))
            else:
                out.append(Message(type_id, stream.message_stream_id, moment, data[begin:end], stream.chunk_stream_id))
            pos = end
        return pos

    def _first_of_plain_stream(self, data: bytes, pos: int, head: int, second: int) -> _ChunkStream | None:
        """Make the state of a chunk stream whose first message lies whole at ``pos``; None for the careful path."""
        chunk_stream_id, length = head >> 24 & 63, second >> 8
        is_type_0 = head >> 30 == 0 and head & 0xFFFFFF != EXTENDED_MARK
        if not is_type_0 or chunk_stream_id < 2 or len(self._streams) >= self._config.max_chunk_streams:
            return None
        is_whole = length <= self.in_chunk_size and pos + _LONGEST_PLAIN_HEADER + length <= len(data)
        if not is_whole or second & 255 not in _PLAIN:
            return None
        return self._add_stream(chunk_stream_id, 0)

    @staticmethod
    def _is_control_in_place(data: bytes, pos: int) -> bool:
        """Whether the header at ``pos`` is of type 0, on the chunk stream and message stream of control messages."""
        return data[pos] == CONTROL_CHUNK_STREAM_ID and data[pos + 8 : pos + 12] == b"\0\0\0\0"

    def _read_header(self, data: bytes, pos: int, since_ms: int) -> int:
        """Read one chunk header at ``pos`` (RTMP 1.0 §5.3.1).

        Returns where its payload begins, having set ``_current`` and ``_left``;
        -1 while the header is incomplete.
        """
        fmt = data[pos] >> 6
        chunk_stream_id = data[pos] & 63
        pos += 1
        if chunk_stream_id < 2:
            size = 1 + chunk_stream_id
            if len(data) < pos + size:
                return -1
            chunk_stream_id = 64 + int.from_bytes(data[pos : pos + size], "little")
            pos += size
        stream = self._streams.get(chunk_stream_id)
        if stream is None and fmt >= 2:
            raise ChunkError(
                f"chunk stream {chunk_stream_id}: type-{fmt} header without an earlier one", reason="chunk_no_header"
            )
        if stream is None or stream.partial is None:
            return self._begin_message(fmt, chunk_stream_id, stream, data, pos, since_ms)
        if fmt != 3:
            raise ChunkError(
                f"chunk stream {chunk_stream_id}: type-{fmt} header after {stream.arrived_bytes} of "
                f"{stream.length} bytes",
                reason="chunk_header_mid_message",
            )
        return self._continue_message(stream, data, pos)

    def _begin_message(
        self, fmt: int, chunk_stream_id: int, stream: _ChunkStream | None, data: bytes, pos: int, since_ms: int
    ) -> int:
        """Read the rest of a header that starts a message; result as ``_read_header``."""
        begin = pos + _HEADER_BYTES[fmt]
        if len(data) < begin:
            return -1
        field = int.from_bytes(data[pos : pos + 3], "big") if fmt < 3 else 0
        extended = None
        if field == EXTENDED_MARK or (fmt == 3 and stream is not None and stream.extended is not None):
            if len(data) < begin + 4:
                return -1
            extended = int.from_bytes(data[begin : begin + 4], "big")
            begin += 4
        if stream is None:
            stream = self._add_stream(chunk_stream_id, fmt)
        if fmt < 2:
            stream.length = int.from_bytes(data[pos + 3 : pos + 6], "big")
            stream.type_id = data[pos + 6]
        if fmt == 0:
            stream.message_stream_id = int.from_bytes(data[pos + 7 : pos + 11], "little")
        stream.advance(fmt, field, extended)
        self._check_length(stream)
        stream.passed_bytes = 0 if self._is_too_much(stream) else -1
        self._begin_chunk(stream, stream.length)
        stream.partial = bytearray()
        stream.since_ms = since_ms
        self._open[chunk_stream_id] = stream
        return begin

    def _continue_message(self, stream: _ChunkStream, data: bytes, pos: int) -> int:
        """Read the rest of a type-3 header inside a message; result as ``_read_header``.

        The 2012 text repeats the extended timestamp here, the 2009 text (librtmp,
        some hardware encoders) does not: what does not match is payload.
        """
        if stream.extended is not None and not self._omits_extended:
            head = data[pos : pos + 4]
            if stream.wire_timestamp == 0 or timestamp.may_repeat_extended(
                head, stream.extended, stream.wire_timestamp
            ):
                if len(head) < 4:
                    return -1
                pos += 4
            else:
                self._omits_extended = True
        self._begin_chunk(stream, stream.length - stream.arrived_bytes)
        return pos

    def _add_stream(self, chunk_stream_id: int, fmt: int) -> _ChunkStream:
        """Make the state of a chunk stream seen for the first time."""
        if len(self._streams) >= self._config.max_chunk_streams:
            raise ChunkError(
                f"chunk stream {chunk_stream_id}: {self._config.max_chunk_streams} are in use already",
                reason="too_many_chunk_streams",
            )
        if fmt == 1:  # librtmp sends its pings so
            self.notices.append(("chunk_fresh_fmt1", f"chunk stream {chunk_stream_id} begins with a type-1 header"))
        stream = self._streams[chunk_stream_id] = _ChunkStream(chunk_stream_id)
        return stream

    def _check_length(self, stream: _ChunkStream) -> None:
        """Refuse an announced length before any of the body is taken."""
        config = self._config
        limit, reason = config.max_message_bytes, "message_too_big"
        if stream.type_id in _COMMANDS:
            limit, reason = min(limit, config.max_command_bytes), "command_too_big"
        elif 0 < stream.type_id <= _LAST_CONTROL:
            limit, reason = MAX_CONTROL_BYTES, "chunk_size" if stream.type_id == _SET_CHUNK_SIZE else "ctrl_size"
        if stream.length > limit:
            raise ChunkError(
                f"chunk stream {stream.chunk_stream_id}: type {stream.type_id} message of {stream.length} bytes "
                f"exceeds {limit}",
                reason=reason,
            )

    def _is_too_much(self, stream: _ChunkStream) -> bool:
        """Whether a message is to be passed over as it comes: nobody needs it, and it is too big to be read."""
        if stream.type_id not in _UNNEEDED or stream.length <= self._config.max_data_bytes:
            return False
        limit = self._config.max_data_bytes
        self.notices.append(("data_too_big", f"type {stream.type_id} message of {stream.length} bytes exceeds {limit}"))
        return True

    def _begin_chunk(self, stream: _ChunkStream, missing: int) -> None:
        """Make ``stream`` the one whose payload follows; ``missing`` bytes complete its message."""
        left = min(missing, self.in_chunk_size)
        if stream.passed_bytes < 0 and self._partial_bytes + left > self._config.max_partial_bytes:
            raise ChunkError(
                f"chunk stream {stream.chunk_stream_id}: {left} bytes more than the {self._partial_bytes} of "
                f"unfinished messages exceed {self._config.max_partial_bytes}",
                reason="partial_overflow",
            )
        self._current = stream
        self._left = left

    def _take_payload(self, stream: _ChunkStream, data: bytes, pos: int, out: list[Message]) -> int:
        """Take what ``data`` holds of the current chunk, and of plain type-3 chunks after it.

        Returns the position of the next chunk header, or the end of ``data``.
        """
        if stream.passed_bytes >= 0:
            return self._pass_over(stream, data, pos)
        partial = stream.partial
        assert partial is not None
        size = len(data)
        # A following chunk of the same message with a one-byte, plain header is
        # read right here; -1 equals no byte.
        follower = 0xC0 | stream.chunk_stream_id if stream.chunk_stream_id < 64 and stream.extended is None else -1
        while True:
            end = pos + self._left
            if end > size:
                end = size
            partial += data[pos:end]
            self._left -= end - pos
            self._partial_bytes += end - pos
            pos = end
            if self._left:
                return pos
            missing = stream.length - len(partial)
            if not missing:
                self._current = None
                self._finish_message(stream, bytes(partial), out)
                return pos
            if pos == size or data[pos] != follower:
                self._current = None
                return pos
            self._begin_chunk(stream, missing)
            pos += 1

    def _pass_over(self, stream: _ChunkStream, data: bytes, pos: int) -> int:
        """As ``_take_payload``, for a message of which nothing is kept; it takes no more than one chunk."""
        count = min(self._left, len(data) - pos)
        stream.passed_bytes += count
        self._left -= count
        if not self._left:
            self._current = None
            if stream.passed_bytes == stream.length:
                self._drop_partial(stream)
        return pos + count

    def _finish_message(self, stream: _ChunkStream, payload: bytes, out: list[Message]) -> None:
        """Hand over a complete message, obeying those that change how bytes are read."""
        self._drop_partial(stream)
        type_id = stream.type_id
        if 0 < type_id <= _LAST_CONTROL:
            if stream.chunk_stream_id != CONTROL_CHUNK_STREAM_ID or stream.message_stream_id:
                where = f"chunk stream {stream.chunk_stream_id}, message stream {stream.message_stream_id}"
                self.notices.append(("ctrl_misplaced", f"type {type_id} on {where}"))
            if type_id == _SET_CHUNK_SIZE:
                self._set_chunk_size(payload)
            elif type_id == _ABORT:
                self._abort(payload)
        if (
            type_id & 0xFE == _AUDIO_OR_VIDEO
            and stream.message_stream_id == self.media_of
            and not out
            and len(payload) > MEDIA_OVER_BYTES
        ):
            self.media.append((type_id, stream.wire_timestamp, payload))
            return
        out.append(Message(type_id, stream.message_stream_id, stream.wire_timestamp, payload, stream.chunk_stream_id))

    def _drop_partial(self, stream: _ChunkStream) -> None:
        if stream.partial is not None:
            self._partial_bytes -= len(stream.partial)
            stream.partial = None
            stream.passed_bytes = -1
            del self._open[stream.chunk_stream_id]

    def _set_chunk_size(self, payload: bytes) -> None:
        """Obey SetChunkSize (RTMP 1.0 §5.4.1): 31 bits; real servers announce up to 2**31 - 1."""
        if not payload:
            raise ChunkError("SetChunkSize without a body", reason="ctrl_size")
        size = int.from_bytes(payload, "big")
        if len(payload) != 4 or size >= 1 << 31 or size < max(1, self._config.min_in_chunk_size):
            raise ChunkError(
                f"SetChunkSize {payload.hex()}: not 4 bytes, or under {self._config.min_in_chunk_size}, or bit 31 set",
                reason="chunk_size",
            )
        self.in_chunk_size = min(size, self._config.max_in_chunk_size)

    def _abort(self, payload: bytes) -> None:
        """Obey Abort (RTMP 1.0 §5.4.2): forget the unfinished message of one chunk stream."""
        if len(payload) != 4:
            raise ChunkError(f"Abort of {len(payload)} bytes instead of 4", reason="ctrl_size")
        chunk_stream_id = int.from_bytes(payload, "big")
        if chunk_stream_id > MAX_CHUNK_STREAM_ID:
            raise ChunkError(f"Abort of chunk stream {chunk_stream_id}", reason="ctrl_value")
        stream = self._streams.get(chunk_stream_id)
        if stream is None or stream.partial is None:
            self.notices.append(("abort_idle", f"chunk stream {chunk_stream_id} has no unfinished message"))
            return
        self._drop_partial(stream)
