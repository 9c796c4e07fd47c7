"""Two sessions joined without a network, and messages written by hand for a server session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from edge.rtmp import amf0, events
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import encode_message
from edge.rtmp.client import ClientSession
from edge.rtmp.commands import encode_command
from edge.rtmp.config import RtmpConfig
from edge.rtmp.server import ServerSession
from edge.rtmp.server_streams import PLAYER_USES, PUBLISHER_USES
from edge.rtmp.session import Session

CONFIG = RtmpConfig()
SIMPLIFIED = b"\x03BDMS"
VIDEO = b"\x27\x01\x00\x00\x00frame"
TC_URL = "rtmp://edge.example/live"


def entropy(count: int) -> bytes:
    """Bytes that are the same in every run."""
    return bytes(index * 37 + 11 & 255 for index in range(count))


def new_server(config: RtmpConfig = CONFIG, *, edge_id: str = "server", now_ms: int = 0) -> ServerSession:
    """A server session that has seen nothing."""
    return ServerSession(config, entropy=entropy, now_ms=now_ms, edge_id=edge_id)


def message_stream_count(session: ServerSession) -> int:
    """Message streams that exist, idle ones included."""
    return len(session._streams)


def active_stream_count(session: ServerSession) -> int:
    """Message streams that play, publish, or wait for leave to."""
    return session._streams.active_count


def playing_stream_ids(session: ServerSession) -> tuple[int, ...]:
    """Ids of message streams that play, or wait for leave to."""
    return tuple(stream_id for stream_id, stream in session._streams.items() if stream.use in PLAYER_USES)


def publishing_stream_ids(session: ServerSession) -> tuple[int, ...]:
    """Ids of message streams that publish, or wait for leave to."""
    return tuple(stream_id for stream_id, stream in session._streams.items() if stream.use in PUBLISHER_USES)


def new_client(config: RtmpConfig = CONFIG, **options: Any) -> ClientSession:
    """A client session of app ``live``."""
    return ClientSession(config, **{"app": "live", "tc_url": TC_URL, "entropy": entropy, "now_ms": 0, **options})


def message(type_id: int, payload: bytes, message_stream_id: int = 0, chunk_stream_id: int = 3) -> bytes:
    """One message in chunks of 128 bytes."""
    return encode_message(chunk_stream_id, type_id, message_stream_id, 0, payload, 128)


def command(name: str, transaction_id: float, *values: Any, message_stream_id: int = 0, type_id: int = 20) -> bytes:
    """One command; ``values`` begin with the command object."""
    body = encode_command(name, transaction_id, *values)
    return message(type_id, (b"\0" if type_id == 17 else b"") + body, message_stream_id)


def connect(transaction_id: float = 1, **properties: Any) -> bytes:
    """A connect command to app ``live``; None takes a field out."""
    fields = {"app": "live", "tcUrl": TC_URL, **properties}
    return command("connect", transaction_id, {name: value for name, value in fields.items() if value is not None})


def media(payload: bytes = VIDEO, message_stream_id: int = 1, type_id: int = 9) -> bytes:
    """One video message, or of another type."""
    return message(type_id, payload, message_stream_id, 6)


def data(*values: Any, message_stream_id: int = 1) -> bytes:
    """One AMF0 data message."""
    return message(18, amf0.encode_all(*values), message_stream_id, 4)


class Reply:
    """What a peer was sent, decoded.

    Attributes:
        messages: every message in order.
        commands: the commands among them as ``(message_stream_id, values)``.
    """

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self.commands = [(one.message_stream_id, amf0.decode_all(one.payload)) for one in messages if one.type_id == 20]

    @property
    def names(self) -> list[str]:
        """Command names, with the code of an information object: ``onStatus NetStream.Play.Start``."""
        return [" ".join([values[0], *_codes(values)]) for _, values in self.commands]

    def info(self, code: str) -> dict[str, Any]:
        """The information object with this code; fails when there is none."""
        for _, values in self.commands:
            if code in _codes(values):
                found: dict[str, Any] = values[-1]
                return found
        raise AssertionError(f"{code} not among {self.names}")

    def controls(self) -> list[tuple[int, bytes]]:
        """Type and body of the control messages."""
        return [(one.type_id, one.payload) for one in self.messages if one.type_id < 8]


def _codes(values: list[Any]) -> list[str]:
    return [value["code"] for value in values if isinstance(value, dict) and "code" in value]


class Peer:
    """A server session and its scripted client; answers every question with yes unless told otherwise.

    Attributes:
        events: all events so far.
    """

    def __init__(self, session: ServerSession | None = None, *, is_answering: bool = True) -> None:
        self.session = session or new_server()
        self.is_answering = is_answering
        self.events: list[Any] = []
        self._reader = ChunkReader(CONFIG)

    def send(self, *pieces: bytes, now_ms: int = 0) -> list[Any]:
        """Feed bytes to the server session; returns the events that they caused."""
        self.session.receive_data(b"".join(pieces), now_ms)
        return self.drain()

    def drain(self) -> list[Any]:
        """Take the events, answering questions on the way."""
        begin = len(self.events)
        while (event := self.session.next_event()) is not None:
            self.events.append(event)
            if self.is_answering:
                answer(self.session, event)
        return self.events[begin:]

    def received(self) -> Reply:
        """What the server session sent since the last call."""
        messages: list[Message] = []
        self._reader.feed(self.session.data_to_send(), 0, messages)
        return Reply(messages)

    def of(self, kind: type) -> list[Any]:
        """All events of one class."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def reasons(self) -> list[str]:
        """The reasons of what was noticed."""
        return [event.reason for event in self.of(events.Noticed)]

    @property
    def refusals(self) -> list[str]:
        """The reasons of requests that were refused while the connection stays."""
        return [event.reason for event in self.of(events.RequestRefused)]

    @property
    def end_reason(self) -> str | None:
        """Why the session ended: "" in good order, None when it goes on."""
        ends = self.of(events.SessionEnded)
        assert len(ends) < 2
        if not ends:
            return None
        assert self.events[-1] is ends[0]
        return ends[0].error.reason if ends[0].error is not None else ""


