"""Players over HTTP and their places, for the process that goes on with them.

FLV over HTTP and in WebSockets moves: its messages stand for themselves. A form with
a state of its own, as the counters of TS, does not, nor does anything over TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge.errors import HandoverError
from edge.net.byte_stream import ByteStream, is_plain
from edge.net.connection import RawConnection
from edge.net.fan.place import PlayerPlace, place_of, put_in_place
from edge.net.fan.player import Player
from edge.net.flv_form import FlvForm, FlvOpening
from edge.net.log_connection import LogConnection
from edge.net.ws_connection import WsConnection
from edge.net.ws_form import WsForm
from edge.service.handover import GrantState, grant_state
from edge.service.names import TcUrl
from edge.service.request import HttpClient

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.hub.wire_form import Opening, WireForm
    from edge.net.context import NetContext
    from edge.service.service import Service

VERSION = 1


class ConnectionState(msgspec.Struct, forbid_unknown_fields=True):
    """What any connection has.

    Attributes:
        outbox: bytes that the kernel has not taken yet; before all else that is sent.
    """

    peer: str
    created_ms: int
    last_read_ms: int
    received_bytes: int
    sent_bytes: int
    read_limit: int
    outbox: bytes


class LogState(msgspec.Struct, forbid_unknown_fields=True):
    """A player of FLV.

    Attributes:
        service: name of the service that it reached.
        frames: of a WebSocket, what of a frame has come and what is to be passed over; None of plain FLV.
        named: bits of the tracks that the file header names.
    """

    version: int
    connection: ConnectionState
    service: str
    protocol: str
    server_url: tuple[str, str, str, str, str]
    grant: GrantState
    place: PlayerPlace
    tracks: int
    zero_ms: int
    named: int
    has_begun: bool
    talk_bytes: int
    frames: tuple[bytes, int, bool] | None


def connection_state(connection: RawConnection) -> ConnectionState:
    """Of any connection over a plain socket.

    Raises:
        HandoverError: it is closing, or not over a plain socket (``handover_refused``).
    """
    if connection.state != "open" or not is_plain(connection.wire) or connection._write_error is not None:
        raise HandoverError("it is closing" if is_plain(connection.wire) else "it is encrypted")
    return ConnectionState(
        peer=connection.peer,
        created_ms=connection.created_ms,
        last_read_ms=connection.last_read_ms,
        received_bytes=connection.received_bytes,
        sent_bytes=connection.total_sent_bytes(),
        read_limit=connection.read_limit,
        outbox=b"".join(connection._outbox or ()),
    )


def resume_connection(connection: RawConnection, state: ConnectionState) -> None:
    """Make a new connection what it was in the other process; nothing is sent yet."""
    connection.created_ms, connection.last_read_ms = state.created_ms, state.last_read_ms
    connection.received_bytes, connection.sent_bytes = state.received_bytes, state.sent_bytes
    connection.read_limit = state.read_limit
    connection.enqueue(state.outbox)


def let_go(connection: RawConnection) -> None:
    """Another process owns its socket: nothing is sent here, nor is its end told to the peer."""
    if connection.state != "closed":
        connection.release()
        connection.wire.close()


def export_log(connection: LogConnection) -> bytes:
    """The document of a player of FLV, which stays as it is; raises HandoverError for one that cannot move."""
    player = connection.player
    place = place_of(player) if player is not None else None
    if player is None or place is None or player.fan is None:
        raise HandoverError("it is leaving")
    form, opening = player.fan.log.form, player.opening
    flv = form.flv if isinstance(form, WsForm) else form
    if not isinstance(flv, FlvForm) or not isinstance(opening, FlvOpening):
        raise HandoverError(f"a player of {connection.protocol} has a state of its own")
    client = connection.play.client
    state = LogState(
        version=VERSION,
        connection=connection_state(connection),
        service=connection.service_name or "",
        protocol=connection.protocol,
        server_url=_url(client.server_url),
        grant=grant_state(connection.play),
        place=place,
        tracks=flv.tracks,
        zero_ms=flv.zero_ms,
        named=opening.likeness,
        has_begun=opening.has_begun,
        talk_bytes=connection._talk_bytes,
        frames=connection._frames.state() if isinstance(connection, WsConnection) else None,
    )
    return msgspec.msgpack.encode(state)


def resume_log(
    state: LogState, wire: ByteStream, context: NetContext, service: Service, stream: Stream, seq: int
) -> LogConnection:
    """A player of FLV that goes on with frame ``seq`` of ``stream``; ``go_on`` sends the first bytes."""
    client = HttpClient(
        context.next_connection_number(), state.connection.peer, state.protocol, TcUrl(*state.server_url)
    )
    play = service.resume_play(state.grant.play_request(client), stream, state.grant.since_ms)
    kind = LogConnection if state.frames is None else WsConnection
    connection = kind(wire, context, peer=client.peer, protocol=state.protocol, service=service, play=play)
    connection.number = client.number
    resume_connection(connection, state.connection)
    connection._talk_bytes = state.talk_bytes
    flv = FlvForm(state.tracks, state.zero_ms)
    form: WireForm = flv
    opening: Opening = flv.opening(state.named)
    if isinstance(connection, WsConnection) and state.frames is not None:
        connection._frames.go_on(*state.frames)
        ws = WsForm(flv)
        form, opening = ws, ws.opening(state.named)
    assert isinstance(opening, FlvOpening)
    if state.has_begun:
        opening.go_on()
    player = connection.player = Player(connection, connection.direct_send, opening)
    put_in_place(player, state.place)
    context.fanout.attach_at(player, stream, form, seq, has_begun=state.place.has_begun)
    return connection


def go_on_log(connection: LogConnection) -> None:
    """The other process has let go: send what it is still to be sent."""
    player = connection.player
    if player is None or player.fan is None:
        return
    if connection.flush():
        player.fan.on_writable(player)


def let_go_log(connection: LogConnection) -> None:
    """Its place and its grant are another process's."""
    connection._service.hand_over_play(connection.play)
    connection.play.owner = None
    connection._is_given_back = True
    player, connection.player = connection.player, None
    if player is not None and player.fan is not None:
        player.leave()
    let_go(connection)


def _url(url: TcUrl) -> tuple[str, str, str, str, str]:
    return url.host, url.vhost, url.app, url.prefix, url.query
