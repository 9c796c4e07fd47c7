"""A server's session as a document, for the process that goes on with its connection.

All that a session knows is in it: the chunk streams with their unfinished
messages, what is still to be sent, the message streams, open questions. What
depends on the process is not: limits, what is announced, our service id. So
what comes next of the client's bytes gives the same events and replies there
as it would have given here.

The document is MessagePack of ``SessionState``. Its version is looked at before
all else: a session of a version that is not known is refused, not guessed at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from edge.errors import ChunkError, HandoverError
from edge.rtmp.chunk import ChunkReader, Message, _ChunkStream
from edge.rtmp.config import RtmpConfig
from edge.rtmp.handshake import ServerHandshake
from edge.rtmp.server import ServerSession
from edge.rtmp.server_commands import PendingConnect
from edge.rtmp.server_replies import Enhanced
from edge.rtmp.server_streams import ServerStream, Use
from edge.rtmp.session import State, _Held

VERSION = 1
MAX_DOCUMENT_BYTES = 67108864
"""A longer one is refused: unfinished messages are bounded by ``max_partial_bytes``, held ones by 1 MiB."""

_CHUNK_FIELDS = (
    "chunk_stream_id",
    "message_stream_id",
    "type_id",
    "length",
    "wire_timestamp",
    "delta_ms",
    "extended",
    "passed_bytes",
    "since_ms",
)
_READER_FIELDS = ("in_chunk_size", "_left", "_rest", "_rest_since_ms", "_omits_extended")
_HANDSHAKE_FIELDS = ("_now_ms", "_buffer", "_s1", "_s1_digest", "is_complex")
_STREAM_FIELDS = (
    "message_stream_id",
    "is_receiving",
    "is_muted",
    "is_paused",
    "has_reset",
    "request_id",
    "wants_audio",
    "wants_video",
)
_SESSION_FIELDS = (
    "bytes_received",
    "peer_window",
    "peer_acknowledged",
    "peer_tells_clock",
    "peer_knows_why",
    "peer_edge_id",
    "is_multiplexing",
    "_acknowledged",
    "_announced_window",
    "_now_ms",
    "_started_ms",
    "_out_chunk_size",
    "_output",
    "_stray_bytes",
    "_unknown_count",
    "_unknown_since_ms",
    "_has_used_stream",
    "_last_request_id",
    "_unknown_command_count",
    "_unknown_commands_since_ms",
)


class _Versioned(msgspec.Struct):
    version: int


class ChunkStreamState(msgspec.Struct, forbid_unknown_fields=True):
    """What the headers of a chunk stream inherit; ``partial`` is None between messages."""

    chunk_stream_id: int
    message_stream_id: int
    type_id: int
    length: int
    wire_timestamp: int
    delta_ms: int
    extended: int | None
    passed_bytes: int
    since_ms: int
    partial: bytes | None


class ReaderState(msgspec.Struct, forbid_unknown_fields=True):
    """What has come of the peer's chunks.

    Attributes:
        opened: ids of the chunk streams with an unfinished message, oldest first.
        current: the one amid whose chunk the bytes have ended, or None.
    """

    in_chunk_size: int
    left: int
    rest: bytes
    rest_since_ms: int
    omits_extended: bool
    streams: list[ChunkStreamState]
    opened: list[int]
    current: int | None


class HandshakeState(msgspec.Struct, forbid_unknown_fields=True):
    """A handshake that is not over."""

    now_ms: int
    buffer: bytes
    s1: bytes
    s1_digest: bytes
    is_complex: bool


class MessageStreamState(msgspec.Struct, forbid_unknown_fields=True):
    """A message stream; ``stream_name`` is UTF-8, or whatever the client has sent in its place."""

    message_stream_id: int
    is_receiving: bool
    is_muted: bool
    is_paused: bool
    has_reset: bool
    request_id: int
    wants_audio: bool
    wants_video: bool
    use: str
    stream_name: bytes


class HeldState(msgspec.Struct, forbid_unknown_fields=True):
    """Messages that wait for an answer, and the fault of the chunk stream behind them, as reason and detail."""

    messages: list[tuple[int, int, int, bytes, int]]
    fault: tuple[str, str] | None


class PendingState(msgspec.Struct, forbid_unknown_fields=True):
    """The ``connect`` that waits for an answer."""

    request_id: int
    transaction_id: float
    object_encoding: float
    enhanced: tuple[bool, bool, bool, int | None]


class SessionState(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of ``ServerSession``, by their names without the first underscore."""

    version: int
    state: str
    bytes_received: int
    peer_window: int
    peer_acknowledged: int
    peer_tells_clock: bool
    peer_knows_why: bool
    peer_edge_id: str
    is_multiplexing: bool
    acknowledged: int
    announced_window: int
    now_ms: int
    started_ms: int
    out_chunk_size: int
    output: bytes
    stray_bytes: int
    unknown_count: int
    unknown_since_ms: int
    has_used_stream: bool
    last_request_id: int
    unknown_command_count: int
    unknown_commands_since_ms: int
    ping_second_ms: int
    ping_count: int
    handshake: HandshakeState | None
    reader: ReaderState
    held: HeldState | None
    pending: PendingState | None
    streams: list[MessageStreamState]
    last_stream_id: int
    alias_id: int
    is_media_misplaced: bool


