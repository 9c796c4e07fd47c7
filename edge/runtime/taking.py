"""The new process of a hand-over: takes the sockets of the old one, and goes on with its connections.

All is put in its place first, with nothing read and nothing sent. Only when the old process has
let go does this one begin; until then it may end in any way, and the old one goes on.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from edge.errors import ConfigError, HandoverError
from edge.handover.channel import Channel
from edge.handover.documents import Hello, Listeners, Parcel, StreamBody, Totals, decode, decode_versioned, encode
from edge.handover.frames import MAX_BODY_BYTES, VERSION, Frame, Kind
from edge.handover.keys import SocketKey
from edge.hls.handover import VERSION as HLS_VERSION
from edge.hls.handover import HlsImport
from edge.hub.handover import StreamImport
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.net.accepted import Accepted
from edge.net.address import NOWHERE, Address, host_of
from edge.net.aio import now_ms
from edge.net.byte_stream import ListeningSocket, SocketStream, stream_of
from edge.net.connection import RawConnection
from edge.net.handover import VERSION as LOG_VERSION
from edge.net.handover import LogState, go_on_log, resume_log
from edge.net.log_connection import LogConnection
from edge.net.rtmp.handover import VERSION as RTMP_VERSION
from edge.net.rtmp.handover import RtmpState, go_on_rtmp, resume_rtmp
from edge.net.rtmp.server import RtmpServerConnection
from edge.runtime import exit_codes
from edge.runtime.vhosts_gone import end_gone

if TYPE_CHECKING:
    from edge.runtime.node import Node
    from edge.runtime.unit import ServiceUnit

logger = logging.getLogger(__name__)

_INHERITED = "fd:"
#: Naming services that have not answered by then are followed later, as at any start.
_READY_WITHIN_MS = 5000


class _NoEntrance:
    """Of a connection whose protocol is known."""

    role = ""
    is_internal = False

    def detect(self, accepted: Accepted) -> None:
        raise NotImplementedError


_NO_ENTRANCE = _NoEntrance()


def open_channel(place: str) -> Channel:
    """To the old process: the path of its socket, or ``fd:N`` for one that was inherited.

    Whoever may write to the folder of a path can put a socket there, and would be given what clients send.

    Raises:
        HandoverError: nobody is there, or a process of another user.
    """
    try:
        if place.startswith(_INHERITED):
            return Channel(socket.socket(fileno=int(place.removeprefix(_INHERITED))))
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(place)
        except OSError:
            sock.close()
            raise
    except (OSError, ValueError) as error:
        raise HandoverError(f"{place}: {error}", reason="handover_broken") from error
    channel = Channel(sock)
    try:
        channel.check_user("hand over")
    except HandoverError:
        channel.close()
        raise
    return channel


class Taker:
    """Takes everything over, step by step; whatever fails raises HandoverError, and the process is to end.

    Attributes:
        old_pid: the process that all is taken over from, 0 where the system does not say.
    """

    def __init__(self, node: Node, channel: Channel) -> None:
        self.old_pid, _ = channel.peer_ids()
        self._node = node
        self._channel = channel
        self._imports: dict[tuple[str, StreamKey], StreamImport] = {}
        self._hls: dict[StreamImport, HlsImport] = {}
        self._connections: list[tuple[RawConnection, Callable[[], None]]] = []
        self._undecided: list[tuple[SocketKey, SocketStream, Address, bool]] = []
        self._count = 0
        self._began_ms = 0

    async def prepare(self, *, within_ms: int) -> None:
        """Get the listening sockets and all that takes time; raises ConfigError where a further port is busy."""
        node, channel = self._node, self._channel
        channel.set_deadline(within_ms)
        hello = Hello(
            VERSION, node.settings.version, os.getpid(), HLS_VERSION, takes_permits=True, takes_token_keys=True
        )
        channel.send(Kind.HELLO, encode(hello))
        frame = channel.expect(Kind.LISTENERS)
        listeners = decode(frame.body, Listeners)
        if len(listeners.keys) != len(frame.descriptors):
            raise HandoverError("listening sockets are missing", reason="handover_malformed")
        inherited = {
            key: ListeningSocket.of_descriptor(fd) for key, fd in zip(listeners.keys, frame.descriptors, strict=True)
        }
        try:
            node.open_sockets(inherited)
        except ConfigError as error:
            channel.send(Kind.REFUSED, error.detail.encode())
            raise
        if listeners.permit_secret:
            node.access.own_permit_secret = listeners.permit_secret
        node.access.take_token_keys(listeners.token_keys)
        await node.get_ready(_READY_WITHIN_MS)
        logger.info("hand-over from version %s: ready to serve", listeners.program)

    def take(self) -> None:
        """Take all over, in one call: from the last byte that the old process sends on, this one serves."""
        channel = self._channel
        channel.reader.max_body_bytes = MAX_BODY_BYTES
        channel.send(Kind.READY)
        last: StreamImport | None = None
        while True:
            frame = channel.receive()
            self._began_ms = self._began_ms or now_ms()
            if frame.kind is Kind.STREAM:
                last = self._take_stream(frame)
            elif frame.kind is Kind.FRAMES and last is not None:
                last.add_frames(frame.body)
            elif frame.kind is Kind.HLS and last is not None:
                self._hls.setdefault(last, HlsImport()).add(frame.body)
            elif frame.kind is Kind.CONNECTIONS:
                self._take_connections(frame)
            elif frame.kind is Kind.END:
                break
            else:
                raise HandoverError(f"{frame.kind.name} out of turn", reason="handover_malformed")
        self._resume_streams()
        totals = Totals(len(self._imports), self._count)
        channel.send(Kind.PREPARED, encode(totals))
        channel.expect(Kind.COMMIT)
        channel.send(Kind.SERVING)
        channel.close()

    def go_on(self) -> None:
        """It is ours: send what is still to be sent, and read what has come."""
        for unit in self._node.units:
            unit.service.go_on()
        for connection, go_on in self._connections:
            try:
                go_on()
            except Exception:
                connection.failed_internally()
        for key, wire, address, is_proxied in self._undecided:
            listener = self._node.listener_of(key)
            if listener is None:
                wire.close()
            else:
                accepted_ms = self._node.context.now_ms()
                listener.detect(Accepted(wire, address, listener, accepted_ms=accepted_ms, is_proxied=is_proxied))
        end_gone(self._node.units, self._node.settings)  # the files of vhosts may be others by now
        text = "hand-over done: %d connections of %d streams stood still for %d ms"
        logger.info(text, self._count, len(self._imports), now_ms() - self._began_ms)

    # --- streams -------------------------------------------------------------

    def _unit(self, name: str) -> ServiceUnit:
        units = self._node.units
        return next((unit for unit in units if unit.name == name), units[0])

    def _take_stream(self, frame: Frame) -> StreamImport:
        body = decode(frame.body, StreamBody)
        found = StreamImport(body.document)
        key = self._unit(body.service).name, StreamKey(*found.state.key)
        if key in self._imports:
            raise HandoverError(f"stream {key[1]} comes twice", reason="handover_malformed")
        self._imports[key] = found
        return found

    def _resume_streams(self) -> None:
        """Those whose connections have not asked for them yet: nodes may come for them."""
        for (name, key), found in self._imports.items():
            unit = self._unit(name)
            stream = self._stream(unit, key)
            hls = self._hls.get(found)
            if hls is not None and self._node.hls is not None:
                self._node.hls.resume(unit.service, stream, hls, found.place_of)

    def _stream(self, unit: ServiceUnit, key: StreamKey) -> Stream:
        known = unit.registry.find(key)
        if known is not None:
            return known
        stream = unit.registry.find_or_create(key, self._node.context.now_ms())
        found = self._imports.get((unit.name, key))
        if found is not None:
            found.resume(stream)
        return stream

    # --- connections -----------------------------------------------------------

    def _take_connections(self, frame: Frame) -> None:
        wires = [stream_of(socket.socket(fileno=fd)) for fd in frame.descriptors]
        parcels = decode(frame.body, list[Parcel])
        if len(parcels) != len(wires):
            raise HandoverError("descriptors and parcels differ", reason="handover_malformed")
        for parcel, wire in zip(parcels, wires, strict=True):
            self._count += 1
            if parcel.kind == "rtmp":
                rtmp = self._take_rtmp(parcel, wire)
                self._connections.append((rtmp, partial(go_on_rtmp, rtmp)))
            elif parcel.kind == "flv":
                player = self._take_log(parcel, wire)
                self._connections.append((player, partial(go_on_log, player)))
            elif parcel.kind == "undecided" and parcel.listener is not None:
                address = _address(parcel.document.decode(errors="replace"))
                self._undecided.append((parcel.listener, wire, address, parcel.is_proxied))
            else:
                raise HandoverError(f"a parcel of kind {parcel.kind[:32]}", reason="handover_version")

    def _take_rtmp(self, parcel: Parcel, wire: SocketStream) -> RtmpServerConnection:
        state = decode_versioned(parcel.document, RtmpState, RTMP_VERSION, "an RTMP connection")
        unit = self._unit(state.service)

        def stream_of_key(key: StreamKey) -> Stream:
            return self._stream(unit, key)

        def publisher_of(key: StreamKey, number: int) -> Publisher[Stream]:
            self._stream(unit, key)
            found = self._imports.get((unit.name, key))
            if found is None or not 0 <= number < len(found.publishers):
                raise HandoverError(f"no publisher {number} of {key}", reason="handover_malformed")
            return found.publishers[number]

        def place_in(key: StreamKey, seq: int) -> int:
            return self._place(unit, key, seq)

        accepted = Accepted(wire, _address(state.connection.peer), _NO_ENTRANCE)
        return resume_rtmp(state, accepted, unit.rtmp, stream_of_key, publisher_of, place_in)

    def _take_log(self, parcel: Parcel, wire: SocketStream) -> LogConnection:
        state = decode_versioned(parcel.document, LogState, LOG_VERSION, "a player of FLV")
        unit, key = self._unit(state.service), state.grant.stream_key
        stream = self._stream(unit, key)
        seq = self._place(unit, key, state.place.seq)
        return resume_log(state, wire, self._node.context, unit.service, stream, seq)

    def _place(self, unit: ServiceUnit, key: StreamKey, seq: int) -> int:
        found = self._imports.get((unit.name, key))
        return found.place_of(seq) if found is not None else 0


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host:
        return NOWHERE
    with suppress(ValueError):
        return Address(host_of(text), int(port))
    return NOWHERE


async def take_over(node: Node, place: str, *, within_ms: int) -> Taker:
    """Take over from the process at ``place`` (see ``open_channel``); ``go_on`` follows when this one listens.

    A process that fails amid that ends at once: what it holds are the other one's connections, which
    nothing may happen to.

    Raises:
        HandoverError: it has failed before anything was taken.
        ConfigError: a further port cannot be listened on.
    """
    taker = Taker(node, open_channel(place))
    await taker.prepare(within_ms=within_ms)
    try:
        taker.take()
    except BaseException as error:
        code = exit_codes.BUSY
        if isinstance(error, HandoverError):
            logger.error("the old process goes on, this one ends: %s", error)
        else:
            code = exit_codes.INTERNAL
            logger.critical("internal error: the old process goes on, this one ends", exc_info=True)
        logging.shutdown()
        os._exit(code)
    return taker
