"""RTMP connections, for the process that goes on with them: session, plays with their places, publishes.

What moves is a plain connection that publishes, plays one stream or several, or does nothing
yet. One that has switched a medium off, a node of ours, and one that waits for an answer of
somebody else stay behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from edge.errors import HandoverError
from edge.net.accepted import Accepted
from edge.net.fan.place import PlayerPlace, place_of, put_in_place
from edge.net.handover import ConnectionState, connection_state, let_go, resume_connection
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.opening import RtmpOpening, RtmpPlayer
from edge.net.rtmp.play import RtmpPlay
from edge.net.rtmp.server import RtmpServerConnection
from edge.net.rtmp.writer_place import WriterPlace, place_of_writer, put_writer_in_place
from edge.rtmp.handover import export_session, resume_session
from edge.service.handover import GrantState, grant_state
from edge.service.names import TcUrl
from edge.service.request import SAID_NOTHING, Said

if TYPE_CHECKING:
    from edge.hub.key import StreamKey
    from edge.hub.publisher import Publisher
    from edge.hub.stream import Stream
    from edge.net.rtmp.service import RtmpService

VERSION = 1


class PlayState(msgspec.Struct, forbid_unknown_fields=True):
    """A play; ``place`` and ``writer`` are None while it is paused.

    Attributes:
        place: on the shared log.
        base_ms, low_bases: its clock there, see ``RtmpOpening``.
        writer: of a connection that is written by itself.
    """

    message_stream_id: int
    grant: GrantState
    passed_bytes: int
    tracks: int
    place: PlayerPlace | None
    base_ms: int | None
    low_bases: dict[int, int] | None
    writer: WriterPlace | None = None


class FeedState(msgspec.Struct, forbid_unknown_fields=True):
    """A publish; ``publisher`` is its place among those of the stream that move along."""

    message_stream_id: int
    grant: GrantState
    publisher: int


class RtmpState(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A connection; ``session`` is a document of its own (``edge.rtmp.handover``).

    Attributes:
        said, page_url: what the client has said of itself.
        opening: what those keep of it who were asked whether it may stay.
    """

    version: int
    connection: ConnectionState
    service: str
    session: bytes
    server_url: tuple[str, str, str, str, str]
    plays: list[PlayState]
    feeds: list[FeedState]
    noticed: list[str]
    said: Said = SAID_NOTHING
    page_url: str = ""
    opening: bytes = b""


def check_movable(connection: RtmpServerConnection) -> None:
    """Raise HandoverError unless ``connection`` may move."""
    connection_state(connection)
    if connection.is_hop:
        raise HandoverError("a node resumes by itself")
    if connection.asked or connection.is_arriving:
        raise HandoverError("it waits for an answer")
    if connection._session.is_ended or connection._session.events:
        raise HandoverError("there is something to be done for it", reason="handover_busy")


def publishers_of(connection: RtmpServerConnection) -> list[Publisher[Stream]]:
    """Those that move with it."""
    return [publish.publisher for publish in connection.publishes()]


def export_rtmp(connection: RtmpServerConnection, number_of: Callable[[Publisher[Stream]], int]) -> bytes:
    """The document of ``connection``, which stays as it is; ``number_of``: the place of a publisher in its stream's.

    Raises:
        HandoverError: it cannot move.
    """
    while connection._is_held and connection.state == "open":
        connection._go_on()  # there were many requests at once; the rest of them is due in this turn
    check_movable(connection)
    url = connection.server_url
    state = RtmpState(
        version=VERSION,
        connection=connection_state(connection),
        service=connection.service_name,
        session=export_session(connection._session),
        server_url=(url.host, url.vhost, url.app, url.prefix, url.query),
        plays=[_play_state(connection, play) for play in connection.plays.values()],
        feeds=[
            FeedState(message_stream_id, grant_state(publish), number_of(publish.publisher))
            for message_stream_id, (publish, _) in (connection.feeds or {}).items()
        ],
        noticed=sorted(connection._noticed or ()),
        said=connection.said,
        page_url=connection.page_url,
        opening=connection.service.export_client(connection),
    )
    try:
        return msgspec.msgpack.encode(state)
    except UnicodeEncodeError as error:
        raise HandoverError("it has used a name that is no text") from error


def _play_state(connection: RtmpServerConnection, play: RtmpPlay) -> PlayState:
    player, place, tracks = connection.player, None, 0
    base_ms: int | None = None
    low_bases: dict[int, int] | None = None
    writer: WriterPlace | None = None
    if play.writer is not None and play.form is not None:
        tracks, writer = play.form.tracks, place_of_writer(play.writer)
    elif not play.is_paused:
        place = place_of(player) if player is not None else None
        if player is None or place is None or play.form is None:
            raise HandoverError("a play is served by nobody")
        tracks = play.form.tracks
        base_ms, low_bases = player.opening.base_ms, player.opening.low_bases
    return PlayState(
        message_stream_id=play.message_stream_id,
        grant=grant_state(play.grant),
        passed_bytes=play.grant.passed_bytes,
        tracks=tracks,
        place=place,
        base_ms=base_ms,
        low_bases=low_bases,
        writer=writer,
    )


