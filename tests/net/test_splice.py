"""Connections of HTTP/2 joined to a server on a unix socket: what goes through, who it is, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.net.accepted import Accepted
from edge.net.config import Http2Config, NetConfig
from edge.net.h2_frames import PREFACE, Code, Kind, encode_frame, goaway
from edge.net.sniff import WireProtocol
from edge.net.splice import Peer, SplicedConnection, Splicer
from tests.harness.clock import deadline
from tests.net.live import LiveServer, eventually, serving

SETTINGS = encode_frame(Kind.SETTINGS)
PING = encode_frame(Kind.PING, bytes(8))


class Behind:
    """The server on the unix socket: it keeps what comes, and sends what the test says."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.name = ""
        self.received = b""
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def accept(self) -> None:
        loop = asyncio.get_running_loop()
        sock, name = await loop.sock_accept(self._sock)
        self.name = Path(str(name)).name
        self.reader, self.writer = await asyncio.open_connection(sock=sock)

    async def read(self, size: int) -> bytes:
        assert self.reader is not None
        async with asyncio.timeout(deadline(3)):
            return await self.reader.readexactly(size)


class Rig:
    """A client, the splice, and the server behind."""

    def __init__(self, server: LiveServer, splicer: Splicer, folder: Path) -> None:
        self.server, self.splicer = server, splicer
        self.path = folder / "behind"
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.setblocking(False)
        self._listening.bind(str(self.path))
        self._listening.listen(8)
        self.behind = Behind(self._listening)
        self._writers: list[asyncio.StreamWriter] = []

    async def client(
        self, first: bytes = PREFACE + SETTINGS, config: Http2Config | None = None
    ) -> asyncio.StreamReader:
        """One that is joined; what it has sent is at the server."""
        reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self._writers.append(self.writer)
        self.writer.write(first)
        await eventually(lambda: self.server.accepted, "the connection")
        _, accepted = self.server.accepted.pop()
        self.accepted: Accepted = accepted
        self.splicer.join(accepted, self.path, config or Http2Config())
        await self.behind.accept()
        assert self.behind.writer is not None
        self._writers.append(self.behind.writer)
        return reader

    @property
    def connection(self) -> SplicedConnection:
        (found,) = [one for one in self.server.context.connections if isinstance(one, SplicedConnection)]
        return found

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._listening.close()


@asynccontextmanager
async def spliced(net: NetConfig | None = None) -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory() as name:
        async with serving(protocols=(WireProtocol.HTTP2,), net=net) as server:
            rig = Rig(server, Splicer(server.context, Path(name)), Path(name))
            try:
                yield rig
            finally:
                await rig.close()
                rig.splicer.close()
            await eventually(lambda: not rig.splicer.peers, "all to be forgotten")


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """All that comes to the end."""
    async with asyncio.timeout(deadline(3)):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_bytes_go_both_ways_and_the_server_knows_who_it_is() -> None:
    async with spliced() as rig:
        reader = await rig.client()
        assert await rig.behind.read(len(PREFACE + SETTINGS)) == PREFACE + SETTINGS
        assert rig.splicer.peers == {rig.behind.name: Peer(rig.accepted.address, False, False)}
        assert list(rig.splicer.folder.iterdir()) == [rig.path]  # names are there for the moment of connecting
        assert rig.behind.writer is not None
        rig.behind.writer.write(SETTINGS)
        assert await reader.readexactly(len(SETTINGS)) == SETTINGS
        seen = rig.connection.describe()
        assert (seen.protocol, seen.role, seen.peer) == ("grpc", "control", str(rig.accepted.address))
        assert rig.connection.last_active_ms() is not None and len(rig.splicer) == 1


