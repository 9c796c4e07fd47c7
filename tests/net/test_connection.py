"""A raw socket: what is queued goes out in order, and closing loses no last word."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from edge.net.byte_stream import ByteStream, stream_of
from edge.net.config import NetConfig
from edge.net.connection import RawConnection
from edge.net.context import NetContext
from edge.net.poller import READ, WRITE
from tests.net.live import eventually
from tests.net.pipes import joined as joined_wires
from tests.net.pipes import played_context
from tests.net.serving import Node, Nodes, wait_until


class Echoing(RawConnection):
    """Keeps what comes, and why it was closed."""

    def __init__(self, wire: ByteStream, node: Node) -> None:
        super().__init__(wire, node.context)
        self.data = b""
        self.why: list[str] = []

    def on_data(self, data: bytes) -> None:
        self.data += data

    def on_closed(self, why: str) -> None:
        self.why.append(why)


def joined(node: Node) -> tuple[Echoing, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    theirs.setblocking(False)
    return Echoing(stream_of(ours), node), theirs


def read_all(sock: socket.socket) -> bytes:
    found = b""
    try:
        while data := sock.recv(65536):
            found += data
    except BlockingIOError:
        pass
    return found


async def test_bytes_both_ways() -> None:
    async with Nodes() as nodes:
        connection, peer = joined(nodes.add())
        peer.send(b"hello")
        await wait_until(lambda: connection.data == b"hello", 2, "bytes")
        for piece in (b"a", b"", b"bc", memoryview(b"d")):
            connection.enqueue(piece)
        assert connection.queued_bytes == 4
        assert connection.flush()
        assert read_all(peer) == b"abcd"
        assert (connection.queued_bytes, connection.total_sent_bytes(), connection.received_bytes) == (0, 4, 5)
        peer.close()
        await wait_until(lambda: connection.state == "closed", 2, "end")
        assert connection.why == ["closed by the peer"]


async def test_what_the_kernel_does_not_take_waits_and_keeps_its_order() -> None:
    async with Nodes() as nodes:
        connection, peer = joined(nodes.add())
        wanted = b"".join(bytes([n % 251]) * 300_000 for n in range(60))
        for begin in range(0, len(wanted), 170_000):
            connection.enqueue(wanted[begin : begin + 170_000])
        assert not connection.flush()
        found = b""
        while len(found) < len(wanted):
            found += read_all(peer)
            await asyncio.sleep(0)
        assert found == wanted
        await wait_until(lambda: connection.queued_bytes == 0, 2, "all sent")
        peer.close()


async def test_socket_is_described_with_what_waits_in_it() -> None:
    async with Nodes() as nodes:
        connection, peer = joined(nodes.add())
        facts = connection.describe_socket()
        assert (facts.number, facts.fd, facts.state) == (connection.number, connection.fd, "open")
        assert facts.local == f"127.0.0.1:{peer.getpeername()[1]}"
        assert (facts.queued_bytes, facts.behind_bytes, facts.is_blocked, facts.is_polled) == (0, 0, False, True)
        connection.send(bytes(32 << 20))
        facts = connection.describe_socket()
        assert facts.queued_bytes == connection.queued_bytes > 0
        assert facts.is_blocked and not facts.is_encrypted
        connection.close_now("test")
        assert connection.describe_socket().local == "?"
        peer.close()


async def test_bytes_go_out_at_once_unless_the_kernel_is_known_to_be_full() -> None:
    async with Nodes() as nodes:
        connection, peer = joined(nodes.add())
        connection.send(b"first")
        assert (connection.queued_bytes, read_all(peer)) == (0, b"first")
        connection.send(bytes(10_000_000))
        waiting = connection.queued_bytes
        assert waiting > 0
        read_all(peer)
        connection.send(b"x")
        assert connection.queued_bytes == waiting + 1, "it waits until the poller says that there is room"
        peer.close()


@pytest.mark.parametrize("has_unread", [False, True])
async def test_graceful_close_delivers_the_last_word(has_unread: bool) -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        connection, peer = joined(node)
        if has_unread:
            peer.send(b"x" * 1000)
        connection.enqueue(b"goodbye")
        connection.close_gracefully("done")
        connection.close_gracefully("again")
        await asyncio.sleep(0.02)
        assert read_all(peer) == b"goodbye"
        assert connection.why == ["done"]
        peer.close()
        await wait_until(lambda: connection.state == "closed", 2, "closed with the peer")
        assert connection not in node.context.connections


async def test_graceful_close_does_not_wait_for_ever() -> None:
    async with Nodes() as nodes:
        connection, peer = joined(nodes.add(reject_linger_ms=10))
        connection.enqueue(b"x" * 10_000_000)
        connection.close_gracefully("done")
        await wait_until(lambda: connection.state == "closed", 2, "closed")
        peer.close()


async def test_abort_tells_once() -> None:
    async with Nodes() as nodes:
        connection, peer = joined(nodes.add())
        connection.abort("test")
        connection.close_now("again")
        connection.enqueue(b"x")
        assert connection.why == ["test"]
        assert connection.queued_bytes == 0
        peer.close()


async def test_reading_may_be_left_to_a_timer() -> None:
    async with Nodes() as nodes:
        connection, peer = joined(nodes.add())
        connection.poll_reads(False)
        peer.send(b"x")
        await asyncio.sleep(0.02)
        assert connection.data == b""
        assert connection.read_some() == 1
        assert connection.read_some() == 0
        connection.close_now("end")
        peer.close()


async def test_what_the_wire_holds_is_told_of_as_bytes_that_come_are() -> None:
    """Of a TLS record that has been read in part the poller tells nothing."""

    class Holding:
        has_unread, has_unsent = True, False

        def __init__(self, wire: ByteStream) -> None:
            self.wire = wire

        def __getattr__(self, name: str) -> object:
            return getattr(self.wire, name)

    async with Nodes() as nodes:
        connection, peer = joined(nodes.add())
        connection.poll_reads(False)
        told: list[int] = []
        connection.tell_of_bytes(lambda: told.append(1))
        await asyncio.sleep(0)
        assert not told
        connection.wire = Holding(connection.wire)  # type: ignore[assignment]
        connection.tell_of_bytes(lambda: told.append(2))
        await asyncio.sleep(0)
        assert told == [2]
        connection.tell_of_bytes(lambda: told.append(3))
        connection.close_now("end")
        await asyncio.sleep(0)
        assert told == [2]
        peer.close()


# --- over TCP, polled by the loop --------------------------------------------


class Recorder(RawConnection):
    """Remembers what it was told; fails when it is asked to."""

    def __init__(self, wire: ByteStream, context: NetContext) -> None:
        super().__init__(wire, context)
        self.got: list[bytes] = []
        self.whys: list[str] = []
        self.answer = b""
        self.is_publishing = False

    @property
    def is_feeding(self) -> bool:
        return self.is_publishing

    def on_data(self, data: bytes) -> None:
        self.got.append(data)
        self.send(self.answer)
        if data == b"fail":
            raise RuntimeError("injected")

    def on_closed(self, why: str) -> None:
        self.whys.append(why)


def tcp_pair(context: NetContext) -> tuple[Recorder, socket.socket]:
    """A connection of ours and the peer's blocking end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    theirs.settimeout(2)
    return Recorder(stream_of(ours), context), theirs


