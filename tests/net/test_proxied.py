"""Connections of a load balancer on real sockets: its header, and then what its client says."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from edge.net.config import NetConfig
from edge.net.sniff import WireProtocol
from tests.net.live import LiveServer, eventually, serving
from tests.net.test_listener import gone

LOCAL = ("127.0.0.0/8", "::1")
HEADER = b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 1935\r\n"
OTHER = b"PROXY TCP4 203.0.113.8 10.0.0.1 4711 1935\r\n"
NET = NetConfig(rtmp_proxy_protocol=True, trusted_proxies=LOCAL, max_connections_per_ip=1)


def balanced(server: LiveServer) -> socket.socket:
    server.listener._expects_header = True
    return server.plain()


async def test_the_client_of_the_header_is_served_and_counted() -> None:
    async with serving(net=NET) as server:
        first = balanced(server)
        first.sendall(HEADER + b"\x03")
        await eventually(lambda: server.connections, "the connection")
        assert [connection.peer for connection in server.connections] == ["203.0.113.7:4711"]
        second, third = balanced(server), balanced(server)
        second.sendall(HEADER + b"\x03")
        assert await gone(second) == b""
        third.sendall(OTHER + b"\x03")
        await eventually(lambda: len(server.connections) == 2, "one of another address")
        for peer in (first, second, third):
            peer.close()
        await eventually(lambda: not server.limits.open_count, "room")


@pytest.mark.parametrize("size", [1, 5, len(HEADER) - 1, len(HEADER)])
async def test_a_header_in_pieces_is_waited_for(size: int) -> None:
    async with serving(net=NET, protocols=(WireProtocol.HTTP,)) as server:
        peer = balanced(server)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        said = HEADER + b"GET / HTTP/1.1\r\n\r\n"
        for at in range(0, len(said), size):
            peer.sendall(said[at : at + size])
            await asyncio.sleep(0)
        await eventually(lambda: server.accepted, "the handler")
        ((protocol, accepted),) = server.accepted
        assert (protocol, accepted.is_proxied, accepted.head[:4]) == (WireProtocol.HTTP, True, b"GET ")
        accepted.wire.close()
        peer.close()


@pytest.mark.parametrize(
    ("said", "counter"),
    [
        (b"\x03", "error_proxy_header_count"),
        (b"PROXY TCP4 x\r\n", "error_proxy_header_count"),
        (b"", "conn_empty_count"),
        (b"PROXY TC", "error_proxy_header_truncated_count"),
    ],
    ids=["none", "malformed", "nothing", "half of one"],
)
async def test_without_a_header_nobody_is_served(said: bytes, counter: str) -> None:
    async with serving(net=NET) as server:
        peer = balanced(server)
        peer.sendall(said)
        await asyncio.sleep(0.05)
        with contextlib.suppress(OSError):  # it is closed already
            peer.shutdown(socket.SHUT_WR)
        assert await gone(peer) == b""
        assert server.counters[counter] == 1 and not server.limits.open_count
        peer.close()


async def test_a_header_that_does_not_come_has_its_time() -> None:
    net = NetConfig(rtmp_proxy_protocol=True, trusted_proxies=LOCAL, protocol_detect_timeout_ms=100)
    async with serving(net=net) as server:
        peer = balanced(server)
        peer.sendall(b"PROXY")
        assert await gone(peer) == b""
        assert server.counters["error_proxy_header_timeout_count"] == 1
        peer.close()


@pytest.mark.parametrize(
    "net",
    [NetConfig(rtmp_proxy_protocol=True, trusted_proxies=("10.0.0.0/8",)), NetConfig(trusted_proxies=LOCAL)],
    ids=["of somebody else", "switched off"],
)
async def test_P1_whoever_is_not_to_send_a_header_is_no_client(net: NetConfig) -> None:
    async with serving(net=net) as server:
        peer = balanced(server)
        peer.sendall(HEADER + b"\x03")
        assert await gone(peer) == b""
        assert server.counters["error_unknown_protocol_count"] == 1
        peer.close()


async def test_the_balancer_speaks_for_itself_under_its_own_address() -> None:
    async with serving(net=NET) as server:
        peer = balanced(server)
        peer.sendall(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0\x03")
        await eventually(lambda: server.connections, "the connection")
        (connection,) = server.connections
        assert connection.peer.startswith("127.0.0.1:")
        peer.close()
