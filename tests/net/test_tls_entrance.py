"""What begins with TLS is unwrapped, and what is inside is served as if it had come plain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.net.accepted import TlsFacts
from edge.net.aio import wall_ms
from edge.net.config import NetConfig, TlsConfig
from edge.net.rtmp.server import RtmpServerConnection
from edge.net.sniff import WireProtocol
from edge.net.tls_entrance import open_certificates
from tests.harness.clock import deadline
from tests.net.live import LiveServer, eventually, serving
from tests.net.test_listener import gone
from tests.net.tls_pairs import hello_bytes, plain_context, server_pair, store

BROKEN_RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)


async def shaken(server: LiveServer, host: str = "localhost") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that has shaken hands."""
    async with asyncio.timeout(deadline(3)):
        return await asyncio.open_connection("127.0.0.1", server.port, ssl=plain_context(), server_hostname=host)


def write_below(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Past TLS."""
    os.write(writer.get_extra_info("socket").fileno(), data)


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


async def test_rtmp_is_served_inside() -> None:
    async with serving(certificates=store()) as server:
        reader, writer = await shaken(server)
        writer.write(b"\x03" + bytes(1536))
        assert len(await asyncio.wait_for(reader.readexactly(3073), deadline(3))) == 3073
        (connection,) = server.connections
        assert isinstance(connection, RtmpServerConnection)
        assert (connection.wire.sock.fileno(), connection.host) == (connection.fd, "127.0.0.1")
        assert server.tls and server.tls.counters(0)["tls_handshakes_count"] == 1
        await leave(writer)
        await eventually(lambda: not server.connections, "the end")


async def test_facts_of_the_handshake_and_its_address_go_on() -> None:
    async with serving(certificates=store(), protocols=(WireProtocol.HTTP,)) as server:
        _, writer = await shaken(server, "Live.Test")
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await eventually(lambda: server.accepted, "a connection")
        ((protocol, accepted),) = server.accepted
        assert (protocol, accepted.tls, accepted.head[:5]) == (
            WireProtocol.HTTP,
            TlsFacts("TLSv1.3", "live.test"),
            b"GET /",
        )
        assert str(accepted.address) == "127.0.0.1:{}".format(writer.get_extra_info("sockname")[1])
        assert accepted.entrance is server.listener
        writer.transport.abort()  # nobody serves it who would answer a close in good order


async def test_nested_tls_is_refused() -> None:
    async with serving(certificates=store()) as server:
        reader, writer = await shaken(server)
        writer.write(hello_bytes(plain_context()))
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), deadline(3)) == b""
        assert server.counters["error_unknown_protocol_count"] == 1
        await leave(writer)


async def test_S1_time_counts_from_when_it_was_accepted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = TlsConfig(ssl_handshake_timeout_ms=300)
    async with serving(certificates=store(), tls=config) as server:
        hello = hello_bytes(plain_context())
        with server.plain() as silent, server.plain() as dripping:
            silent.sendall(hello[:3])
            loop = asyncio.get_running_loop()
            began = loop.time()
            # The first byte tells nothing yet; the time for that does not come on top.
            dripping.sendall(hello[:1])
            await asyncio.sleep(0.2)
            dripping.sendall(hello[1:200])
            for sock in (silent, dripping):
                assert await gone(sock) == b""
            assert loop.time() - began < deadline(0.5)
        assert server.counters == {"conn_accepted_count": 2, "error_tls_timeout_count": 2}
        lines = [line for line in caplog.records if "reason=tls_timeout" in line.getMessage()]
        assert [line.levelno for line in lines] == [logging.INFO] * 2
        assert "[127.0.0.1:" in lines[0].getMessage()


async def test_failures_are_counted_and_told_quietly(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(certificates=store()) as server:
        with server.plain() as garbage, server.plain() as leaving:
            garbage.sendall(b"\x16\x03\x01\x00\x05hello")
            assert (await gone(garbage))[:1] in (b"\x15", b"")  # an alert
            leaving.sendall(hello_bytes(plain_context())[:50])
            leaving.shutdown(socket.SHUT_WR)
            await gone(leaving)
        assert server.counters["error_tls_error_count"] == 2
        assert not [line for line in caplog.records if line.levelno > logging.INFO]


async def test_connections_in_a_handshake_count() -> None:
    async with serving(
        certificates=store(), net=NetConfig(max_connections_per_ip=2), protocols=(WireProtocol.HTTP,)
    ) as server:
        with server.plain() as first, server.plain() as second:
            for sock in (first, second):
                sock.sendall(hello_bytes(plain_context())[:100])
            await eventually(lambda: server.tls and len(server.tls.handshaker) == 2, "the handshakes")
            assert server.limits.open_count == 2
            with server.plain() as third:
                assert await gone(third) == b""
            first.close()
            await eventually(lambda: server.limits.open_count == 1, "a place")
            _, writer = await shaken(server)
            await leave(writer)
        assert server.counters["conn_rejected_count"] == 1


async def test_the_end_of_the_listener_ends_handshakes() -> None:
    async with serving(certificates=store()) as server:
        with server.plain() as sock:
            sock.sendall(hello_bytes(plain_context())[:100])
            await eventually(lambda: server.tls and len(server.tls.handshaker), "the handshake")
            server.stop_listening()
            assert await gone(sock) == b""
            assert server.tls is not None and (len(server.tls.handshaker), server.limits.open_count) == (0, 0)


async def test_a_record_that_is_broken_later_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(certificates=store()) as server:
        reader, writer = await shaken(server)
        writer.write(b"\x03" + bytes(1536))
        await asyncio.wait_for(reader.readexactly(3073), deadline(3))
        write_below(writer, BROKEN_RECORD)
        await eventually(lambda: not server.connections, "the end")
        assert server.counters["error_tls_error_count"] == 1
        (line,) = [line for line in caplog.records if "reason=tls_error" in line.getMessage()]
        assert (line.levelno, "BAD_RECORD_MAC" in line.getMessage()) == (logging.INFO, True)
        await leave(writer)


async def test_a_broken_record_in_place_of_the_first_bytes_is_told() -> None:
    async with serving(certificates=store()) as server:
        _, writer = await shaken(server)
        write_below(writer, BROKEN_RECORD)
        await eventually(lambda: server.counters.get("error_tls_error_count"), "the end")
        assert server.limits.open_count == 0
        await leave(writer)


def test_S6_files_are_read_in_pairs(tmp_path: Path) -> None:
    pair = server_pair()
    config = TlsConfig(certificate=(str(pair.cert),), private_key=(str(pair.key),))
    assert [path for path, _ in open_certificates(config).certificates] == [str(pair.cert)]
    with pytest.raises(ConfigError) as caught:
        open_certificates(TlsConfig(certificate=(str(tmp_path / "none.pem"),)))
    assert "none.pem" in caught.value.detail


async def test_S6_a_bad_reload_is_counted(tmp_path: Path) -> None:
    pair = server_pair()
    files = [tmp_path / "cert.pem", tmp_path / "key.pem"]
    for file, source in zip(files, (pair.cert, pair.key), strict=True):
        file.write_bytes(source.read_bytes())
    config = TlsConfig(certificate=(str(files[0]),), private_key=(str(files[1]),))
    async with serving(certificates=open_certificates(config)) as server:
        assert server.tls is not None
        assert len(server.tls.reload().taken) == 1
        files[1].write_text("no key")
        for now_ms in (1000, 2000, 3000):
            server.tls.check_files(now_ms, wall_ms())
        assert server.counters["error_reload_failed_count"] == 1
        assert len(server.tls.reload().refused) == 1
        assert server.counters["error_reload_failed_count"] == 2
        assert 0 < server.tls.counters(wall_ms())["ssl_cert_expires_in_s"] <= 2 * 86400