@pytest.fixture
async def context() -> AsyncIterator[NetContext]:
    made = NetContext(asyncio.get_running_loop(), NetConfig())
    yield made
    assert not made.connections
    assert len(made.poller) == 0
    made.close()


@pytest.fixture
async def pair(context: NetContext) -> AsyncIterator[tuple[Recorder, socket.socket]]:
    connection, theirs = tcp_pair(context)
    yield connection, theirs
    connection.close_now("test over")
    theirs.close()


async def test_no_more_is_read_at_once_than_the_limit(pair: tuple[Recorder, socket.socket]) -> None:
    connection, theirs = pair
    connection.read_limit = 2
    theirs.sendall(b"abc")
    await eventually(lambda: connection.got == [b"ab", b"c"], "reads of two bytes")
    assert connection.received_bytes == 3


async def test_input_after_a_graceful_close_is_discarded_and_does_not_reset(
    pair: tuple[Recorder, socket.socket],
) -> None:
    connection, theirs = pair
    theirs.sendall(b"unread" * 1000)
    connection.enqueue(b"refused")
    connection.close_gracefully("refused")
    connection.close_gracefully("again")
    await asyncio.sleep(0.02)
    theirs.sendall(b"more")
    assert theirs.recv(100) == b"refused"
    assert theirs.recv(100) == b""
    assert (connection.got, connection.whys) == ([], ["refused"])


