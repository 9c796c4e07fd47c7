"""What the server's and the client's session have in common.

Theory of operation: bytes go through the handshake, then through the chunk
reader; whole messages are dispatched in order. Audio and video on a message
stream that may receive them become ``MediaReceived`` with as little work as
possible; everything else takes the careful path. A fault ends the session:
what came before it stays in ``events``, ``SessionEnded`` is the last of them,
and replies queued before it can still be sent.

After a question to the owner the messages behind it wait for the answer, so
that replies do not depend on how the bytes were cut. ``connect`` holds back
whatever comes, up to ``MAX_HELD_BYTES``; the others hold only what came with
them, until the answer, the next bytes or the next look for an event.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any, Final

from edge.errors import AmfError, ChunkError, CommandError, HandshakeError, ProtocolError
from edge.rtmp import amf0
from edge.rtmp.chunk import CONTROL_CHUNK_STREAM_ID, INITIAL_CHUNK_SIZE, MEDIA_OVER_BYTES, ChunkReader, Message
from edge.rtmp.chunk_writer import encode_message
from edge.rtmp.commands import Command, decode_command, encode_command
from edge.rtmp.config import RtmpConfig
from edge.rtmp.data_message import read_data
from edge.rtmp.event_queue import Event, EventQueue
from edge.rtmp.events import ClockTold, MediaReceived, Noticed, PongReceived, SessionEnded
from edge.rtmp.handshake import ClientHandshake, ServerHandshake
from edge.rtmp.media_body import is_end_of_sequence, is_short
from edge.rtmp.messages import (
    Acknowledgement,
    ControlMessage,
    MessageType,
    SetPeerBandwidth,
    UserControl,
    UserControlEvent,
    WindowAcknowledgementSize,
    decode_control,
    split_aggregate,
)
from edge.rtmp.pings import CLOCK_COMMAND, PingLimit, clock_event

MediaTaker = Callable[[list[tuple[int, int, bytes]], int], object]
"""Takes media of one read, each as type id, wire timestamp and body longer than its codec header; and the time."""

COMMAND_CHUNK_STREAM_ID: Final = 3
"""Commands of the connection; 4, 6 and 7 are left to media."""
STATUS_CHUNK_STREAM_ID: Final = 5
"""Commands and data of one message stream."""

DEFAULT_WINDOW_BYTES = 2500000
"""Acknowledgement window until the peer names one; 0 from a peer switches acknowledgements off."""
MAX_STRAY_MEDIA_BYTES = 1048576
"""Media on message streams that do not publish, per connection: then the peer is lost."""
FORGIVEN_AFTER_MS = 60000
"""Messages and commands that nobody knows are counted anew after so long: a few in an evening lose no peer."""
MAX_HELD_BYTES = 1048576
"""Messages held while ``connect`` is undecided."""
_MASK = 0xFFFFFFFF


class State(enum.Enum):
    """Where a session stands; each has one successor, or ENDED."""

    HANDSHAKE = "handshake"
    AWAIT_CONNECT = "await_connect"
    CONNECT_ASKED = "connect_asked"
    CONNECTED = "connected"
    ENDED = "ended"


class MessageStream:
    """One RTMP message stream.

    Attributes:
        is_receiving: audio, video and data of the peer are delivered.
        is_muted: it was receiving and was ended by us; what the peer had under
            way is dropped without a word.
    """

    __slots__ = ("is_muted", "is_receiving", "message_stream_id")

    def __init__(self, message_stream_id: int) -> None:
        self.message_stream_id = message_stream_id
        self.is_receiving = False
        self.is_muted = False


class _Held:
    """Messages that wait for an answer of ours, and the fault that follows them."""

    __slots__ = ("error", "messages", "size")

    def __init__(self, messages: list[Message]) -> None:
        self.messages: list[Message] = []
        self.size = 0
        self.error: ProtocolError | None = None
        self.extend(messages)

    def extend(self, messages: list[Message]) -> None:
        self.messages.extend(messages)
        self.size += sum(len(message.payload) for message in messages)


class Session:
    """The half of a session that does not depend on the side.

    Attributes:
        events: what was found out, oldest first; the owner empties it.
        bytes_received: all bytes fed, the handshake included.
        peer_window: the peer's acknowledgement window in bytes.
        peer_acknowledged: last sequence number the peer acknowledged; unverified.
        peer_tells_clock: the peer, a node of ours, answers questions for its clock, and understands delays in marks.
    """

    __slots__ = (
        "_acknowledged",
        "_announced_window",
        "_config",
        "_deliver",
        "_handshake",
        "_held",
        "_is_asking",
        "_now_ms",
        "_out_chunk_size",
        "_output",
        "_ping_limit",
        "_reader",
        "_started_ms",
        "_state",
        "_stray_bytes",
        "_streams",
        "_unknown_count",
        "_unknown_since_ms",
        "bytes_received",
        "events",
        "peer_acknowledged",
        "peer_tells_clock",
        "peer_window",
    )

    _streams: dict[int, Any]

    def __init__(
        self, config: RtmpConfig, handshake: ServerHandshake | ClientHandshake, now_ms: int, window_bytes: int
    ) -> None:
        self._config = config
        self.events = EventQueue()
        self.bytes_received = 0
        self.peer_window = DEFAULT_WINDOW_BYTES
        self.peer_acknowledged = 0
        self.peer_tells_clock = False
        self._acknowledged = 0
        self._announced_window = window_bytes
        self._deliver: tuple[int, MediaTaker] | None = None
        self._handshake: ServerHandshake | ClientHandshake | None = handshake
        self._held: _Held | None = None
        self._is_asking = False
        self._now_ms = now_ms
        self._started_ms = now_ms
        self._out_chunk_size = INITIAL_CHUNK_SIZE
        self._output = b""
        self._ping_limit = PingLimit(now_ms)
        self._reader = ChunkReader(config)
        self._state = State.HANDSHAKE
        self._stray_bytes = 0
        self._streams = {}
        self._unknown_count = 0
        self._unknown_since_ms = now_ms

    # --- the owner's side ------------------------------------------------

    @property
    def is_ended(self) -> bool:
        """True once ``SessionEnded`` is among the events; whatever comes later is ignored."""
        return self._state is State.ENDED

    @property
    def in_chunk_size(self) -> int:
        """Chunk size of what the peer sends."""
        return self._reader.in_chunk_size

    @property
    def out_chunk_size(self) -> int:
        """Chunk size that we announced: what the peer expects of everything sent to it."""
        return self._out_chunk_size

    def next_event(self) -> Event | None:
        """Take the oldest event, None when there is none."""
        if not self.events:
            self._release_held()
        return self.events.pop(0) if self.events else None

    def data_to_send(self) -> bytes:
        """Take the bytes of all queued control and command messages, ``b""`` when none."""
        output, self._output = self._output, b""
        return output

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take bytes of the peer; never raises for what they say."""
        if self._state is State.ENDED or not data:
            return
        self._now_ms = now_ms
        self.bytes_received += len(data)
        if self._handshake is not None:
            surplus = self._shake_hands(self._handshake, data)
            if not surplus:
                return
            data = surplus
        if self._held is not None:
            self._release_all()
            if self.is_ended or (self._held is not None and self._held.error is not None):
                return
        messages: list[Message] = []
        error: ProtocolError | None = None
        reader, deliver = self._reader, self._deliver
        reader.media_of = deliver[0] if deliver is not None and self._may_deliver(deliver[0]) else -1
        try:
            reader.feed(data, now_ms, messages)
        except ProtocolError as fault:
            error = fault
        if reader.media:
            media, reader.media = reader.media, []
            assert deliver is not None
            deliver[1](media, now_ms)
        if reader.notices:
            self.events.extend(Noticed(reason, detail) for reason, detail in reader.notices)
            reader.notices.clear()
        if self._held is not None:
            self._hold_more(messages, error)
            return
        if messages:
            self._dispatch(iter(messages))
        if self._held is not None:
            self._held.error = error
        elif error is not None:
            self._fail(error)
        if self.bytes_received - self._acknowledged >= self.peer_window:
            self._acknowledge()

    def deliver_media(self, message_stream_id: int, take: MediaTaker | None) -> None:
        """Give audio and video of a message stream to ``take`` instead of events, whole reads of them at once.

        Within ``receive_data``, and only what comes before anything else of the same bytes while the owner has
        seen all events: so the order is that of the events. None ends it.
        """
        self._deliver = (message_stream_id, take) if take is not None else None

    def _may_deliver(self, message_stream_id: int) -> bool:
        """Media that come now are next, and wanted."""
        if self.events or self._held is not None:
            return False
        stream = self._streams.get(message_stream_id)
        return stream is not None and stream.is_receiving

    def receive_eof(self) -> None:
        """The peer sends no more."""
        self._release_all()
        if self._state is State.HANDSHAKE:
            self._fail(HandshakeError(f"end after {self.bytes_received} bytes", reason="handshake_truncated"))
        else:
            self._fail(None)

    @property
    def has_output(self) -> bool:
        """``data_to_send`` would give something."""
        return bool(self._output)

    @property
    def is_amid_message(self) -> bool:
        """The peer has sent a part of a message, and the rest is to come."""
        return self._reader.is_amid_message

    def next_deadline_ms(self) -> int | None:
        """Return when ``handle_timer`` must be called, None for never."""
        if self._state is State.ENDED:
            return None
        setup_ms = self._setup_deadline_ms()
        reader_ms = self._reader.next_deadline_ms()
        if setup_ms is None or reader_ms is None:
            return setup_ms if reader_ms is None else reader_ms
        return min(setup_ms, reader_ms)

    def handle_timer(self, now_ms: int) -> None:
        """End the session when a deadline has passed; calling early does no harm."""
        if self._state is State.ENDED:
            return
        self._now_ms = now_ms
        setup_ms = self._setup_deadline_ms()
        if setup_ms is not None and now_ms >= setup_ms:
            self._fail(self._setup_error())
            return
        try:
            self._reader.handle_timer(now_ms)
        except ChunkError as error:
            self._fail(error)

    def send_ping(self, now_ms: int) -> None:
        """Ask the peer for a ``PongReceived`` with ``now_ms`` modulo 2**32."""
        self._send_control(UserControl.ping_request(now_ms & _MASK))

    def tell_clock(self, sent_us: int, now_us: int | None = None) -> None:
        """Ask a peer of ours for its clock; with ``now_us``, of ours, answer its question of ``sent_us``."""
        if self.peer_tells_clock:
            self._send_command(CLOCK_COMMAND, 0, None, sent_us, *(() if now_us is None else (now_us,)))

    # --- what each side supplies -----------------------------------------

    def _setup_deadline_ms(self) -> int | None:
        raise NotImplementedError

    def _setup_error(self) -> ProtocolError:
        raise NotImplementedError

    def _handshake_over(self, handshake: ServerHandshake | ClientHandshake) -> None:
        raise NotImplementedError

    def _receive_command(self, command: Command) -> None:
        raise NotImplementedError

    def _receive_user_control(self, event: UserControl) -> None:
        raise NotImplementedError

    def _decode_command(self, message: Message) -> Command | None:
        """Read a command; None for one that is not to be acted on."""
        return decode_command(message.type_id, message.payload, message.message_stream_id, self._config)

    def _receive_faulty_control(self, error: ProtocolError) -> None:
        """A control message has come whose body makes no sense."""
        raise error

    def _receive_status_data(self, message: Message, values: list[Any]) -> bool:
        """Take a data message that tells of the stream rather than belonging to it; True when it is no media."""
        return values[0] in ("onStatus", "|RtmpSampleAccess")

    def _stray_stream(self, message: Message) -> MessageStream | None:
        """Return the stream that stray media can only be meant for, receiving or not; None when there is none."""
        return None

    def _find_stream(self, message_stream_id: int) -> MessageStream | None:
        """Return the message stream that media with this id belong to."""
        raise NotImplementedError

    # --- bytes in --------------------------------------------------------

    def _shake_hands(self, handshake: ServerHandshake | ClientHandshake, data: bytes) -> bytes | None:
        try:
            surplus = handshake.receive(data)
        except HandshakeError as error:
            self._fail(error)
            return None
        self._output += handshake.take_output()
        if surplus is None:
            return None
        self._handshake = None  # it holds 3 KB that nobody needs any more
        self._handshake_over(handshake)
        return surplus

    def _hold_more(self, messages: list[Message], error: ProtocolError | None) -> None:
        assert self._held is not None
        self._held.extend(messages)
        self._held.error = error
        if self._held.size > MAX_HELD_BYTES:
            self._fail(CommandError(f"{self._held.size} bytes while connect is undecided", reason="held_overflow"))

    def _release_held(self) -> None:
        """Go on with the messages that waited, as far as the next question."""
        if self._held is None or self._state is State.CONNECT_ASKED:
            return
        held, self._held = self._held, None
        self._dispatch(iter(held.messages))
        if self._held is not None:
            self._held.error = held.error
        elif held.error is not None:
            self._fail(held.error)

    def _release_all(self) -> None:
        while self._held is not None and self._state is not State.CONNECT_ASKED:
            self._release_held()

    def _dispatch(self, messages: Iterator[Message]) -> None:
        """Hand on messages in order. The hot path of ingest."""
        get = self._streams.get
        append = self.events.append
        for message in messages:
            type_id = message.type_id
            if type_id == 8 or type_id == 9:
                payload = message.payload
                message_stream_id = message.message_stream_id
                stream = get(message_stream_id)
                if stream is not None and stream.is_receiving and len(payload) > MEDIA_OVER_BYTES:
                    append(MediaReceived(message_stream_id, type_id, message.wire_timestamp, payload))
                    continue
            self._receive_other(message)
            if self._state is State.ENDED:
                return
            if self._is_asking:
                self._is_asking = False
                rest = list(messages)
                if rest or self._state is State.CONNECT_ASKED:
                    self._held = _Held(rest)
                return

    def _receive_other(self, message: Message) -> None:
        try:
            handler = _HANDLERS.get(message.type_id)
            if handler is None:
                self._receive_unknown(message)
            else:
                handler(self, message)
        except ProtocolError as error:
            self._fail(error)

    def _receive_unknown(self, message: Message) -> None:
        """Count a message of no known type: mostly the mark of a lost frame boundary."""
        self._notice("unknown_type", f"type {message.type_id}, {len(message.payload)} bytes")
        if self._now_ms - self._unknown_since_ms >= FORGIVEN_AFTER_MS:
            self._unknown_since_ms, self._unknown_count = self._now_ms, 0
        self._unknown_count += 1
        if self._unknown_count > self._config.max_unknown_messages:
            raise ChunkError(f"{self._unknown_count} messages of unknown types", reason="too_many_unknown")

    def _receive_shared_object(self, message: Message) -> None:
        self._notice("shared_object", f"{len(message.payload)} bytes")

    # --- media and data --------------------------------------------------

    def _receive_media(self, message: Message) -> None:
        stream = self._receiving_stream(message)
        if stream is None:
            return
        if is_short(message.type_id, message.payload):
            if not is_end_of_sequence(message.type_id, message.payload):
                self._notice("media_short", f"type {message.type_id}, {len(message.payload)} bytes")
            return
        self.events.append(
            MediaReceived(stream.message_stream_id, message.type_id, message.wire_timestamp, message.payload)
        )

    def _receive_data_message(self, message: Message) -> None:
        if len(message.payload) > self._config.max_data_bytes:  # out of an aggregate
            self._notice("data_too_big", f"{len(message.payload)} bytes exceed {self._config.max_data_bytes}")
            return
        stream = self._receiving_stream(message)
        if stream is None:
            return
        try:
            payload = self._data_body(message)
        except AmfError as error:
            self._notice("amf_data", error.detail)
            return
        if payload:
            self.events.append(
                MediaReceived(stream.message_stream_id, MessageType.DATA, message.wire_timestamp, payload)
            )

    def _data_body(self, message: Message) -> bytes:
        """Return a data message for players; empty when it is none of the stream's."""
        found = read_data(message.type_id, message.payload, self._config)
        if found.fault is not None:
            self._notice("amf_data", found.fault.detail)
        if not found.values or self._receive_status_data(message, found.values):
            return b""
        return found.body

    def _receiving_stream(self, message: Message) -> MessageStream | None:
        """Return where media belong; None after having counted those that belong nowhere."""
        stream = self._find_stream(message.message_stream_id)
        if stream is not None and (stream.is_receiving or stream.is_muted):
            return stream if stream.is_receiving else None
        if not message.payload:
            return None
        if (stream := self._stray_stream(message)) is not None:
            return stream if stream.is_receiving else None
        if not self._stray_bytes:
            self._notice("media_no_stream", f"message stream {message.message_stream_id}")
        self._stray_bytes += len(message.payload)
        if self._stray_bytes > MAX_STRAY_MEDIA_BYTES:
            raise CommandError(
                f"{self._stray_bytes} bytes of media, the last on message stream {message.message_stream_id}",
                reason="media_no_stream",
            )
        return None

    def _receive_aggregate(self, message: Message) -> None:
        for part in split_aggregate(message):
            self._receive_other(part)
            if self._state is State.ENDED:
                return

    # --- commands and control --------------------------------------------

    def _receive_command_message(self, message: Message) -> None:
        command = self._decode_command(message)
        if command is None:
            return
        if command.name == CLOCK_COMMAND and self._state is State.CONNECTED:
            self._receive_clock(command)
        else:
            self._receive_command(command)

    def _receive_control(self, message: Message) -> None:
        try:
            control = decode_control(message.type_id, message.payload)
        except ChunkError as error:
            return self._receive_faulty_control(error)
        match control:
            case UserControl():
                self._receive_user_control_of_either(control)
            case WindowAcknowledgementSize(window_bytes):
                # 0 means no acknowledgements at all; a limit never reached says the same.
                self.peer_window = window_bytes or 1 << 62
            case Acknowledgement(sequence_number):
                self.peer_acknowledged = sequence_number
            case SetPeerBandwidth(window_bytes, limit_type):
                if limit_type <= 2 and window_bytes != self._announced_window:
                    self._announced_window = window_bytes
                    self._send_control(WindowAcknowledgementSize(window_bytes))

    def _receive_user_control_of_either(self, event: UserControl) -> None:
        if event.event_type == UserControlEvent.PING_REQUEST:
            if self._ping_limit.admits(self._now_ms):
                self._send_control(UserControl.ping_response(event.value))
        elif event.event_type == UserControlEvent.PING_RESPONSE:
            self.events.append(PongReceived(event.value))
        else:
            self._receive_user_control(event)

    def _receive_clock(self, command: Command) -> None:
        """A peer of ours asks for our clock, or tells its own."""
        event = clock_event(command) if self.peer_tells_clock else None
        if event is None:
            self._notice("clock", "a question for the clock that makes no sense")
        elif isinstance(event, ClockTold) or self._ping_limit.admits(self._now_ms):
            self.events.append(event)

    def _acknowledge(self) -> None:
        if self._state is State.ENDED or self._state is State.HANDSHAKE:
            return
        self._acknowledged = self.bytes_received
        self._send_control(Acknowledgement(self.bytes_received & _MASK))

    # --- out -------------------------------------------------------------

    def _notice(self, reason: str, detail: str = "") -> None:
        self.events.append(Noticed(reason, detail))

    def _fail(self, error: ProtocolError | None) -> None:
        """End the session; the second end of the same session is none."""
        if self._state is State.ENDED:
            return
        if error is not None:
            if error.offset is None:
                error.offset = self.bytes_received
            # The frames of a traceback would keep the session, and all it holds, until a collection.
            error.__traceback__ = None
        self._state = State.ENDED
        self._handshake = None
        self._held = None
        self.events.append(SessionEnded(error))

    def _send(self, chunk_stream_id: int, type_id: int, message_stream_id: int, payload: bytes) -> None:
        # Always a type-0 header at time 0: these chunk streams carry no media.
        if self._state is not State.ENDED:
            self._output += encode_message(
                chunk_stream_id, type_id, message_stream_id, 0, payload, self._out_chunk_size
            )

    def _send_bytes(self, messages: bytes) -> None:
        """Whole messages, as ``_send`` makes them."""
        if self._state is not State.ENDED:
            self._output += messages

    def _send_control(self, message: ControlMessage) -> None:
        self._send(CONTROL_CHUNK_STREAM_ID, message.type_id, 0, message.encode())

    def _send_command(self, name: str, transaction_id: float, *values: Any, message_stream_id: int = 0) -> None:
        chunk_stream_id = STATUS_CHUNK_STREAM_ID if message_stream_id else COMMAND_CHUNK_STREAM_ID
        body = encode_command(name, transaction_id, *values)
        self._send(chunk_stream_id, MessageType.COMMAND, message_stream_id, body)

    def _send_data(self, message_stream_id: int, *values: Any) -> None:
        self._send(STATUS_CHUNK_STREAM_ID, MessageType.DATA, message_stream_id, amf0.encode_all(*values))


_HANDLERS: dict[int, Callable[[Session, Message], None]] = {
    **dict.fromkeys(range(1, 7), Session._receive_control),
    MessageType.AUDIO: Session._receive_media,
    MessageType.VIDEO: Session._receive_media,
    MessageType.AMF3_DATA: Session._receive_data_message,
    MessageType.AMF3_SHARED_OBJECT: Session._receive_shared_object,
    MessageType.AMF3_COMMAND: Session._receive_command_message,
    MessageType.DATA: Session._receive_data_message,
    MessageType.SHARED_OBJECT: Session._receive_shared_object,
    MessageType.COMMAND: Session._receive_command_message,
    MessageType.AGGREGATE: Session._receive_aggregate,
}
