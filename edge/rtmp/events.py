"""What a session tells its owner; past participles, one class each.

``request_id`` names one question of the peer that the owner must answer once
with the session's ``accept_*`` or ``reject_*``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edge.errors import ProtocolError

AmfObject = dict[str, Any]


class MediaReceived:
    """One audio (8), video (9) or data (18) message on a publishing or pulled message stream.

    Attributes:
        message_stream_id: RTMP message stream it came on.
        type_id: 8, 9 or 18. AMF3 data (15) arrives as 18 with its AMF0 content;
            a leading ``@setDataFrame`` is removed from data.
        wire_timestamp: 32-bit milliseconds as sent.
        payload: message body, never empty for audio and video.
    """

    __slots__ = ("message_stream_id", "payload", "type_id", "wire_timestamp")

    def __init__(self, message_stream_id: int, type_id: int, wire_timestamp: int, payload: bytes) -> None:
        self.message_stream_id = message_stream_id
        self.type_id = type_id
        self.wire_timestamp = wire_timestamp
        self.payload = payload

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MediaReceived) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __hash__(self) -> int:
        return hash((self.message_stream_id, self.type_id, self.wire_timestamp, self.payload))

    def __repr__(self) -> str:
        return (
            f"MediaReceived(message_stream_id={self.message_stream_id}, type_id={self.type_id}, "
            f"wire_timestamp={self.wire_timestamp}, payload=<{len(self.payload)} bytes>)"
        )


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a pull of ours wants to go on: the next frame it has not seen.

    Attributes:
        epoch: id of the publish (one per publish at the origin).
        next_index: index of the first wanted frame within that epoch.
        is_fresh: the puller holds nothing of that epoch itself, and perhaps asks for a
            player further down: begin well before that frame, on a keyframe, with the headers.
    """

    epoch: str
    next_index: int
    is_fresh: bool = False


# --- server side -------------------------------------------------------------


@dataclass(slots=True)
class ConnectRequested:
    """``connect`` arrived. Answer with ``accept_connect`` or ``reject_connect``.

    Attributes:
        app: the ``app`` field as sent ("" when absent).
        tc_url: the ``tcUrl`` field; built from ``app`` when absent.
        properties: the whole command object.
        is_multiplexing: the peer announced ``stream_multiplexing: true``.
        edge_id: service id of a peer of ours (``edgeId``), else "".
    """

    request_id: int
    app: str
    tc_url: str
    properties: AmfObject = field(default_factory=dict)
    is_multiplexing: bool = False
    edge_id: str = ""


@dataclass(frozen=True, slots=True)
class PublishRequested:
    """``publish`` (or createStream with an embedded publish) arrived.

    ``stream_name`` is as sent, query included. ``hops`` are the service ids
    that the stream has already passed, and ``is_lost`` says that its publisher
    is not there at present; ``trace`` is ``traceparent`` and ``tracestate`` as
    sent, each perhaps "" (peers of ours only).
    """

    request_id: int
    message_stream_id: int
    stream_name: str
    publish_type: str = "live"
    hops: tuple[str, ...] = ()
    is_lost: bool = False
    trace: tuple[str, str] = ("", "")


@dataclass(slots=True)
class PlayRequested:
    """``play`` (or createStream with an embedded play) arrived.

    Attributes:
        start, duration: seconds as sent (-2 / -1 by default); informational.
        resume: where a peer of ours wants to continue, else None.
        is_replay: this message stream plays something already.
        trace: ``traceparent`` and ``tracestate`` as a peer of ours has sent them, each perhaps "".
    """

    request_id: int
    message_stream_id: int
    stream_name: str
    start: float = -2.0
    duration: float = -1.0
    reset: bool = True
    hops: tuple[str, ...] = ()
    resume: ResumePoint | None = None
    is_replay: bool = False
    trace: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class PublishEnded:
    """The publisher ended its publish (deleteStream, closeStream, FCUnpublish); the session has answered."""

    message_stream_id: int
    why: str


@dataclass(frozen=True, slots=True)
class PlayEnded:
    """The player ended its play (deleteStream); the session has answered."""

    message_stream_id: int
    why: str


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """``pause`` with a changed state, or closeStream on a player (``needs_answer`` False).

    When ``needs_answer``, call ``answer_pause(message_stream_id, is_paused)``.
    """

    message_stream_id: int
    is_paused: bool
    needs_answer: bool = True


@dataclass(frozen=True, slots=True)
class MediaChosen:
    """A player wants to be sent the sound, or the picture, no longer or again; nothing is to be answered."""

    message_stream_id: int
    has_audio: bool
    has_video: bool


