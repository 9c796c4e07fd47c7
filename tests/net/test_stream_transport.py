"""A connection as a transport: as asyncio's own, and what its own cannot do."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from edge.net.accepted import Accepted, TlsFacts
from edge.net.address import NOWHERE, address_of
from edge.net.byte_stream import ByteStream, stream_of
from edge.net.config import NetConfig
from edge.net.context import NetContext
from edge.net.stream_transport import StreamTransport
from tests.net.live import eventually
from tests.net.pipes import PipeWire, joined, played_context

BIG = bytes(range(256)) * 40_000


class Door:
    role, is_internal = "test", False

    def detect(self, accepted: Accepted) -> None:
        raise AssertionError("nothing is detected here")


class Recording(asyncio.Protocol):
    """Remembers what it was told."""

    def __init__(self, *, keeps_open: bool = False) -> None:
        self.keeps_open = keeps_open
        self.told: list[str] = []
        self.data = b""
        self.errors: list[BaseException | None] = []
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.keeps_open

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.told.append("lost")
        self.errors.append(exc)


@pytest.fixture
async def context() -> AsyncIterator[NetContext]:
    made = NetContext(asyncio.get_running_loop(), NetConfig())
    yield made
    for connection in list(made.connections):
        connection.close_now("test over")
    await asyncio.sleep(0)
    assert len(made.poller) == 0
    made.close()


class Rig:
    """One protocol over TCP, by a transport of asyncio or of ours, and the peer's socket."""

    def __init__(self, kind: str, context: NetContext) -> None:
        self.kind, self.context = kind, context
        self.peer: socket.socket = socket.socket()

    async def start(self, protocol: Recording) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.peer.connect(listening.getsockname())
            sock, name = listening.accept()
        self.peer.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        if self.kind == "asyncio":
            sock.setblocking(False)
            await self.context.loop.connect_accepted_socket(lambda: protocol, sock)
        else:
            accepted = Accepted(stream_of(sock), address_of(name), Door())
            StreamTransport(accepted, self.context, protocol, protocol_word="x", role="y").start()
        return protocol.transport

    async def read(self, size: int) -> bytes:
        found = b""
        async with asyncio.timeout(10):
            while len(found) < size and (data := await self.context.loop.sock_recv(self.peer, 65536)):
                found += data
        return found

    def reset(self) -> None:
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()


@pytest.fixture(params=["asyncio", "ours"])
async def rig(request: pytest.FixtureRequest, context: NetContext) -> AsyncIterator[Rig]:
    made = Rig(request.param, context)
    yield made
    made.peer.close()


@pytest.fixture
async def ours(context: NetContext) -> AsyncIterator[Rig]:
    made = Rig("ours", context)
    yield made
    made.peer.close()


# --- as asyncio's --------------------------------------------------------------


async def test_bytes_both_ways_and_who_is_there(rig: Rig) -> None:
    protocol = Recording()
    transport = await rig.start(protocol)
    rig.peer.send(b"hello")
    await eventually(lambda: protocol.data == b"hello", "bytes")
    transport.write(b"a")
    transport.writelines([b"b", memoryview(b"c"), bytearray(b"d")])
    transport.write(b"")
    assert await rig.read(4) == b"abcd"
    assert transport.get_extra_info("peername") == rig.peer.getsockname()
    assert transport.get_extra_info("sockname") == rig.peer.getpeername()
    assert transport.get_extra_info("socket").getpeername() == rig.peer.getsockname()
    assert transport.get_extra_info("sslcontext") is None
    assert transport.get_extra_info("nothing", 7) == 7
    assert (transport.is_closing(), transport.is_reading(), transport.can_write_eof()) == (False, True, True)
    transport.close()
    assert (transport.is_closing(), transport.is_reading()) == (True, False)
    await eventually(lambda: protocol.told == ["lost"], "the end")
    assert (protocol.errors, await rig.read(1)) == ([None], b"")


async def test_reading_is_paused_and_goes_on(rig: Rig) -> None:
    protocol = Recording()
    transport = await rig.start(protocol)
    transport.pause_reading()
    transport.pause_reading()
    rig.peer.send(b"x")
    await asyncio.sleep(0.02)
    assert (protocol.data, transport.is_reading()) == (b"", False)
    transport.resume_reading()
    transport.resume_reading()
    await eventually(lambda: protocol.data == b"x", "bytes")
    transport.abort()
    await eventually(lambda: protocol.told == ["lost"], "the end")


async def test_a_full_buffer_pauses_the_writer_and_all_arrives(rig: Rig) -> None:
    protocol = Recording()
    transport = await rig.start(protocol)
    transport.set_write_buffer_limits(high=100_000)
    assert transport.get_write_buffer_limits() == (25_000, 100_000)
    transport.write(BIG)
    transport.write(b"end")
    assert protocol.told == ["pause"] and transport.get_write_buffer_size() > 100_000
    assert (await rig.read(len(BIG) + 3) == BIG + b"end") is True
    await eventually(lambda: protocol.told == ["pause", "resume"], "room")
    assert transport.get_write_buffer_size() == 0
    with pytest.raises(ValueError, match="must be"):
        transport.set_write_buffer_limits(high=1, low=2)
    transport.set_write_buffer_limits(low=10)
    assert transport.get_write_buffer_limits() == (10, 40)
    transport.close()
    await eventually(lambda: protocol.told[-1] == "lost", "the end")


