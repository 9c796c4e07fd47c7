"""The old process of a hand-over: tells the new one all that it has, and gives its sockets away.

Until the new one has said that everything is in its place nothing is changed here: what is
told is a copy. Telling blocks the loop, so nothing happens to any connection meanwhile, and
whatever goes wrong the loop just goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from edge.errors import HandoverError
from edge.handover.channel import Channel
from edge.handover.documents import Hello, Listeners, Parcel, StreamBody, Totals, decode, encode
from edge.handover.frames import MAX_BODY_BYTES, MAX_DESCRIPTORS, VERSION, Frame, Kind
from edge.hls.handover import VERSION as HLS_VERSION
from edge.hub.handover import StreamExport
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.net.aio import now_ms
from edge.net.byte_stream import is_plain
from edge.net.detecting import Detecting
from edge.net.handover import export_log, let_go_log
from edge.net.log_connection import LogConnection
from edge.net.rtmp.handover import export_rtmp, let_go_rtmp
from edge.net.rtmp.server import RtmpServerConnection
from edge.net.ws_connection import WsConnection
from edge.service.service import Service

if TYPE_CHECKING:
    from edge.runtime.node import Node

logger = logging.getLogger(__name__)

_BODY_BYTES = 1048576
#: Sent by the old process after COMMIT: the answer of a process that lives takes a turn of its loop.
_DIES_WITHIN_MS = 5000

_NumberOf = Callable[[Publisher[Stream]], int]


class _Move(NamedTuple):
    """How a connection moves: the word of its parcel, its document, and what is done once it has moved."""

    kind: str
    export: Callable[[Any, _NumberOf], bytes]
    let_go: Callable[[Any], None]


_FLV = _Move("flv", lambda connection, _: export_log(connection), let_go_log)
_MOVES: dict[type, _Move] = {
    RtmpServerConnection: _Move("rtmp", export_rtmp, let_go_rtmp),
    LogConnection: _FLV,
    WsConnection: _FLV,
}


@dataclass(slots=True)
class Moving:
    """What moves.

    Attributes:
        connections: in the order of their parcels.
        publishers: by stream, in the order by which parcels name them.
        left_behind: why connections stay, and how many of each.
    """

    connections: list[Any] = field(default_factory=list)
    undecided: list[Detecting] = field(default_factory=list)
    parcels: list[tuple[Parcel, int]] = field(default_factory=list)
    publishers: dict[Stream, list[Publisher[Stream]]] = field(default_factory=dict)
    left_behind: dict[str, int] = field(default_factory=dict)

    def number_of(self, publisher: Publisher[Stream]) -> int:
        """The place of a publisher among those of its stream that move; it gets one."""
        moving = self.publishers.setdefault(publisher.stream, [])
        if publisher not in moving:
            moving.append(publisher)
        return moving.index(publisher)


async def greet(node: Node, channel: Channel, first: Frame, *, within_ms: int) -> Hello:
    """Answer the ``HELLO`` of a new process and wait until it could serve; the loop goes on meanwhile.

    Returns what it has said.

    Raises:
        HandoverError: it is of another version, fails, or takes too long.
    """
    hello = decode(first.body, Hello)
    if hello.version != VERSION:
        raise HandoverError(f"it speaks version {hello.version}, not {VERSION}", reason="handover_version")
    logger.info("hand-over begun pid=%d version=%s", hello.pid, hello.program)
    channel.set_deadline(within_ms)
    keys, descriptors = [], []
    for listener in node.listeners:
        key = node.key_of(listener)
        if key is not None:
            keys.append(key)
            descriptors.append(listener.sock.fileno())
    permits = node.access.own_permit_secret if hello.takes_permits else b""
    token_keys = node.access.token_keys() if hello.takes_token_keys else {}
    told = encode(Listeners(node.settings.version, keys[:MAX_DESCRIPTORS], permits, token_keys))
    channel.send(Kind.LISTENERS, told, descriptors[:MAX_DESCRIPTORS], is_acknowledged=False)  # nor does the loop wait
    try:
        async with asyncio.timeout(within_ms / 1000):
            while (frame := await next_frame(channel, node.loop)).kind is Kind.ACK:
                continue
    except TimeoutError:
        raise HandoverError(f"it was not ready within {within_ms} ms", reason="handover_broken") from None
    if frame.kind is not Kind.READY:
        raise HandoverError(f"{frame.kind.name}: {frame.body[:200].decode(errors='replace')}")
    return hello


async def next_frame(channel: Channel, loop: asyncio.AbstractEventLoop) -> Frame:
    """The next frame, without blocking the loop. Raises HandoverError at the end of the channel."""
    while (frame := channel.reader.next_frame()) is None:
        readable = loop.create_future()

        def on_readable(waiter: asyncio.Future[None] = readable) -> None:
            if not waiter.done():
                waiter.set_result(None)

        loop.add_reader(channel.fileno(), on_readable)
        try:
            await readable
        finally:
            loop.remove_reader(channel.fileno())
        channel.read_ready()
    return frame


def give(node: Node, channel: Channel, *, within_ms: int, pid: int = 0, hls_version: int = 0) -> Moving:
    """Tell all and give it away, in this one call: nothing else happens in the process meanwhile.

    ``pid``: of the new process, 0 where that is not known; ``hls_version``: see ``Hello``. When this returns
    the sockets are the new process's, and this one has only what could not move.

    Raises:
        HandoverError: nothing has been given, and nothing has changed.
    """
    channel.set_deadline(within_ms)
    channel.reader.max_body_bytes = MAX_BODY_BYTES
    node.context.fanout.flush_all()
    moving = _choose(node)
    stream_count = _tell_streams(node, channel, moving, takes_hls=hls_version == HLS_VERSION)
    _tell_connections(node, channel, moving)
    totals = Totals(stream_count, len(moving.parcels))
    channel.send(Kind.END, encode(totals))
    prepared = decode(channel.expect(Kind.PREPARED).body, Totals)
    if prepared != totals:
        raise HandoverError(f"{prepared} in place of {totals}")
    try:
        channel.send(Kind.COMMIT)
        channel.expect(Kind.SERVING)
    except HandoverError:
        _make_sure_it_is_gone(channel, pid)
        raise
    for connection in moving.connections:
        _MOVES[type(connection)].let_go(connection)
    for undecided in moving.undecided:
        undecided.let_go()
    for listener in node.listeners:
        listener.close()
    _let_go_http(node)
    return moving


def _let_go_http(node: Node) -> None:
    """Whoever asks again is to ask the new process."""
    if node.http.service is not None:
        node.http.service.is_handed_over = True
    if node.hls is not None:
        node.hls.shelf.let_go()


def _choose(node: Node) -> Moving:
    moving = Moving()
    connections: list[Any] = list(node.context.connections)
    for connection in connections:
        move = _MOVES.get(type(connection))
        if move is None:
            _stays(moving, connection.describe().protocol or "other")
            continue
        known = {stream: len(publishers) for stream, publishers in moving.publishers.items()}
        try:
            document = move.export(connection, moving.number_of)
        except HandoverError as error:
            for stream, publishers in moving.publishers.items():
                del publishers[known.get(stream, 0) :]
            _stays(moving, error.detail)
            continue
        moving.connections.append(connection)
        moving.parcels.append((Parcel(move.kind, document), connection.fd))
    for undecided in node.limits.undecided:
        accepted = undecided.accepted
        key = node.key_of(accepted.entrance)
        if key is not None and isinstance(undecided, Detecting) and is_plain(accepted.wire):
            peer = str(accepted.address).encode()
            moving.undecided.append(undecided)
            moving.parcels.append((Parcel("undecided", peer, key, accepted.is_proxied), accepted.wire.fileno()))
    return moving


def _stays(moving: Moving, why: str) -> None:
    moving.left_behind[why] = moving.left_behind.get(why, 0) + 1


def _tell_streams(node: Node, channel: Channel, moving: Moving, *, takes_hls: bool) -> int:
    count, left_bytes = 0, node.settings.net.upgrade_hls_max_mb * 1000000 if takes_hls else 0
    for unit in node.units:
        for stream in list(unit.registry.streams.values()):
            wait_ms = max(stream.config.publisher_grace_ms, stream.config.publisher_return_ms)
            publishers = moving.publishers.get(stream, [])
            is_awaited = stream.pull is None and stream.publisher is not None and stream.publisher not in publishers
            grace_until_ms = now_ms() + wait_ms if is_awaited else 0
            export = StreamExport(stream, publishers, grace_until_ms=grace_until_ms)
            channel.send(Kind.STREAM, encode(StreamBody(unit.name, export.document())))
            for document in export.frame_documents(_BODY_BYTES):
                channel.send(Kind.FRAMES, document)
            left_bytes = _tell_hls(node, channel, unit.service, stream, left_bytes)
            count += 1
    return count


def _tell_hls(node: Node, channel: Channel, service: Service, stream: Stream, left_bytes: int) -> int:
    """What was made of it for HLS, where that is no more than ``left_bytes``; returns what of these is left."""
    found = node.hls.shelf.find(service, stream.key) if node.hls is not None else None
    if found is None or found.stream is not stream or left_bytes <= 0:
        return left_bytes
    size = found.size_bytes
    if size > left_bytes:
        logger.info("hand-over without the %d bytes of HLS of key=%s: -upgrade_hls_max_mb", size, stream.key)
        return left_bytes
    for document in found.documents():
        if len(document) <= MAX_BODY_BYTES:
            channel.send(Kind.HLS, document)
    return left_bytes - size


def _tell_connections(node: Node, channel: Channel, moving: Moving) -> None:
    batch: list[tuple[Parcel, int]] = []
    size = 0
    for parcel in moving.parcels:
        batch.append(parcel)
        size += len(parcel[0].document)
        if len(batch) == MAX_DESCRIPTORS or size >= _BODY_BYTES:
            _send_parcels(channel, batch)
            batch, size = [], 0
    if batch:
        _send_parcels(channel, batch)


def _send_parcels(channel: Channel, batch: list[tuple[Parcel, int]]) -> None:
    channel.send(Kind.CONNECTIONS, encode([parcel for parcel, _ in batch]), [fd for _, fd in batch])


def _make_sure_it_is_gone(channel: Channel, pid: int) -> None:
    """It may have begun to serve and cannot say so: two must not write to the same sockets."""
    if pid > 0 and pid != os.getpid():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    channel.set_deadline(_DIES_WITHIN_MS)
    with suppress(HandoverError):
        while True:
            channel.receive()