@dataclass(frozen=True, slots=True)
class BufferLengthSet:
    """User control SetBufferLength; ``buffer_ms`` as the player asked."""

    message_stream_id: int
    buffer_ms: int


# --- client side -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """The upstream accepted ``connect``.

    Attributes:
        is_multiplexing: it announced ``create_stream_with_play_or_publish: true``.
        edge_id: service id of an upstream of ours, else "".
    """

    properties: AmfObject
    info: AmfObject
    is_multiplexing: bool
    edge_id: str


@dataclass(frozen=True, slots=True)
class ConnectRefused:
    """The upstream answered ``connect`` with ``_error``; ``redirect`` is set for a 302."""

    code: str
    description: str
    redirect: str = ""


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """NetStream.Play.Start or NetStream.Publish.Start came for ``request_id``.

    ``info`` is the whole information object (``waiting``, ``epoch`` ... of a peer of ours).
    """

    request_id: int
    message_stream_id: int
    info: AmfObject


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Any other onStatus of level ``status`` on our message stream, e.g. NetStream.Play.Switch.

    The end of what we play comes as NetStream.Play.UnpublishNotify, whichever way the upstream has told it.
    """

    request_id: int
    message_stream_id: int
    code: str
    description: str
    info: AmfObject


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """createStream failed or an onStatus of level ``error`` came; the request has ended."""

    request_id: int
    code: str
    description: str
    redirect: str = ""


@dataclass(frozen=True, slots=True)
class StreamEofReceived:
    """User control StreamEOF for one of our message streams."""

    request_id: int
    message_stream_id: int


# --- both sides --------------------------------------------------------------


@dataclass(slots=True)
class HandshakeCompleted:
    """The handshake is over (or was skipped, ``is_simplified``)."""

    is_simplified: bool = False
    is_complex: bool = False


@dataclass(frozen=True, slots=True)
class PongReceived:
    """PingResponse to a ping of ours; ``ping_timestamp`` is the value we sent."""

    ping_timestamp: int


@dataclass(frozen=True, slots=True)
class ClockAsked:
    """A peer of ours asks what our clock says; answer at once with ``tell_clock(sent_us, now_us)``."""

    sent_us: int


@dataclass(frozen=True, slots=True)
class ClockTold:
    """What the peer's clock said, in microseconds, when our question of ``sent_us`` was there."""

    sent_us: int
    peer_us: int


@dataclass(frozen=True, slots=True)
class ReconnectRequested:
    """The server will leave, and asks us to connect anew (E-RTMP v2).

    Attributes:
        tc_url: where, as the server has it, of which nobody has looked at the form; "" for where we have connected.
    """

    tc_url: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something tolerated: counted as ``<reason>_count``, logged once per connection at INFO.

    ``reason`` e.g. ``rtmp_c2_mismatch``, ``chunk_fresh_fmt1``, ``ctrl_misplaced``,
    ``unknown_type``, ``media_no_stream``, ``media_short``, ``amf_data``.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was refused on a connection that stays: counted as ``error_<reason>_count``, logged at INFO.

    ``reason`` e.g. ``proxy_loop``, ``bad_name``, ``no_stream``, ``stream_busy``.
    """

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class WhyAsked:
    """A peer of ours wants to know why a stream plays or does not; answer with ``answer_why``.

    Attributes:
        number: of the question, for the answer.
        hops: ids of the services that have been asked on the way.
        within_ms: so long the peer waits; 0 when it did not say.
    """

    number: int
    vhost: str
    app: str
    stream_name: str
    hops: tuple[str, ...]
    within_ms: int


@dataclass(frozen=True, slots=True)
class WhyAnswered:
    """A peer of ours has answered question ``number`` of ours."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class MayAsked:
    """A peer of ours wants to know whether a client of its own may play or publish; answer with ``answer_may``.

    Attributes:
        number: of the question, for the answer.
        stream_name: as the peer would ask for it, what the client has said behind it included.
        address: of the client, without a port, as the peer has it.
        page_url, authorization, suffix, protocol, user_agent: as the client has said, each "" where it has not.
        hops: ids of the services that ask, the farthest first.
    """

    number: int
    is_publish: bool
    stream_name: str
    address: str = ""
    page_url: str = ""
    authorization: str = field(default="", repr=False)
    suffix: str = ""
    protocol: str = ""
    user_agent: str = ""
    hops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MayAnswered:
    """A peer of ours has answered question ``number`` of ours: ``code`` is "" for yes."""

    number: int
    code: str
    words: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Nothing more will come; ``error`` is None for an orderly end."""

    error: ProtocolError | None
