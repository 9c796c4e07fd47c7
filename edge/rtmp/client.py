"""The client's session: plays from and publishes to an upstream.

Requests may be opened at any time; those opened before the upstream accepted
``connect`` wait for it. In the simplified form nothing waits: the mark, connect
and createStream with the embedded play leave in one write, since only servers
like ours understand the form at all.

An upstream that announces ``create_stream_with_play_or_publish`` takes many
streams on one connection and gets the request embedded in createStream; others
get createStream, then play or publish. Service ids, resume points and traces
are told to peers of ours only; the last not before a peer has said that it is
one, so that in the simplified form the first request goes without.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Literal

from edge.errors import CommandError, HandshakeError, ProtocolError
from edge.rtmp.chunk import Message
from edge.rtmp.commands import (
    NO_TRACE,
    RECONNECT_CODE,
    Command,
    Trace,
    check_tc_url,
    decode_reply,
    hop_properties,
    is_edge_id,
    is_number,
)
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import (
    AmfObject,
    Connected,
    ConnectRefused,
    HandshakeCompleted,
    ReconnectRequested,
    ResumePoint,
    StreamEofReceived,
    StreamFailed,
    StreamStarted,
    StreamStatus,
)
from edge.rtmp.handshake import ClientHandshake, ServerHandshake
from edge.rtmp.identity import identity_of
from edge.rtmp.may import KNOWS_MAY, NODE_COMMANDS, MaySession
from edge.rtmp.media_body import is_header
from edge.rtmp.messages import MessageType, SetChunkSize, UserControl, UserControlEvent, WindowAcknowledgementSize
from edge.rtmp.pings import CLOCK_PROPERTY
from edge.rtmp.server_words import (
    CLOSE_COMMAND,
    CLOSING,
    END_COMMANDS,
    ENDED_THERE,
    FAILURES,
    PLAY_ENDS,
    PUBLISH_ENDS,
    UNPUBLISHED,
)
from edge.rtmp.session import DEFAULT_WINDOW_BYTES, MessageStream, State
from edge.rtmp.why import KNOWS_WHY

_CONNECT_TRANSACTION_ID = 1
_REDIRECT = 302
_START_BY_MEDIA_MS = 500
"""A server that sends media for so long without Play.Start sends none."""
_MAX_EARLY_HEADERS = 8
_MAX_MESSAGE_STREAM_ID = 2**32 - 1

# What a common player and a common encoder call themselves: servers of other makes go by it. Node-Media-Server and
# Adobe's networks take metadata from an encoder only.
_PLAYER_VERSION = "LNX 9,0,124,2"
_ENCODER_VERSION = "FMLE/3.0 (compatible; FMSc/1.0)"


class Phase(enum.Enum):
    """How far a request has come."""

    QUEUED = "queued"
    CREATING = "creating"
    ASKED = "asked"
    STARTED = "started"
    CLOSED = "closed"


class ClientStream(MessageStream):
    """One play or publish of ours; ``message_stream_id`` is 0 until createStream is answered.

    ``early_headers`` came before the answer to a play, ``early_since_ms`` is when the first media did, -1 for never.
    """

    __slots__ = (
        "buffer_ms",
        "early_headers",
        "early_since_ms",
        "hops",
        "is_lost",
        "is_publish",
        "phase",
        "request_id",
        "resume",
        "stream_name",
        "trace",
    )

    def __init__(
        self,
        request_id: int,
        stream_name: str,
        *,
        is_publish: bool,
        hops: tuple[str, ...],
        resume: ResumePoint | None = None,
        buffer_ms: int = 0,
        is_lost: bool = False,
        trace: Trace = NO_TRACE,
    ) -> None:
        super().__init__(0)
        self.request_id = request_id
        self.stream_name = stream_name
        self.is_publish = is_publish
        self.hops = hops
        self.resume = resume
        self.buffer_ms = buffer_ms
        self.is_lost = is_lost
        self.trace = trace
        self.phase = Phase.QUEUED
        self.early_headers: tuple[Message, ...] = ()
        self.early_since_ms = -1

    @property
    def verb(self) -> str:
        return "publish" if self.is_publish else "play"

    def properties_for(self, peer_edge_id: str) -> AmfObject:
        """What a peer of ours is told; of the trace, only one that has said that it is."""
        trace = self.trace if peer_edge_id else NO_TRACE
        return hop_properties(self.hops, self.resume, is_lost=self.is_lost, trace=trace)


# Stands for streams of ours that are over, whose media may still be under way.
_OVER = MessageStream(0)
_OVER.is_muted = True


class ClientSession(MaySession):
    """One connection to an upstream; no I/O, no clock.

    Args:
        app, tc_url: what connect names.
        entropy: ``entropy(n)`` gives n random bytes; used for the handshake.
        now_ms: any clock that only goes forward; ``timeout_ms`` counts from here
            until connect is answered (0 for no limit).
        edge_id: our service id, "" for none.
        proof: that we are, for an upstream of ours; "" for none.
        is_simplified: use the form without a handshake.
        is_encoder: made for a publish; to a server of another make it looks like a common encoder.
        handshake: the form of an ordinary handshake; an upstream that refuses
            ``complex`` should be tried again with ``simple``.

    Attributes:
        is_multiplexing: the upstream takes many streams on this connection.
        peer_edge_id: service id of an upstream of ours, else "".
    """

    __slots__ = (
        "_app",
        "_creating",
        "_highest_stream_id",
        "_identity",
        "_is_encoder",
        "_is_simplified",
        "_last_request_id",
        "_last_transaction_id",
        "_requests",
        "_tc_url",
        "_timeout_ms",
        "is_multiplexing",
        "peer_edge_id",
    )

    _streams: dict[int, ClientStream]

    def __init__(
        self,
        config: RtmpConfig,
        *,
        app: str,
        tc_url: str,
        entropy: Callable[[int], bytes],
        now_ms: int,
        edge_id: str = "",
        proof: str = "",
        is_simplified: bool = False,
        is_encoder: bool = False,
        timeout_ms: int = 1000,
        handshake: Literal["simple", "complex"] = "simple",
    ) -> None:
        shake = ClientHandshake(entropy, now_ms, "simplified" if is_simplified else handshake)
        super().__init__(config, shake, now_ms, DEFAULT_WINDOW_BYTES)
        self._app = app
        self._tc_url = tc_url
        self._identity = identity_of(edge_id, proof)
        self._is_simplified = is_simplified
        self._is_encoder = is_encoder
        self._timeout_ms = timeout_ms
        self._requests: dict[int, ClientStream] = {}
        self._creating: dict[int, ClientStream] = {}
        self._highest_stream_id = 0
        self._last_request_id = 0
        self._last_transaction_id = _CONNECT_TRANSACTION_ID
        self.is_multiplexing = is_simplified
        self.peer_edge_id = ""
        self.peer_knows_why = self.peer_knows_may = False
        self._output = shake.take_output()
        if is_simplified:
            self._handshake = None
            self._handshake_over(shake)

    # --- the owner's side ------------------------------------------------------

    def open_play(
        self,
        stream_name: str,
        *,
        hops: tuple[str, ...] = (),
        resume: ResumePoint | None = None,
        buffer_ms: int = 1000,
        trace: Trace = NO_TRACE,
    ) -> int:
        """Ask for a stream; returns the request id that ``StreamStarted`` and the like bear.

        ``hops`` are the service ids that the stream's request has passed, ours included;
        ``trace`` is ``traceparent`` and ``tracestate`` of the span for whose sake we ask.
        """
        return self._open(
            ClientStream(
                self._next_request_id(),
                stream_name,
                is_publish=False,
                hops=hops,
                resume=resume,
                buffer_ms=buffer_ms,
                trace=trace,
            )
        )

    def open_publish(
        self,
        stream_name: str,
        *,
        hops: tuple[str, ...] = (),
        is_lost: bool = False,
        trace: Trace = NO_TRACE,
    ) -> int:
        """Offer a stream; returns the request id. Send media after ``StreamStarted`` only.

        ``is_lost``: its publisher is not there at present; a peer of ours then prefers one that has it.
        """
        request_id = self._next_request_id()
        return self._open(
            ClientStream(request_id, stream_name, is_publish=True, hops=hops, is_lost=is_lost, trace=trace)
        )

    def close_stream(self, request_id: int) -> None:
        """End a request in whatever phase; nothing more is reported of it."""
        stream = self._requests.pop(request_id, None)
        if stream is None:
            return
        is_open = stream.phase in (Phase.ASKED, Phase.STARTED)
        stream.phase = Phase.CLOSED
        if not is_open:
            return
        if stream.is_publish and not self.is_multiplexing:
            self._send_command("FCUnpublish", self._next_transaction_id(), None, stream.stream_name)
        self._send_command("closeStream", 0, None, message_stream_id=stream.message_stream_id)
        self._delete_stream(stream)

    def message_stream_id(self, request_id: int) -> int | None:
        """Return the message stream of a request, None before createStream is answered and after its end."""
        stream = self._requests.get(request_id)
        return stream.message_stream_id or None if stream is not None else None

    # --- set-up ------------------------------------------------------------------

    def _setup_deadline_ms(self) -> int | None:
        if self._state is State.CONNECTED or not self._timeout_ms:
            return None
        return self._started_ms + self._timeout_ms

    def _setup_error(self) -> ProtocolError:
        if self._state is State.HANDSHAKE:
            detail = f"{self.bytes_received} bytes in {self._timeout_ms} ms"
            return HandshakeError(detail, reason="handshake_timeout")
        return CommandError(f"connect not answered within {self._timeout_ms} ms", reason="connect_timeout")

    def _handshake_over(self, handshake: ServerHandshake | ClientHandshake) -> None:
        self._state = State.AWAIT_CONNECT
        self.events.append(HandshakeCompleted(handshake.is_simplified, handshake.is_complex))
        properties: AmfObject = {
            "app": self._app,
            "flashVer": _ENCODER_VERSION if self._is_encoder else _PLAYER_VERSION,
            "tcUrl": self._tc_url,
            "fpad": False,
            "capabilities": 239,
            "audioCodecs": 3575,
            "videoCodecs": 252,
            "videoFunction": 1,
            "objectEncoding": 0,
            "stream_multiplexing": True,
        }
        if self._is_encoder:
            properties["type"] = "nonprivate"
        properties.update(self._identity)
        self._send_command("connect", _CONNECT_TRANSACTION_ID, properties)
        self._send_control(WindowAcknowledgementSize(DEFAULT_WINDOW_BYTES))
        # The size of the server's side: frames cut for players serve pushes too.
        self._send_control(SetChunkSize(self._config.rtmp_server_chunk_size))
        self._out_chunk_size = self._config.rtmp_server_chunk_size

    def _next_request_id(self) -> int:
        self._last_request_id += 1
        return self._last_request_id

    def _next_transaction_id(self) -> int:
        self._last_transaction_id += 1
        return self._last_transaction_id

    # --- requests ------------------------------------------------------------------

    def _open(self, stream: ClientStream) -> int:
        self._requests[stream.request_id] = stream
        is_ready = self._state is State.CONNECTED or (self._is_simplified and self._state is State.AWAIT_CONNECT)
        if is_ready:
            self._create(stream)
        return stream.request_id

    def _create(self, stream: ClientStream) -> None:
        """Send createStream, and what belongs before it."""
        stream.phase = Phase.CREATING
        properties: AmfObject | None = None
        if self.is_multiplexing:
            properties = {"CommandName": stream.verb, "StreamName": stream.stream_name}
            if stream.is_publish:
                properties["PublishType"] = "live"
            if self.peer_edge_id or self._is_simplified:
                properties.update(stream.properties_for(self.peer_edge_id))
        elif stream.is_publish:  # nginx-rtmp and FMS-like servers expect these first
            self._send_command("releaseStream", self._next_transaction_id(), None, stream.stream_name)
            self._send_command("FCPublish", self._next_transaction_id(), None, stream.stream_name)
        transaction_id = self._next_transaction_id()
        self._creating[transaction_id] = stream
        self._send_command("createStream", transaction_id, properties)

    def _created(self, stream: ClientStream, command: Command) -> None:
        """Take the message stream id and go on to play or publish."""
        number = next((float(value) for value in command.arguments if is_number(value)), 0.0)
        # The comparison comes first: infinity is no integer.
        is_usable = 0 < number <= _MAX_MESSAGE_STREAM_ID and number.is_integer()
        if not is_usable or number in self._streams:
            self._fail_stream(stream, "NetConnection.CreateStream.Failed", f"bad message stream id {number}")
            return
        stream.message_stream_id = int(number)
        self._highest_stream_id = max(self._highest_stream_id, stream.message_stream_id)
        if stream.phase is Phase.CLOSED:
            self._delete_stream(stream)
            return
        self._streams[stream.message_stream_id] = stream
        stream.phase = Phase.ASKED
        is_accepted = self.is_multiplexing and (command.object or {}).get("PlayOrPublishAccepted") is True
        if not is_accepted:
            self._send_request(stream)
        if not stream.is_publish:
            self._send_control(UserControl.set_buffer_length(stream.message_stream_id, stream.buffer_ms))

    def _send_request(self, stream: ClientStream) -> None:
        """Send play or publish as a command of its own."""
        properties: AmfObject = {}
        if self.peer_edge_id:
            properties = stream.properties_for(self.peer_edge_id)
        arguments = ("live",) if stream.is_publish else (-2, -1, True)
        self._send_command(
            stream.verb,
            self._next_transaction_id(),
            properties or None,
            stream.stream_name,
            *arguments,
            message_stream_id=stream.message_stream_id,
        )

    def _delete_stream(self, stream: ClientStream) -> None:
        self._streams.pop(stream.message_stream_id, None)
        self._send_command("deleteStream", 0, None, stream.message_stream_id)

    def _fail_stream(self, stream: ClientStream, code: str, description: str, redirect: str = "") -> None:
        """Report the end of a request; the message stream is given back."""
        if self._requests.pop(stream.request_id, None) is None:
            return
        if stream.phase in (Phase.ASKED, Phase.STARTED):
            self._delete_stream(stream)
        stream.phase = Phase.CLOSED
        self.events.append(StreamFailed(stream.request_id, code, description, redirect))

    # --- what the upstream says ------------------------------------------------------

    def _find_stream(self, message_stream_id: int) -> MessageStream | None:
        stream = self._streams.get(message_stream_id) or self._only_stream(message_stream_id)
        if stream is None and 0 < message_stream_id <= self._highest_stream_id:
            return _OVER
        return stream

    def _only_stream(self, message_stream_id: int) -> ClientStream | None:
        """Return the only stream when the upstream names it wrongly, as nginx-rtmp does with 0 and 1."""
        is_wrong = message_stream_id in (0, 1) or message_stream_id > self._highest_stream_id
        if is_wrong and len(self._streams) == 1:
            return next(iter(self._streams.values()))
        return None

    def _stray_stream(self, message: Message) -> MessageStream | None:
        """Return a play that has not been answered when media come for it all the same.

        Some servers send the headers, or a first picture, before Play.Start, and
        begin anew behind it: the headers are kept for then. Others never send it,
        and are taken at their media.
        """
        stream = self._streams.get(message.message_stream_id) or self._only_stream(message.message_stream_id)
        if stream is None or stream.is_publish or stream.phase is not Phase.ASKED:
            return None
        if self.peer_edge_id:
            return stream
        if stream.early_since_ms < 0:
            stream.early_since_ms = self._now_ms
        if self._now_ms - stream.early_since_ms >= _START_BY_MEDIA_MS:
            self._start(stream, {})
        elif self._is_header(message) and len(stream.early_headers) < _MAX_EARLY_HEADERS:
            stream.early_headers = (*stream.early_headers, message)
        return stream

    def _is_header(self, message: Message) -> bool:
        is_data = message.type_id in (MessageType.DATA, MessageType.AMF3_DATA)
        return is_data or is_header(message.type_id, message.payload)

    def _start(self, stream: ClientStream, info: AmfObject) -> None:
        stream.phase = Phase.STARTED
        stream.is_receiving = not stream.is_publish
        self.events.append(StreamStarted(stream.request_id, stream.message_stream_id, info))
        headers, stream.early_headers = stream.early_headers, ()
        for message in headers:
            self._receive_other(message)

    def _decode_command(self, message: Message) -> Command | None:
        command = decode_reply(message.type_id, message.payload, message.message_stream_id, self._config)
        if command is None:
            self._notice("amf_command", f"type {message.type_id}, {len(message.payload)} bytes")
        return command

    def _receive_faulty_control(self, error: ProtocolError) -> None:
        self._notice(error.reason, error.detail)

    def _receive_status_data(self, message: Message, values: list[Any]) -> bool:
        if values[0] not in ("onStatus", "onPlayStatus") or self.peer_edge_id:
            return super()._receive_status_data(message, values)
        info = next((value for value in values[1:] if isinstance(value, dict)), {})
        stream = self._streams.get(message.message_stream_id) or self._only_stream(message.message_stream_id)
        if stream is not None and _text_of(info, "code") in PLAY_ENDS:
            self._end_play(stream, info)
        return True

    def _receive_command(self, command: Command) -> None:
        if command.name in ("_result", "_error"):
            self._receive_reply(command)
        elif command.name in ("onStatus", "onPlayStatus"):
            self._receive_status(command)
        elif command.name in NODE_COMMANDS:
            self._receive_of_node(command)
        elif command.name in END_COMMANDS:
            self._receive_end(command)
        elif command.name == CLOSE_COMMAND and not self.peer_edge_id:
            for stream in list(self._requests.values()):
                self._fail_stream(stream, ENDED_THERE, "the upstream has asked to close the connection")
        # onBWDone, onFCPublish, onFCSubscribe and the like change nothing.

    def _receive_end(self, command: Command) -> None:
        """The server ends a message stream by a command; one that we end ourselves is among them no more."""
        is_named = command.name == "deleteStream" and is_number(command.argument(0))
        number = command.argument(0) if is_named else command.message_stream_id
        stream = self._streams.get(number) or self._only_stream(number)
        if stream is None or stream.phase is not Phase.STARTED or self.peer_edge_id:
            return
        if stream.is_publish:
            self._fail_stream(stream, ENDED_THERE, f"the upstream has ended the publish: {command.name}")
        else:
            self._end_play(stream, _info_of(command), command.name)

    def _end_play(self, stream: ClientStream, info: AmfObject, why: str = "") -> None:
        description = _text_of(info, "description") or _text_of(info, "code") or why
        self.events.append(StreamStatus(stream.request_id, stream.message_stream_id, UNPUBLISHED, description, info))

    def _receive_reply(self, command: Command) -> None:
        if command.transaction_id == _CONNECT_TRANSACTION_ID and self._state is State.AWAIT_CONNECT:
            self._connect_answered(command)
            return
        # NaN and numbers never given out find nothing.
        stream = self._creating.pop(command.transaction_id, None)  # type: ignore[call-overload]
        if stream is None:
            # Some answer play and publish so, in place of onStatus; of releaseStream and the like we need no answer.
            if _text_of(_info_of(command), "code").startswith("NetStream."):
                self._receive_status(command)
            return
        if command.name == "_result":
            self._created(stream, command)
            return
        info = _info_of(command)
        code = _text_of(info, "code") or "NetConnection.CreateStream.Failed"
        self._fail_stream(stream, code, _text_of(info, "description"), self._redirect(info))

    def _connect_answered(self, command: Command) -> None:
        info = _info_of(command)
        if command.name == "_error" or info.get("level") == "error":
            code = _text_of(info, "code") or "NetConnection.Connect.Failed"
            self.events.append(ConnectRefused(code, _text_of(info, "description"), self._redirect(info)))
            self._fail(None)
            return
        self._state = State.CONNECTED
        properties = command.object or {}
        announced = properties.get("create_stream_with_play_or_publish") is True
        self.is_multiplexing = announced or self._is_simplified
        edge_id = properties.get("edgeId")
        self.peer_edge_id = str(edge_id) if is_edge_id(edge_id) else ""
        self.peer_tells_clock = bool(self.peer_edge_id) and properties.get(CLOCK_PROPERTY) is True
        self.peer_knows_why = bool(self.peer_edge_id) and properties.get(KNOWS_WHY) is True
        self.peer_knows_may = bool(self.peer_edge_id) and properties.get(KNOWS_MAY) is True
        self.events.append(Connected(properties, info, announced, self.peer_edge_id))
        for stream in list(self._requests.values()):
            if stream.phase is Phase.QUEUED:
                self._create(stream)

    def _receive_status(self, command: Command) -> None:
        info = _info_of(command)
        code, description = _text_of(info, "code"), _text_of(info, "description")
        if code.startswith("NetConnection.Call."):
            return  # of a command that it does not know; none that we need
        if code == RECONNECT_CODE:
            self.events.append(ReconnectRequested(_text_of(info, "tcUrl")))
            return
        is_failure = info.get("level") == "error" or code in FAILURES or code in CLOSING
        found = self._streams.get(command.message_stream_id) or self._only_stream(command.message_stream_id)
        if found is None:
            if is_failure and command.message_stream_id == 0 and code.startswith("NetConnection."):
                for stream in list(self._requests.values()):
                    self._fail_stream(stream, code, description, self._redirect(info))
            return
        is_started, is_foreign = found.phase is Phase.STARTED, not self.peer_edge_id
        if is_failure:
            self._fail_stream(found, code or "NetStream.Failed", description, self._redirect(info))
        elif code == ("NetStream.Publish.Start" if found.is_publish else "NetStream.Play.Start"):
            self._start(found, info)
        elif not found.is_publish and (code == UNPUBLISHED or (code in PLAY_ENDS and is_started and is_foreign)):
            self._end_play(found, info)
        elif found.is_publish and code in PUBLISH_ENDS and is_started and is_foreign:
            self._fail_stream(found, ENDED_THERE, description or code)
        else:
            self.events.append(StreamStatus(found.request_id, found.message_stream_id, code, description, info))

    def _redirect(self, info: AmfObject) -> str:
        return _redirect_of(info, self._config.max_url_bytes)

    def _receive_user_control(self, event: UserControl) -> None:
        if event.event_type == UserControlEvent.STREAM_EOF:
            stream = self._streams.get(event.value) or self._only_stream(event.value)
            if stream is not None and not stream.is_publish:
                self.events.append(StreamEofReceived(stream.request_id, stream.message_stream_id))


def _info_of(command: Command) -> AmfObject:
    """Return the information object of a reply, where the command object should be with some; {} when there is none."""
    value = next((value for value in command.arguments if isinstance(value, dict)), command.object)
    return value if isinstance(value, dict) else {}


def _text_of(info: AmfObject, name: str) -> str:
    value = info.get(name)
    return value if isinstance(value, str) else ""


def _redirect_of(info: AmfObject, max_url_bytes: int) -> str:
    """Return the URL that a 302 answer names, in ``ex`` or in its description; "" for none."""
    ex = info.get("ex")
    if not isinstance(ex, dict):
        return ""
    # The second, where there is one, names the stream too.
    url = _text_of(ex, "redirect2") or _text_of(ex, "redirect")
    if not url and ex.get("code") == _REDIRECT:
        _, mark, rest = _text_of(info, "description").partition("rtmp://")
        url = (mark + rest).split(" ", 1)[0]
    return url if url and check_tc_url(url, max_url_bytes) is None else ""