def answer(session: ServerSession, event: object) -> None:
    """Say yes to a question."""
    if isinstance(event, events.ConnectRequested):
        session.accept_connect(event.request_id)
    elif isinstance(event, events.PublishRequested):
        session.accept_publish(event.request_id)
    elif isinstance(event, events.PlayRequested):
        session.accept_play(event.request_id)
    elif isinstance(event, events.PauseRequested) and event.needs_answer:
        session.answer_pause(event.message_stream_id, event.is_paused)


def connected_peer(config: RtmpConfig = CONFIG, *, edge_id: str = "server", **properties: Any) -> Peer:
    """A peer whose connect was accepted; what it was sent for that is forgotten."""
    peer = Peer(new_server(config, edge_id=edge_id))
    peer.send(SIMPLIFIED, connect(**properties))
    peer.received()
    peer.events.clear()
    return peer


def publishing_peer(config: RtmpConfig = CONFIG, **properties: Any) -> Peer:
    """A peer that publishes ``cam`` on message stream 1."""
    peer = connected_peer(config, **properties)
    peer.send(command("createStream", 2, None), command("publish", 3, None, "cam", "live", message_stream_id=1))
    peer.received()
    peer.events.clear()
    return peer


def playing_peer(config: RtmpConfig = CONFIG, **properties: Any) -> Peer:
    """A peer that plays ``cam`` on message stream 1."""
    peer = connected_peer(config, **properties)
    peer.send(command("createStream", 2, None), command("play", 3, None, "cam", message_stream_id=1))
    peer.received()
    peer.events.clear()
    return peer


class Link:
    """A server and a client session whose bytes go to and fro.

    Attributes:
        client_events, server_events: all events of either side, in order.
    """

    def __init__(
        self,
        server: ServerSession | None = None,
        client: ClientSession | None = None,
        *,
        step: int | None = None,
        decide: Callable[[ServerSession, object], None] = answer,
    ) -> None:
        self.server = server or new_server()
        self.client = client or new_client()
        self.client_events: list[Any] = []
        self.server_events: list[Any] = []
        self._step = step
        self._decide = decide

    def pump(self, now_ms: int = 0) -> None:
        """Carry bytes both ways until nothing moves; the server's questions are decided as they come."""
        is_moving = True
        while is_moving:
            is_moving = self._carry(self.client, self.server, now_ms)
            for event in drain(self.server):
                self.server_events.append(event)
                self._decide(self.server, event)
                is_moving = True
            is_moving |= self._carry(self.server, self.client, now_ms)
            self.client_events.extend(drain(self.client))

    def _carry(self, source: Session, target: Session, now_ms: int) -> bool:
        out = source.data_to_send()
        for piece in pieces(out, self._step):
            target.receive_data(piece, now_ms)
        return bool(out)


def pieces(whole: bytes, step: int | None) -> Iterable[bytes]:
    """Cut ``whole`` every ``step`` bytes; None leaves it whole."""
    return [whole[begin : begin + step] for begin in range(0, len(whole), step)] if step else [whole]


def drain(session: Session) -> Iterable[Any]:
    """Take events until there are none, those caused on the way included."""
    while (event := session.next_event()) is not None:
        yield event