def export_session(session: ServerSession) -> bytes:
    """The document of ``session``, which stays as it is.

    Its owner has seen all events: what they have led to is the owner's to hand over.

    Raises:
        HandoverError: events wait (``handover_busy``), or the session has ended (``handover_refused``).
    """
    if session.is_ended:
        raise HandoverError("the session has ended")
    if session.events:
        raise HandoverError(f"{len(session.events)} events wait", reason="handover_busy")
    limit, pending, streams = session._ping_limit, session._pending_connect, session._streams
    state = SessionState(
        version=VERSION,
        state=session._state.value,
        ping_second_ms=limit._second_ms,
        ping_count=limit._count,
        handshake=_export_handshake(session._handshake),
        reader=_export_reader(session._reader),
        held=_export_held(session._held),
        pending=None
        if pending is None
        else PendingState(pending.request_id, pending.transaction_id, pending.object_encoding, pending.enhanced),
        streams=[_export_stream(stream) for stream in streams.values()],
        last_stream_id=streams.last_id,
        alias_id=streams.alias_id,
        is_media_misplaced=streams.is_media_misplaced,
        **_named(session, _SESSION_FIELDS),
    )
    return msgspec.msgpack.encode(state)


def resume_session(
    document: bytes, config: RtmpConfig, *, entropy: Callable[[int], bytes], edge_id: str = ""
) -> ServerSession:
    """The session that ``document`` is of, in this process; the clock is the same.

    Raises:
        HandoverError: the document is of another version (``handover_version``), or is none (``handover_malformed``).
    """
    state = _decode(document)
    session = ServerSession(config, entropy=entropy, now_ms=state.started_ms, edge_id=edge_id)
    _set_named(session, state, _SESSION_FIELDS)
    try:
        session._state = State(state.state)
        _resume_streams(session, state)
        _resume_reader(session._reader, state.reader)
    except (KeyError, ValueError) as error:
        raise HandoverError(f"session: {error}", reason="handover_malformed") from error
    session._ping_limit._second_ms, session._ping_limit._count = state.ping_second_ms, state.ping_count
    session._handshake = None
    if state.handshake is not None:
        handshake = session._handshake = ServerHandshake(entropy, state.handshake.now_ms)
        _set_named(handshake, state.handshake, _HANDSHAKE_FIELDS)
    if state.held is not None:
        held = session._held = _Held([Message(*message) for message in state.held.messages])
        if state.held.fault is not None:
            reason, detail = state.held.fault
            held.error = ChunkError(detail, reason=reason)
    if state.pending is not None:
        pending = session._pending_connect = PendingConnect(state.pending.request_id, state.pending.transaction_id, {})
        pending.object_encoding = state.pending.object_encoding
        pending.enhanced = Enhanced(*state.pending.enhanced)
    return session


def _decode(document: bytes) -> SessionState:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise HandoverError(f"session of {len(document)} bytes", reason="handover_malformed")
    try:
        version = msgspec.msgpack.decode(document, type=_Versioned).version
        if version != VERSION:
            raise HandoverError(f"session of version {version}, not {VERSION}", reason="handover_version")
        return msgspec.msgpack.decode(document, type=SessionState)
    except msgspec.MsgspecError as error:
        raise HandoverError(f"session: {error}", reason="handover_malformed") from error


def _named(owner: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name.removeprefix("_"): getattr(owner, name) for name in names}


def _set_named(owner: object, state: object, names: tuple[str, ...]) -> None:
    for name in names:
        setattr(owner, name, getattr(state, name.removeprefix("_")))


def _export_handshake(handshake: object) -> HandshakeState | None:
    return None if handshake is None else HandshakeState(**_named(handshake, _HANDSHAKE_FIELDS))


def _export_stream(stream: ServerStream) -> MessageStreamState:
    name = stream.stream_name.encode("utf-8", "surrogateescape")
    return MessageStreamState(use=stream.use.value, stream_name=name, **_named(stream, _STREAM_FIELDS))


def _resume_streams(session: ServerSession, state: SessionState) -> None:
    streams = session._streams
    streams.last_id, streams.alias_id = state.last_stream_id, state.alias_id
    streams.is_media_misplaced = state.is_media_misplaced
    for each in state.streams:
        stream = streams[each.message_stream_id] = ServerStream(each.message_stream_id)
        _set_named(stream, each, _STREAM_FIELDS)
        stream.use = Use(each.use)
        stream.stream_name = each.stream_name.decode("utf-8", "surrogateescape")
        streams.active_count += stream.use is not Use.IDLE
        if stream.request_id:
            session._requests[stream.request_id] = stream


def _export_held(held: _Held | None) -> HeldState | None:
    if held is None:
        return None
    messages = [
        (one.type_id, one.message_stream_id, one.wire_timestamp, one.payload, one.chunk_stream_id)
        for one in held.messages
    ]
    return HeldState(messages, None if held.error is None else (held.error.reason, held.error.detail))


def _export_reader(reader: ChunkReader) -> ReaderState:
    streams = [
        ChunkStreamState(partial=None if one.partial is None else bytes(one.partial), **_named(one, _CHUNK_FIELDS))
        for one in reader._streams.values()
    ]
    current = reader._current.chunk_stream_id if reader._current is not None else None
    return ReaderState(streams=streams, opened=list(reader._open), current=current, **_named(reader, _READER_FIELDS))


def _resume_reader(reader: ChunkReader, state: ReaderState) -> None:
    _set_named(reader, state, _READER_FIELDS)
    for each in state.streams:
        stream = reader._streams[each.chunk_stream_id] = _ChunkStream(each.chunk_stream_id)
        _set_named(stream, each, _CHUNK_FIELDS)
        if each.partial is not None:
            stream.partial = bytearray(each.partial)
            reader._partial_bytes += len(stream.partial)
    reader._open = {number: reader._streams[number] for number in state.opened}
    if any(stream.partial is None for stream in reader._open.values()):
        raise ValueError("a message that has not been begun is under way")
    if state.current is not None:
        reader._current = reader._open[state.current]