async def test_end_by_the_peer_and_reset_are_told_apart(
    context: NetContext, pair: tuple[Recorder, socket.socket]
) -> None:
    connection, theirs = pair
    theirs.close()
    await eventually(lambda: connection.state == "closed", "the end")
    assert connection.whys == ["closed by the peer"]
    second, other = tcp_pair(context)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()
    await eventually(lambda: second.state == "closed", "the reset")
    assert second.whys == ["reset: Connection reset by peer"]
    second.enqueue(b"y")
    assert second.queued_bytes == 0, "nothing is queued on a closed connection"


async def test_T15_write_to_a_peer_that_has_gone_is_an_end(pair: tuple[Recorder, socket.socket]) -> None:
    connection, theirs = pair
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    connection.enqueue(b"x")
    assert not connection.flush()
    assert connection.state == "closed"


@pytest.mark.parametrize("is_publishing", [True, False])
async def test_end_of_a_stream_whose_publisher_closed_without_reading_our_acknowledgements(
    pair: tuple[Recorder, socket.socket], is_publishing: bool
) -> None:
    connection, theirs = pair
    connection.read_limit, connection.answer, connection.is_publishing = 1000, b"acknowledgement", is_publishing
    connection.send(b"never read")
    theirs.sendall(b"x" * 20_000)
    theirs.close()
    await eventually(lambda: connection.state == "closed", "the end")
    assert connection.got == [b"x" * 1000] * (20 if is_publishing else 1)
    assert connection.whys == ["reset: Connection reset by peer"]


async def test_end_of_a_stream_is_read_when_a_ping_finds_that_the_publisher_has_gone(
    pair: tuple[Recorder, socket.socket],
) -> None:
    connection, theirs = pair
    connection.is_publishing = True
    connection.poll_reads(False)
    connection.send(b"never read")
    theirs.sendall(b"x" * 20_000)
    theirs.close()
    connection.send(b"ping")
    connection.send(b"and more")
    assert (connection.state, connection.queued_bytes) == ("open", 0)
    await eventually(lambda: connection.state == "closed", "the end")
    assert b"".join(connection.got) == b"x" * 20_000


async def test_T15_out_of_band_byte_harms_nobody(pair: tuple[Recorder, socket.socket]) -> None:
    connection, theirs = pair
    theirs.send(b"!", socket.MSG_OOB)
    theirs.sendall(b"x")
    await eventually(lambda: connection.got == [b"x"], "what is in band")


async def test_R10_an_exception_ends_this_connection_only(
    context: NetContext, pair: tuple[Recorder, socket.socket]
) -> None:
    connection, theirs = pair
    healthy, other = tcp_pair(context)
    theirs.sendall(b"fail")
    await eventually(lambda: connection.state == "closed", "the end")
    assert connection.whys == ["internal"]
    assert context.poller.internal_error_count == 1
    other.sendall(b"x")
    await eventually(lambda: healthy.got == [b"x"], "the other's bytes")
    healthy.close_now("test over")
    other.close()


async def test_what_it_tells_of_itself(pair: tuple[Recorder, socket.socket]) -> None:
    connection, _ = pair
    connection.send(b"abc")
    facts = connection.describe()
    assert (facts.number, facts.peer, facts.role, facts.service) == (1, connection.peer, "idle", None)
    assert (facts.keys, facts.received_bytes, facts.sent_bytes) == ((), 0, 3)
    assert connection.last_active_ms() is None
    connection.shut_down("stopping")
    assert connection.whys == ["shutdown"]


