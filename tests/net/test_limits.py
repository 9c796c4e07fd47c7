"""How many connections may be open."""

from __future__ import annotations

from edge.net.config import NetConfig
from edge.net.sniff import WireProtocol
from tests.net.live import eventually, serving
from tests.net.test_listener import gone


async def test_T11_all_protocols_and_the_silent_count_together() -> None:
    net = NetConfig(max_connections_per_ip=3)
    async with serving(net=net) as server:
        silent, known = server.plain(), server.plain()
        known.sendall(b"\x03")
        await eventually(lambda: len(server.limits.undecided) == len(server.connections) == 1, "both")
        assert server.limits.open_count == 2
        third, fourth = server.plain(), server.plain()
        assert await gone(fourth) == b""
        for peer in (silent, known, third, fourth):
            peer.close()
        await eventually(lambda: server.limits.open_count == 0, "room")
        with server.plain() as peer:
            peer.sendall(b"\x03")
            await eventually(lambda: server.connections, "service")


async def test_T11_those_that_are_held_count_too() -> None:
    async with serving(net=NetConfig(max_connections_per_ip=2), protocols=(WireProtocol.HTTP,)) as server:
        server.listener.held.add(WireProtocol.HTTP)
        held = [server.plain() for _ in range(2)]
        for peer in held:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        await eventually(lambda: [one.protocol for one in server.limits.undecided] == [WireProtocol.HTTP] * 2, "both")
        with server.plain() as third:
            assert await gone(third) == b""
        assert server.limits.open_count == 2
        for peer in held:
            peer.close()
