"""Sockets that connect to others."""

from __future__ import annotations

import socket

import pytest

from edge.net.config import NetConfig
from edge.net.outgoing import connecting_socket
from tests.net.live import serving


@pytest.mark.parametrize("timeout_ms", [0, 35000])
async def test_socket_connects_without_delay_and_keeps_itself_alive(timeout_ms: int) -> None:
    async with serving(net=NetConfig(port=0, tcp_user_timeout_ms=timeout_ms)) as server:
        sock = connecting_socket(server.context, "127.0.0.1", server.port)
        try:
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        finally:
            sock.close()


async def test_address_that_cannot_be_reached_is_told() -> None:
    async with serving() as server:
        with pytest.raises(OSError):
            connecting_socket(server.context, "255.255.255.255", 1)