# --- over a wire that keeps bytes back on both sides ---------------------------

WORDS = bytes(range(256)) * 2


@pytest.mark.parametrize("read_limit", [1, 3, 7, 512])
@pytest.mark.parametrize("record_bytes", [1, 2, 5, 100, 512])
async def test_what_the_poller_does_not_tell_of_is_read_all_the_same(record_bytes: int, read_limit: int) -> None:
    context, poller = played_context()
    ours, theirs = joined_wires(record_bytes)
    connection = Recorder(ours, context)
    connection.read_limit = read_limit
    for begin in range(0, len(WORDS), record_bytes):
        theirs.send(WORDS[begin : begin + record_bytes])
    while poller.turn(ours) or ours.has_unread:
        before = ours.reads
        await asyncio.sleep(0)
        assert ours.reads - before <= 8, "a turn of the loop has its bound"
    assert b"".join(connection.got) == WORDS
    connection.close_now("test over")
    context.close()


async def test_room_that_only_the_wire_had_asked_for_is_no_news() -> None:
    context, poller = played_context()
    ours, theirs = joined_wires(10)
    connection, ours.room_bytes = Recorder(ours, context), 25
    told: list[str] = []
    connection.on_writable = lambda: told.append("room")  # type: ignore[method-assign]
    assert connection.direct_send(WORDS[:30]) == 30
    assert poller.events(ours) & WRITE, "the end of it waits in the wire"
    ours.room_bytes = None
    assert connection.direct_send(WORDS[30:40]) == 10, "and goes out with what comes next"
    poller.turn(ours)
    assert (told, poller.events(ours) & WRITE) == ([], 0)
    assert bytes(theirs.arrived) == WORDS[:40]
    connection.want_write(True)
    poller.turn(ours)
    assert told == ["room"]
    connection.close_now("test over")
    context.close()


@pytest.mark.parametrize("room_bytes", [1, 3, 64, 1000])
@pytest.mark.parametrize("record_bytes", [1, 7, 100, 512])
async def test_what_the_wire_keeps_back_goes_out_without_anybody_asking(record_bytes: int, room_bytes: int) -> None:
    context, poller = played_context()
    ours, theirs = joined_wires(record_bytes)
    connection, ours.room_bytes = Recorder(ours, context), 0
    for begin in range(0, len(WORDS), 50):
        connection.send(WORDS[begin : begin + 50])
    assert not poller.turn(ours), "there is no room"
    while len(theirs.arrived) < len(WORDS):
        assert poller.events(ours) == READ | WRITE
        ours.room_bytes = room_bytes
        assert poller.turn(ours)
    ours.room_bytes = None
    poller.turn(ours)
    assert theirs.arrived == WORDS
    assert poller.events(ours) == READ, "nothing is waited for"
    assert connection.queued_bytes == 0
    connection.close_now("test over")
    context.close()


async def test_a_sender_with_a_place_of_his_own_sees_a_socket() -> None:
    context, poller = played_context()
    ours, theirs = joined_wires(10)
    connection, ours.room_bytes = Recorder(ours, context), 25
    writable: list[int] = []
    connection.on_writable = lambda: writable.append(1)  # type: ignore[method-assign]
    assert connection.direct_send(WORDS[:100]) == 30
    with pytest.raises(BlockingIOError):
        connection.direct_send(WORDS[30:])
    assert (len(theirs.arrived), poller.events(ours)) == (25, READ | WRITE)
    ours.room_bytes = None
    assert poller.turn(ours)
    assert (bytes(theirs.arrived), poller.events(ours), writable) == (WORDS[:30], READ, [])
    connection.want_write(True)
    poller.turn(ours)
    assert writable == [1]
    connection.close_now("test over")
    context.close()


async def test_a_plain_socket_is_sent_to_without_a_call_of_ours(pair: tuple[Recorder, socket.socket]) -> None:
    assert pair[0].direct_send.__self__ is pair[0].wire


