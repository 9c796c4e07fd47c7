"""What a client's commands do (RTMP 1.0 §7.2), before the owner is asked.

The questions that come out (``ConnectRequested``, ``PublishRequested``,
``PlayRequested``) are answered through ``edge.rtmp.server``; everything else is
answered here. Faulty requests are refused here too, with the status that names
the cause, and cost the connection unless the client multiplexes streams.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge.errors import CommandError, HandshakeError, ProtocolError
from edge.rtmp import amf0
from edge.rtmp.amf0 import UNDEFINED
from edge.rtmp.chunk import Message
from edge.rtmp.commands import (
    CAN_RECONNECT,
    NO_TRACE,
    PROXY_LOOP,
    Command,
    Trace,
    check_app,
    check_stream_name,
    check_tc_url,
    is_edge_id,
    is_number,
    parse_hops,
    parse_lost,
    parse_resume,
    parse_trace,
    status_info,
)
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import (
    AmfObject,
    BufferLengthSet,
    ConnectRequested,
    HandshakeCompleted,
    MediaChosen,
    PauseRequested,
    PlayEnded,
    PlayRequested,
    PublishEnded,
    PublishRequested,
    RequestRefused,
)
from edge.rtmp.handshake import ClientHandshake, ServerHandshake
from edge.rtmp.may import NODE_COMMANDS, MaySession
from edge.rtmp.messages import MessageType, UserControl, UserControlEvent
from edge.rtmp.pings import CLOCK_PROPERTY
from edge.rtmp.server_replies import Enhanced, stream_created
from edge.rtmp.server_streams import PLAYER_USES, PUBLISHER_USES, ServerStream, ServerStreams, Use
from edge.rtmp.session import FORGIVEN_AFTER_MS, MessageStream, State
from edge.rtmp.why import KNOWS_WHY

MAX_IDLE_STREAMS = 16
"""Message streams neither playing nor publishing; more only waste our memory."""
MAX_UNKNOWN_COMMANDS = 100

_DATA_NAMES = tuple(amf0.encode(name) for name in ("@setDataFrame", "onMetaData"))
_PUBLISH_TYPES = frozenset(("live", "record", "append"))


class PendingConnect:
    """The ``connect`` that waits for an answer."""

    __slots__ = ("enhanced", "object_encoding", "request_id", "transaction_id")

    def __init__(self, request_id: int, transaction_id: float, asked: AmfObject) -> None:
        self.request_id = request_id
        self.transaction_id = transaction_id
        self.object_encoding = 3.0 if asked.get("objectEncoding") == 3 else 0.0
        self.enhanced = Enhanced.of(asked)


class ServerCommands(MaySession):
    """The receiving half of the server's session.

    Attributes:
        is_multiplexing: the client announced ``stream_multiplexing``.
        peer_edge_id: service id of a peer of ours, else "".
        can_reconnect: the client goes elsewhere when it is asked to (E-RTMP v2).
    """

    __slots__ = (
        "_edge_id",
        "_has_used_stream",
        "_last_request_id",
        "_pending_connect",
        "_requests",
        "_unknown_command_count",
        "_unknown_commands_since_ms",
        "can_reconnect",
        "is_multiplexing",
        "peer_edge_id",
    )

    _streams: ServerStreams

    def __init__(self, config: RtmpConfig, entropy: Callable[[int], bytes], now_ms: int, edge_id: str) -> None:
        super().__init__(config, ServerHandshake(entropy, now_ms), now_ms, config.rtmp_server_window_ack_size)
        self._edge_id = edge_id
        self._has_used_stream = False
        self._last_request_id = 0
        self._pending_connect: PendingConnect | None = None
        self._requests: dict[int, ServerStream] = {}
        self._streams = ServerStreams()
        self._unknown_command_count = 0
        self._unknown_commands_since_ms = now_ms
        self.is_multiplexing = False
        self.can_reconnect = False
        self.peer_edge_id = ""
        self.peer_knows_why = self.peer_knows_may = False

    @property
    def hears_errors_only(self) -> bool:
        """Whether the client takes nothing but an error for the end of a stream: brpc's does so."""
        return self.is_multiplexing and not self.peer_edge_id

    @property
    def should_close_on_error(self) -> bool:
        """Whether a refused or ended stream ends the connection."""
        return self._config.rtmp_server_close_connection_on_error and not self.is_multiplexing

    # --- set-up ------------------------------------------------------------

    def _setup_deadline_ms(self) -> int | None:
        config = self._config
        if self._state is State.HANDSHAKE:
            return self._started_ms + config.handshake_timeout_ms if config.handshake_timeout_ms else None
        if self._has_used_stream or not config.rtmp_setup_timeout_ms:
            return None
        return self._started_ms + config.rtmp_setup_timeout_ms

    def _setup_error(self) -> ProtocolError:
        if self._state is State.HANDSHAKE:
            detail = f"{self.bytes_received} bytes in {self._config.handshake_timeout_ms} ms"
            return HandshakeError(detail, reason="handshake_timeout")
        detail = f"neither play nor publish within {self._config.rtmp_setup_timeout_ms} ms"
        return CommandError(detail, reason="setup_timeout", is_quiet=True)

    def _handshake_over(self, handshake: ServerHandshake | ClientHandshake) -> None:
        self._state = State.AWAIT_CONNECT
        self._started_ms = self._now_ms
        self.events.append(HandshakeCompleted(handshake.is_simplified, handshake.is_complex))
        if isinstance(handshake, ServerHandshake) and handshake.c2_mismatch:
            self._notice("rtmp_c2_mismatch")

    def _find_stream(self, message_stream_id: int) -> MessageStream | None:
        return self._streams.find(message_stream_id)

    def _stray_stream(self, message: Message) -> MessageStream | None:
        streams = self._streams
        stream = streams.only_publish_for(message.message_stream_id)
        if stream is not None and not streams.is_media_misplaced:
            streams.is_media_misplaced = True
            where = f"message stream {message.message_stream_id}, not {stream.message_stream_id}"
            self._notice("media_wrong_stream", where)
        return stream

    def _next_request_id(self) -> int:
        self._is_asking = True
        self._last_request_id += 1
        return self._last_request_id

    # --- dispatch ------------------------------------------------------------

    def _decode_command(self, message: Message) -> Command | None:
        """Read a command; metadata that come as one, from encoders that mistake the type, are data all the same."""
        is_amf3 = message.type_id == MessageType.AMF3_COMMAND
        if self._state is not State.CONNECTED or not message.payload.startswith(_DATA_NAMES, int(is_amf3)):
            return super()._decode_command(message)
        self._notice("data_as_command", f"type {message.type_id}")
        type_id = MessageType.AMF3_DATA if is_amf3 else MessageType.DATA
        found = (message.message_stream_id, message.wire_timestamp, message.payload, message.chunk_stream_id)
        self._receive_data_message(Message(type_id, *found))
        return None

    def _receive_command(self, command: Command) -> None:
        if self._state is State.AWAIT_CONNECT:
            if command.name != "connect":
                raise CommandError(f"{command.name[:64]!r} before connect", reason="not_connected")
            self._connect(command)
            return
        handler = _HANDLERS.get(command.name)
        if handler is None:
            self._answer_unknown(command)
        else:
            handler(self, command)

    def _answer_unknown(self, command: Command) -> None:
        if self._now_ms - self._unknown_commands_since_ms >= FORGIVEN_AFTER_MS:
            self._unknown_commands_since_ms, self._unknown_command_count = self._now_ms, 0
        self._unknown_command_count += 1
        self._notice("unknown_command", command.name[:64])
        if self._unknown_command_count > MAX_UNKNOWN_COMMANDS:
            raise CommandError(f"{self._unknown_command_count} unknown commands", reason="too_many_unknown")
        self._answer_null(command)

    def _answer_null(self, command: Command) -> None:
        if command.transaction_id > 0:
            self._send_command("_result", command.transaction_id, None, None)

    def _ignore(self, command: Command) -> None:
        """Play2, onBWDone and the like need no answer."""

    def _ignore_reply(self, command: Command) -> None:
        self._notice("unexpected_reply", command.name)

    def _receive_user_control(self, event: UserControl) -> None:
        if event.event_type == UserControlEvent.SET_BUFFER_LENGTH:
            stream = self._streams.find(event.value)
            if stream is not None:
                self.events.append(BufferLengthSet(stream.message_stream_id, event.buffer_ms))
            return
        self._notice("user_control", f"event {event.event_type}")

    # --- connect -------------------------------------------------------------

    def _connect(self, command: Command) -> None:
        asked = command.object
        if asked is None:
            self._refuse_connect(command.transaction_id, "bad_argument: connect without an object")
            return
        app = _text_of(asked, "app")
        tc_url = _text_of(asked, "tcUrl") or f"rtmp://localhost/{app}"
        fault = check_app(app, self._config) or check_tc_url(tc_url, self._config.max_url_bytes)
        if fault is not None:
            self._refuse_connect(command.transaction_id, f"bad_url: {fault}")
            raise CommandError(fault, reason="bad_url")
        edge_id = asked.get("edgeId")
        self.peer_edge_id = str(edge_id) if is_edge_id(edge_id) else ""
        self.peer_tells_clock = bool(self.peer_edge_id) and asked.get(CLOCK_PROPERTY) is True
        self.peer_knows_why = bool(self.peer_edge_id) and asked.get(KNOWS_WHY) is True
        self.is_multiplexing = asked.get("stream_multiplexing") is True
        request_id = self._next_request_id()
        pending = self._pending_connect = PendingConnect(request_id, command.transaction_id, asked)
        self.can_reconnect = bool((pending.enhanced.capabilities or 0) & CAN_RECONNECT)
        self._state = State.CONNECT_ASKED
        self.events.append(ConnectRequested(request_id, app, tc_url, asked, self.is_multiplexing, self.peer_edge_id))

    def _connect_again(self, command: Command) -> None:
        self._refuse_connect(command.transaction_id, "connected already")
        raise CommandError("connect on a connected connection", reason="connect_twice")

    def _refuse_connect(
        self,
        transaction_id: float,
        description: str,
        code: str = "NetConnection.Connect.Rejected",
        more: AmfObject | None = None,
    ) -> None:
        self._send_command("_error", transaction_id, None, status_info("error", code, description, more))

    # --- message streams -----------------------------------------------------

    def _create_stream(self, command: Command) -> None:
        if len(self._streams) >= self._config.max_message_streams:
            raise CommandError(f"{len(self._streams)} message streams", reason="too_many_streams")
        if self._streams.idle_count >= MAX_IDLE_STREAMS:
            info = status_info(
                "error", "NetConnection.CreateStream.Rejected", f"{self._streams.idle_count} message streams are idle"
            )
            self._send_command("_error", command.transaction_id, None, info)
            return
        stream = self._streams.create()
        embedded = command.object or {}
        name, wanted = embedded.get("CommandName"), embedded.get("StreamName")
        handler = {"play": self._play, "publish": self._publish}.get(name) if isinstance(name, str) else None
        if handler is None or not isinstance(wanted, str):
            number = command.transaction_id
            if number:
                self._send_bytes(stream_created(self._out_chunk_size, number, stream.message_stream_id))
            else:  # it may be -0, which is equal to 0
                self._send_command("_result", number, None, stream.message_stream_id)
            return
        accepted = {"PlayOrPublishAccepted": True}
        self._send_command("_result", command.transaction_id, accepted, stream.message_stream_id)
        arguments = [wanted, embedded.get("PublishType")] if name == "publish" else [wanted]
        handler(Command(str(name), 0.0, embedded, arguments, stream.message_stream_id))

    def _delete_stream(self, command: Command) -> None:
        wanted = command.argument(0)
        # Numbers that are no integer, NaN among them, equal no key.
        stream = self._streams.find(wanted) if is_number(wanted) and wanted >= 0 else None
        if stream is None:
            self._notice("no_stream", f"deleteStream of {str(wanted)[:32]}")
            return
        self._end_use(stream, "delete_stream")
        self._streams.delete(stream.message_stream_id)

    def _close_stream(self, command: Command) -> None:
        stream = self._streams.find(command.message_stream_id)
        if stream is None:
            return
        if stream.use in PUBLISHER_USES:
            self._end_use(stream, "close_stream")
        elif stream.use in PLAYER_USES and not stream.is_paused:
            stream.is_paused = True
            self.events.append(PauseRequested(stream.message_stream_id, is_paused=True, needs_answer=False))

    def _end_use(self, stream: ServerStream, why: str) -> None:
        """End what the client does on ``stream``, telling the owner and a publisher."""
        use = stream.use
        self._forget_request(stream)
        self._streams.set_use(stream, Use.IDLE)
        stream.is_muted = False  # it was not us who ended it: what still comes is counted
        if use in PLAYER_USES:
            self.events.append(PlayEnded(stream.message_stream_id, why))
        elif use in PUBLISHER_USES:
            description = f"{stream.stream_name} is now unpublished"
            self._send_status(stream.message_stream_id, "status", "NetStream.Unpublish.Success", description)
            self.events.append(PublishEnded(stream.message_stream_id, why))

    def _ask(self, stream: ServerStream, use: Use, stream_name: str) -> int:
        """Note a question to the owner; an unanswered one on the same stream is void."""
        self._forget_request(stream)
        self._streams.set_use(stream, use)
        self._has_used_stream = True
        stream.is_paused = False
        stream.stream_name = stream_name
        stream.request_id = self._next_request_id()
        self._requests[stream.request_id] = stream
        return stream.request_id

    def _forget_request(self, stream: ServerStream) -> None:
        if stream.request_id:
            del self._requests[stream.request_id]
            stream.request_id = 0
            if not self._requests:
                self._requests = {}  # an emptied dict keeps its table

    # --- publish and play ------------------------------------------------------

    def _publish(self, command: Command) -> None:
        stream = self._streams.find_for_request(command.message_stream_id)
        code = "NetStream.Publish.BadName"
        name = command.text(0)
        if name is None:
            self._refuse(command, code, "bad_argument", "the stream name is no string")
        elif (fault := check_stream_name(name, self._config)) is not None:
            self._refuse(command, code, "bad_name", fault)
        elif stream is None:
            self._refuse(command, code, "no_stream", f"message stream {command.message_stream_id} does not exist")
        elif stream.use in PLAYER_USES:
            self._refuse_busy(stream, "it is playing")
        elif (loop := self._find_loop(command)) is not None:
            self._refuse(command, code, PROXY_LOOP, loop)
        else:
            if stream.use in PUBLISHER_USES:
                self._end_use(stream, "republish")
            request_id = self._ask(stream, Use.PUBLISH_ASKED, name)
            publish_type = command.text(1) or ""
            if publish_type not in _PUBLISH_TYPES:
                publish_type = "live"
            hops = self._hops(command)
            is_lost = bool(self.peer_edge_id) and parse_lost(command.object)
            self.events.append(
                PublishRequested(
                    request_id, stream.message_stream_id, name, publish_type, hops, is_lost, self._trace(command)
                )
            )

    def _play(self, command: Command) -> None:
        stream = self._streams.find_for_request(command.message_stream_id)
        name = command.text(0)
        if name is None:
            self._refuse(command, "NetStream.Play.Failed", "bad_argument", "the stream name is no string")
        elif (fault := check_stream_name(name, self._config)) is not None:
            self._refuse(command, "NetStream.Play.StreamNotFound", "bad_name", fault)
        elif stream is None:
            missing = f"message stream {command.message_stream_id} does not exist"
            self._refuse(command, "NetStream.Play.Failed", "no_stream", missing)
        elif stream.use in PUBLISHER_USES:
            self._refuse_busy(stream, "it is publishing")
        elif (loop := self._find_loop(command)) is not None:
            self._refuse(command, "NetStream.Play.StreamNotFound", PROXY_LOOP, loop)
        else:
            is_replay = stream.use in PLAYER_USES
            request_id = self._ask(stream, Use.PLAY_ASKED, name)
            stream.has_reset = command.flag(3, default=True)
            self.events.append(
                PlayRequested(
                    request_id,
                    stream.message_stream_id,
                    name,
                    command.number(1, -2.0),
                    command.number(2, -1.0),
                    stream.has_reset,
                    self._hops(command),
                    parse_resume(command.object) if self.peer_edge_id else None,
                    is_replay,
                    self._trace(command),
                )
            )

    def _hops(self, command: Command) -> tuple[str, ...]:
        """Return the hops a request has passed; only peers of ours are believed."""
        return parse_hops(command.object) if self.peer_edge_id else ()

    def _trace(self, command: Command) -> Trace:
        """Return the span for whose sake it is asked; only peers of ours are believed."""
        return parse_trace(command.object) if self.peer_edge_id else NO_TRACE

    def _find_loop(self, command: Command) -> str | None:
        """Return how the request shows that the stream goes in a circle, None when it does not."""
        hops = self._hops(command)
        name = (command.text(0) or "").partition("?")[0]
        if len(hops) > self._config.max_forward_hops:
            return f"the request for {name}: {len(hops)} hops exceed {self._config.max_forward_hops}"
        if not all(is_edge_id(hop) for hop in hops):
            return f"the request for {name}: unreadable hops"
        if self._edge_id and (self._edge_id in hops or self._edge_id == self.peer_edge_id):
            return f"the request for {name} has passed {self._edge_id} already"
        return None

    def _refuse(self, command: Command, code: str, reason: str, detail: str) -> None:
        """Refuse a play or publish; ends the session unless the client multiplexes."""
        self._send_status(command.message_stream_id, "error", code, f"{reason}: {detail}")
        if self.should_close_on_error:
            raise CommandError(detail, reason=reason, is_quiet=True)
        self.events.append(RequestRefused(reason, detail))

    def _refuse_busy(self, stream: ServerStream, detail: str) -> None:
        """Refuse a second use of a message stream; the first goes on, so the connection stays."""
        self._send_status(stream.message_stream_id, "error", "NetStream.Failed", f"stream_busy: {detail}")
        self.events.append(RequestRefused("stream_busy", detail))

    # --- the other commands ------------------------------------------------------

    def _release_stream(self, command: Command) -> None:
        self._send_command("_result", command.transaction_id, None, UNDEFINED)

    def _fc_publish(self, command: Command) -> None:
        self._send_command("_result", command.transaction_id, None, UNDEFINED)
        info = status_info("status", "NetStream.Publish.Start", "Started publishing")
        self._send_command("onFCPublish", 0, None, info)

    def _fc_unpublish(self, command: Command) -> None:
        """End this client's publish of that name, if there is one."""
        info = status_info("status", "NetStream.Unpublish.Success", "Stopped publishing")
        self._send_command("onFCUnpublish", 0, None, info)
        self._send_command("_result", command.transaction_id, None, UNDEFINED)
        name = (command.text(0) or "").partition("?")[0]
        for stream in list(self._streams.values()):
            if stream.use in PUBLISHER_USES and stream.stream_name.partition("?")[0] == name:
                self._end_use(stream, "fcunpublish")

    def _fc_subscribe(self, command: Command) -> None:
        info = status_info("status", "NetStream.Play.Start", "Started playing")
        self._send_command("onFCSubscribe", 0, None, info)

    def _get_stream_length(self, command: Command) -> None:
        self._send_command("_result", command.transaction_id, None, 0)

    def _seek(self, command: Command) -> None:
        info = status_info("error", "NetStream.Seek.Notify", "Fail to seek")
        self._send_command("_error", 0, None, info, message_stream_id=command.message_stream_id)

    def _pause(self, command: Command) -> None:
        stream = self._streams.find(command.message_stream_id)
        is_paused = command.flag(0, default=True)
        if stream is None or stream.use not in PLAYER_USES:
            name = "Pause" if is_paused else "Unpause"
            info = status_info("error", f"NetStream.{name}.Notify", f"Fail to {name.lower()}")
            self._send_command("_error", 0, None, info, message_stream_id=command.message_stream_id)
        elif stream.is_paused is not is_paused:
            stream.is_paused = is_paused
            self._is_asking = True
            self.events.append(PauseRequested(stream.message_stream_id, is_paused))

    def _receive_audio(self, command: Command) -> None:
        self._choose_media(command, "wants_audio")

    def _receive_video(self, command: Command) -> None:
        self._choose_media(command, "wants_video")

    def _choose_media(self, command: Command, name: str) -> None:
        """Note what a player wants to be sent (RTMP 1.0 §7.2.2.4, §7.2.2.5); what is on again is confirmed."""
        stream = self._streams.find(command.message_stream_id)
        is_wanted = command.flag(0, default=True)
        if stream is None or getattr(stream, name) is is_wanted:
            return
        setattr(stream, name, is_wanted)
        if stream.use not in PLAYER_USES:
            return
        if is_wanted and stream.use is Use.PLAYING:
            self._send_status(stream.message_stream_id, "status", "NetStream.Seek.Notify", "Seeking to the live edge")
            description = f"Start playing {stream.stream_name}"
            self._send_status(stream.message_stream_id, "status", "NetStream.Play.Start", description)
        self.events.append(MediaChosen(stream.message_stream_id, stream.wants_audio, stream.wants_video))

    def media_choice(self, message_stream_id: int) -> tuple[bool, bool]:
        """Whether a player wants sound, and picture."""
        stream = self._streams.get(message_stream_id)
        return (stream.wants_audio, stream.wants_video) if stream is not None else (True, True)

    def _send_status(
        self, message_stream_id: int, level: str, code: str, description: str, more: AmfObject | None = None
    ) -> None:
        info = status_info(level, code, description, more)
        self._send_command("onStatus", 0, None, info, message_stream_id=message_stream_id)