async def test_close_writes_what_waits_and_no_more(rig: Rig) -> None:
    protocol = Recording()
    transport = await rig.start(protocol)
    transport.write(BIG)
    transport.close()
    transport.close()
    if rig.kind == "ours":  # asyncio's would take it, and reset for what is unread
        transport.write(b"too late")
        rig.peer.send(b"not read")
    assert (await rig.read(len(BIG) + 1) == BIG) is True
    await eventually(lambda: protocol.told[-1] == "lost", "the end")
    assert (protocol.errors, protocol.data) == ([None], b"")


async def test_abort_drops_what_waits(rig: Rig) -> None:
    protocol = Recording()
    transport = await rig.start(protocol)
    transport.write(BIG)
    transport.abort()
    transport.abort()
    await eventually(lambda: protocol.told[-1] == "lost", "the end")
    assert protocol.errors == [None]
    assert len(await rig.read(len(BIG))) < len(BIG)


async def test_the_end_of_the_peer_closes_when_nobody_minds(rig: Rig) -> None:
    protocol = Recording()
    transport = await rig.start(protocol)
    transport.write(BIG)
    rig.peer.send(b"bye")
    rig.peer.shutdown(socket.SHUT_WR)
    await eventually(lambda: "eof" in protocol.told, "the end of the peer")
    assert (protocol.data, transport.is_closing()) == (b"bye", True)
    assert (await rig.read(len(BIG) + 1) == BIG) is True
    await eventually(lambda: protocol.told[-1] == "lost", "the end")
    assert protocol.errors == [None]


async def test_the_end_of_the_peer_leaves_the_writer_when_it_wants_to(rig: Rig) -> None:
    protocol = Recording(keeps_open=True)
    transport = await rig.start(protocol)
    rig.peer.shutdown(socket.SHUT_WR)
    await eventually(lambda: protocol.told == ["eof"], "the end of the peer")
    transport.write(b"after all")
    assert await rig.read(9) == b"after all"
    assert protocol.told == ["eof"]
    transport.close()
    await eventually(lambda: protocol.told == ["eof", "lost"], "the end")


async def test_our_own_end_leaves_the_reader(rig: Rig) -> None:
    protocol = Recording()
    transport = await rig.start(protocol)
    transport.write(BIG)
    transport.write_eof()
    with pytest.raises(RuntimeError):
        transport.write(b"more")
    assert (await rig.read(len(BIG) + 1) == BIG) is True
    rig.peer.send(b"heard")
    await eventually(lambda: protocol.data == b"heard", "bytes")
    rig.peer.close()
    await eventually(lambda: protocol.told[-1] == "lost", "the end")
    assert protocol.errors == [None]


@pytest.mark.parametrize("is_writing", [False, True])
async def test_a_reset_is_an_error(rig: Rig, is_writing: bool) -> None:
    protocol = Recording()
    transport = await rig.start(protocol)
    if is_writing:
        transport.pause_reading()
        transport.write(BIG)
    rig.reset()
    await eventually(lambda: protocol.told[-1:] == ["lost"], "the end")
    (error,) = protocol.errors
    assert isinstance(error, ConnectionError) and transport.is_closing()
    transport.write(b"nobody is there")
    transport.close()


# --- of our own ------------------------------------------------------------------


async def test_a_reset_is_noticed_though_reading_is_paused(ours: Rig) -> None:
    protocol = Recording()
    transport = await ours.start(protocol)
    transport.pause_reading()
    ours.reset()
    await eventually(lambda: protocol.told == ["lost"], "the end")
    assert isinstance(protocol.errors[0], ConnectionError)


async def test_it_is_listed_like_any_connection(ours: Rig) -> None:
    protocol = Recording()
    transport = await ours.start(protocol)
    ours.peer.send(b"abc")
    await eventually(lambda: protocol.data, "bytes")
    transport.write(b"defg")
    (connection,) = ours.context.connections
    facts = connection.describe()
    assert (facts.protocol, facts.role, facts.received_bytes, facts.sent_bytes) == ("x", "y", 3, 4)
    assert connection.last_active_ms() is None, "it has time limits of its own"
    connection.shut_down("the end")
    assert connection.state == "open", "so has its protocol"
    assert ours.context.connections.count_from("127.0.0.1") == 1
    connection.abort("internal")
    await eventually(lambda: protocol.told == ["lost"], "the end")