@pytest.mark.parametrize("is_between", [True, False])
async def test_a_client_that_goes_too_far_is_told_where_that_is_possible(is_between: bool) -> None:
    async with spliced() as rig:
        reader = await rig.client()
        assert rig.behind.writer is not None
        sent = SETTINGS if is_between else SETTINGS + PING[:12]
        rig.behind.writer.write(sent)
        await reader.readexactly(len(sent))
        rig.writer.write(PING * 2000)
        found = await end_of(reader)
        assert found == (goaway(Code.ENHANCE_YOUR_CALM, 0, "h2_control_frames") if is_between else b"")
        assert rig.server.counters["error_h2_control_frames_count"] == 1
        await end_of(rig.behind.reader)  # type: ignore[arg-type]


async def test_the_end_of_either_side_is_the_end_of_both() -> None:
    async with spliced() as rig:
        await rig.client()
        rig.writer.close()
        assert rig.behind.reader is not None
        assert await end_of(rig.behind.reader) == PREFACE + SETTINGS
        reader = await rig.client()
        assert rig.behind.writer is not None
        rig.behind.writer.write(SETTINGS)
        rig.behind.writer.close()
        assert await end_of(reader) == SETTINGS
        assert not [name for name in rig.server.counters if name.startswith("error_")]


async def test_the_server_behind_says_itself_what_was_wrong_and_it_is_counted() -> None:
    async with spliced() as rig:
        reader = await rig.client()
        assert rig.behind.writer is not None
        last = goaway(Code.COMPRESSION_ERROR, 0, "x")
        rig.behind.writer.write(SETTINGS + last)
        assert await end_of(reader) == SETTINGS + last
        assert rig.server.counters["error_h2_protocol_count"] == 1


async def test_whoever_does_not_read_holds_the_other_up_and_nothing_is_lost() -> None:
    async with spliced() as rig:
        reader = await rig.client()
        assert rig.behind.writer is not None
        frame = encode_frame(Kind.DATA, bytes(16384), stream_id=1)
        total = 600  # ten megabytes, beyond what kernels keep
        rig.behind.writer.write(frame * total)
        await eventually(lambda: rig.connection.queued_bytes > 0, "it to be held up")
        assert rig.connection.queued_bytes < 1_000_000
        async with asyncio.timeout(deadline(10)):
            for _ in range(total):
                assert await reader.readexactly(len(frame)) == frame
        assert await rig.behind.read(len(PREFACE + SETTINGS)) == PREFACE + SETTINGS
        opened = encode_frame(Kind.HEADERS, b"\x82", flags=4, stream_id=1)
        rig.writer.write(opened + frame * total)
        await eventually(lambda: not rig.connection._is_polled, "the client to be held up")
        assert await rig.behind.read(len(opened)) == opened
        async with asyncio.timeout(deadline(10)):
            for _ in range(total):
                assert await rig.behind.read(len(frame)) == frame


async def test_a_client_that_is_silent_is_ended_in_time() -> None:
    async with spliced() as rig:
        reader = await rig.client(PREFACE, Http2Config(http_header_timeout_ms=10))
        await end_of(reader)
        assert rig.server.counters["error_h2_header_timeout_count"] == 1


async def test_a_client_that_takes_nothing_is_ended_in_time() -> None:
    async with spliced() as rig:
        await rig.client(config=Http2Config(write_stall_timeout_ms=10))
        rig.writer.transport.pause_reading()  # type: ignore[attr-defined]
        assert rig.behind.writer is not None
        rig.behind.writer.write(encode_frame(Kind.DATA, bytes(16384), stream_id=1) * 600)
        await eventually(lambda: rig.server.counters.get("error_write_stall_count"), "its end", 5)
        await end_of(rig.behind.reader)  # type: ignore[arg-type]


async def test_nobody_behind_is_the_end() -> None:
    async with spliced() as rig:
        rig.path.unlink()
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
        writer.write(PREFACE)
        await eventually(lambda: rig.server.accepted, "the connection")
        rig.splicer.join(rig.server.accepted.pop()[1], rig.path, Http2Config())
        assert await end_of(reader) == b""
        assert rig.server.counters["error_h2_not_served_count"] == 1 and not len(rig.splicer)
        writer.close()