def resume_rtmp(
    state: RtmpState,
    accepted: Accepted,
    rtmp: RtmpService,
    stream_of: Callable[[StreamKey], Stream],
    publisher_of: Callable[[StreamKey, int], Publisher[Stream]],
    place_in: Callable[[StreamKey, int], int],
) -> RtmpServerConnection:
    """The connection in this process; ``go_on_rtmp`` sends the first bytes.

    Args:
        stream_of: the stream of a key, made where there is none.
        publisher_of: by the key and place that ``export_rtmp`` has written.
        place_in: where a frame of the other process's queue stands in this one's.

    Raises:
        HandoverError: the session is of another version, or makes no sense.
    """
    context = rtmp.context
    session = resume_session(state.session, rtmp.config, entropy=context.entropy, edge_id=rtmp.service.service_id)
    connection = RtmpServerConnection(accepted, rtmp, session)
    connection.peer = state.connection.peer
    resume_connection(connection, state.connection)
    connection.server_url = TcUrl(*state.server_url)
    connection.said, connection.page_url = state.said, state.page_url
    connection.is_proven = rtmp.service.trusts(connection.host)  # nodes that prove it themselves do not move
    rtmp.service.resume_client(connection, state.opening)
    connection._read_for_chunk_size = session.in_chunk_size
    connection._noticed = set(state.noticed) or None
    for feed in state.feeds:
        publisher = publisher_of(feed.grant.stream_key, feed.publisher)
        publish = rtmp.service.resume_publish(feed.grant.publish_request(connection), publisher)
        publish.owner = connection
        connection.feeds = connection.feeds or {}
        connection.feeds[feed.message_stream_id] = (publish, publisher)
        rtmp.ingest.publishers.add(connection)
    if connection.feeds:
        connection._deliver_media()
    for play_state in state.plays:
        _resume_play(connection, play_state, stream_of, place_in)
    return connection


def _resume_play(
    connection: RtmpServerConnection,
    state: PlayState,
    stream_of: Callable[[StreamKey], Stream],
    place_in: Callable[[StreamKey, int], int],
) -> None:
    key = state.grant.stream_key
    stream = stream_of(key)
    grant = connection.service.resume_play(state.grant.play_request(connection), stream, state.grant.since_ms)
    grant.owner, grant.passed_bytes = connection, state.passed_bytes
    play = RtmpPlay(state.message_stream_id, grant)
    play.asked_ms = 0
    connection.plays.add(play)
    if state.place is None and state.writer is None:
        connection._pause(play)
        return
    # The peer has been told a chunk size, which may not be the one that others are told now.
    play.form = RtmpForm(connection._session.out_chunk_size, state.tracks)
    if state.writer is not None:
        _resume_writer(connection, play, play.form, state.writer, lambda seq: place_in(key, seq))
        return
    assert state.place is not None
    opening = RtmpOpening.of(stream, play.form, state.message_stream_id)
    opening.go_on(state.base_ms, state.low_bases)
    player = connection.player = RtmpPlayer(connection, connection.direct_send, opening)
    put_in_place(player, state.place)
    seq = place_in(key, state.place.seq)
    connection.context.fanout.attach_at(player, stream, play.form, seq, has_begun=state.place.has_begun)


def _resume_writer(
    connection: RtmpServerConnection,
    play: RtmpPlay,
    form: RtmpForm,
    place: WriterPlace,
    place_in: Callable[[int], int],
) -> None:
    writers = connection._open_writers(form.chunk_size)
    offset_ms = play.stream.config.timestamp_offset
    play.writer = writers.open(play.stream, play.message_stream_id, form, is_hop=False, timestamp_offset=offset_ms)
    play.writer.is_told_early = play.hears_errors_only
    put_writer_in_place(play.writer, place, place_in)


def go_on_rtmp(connection: RtmpServerConnection) -> None:
    """The other process has let go: send what is still to be sent."""
    player = connection.player
    if connection.flush() and player is not None and player.fan is not None:
        player.fan.on_writable(player)
    if connection.state == "open":
        connection.send_session()


def let_go_rtmp(connection: RtmpServerConnection) -> None:
    """Its session, plays and publishes are another process's."""
    service = connection.service
    service.hand_over_client(connection)
    for publish, _ in (connection.feeds or {}).values():
        publish.owner = None
        service.hand_over_publish(publish)
    connection.feeds = None
    connection.rtmp.ingest.publishers.discard(connection)
    for message_stream_id in connection.plays:
        play = connection.plays.pop(message_stream_id)
        if play is None:
            continue
        service.hand_over_play(play.grant)
        play.grant.owner = None
        if play.paused is not None:
            play.paused.close()
    player, connection.player = connection.player, None
    if player is not None and player.fan is not None:
        player.leave()
    connection._close_writers()
    let_go(connection)