async def test_an_answer_is_not_overtaken_by_a_reset(ours: Rig) -> None:
    protocol = Recording()
    transport = await ours.start(protocol)
    ours.peer.send(b"x" * 100_000)
    transport.write(b"no")
    transport.close()
    await asyncio.sleep(0.01)
    assert await ours.read(3) == b"no"
    assert protocol.told == ["lost"]


async def test_what_fails_in_the_protocol_ends_it_alone(ours: Rig, caplog: pytest.LogCaptureFixture) -> None:
    protocol = Recording()
    await ours.start(protocol)
    protocol.data_received = lambda data: 1 // 0  # type: ignore[assignment, method-assign]
    ours.peer.send(b"x")
    await eventually(lambda: protocol.told == ["lost"], "the end")
    assert ours.context.poller.internal_error_count == 1


async def test_what_is_encrypted_says_so(context: NetContext) -> None:
    wire, theirs = socket.socketpair()
    facts = TlsFacts("TLSv1.3")
    protocol = Recording()
    transport = StreamTransport(
        Accepted(stream_of(wire), NOWHERE, Door(), facts), context, protocol, protocol_word="x", role="y"
    )
    assert transport.get_extra_info("sslcontext") is transport.get_extra_info("ssl_object") is facts
    assert transport.get_extra_info("peername") is None
    transport.start()
    theirs.close()
    await eventually(lambda: protocol.told == ["eof", "lost"], "the end")


async def test_nothing_holds_on_to_what_has_ended(ours: Rig) -> None:
    transport = await ours.start(Recording())
    gone = [weakref.ref(transport.get_protocol()), weakref.ref(transport)]
    gc.collect()
    gc.disable()
    try:
        transport.get_protocol().transport = None
        transport.close()
        del transport
        ours.peer.close()
        await eventually(lambda: not ours.context.connections, "the peer's end")
        await asyncio.sleep(0)
        assert [one() for one in gone] == [None, None]
    finally:
        gc.enable()


async def test_a_wire_is_given_away_with_what_was_not_sent(ours: Rig) -> None:
    protocol = Recording()
    transport = await ours.start(protocol)
    transport.write(BIG)
    waiting = transport.get_write_buffer_size()
    wire, unsent = transport.detach()
    assert (len(unsent), bytes(BIG[-waiting:])) == (waiting, unsent)
    assert (transport.is_closing(), len(ours.context.connections), len(ours.context.poller)) == (True, 0, 0)
    with pytest.raises(ConnectionError):
        transport.detach()
    transport.write(b"lost")
    transport.close()
    transport.abort()
    await asyncio.sleep(0)
    assert protocol.told == ["pause"], "it hears nothing more"
    assert len(await ours.read(len(BIG) - waiting)) == len(BIG) - waiting
    assert wire.send(b"goes on") == 7
    assert await ours.read(7) == b"goes on"
    wire.close()


@pytest.mark.parametrize("record_bytes", [1, 3, 16, 200])
async def test_a_wire_that_keeps_bytes_back_carries_all(record_bytes: int) -> None:
    context, poller = played_context()
    wire, theirs = joined(record_bytes)
    protocol = Recording(keeps_open=True)
    for _ in range(0, 200, record_bytes):
        theirs.send(b"x" * record_bytes)
    stream: ByteStream = wire
    transport = StreamTransport(Accepted(stream, NOWHERE, Door()), context, protocol, protocol_word="x", role="y")
    transport.start()
    await eventually(lambda: not poller.turn(wire) and not wire.has_unread, "all to be read")
    assert len(protocol.data) >= 200
    wire.room_bytes = 0
    transport.write(b"y" * 200)
    assert transport.get_write_buffer_size() > 0
    transport.close()
    assert protocol.told == [], "it waits for what the wire keeps back"
    while len(theirs.arrived) < 200:
        wire.room_bytes = 7
        poller.turn(wire)
    await asyncio.sleep(0)
    assert (bytes(theirs.arrived), protocol.told, wire.has_ended) == (b"y" * 200, ["lost"], True)
    (left,) = context.connections
    left.close_now("test over")
    context.close()


class Parting(PipeWire):
    """A wire with last words of its own, as TLS has."""

    def end_sending(self) -> None:
        self._unsent += b"farewell"
        super().end_sending()


async def test_last_words_of_a_wire_that_has_no_room_for_them_go_out_later() -> None:
    context, poller = played_context()
    wire, theirs = Parting(200), PipeWire(200)
    wire.peer, theirs.peer = theirs, wire
    stream: ByteStream = wire
    protocol = Recording(keeps_open=True)
    transport = StreamTransport(Accepted(stream, NOWHERE, Door()), context, protocol, protocol_word="x", role="y")
    transport.start()
    transport.write(b"all")
    wire.room_bytes = 0
    transport.write_eof()
    wire.room_bytes = None
    poller.turn(wire)
    assert (bytes(theirs.arrived), theirs.is_at_end) == (b"allfarewell", True)
    (left,) = context.connections
    left.close_now("test over")
    context.close()