async def test_the_last_word_is_waited_for_before_the_end() -> None:
    context, poller = played_context()
    ours, theirs = joined_wires(10)
    connection, ours.room_bytes = Recorder(ours, context), 4
    connection.enqueue(b"goodbye")
    connection.close_gracefully("done")
    assert (bytes(theirs.arrived), ours.has_ended) == (b"good", False)
    ours.room_bytes = None
    poller.turn(ours)
    assert (bytes(theirs.arrived), ours.has_ended, poller.events(ours)) == (b"goodbye", True, READ)
    theirs.close()
    poller.turn(ours)
    assert (connection.state, ours.is_closed, connection.whys) == ("closed", True, ["done"])
    context.close()


async def test_reading_that_is_put_off_spins_nobody_and_goes_on_with_what_is_held() -> None:
    context, poller = played_context()
    ours, theirs = joined_wires(100)
    connection = Recorder(ours, context)
    connection.read_limit = 10
    theirs.send(WORDS[:100])
    connection.on_data = lambda data: (connection.got.append(data), connection.poll_reads(False))  # type: ignore
    poller.turn(ours)
    for _ in range(5):
        await asyncio.sleep(0)
    assert (connection.got, ours.reads) == ([WORDS[:10]], 1)
    for _ in range(9):
        connection.poll_reads(True)
        await asyncio.sleep(0)
    assert b"".join(connection.got) == WORDS[:100]
    connection.close_now("test over")
    await asyncio.sleep(0)
    context.close()


async def test_a_wire_that_breaks_while_it_keeps_bytes_back_is_an_end() -> None:
    context, poller = played_context()
    ours, _ = joined_wires(10)
    connection, ours.room_bytes = Recorder(ours, context), 0
    connection.send(b"x")
    ours.error = ConnectionResetError(104, "Connection reset by peer")
    poller.turn(ours)
    assert connection.whys == ["reset: Connection reset by peer"]
    context.close()


@pytest.mark.parametrize("is_on", [False, True])
async def test_each_end_is_told_where_that_is_wanted(caplog: pytest.LogCaptureFixture, is_on: bool) -> None:
    caplog.set_level(logging.INFO)
    context = NetContext(asyncio.get_running_loop(), NetConfig(log_connection_close=is_on))
    try:
        ends = {
            "closed by the peer": lambda connection, peer: peer.close(),
            "enough": lambda connection, peer: connection.close_gracefully("enough"),
            "at once": lambda connection, peer: connection.close_now("at once"),
            "rudely": lambda connection, peer: connection.abort("rudely"),
        }
        told = []
        for end in ends.values():
            connection, peer = tcp_pair(context)
            peer.sendall(b"12345")
            await eventually(lambda seen=connection: seen.received_bytes == 5, "the bytes")
            end(connection, peer)
            await eventually(lambda seen=connection: seen.state != "open", "the end")
            connection.close_now("")
            peer.close()
            told.append(f"{connection} closed why=")
        texts = [f"{mark}{why} received=5 sent=0" for mark, why in zip(told, ends, strict=True)]
        assert [text for text in caplog.messages if " closed why=" in text] == (texts if is_on else [])
    finally:
        context.close()


@pytest.mark.parametrize("is_on", [False, True])
async def test_why_it_was_us_who_ended_it_is_told_where_that_is_wanted(
    caplog: pytest.LogCaptureFixture, is_on: bool
) -> None:
    caplog.set_level(logging.INFO)
    context = NetContext(asyncio.get_running_loop(), NetConfig(log_error_text=is_on))
    try:
        (first, one), (second, two), (third, three) = tcp_pair(context), tcp_pair(context), tcp_pair(context)
        first.close_gracefully("idle")
        second.abort("slow_player")
        three.close()
        await eventually(lambda: third.state == "closed", "the end by the peer")
        for connection, peer in ((first, one), (second, two)):
            connection.close_now("")
            peer.close()
        texts = [f"{first} Close connection because idle", f"{second} Close connection because slow_player"]
        assert [text for text in caplog.messages if "Close connection" in text] == (texts if is_on else [])
    finally:
        context.close()