def _text_of(properties: AmfObject, name: str) -> str:
    value: Any = properties.get(name)
    return value if isinstance(value, str) else ""


_HANDLERS: dict[str, Callable[[ServerCommands, Command], None]] = {
    "connect": ServerCommands._connect_again,
    "createStream": ServerCommands._create_stream,
    "deleteStream": ServerCommands._delete_stream,
    "closeStream": ServerCommands._close_stream,
    "publish": ServerCommands._publish,
    "play": ServerCommands._play,
    "pause": ServerCommands._pause,
    "pauseRaw": ServerCommands._pause,
    "seek": ServerCommands._seek,
    "play2": ServerCommands._ignore,
    "receiveAudio": ServerCommands._receive_audio,
    "receiveVideo": ServerCommands._receive_video,
    "releaseStream": ServerCommands._release_stream,
    "FCPublish": ServerCommands._fc_publish,
    "FCUnpublish": ServerCommands._fc_unpublish,
    "FCSubscribe": ServerCommands._fc_subscribe,
    "getStreamLength": ServerCommands._get_stream_length,
    **dict.fromkeys(NODE_COMMANDS, ServerCommands._receive_of_node),
    **dict.fromkeys(
        ("_checkbw", "checkBandwidth", "FCUnsubscribe", "startTransmit", "stopTransmit"), ServerCommands._answer_null
    ),
    **dict.fromkeys(("onBWDone", "onFCPublish", "onFCUnpublish", "close"), ServerCommands._ignore),
    "_result": ServerCommands._ignore_reply,
    "_error": ServerCommands._ignore_reply,
    "onStatus": ServerCommands._ignore_reply,
}
