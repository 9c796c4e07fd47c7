"""Plain connections where only encrypted ones are served."""

from __future__ import annotations

import logging

import pytest

from edge.net.accepted import Accepted, TlsFacts
from edge.net.plain_refused import encrypted_only
from edge.net.sniff import WireProtocol
from tests.net.live import LiveServer, eventually, serving
from tests.net.test_listener import gone
from tests.net.tls_pairs import store


def force(server: LiveServer) -> list[Accepted]:
    """Let RTMP and HTTP through in TLS only; returns what comes through."""
    served: list[Accepted] = []
    server.handler = encrypted_only(WireProtocol.RTMP, served.append, server.context)
    return served


async def test_P5_plain_rtmp_is_closed_without_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(certificates=store()) as server:
        served = force(server)
        with server.plain() as peer:
            peer.sendall(b"\x03" + bytes(1536))
            assert await gone(peer) == b""
        assert (served, server.counters["error_plain_on_tls_count"]) == ([], 1)
        assert [line.levelno for line in caplog.records if "reason=plain_on_tls" in line.getMessage()] == [logging.INFO]


@pytest.mark.parametrize("request_bytes", [4, 40, 5000])
async def test_P5_plain_http_is_told_why(request_bytes: int) -> None:
    async with serving() as server:
        server.handler = encrypted_only(WireProtocol.HTTP, lambda accepted: None, server.context)
        with server.plain() as peer:
            # What it says is not looked at: RTMP's first byte takes it to the handler of this test.
            peer.sendall(b"\x03" + bytes(request_bytes))
            head, _, body = (await gone(peer)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"\r\nConnection: close" in head
        assert b"Content-Length: %d\r\n" % len(body) in head and b"https" in body
        assert server.counters["error_plain_on_tls_count"] == 1


async def test_P5_what_is_encrypted_goes_through() -> None:
    async with serving() as server:
        served = force(server)
        handler = server.handler
        server.handler = lambda accepted: handler(
            Accepted(accepted.wire, accepted.address, accepted.entrance, TlsFacts("TLSv1.3"))
        )
        with server.plain() as peer:
            peer.sendall(b"\x03")
            await eventually(lambda: served, "the connection")
        served[0].wire.close()
        assert "error_plain_on_tls_count" not in server.counters
