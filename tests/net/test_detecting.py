"""Detection over a wire in memory, as it runs inside TLS: no socket takes part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from edge.net.accepted import Accepted, TlsFacts
from edge.net.address import Address
from edge.net.connection_set import ConnectionSet
from edge.net.detecting import Detecting, Detection
from edge.net.limits import Undecided
from edge.net.poller import END, READ, WRITE
from edge.net.sniff import LOOK_BYTES, WireProtocol
from tests.harness.clock import deadline, wait_until
from tests.net.pipes import PipeWire, PlayedPoller, joined, played_context

HEADS = {
    WireProtocol.RTMP: b"\x03\x00\x00\x00\x00",
    WireProtocol.HTTP: b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    WireProtocol.HTTP2: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    WireProtocol.TLS: b"\x16\x03\x01\x02\x00\x01",
}


class Gate:
    """An entrance whose connections come through wires in memory."""

    role, is_internal = "public", False

    def __init__(self, **config: int) -> None:
        self.context, self.poller = played_context(**config)
        self.served: list[tuple[WireProtocol, Accepted]] = []
        self.undecided: ConnectionSet[Undecided] = ConnectionSet()
        self.held: set[WireProtocol] = set()
        self.awaited: list[WireProtocol] = []
        handlers = {protocol: self._taker(protocol) for protocol in WireProtocol}
        self.detection = Detection(self.context, handlers, self.held, self.undecided, self.awaited.append)

    def _taker(self, protocol: WireProtocol):
        return lambda accepted: self.served.append((protocol, accepted))

    def detect(self, accepted: Accepted) -> None:
        Detecting(accepted, self.detection)

    def take_in(self, wire: PipeWire, tls: TlsFacts | None = None) -> None:
        self.detect(Accepted(wire, Address("192.0.2.1", 4711), self, tls))


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    made = Gate()
    yield made
    assert not made.undecided
    made.context.close()


def watched(poller: PlayedPoller, wire: PipeWire) -> bool:
    return wire.fileno() in poller.watched


@pytest.mark.parametrize("record_bytes", range(1, LOOK_BYTES + 1))
@pytest.mark.parametrize("protocol", HEADS)
async def test_every_split_is_waited_on_and_nothing_is_taken(
    gate: Gate, protocol: WireProtocol, record_bytes: int
) -> None:
    head = HEADS[protocol]
    ours, theirs = joined(1000)
    gate.take_in(ours)
    sent = 0
    while sent < len(head) and not gate.served:
        sent += theirs.send(head[sent : sent + record_bytes])
        gate.poller.turn(ours)
        assert not gate.poller.turn(ours), "it spins"
    ((found, accepted),) = gate.served
    assert (found, accepted.head) == (protocol, head[: min(sent, LOOK_BYTES)])
    assert not watched(gate.poller, ours)
    buffer = memoryview(bytearray(100))
    assert bytes(buffer[: ours.recv_into(buffer)]) == head[:sent]


async def test_what_came_before_is_looked_at_without_a_wake(gate: Gate) -> None:
    ours, theirs = joined(100)
    theirs.send(HEADS[WireProtocol.HTTP])
    ours.peek(1)
    assert ours.has_unread and not ours.arrived
    gate.take_in(ours)
    assert [protocol for protocol, _ in gate.served] == [WireProtocol.HTTP]


async def test_what_is_inside_is_detected_again_by_the_same_entrance(gate: Gate) -> None:
    outside, theirs = joined(100)
    inside, peer = joined(100)
    theirs.send(HEADS[WireProtocol.TLS])
    gate.take_in(outside)
    ((protocol, accepted),) = gate.served
    assert protocol is WireProtocol.TLS
    facts = TlsFacts("TLSv1.3", "live.example")
    accepted.entrance.detect(Accepted(inside, accepted.address, accepted.entrance, facts))
    peer.send(HEADS[WireProtocol.RTMP])
    gate.poller.turn(inside)
    (_, (protocol, within)) = gate.served
    assert (protocol, within.tls, within.address) == (WireProtocol.RTMP, facts, accepted.address)


async def test_there_is_no_tls_inside_tls(gate: Gate) -> None:
    ours, theirs = joined(100)
    theirs.send(HEADS[WireProtocol.TLS])
    gate.take_in(ours, TlsFacts("TLSv1.3"))
    assert (gate.served, ours.is_closed) == ([], True)
    assert gate.context.counters == {"error_unknown_protocol_count": 1}


async def test_what_the_wire_keeps_back_goes_out_meanwhile(gate: Gate) -> None:
    ours, theirs = joined(100)
    ours.room_bytes = 0
    ours.send(b"ticket")
    gate.take_in(ours)
    assert gate.poller.events(ours) == READ | END | WRITE
    ours.room_bytes = None
    gate.poller.turn(ours)
    assert (bytes(theirs.arrived), gate.poller.events(ours)) == (b"ticket", READ | END)
    theirs.send(b"\x03")
    gate.poller.turn(ours)
    assert len(gate.served) == 1


async def test_an_end_before_and_amid_the_first_bytes(gate: Gate) -> None:
    empty, gone = joined(100)
    gate.take_in(empty)
    gone.close()
    gate.poller.turn(empty)
    cut, peer = joined(100)
    gate.take_in(cut)
    peer.send(b"GE")
    gate.poller.turn(cut)
    assert not cut.is_closed
    gate.poller.watched[cut.fileno()][0].on_ready(READ | END)
    assert cut.is_closed
    broken, _ = joined(100)
    broken.error = ConnectionResetError()
    gate.take_in(broken)
    assert broken.is_closed
    assert gate.context.counters == {"conn_empty_count": 1, "error_detect_truncated_count": 1}


async def test_silence_has_its_time() -> None:
    gate = Gate(protocol_detect_timeout_ms=20)
    ours, _ = joined(100)
    gate.take_in(ours)
    await wait_until(lambda: ours.is_closed, deadline(2), "the end")
    assert gate.context.counters == {"error_detect_timeout_count": 1}
    gate.context.close()


async def test_what_is_held_is_handed_over_on_demand(gate: Gate) -> None:
    gate.held.add(WireProtocol.HTTP)
    ours, theirs = joined(100)
    gate.take_in(ours)
    theirs.send(HEADS[WireProtocol.HTTP])
    gate.poller.turn(ours)
    (held,) = gate.undecided
    assert (held.protocol, gate.poller.events(ours), gate.served) == (WireProtocol.HTTP, 0, [])
    assert gate.awaited == [WireProtocol.HTTP]
    assert isinstance(held, Detecting) and held.next_deadline_ms() is None
    held.hand_over()
    assert [protocol for protocol, _ in gate.served] == [WireProtocol.HTTP]
    await asyncio.sleep(0)
