"""Handshakes on a loop, over sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from edge.errors import EdgeError
from edge.net.aio import now_ms
from edge.net.byte_stream import stream_of
from edge.net.handshaker import Handshaker
from edge.net.poller import READ, Pollable, new_poller
from edge.net.tls import TlsServerStream
from edge.net.tls_client import TlsClientStream
from tests.harness.clock import deadline, wait_until
from tests.net.tls_pairs import believing, store


class Rig:
    """A server side under test, and clients that are handshakers too."""

    def __init__(self, *, max_pending: int = 256, timeout_ms: int = 5000) -> None:
        loop = asyncio.get_running_loop()
        self.poller = new_poller(loop)
        self.handshaker = Handshaker(loop, self.poller, max_pending=max_pending, timeout_ms=timeout_ms)
        self.clients = Handshaker(loop, self.poller, max_pending=1000, timeout_ms=0)
        self.results: list[Exception | None] = []
        self.opened: list[TlsServerStream | TlsClientStream | socket.socket] = []

    def accept(self, accepted_ms: int | None = None) -> tuple[socket.socket, TlsServerStream]:
        """A connection, whose client has sent nothing."""
        theirs, ours = socket.socketpair()
        stream = TlsServerStream(stream_of(ours), store())
        self.opened += [theirs, stream]
        self.handshaker.begin(stream, now_ms() if accepted_ms is None else accepted_ms, self.results.append)
        return theirs, stream

    def connect(self) -> TlsServerStream:
        """A connection, whose client shakes hands."""
        theirs, stream = self.accept()
        client = TlsClientStream(stream_of(theirs), believing(), "localhost")
        self.opened.append(client)
        self.clients.begin(client, now_ms(), lambda error: client.flush() if error is None else None)
        return stream

    async def until(self, condition: Callable[[], bool]) -> None:
        await wait_until(condition, deadline(5), "the handshakes")

    def reasons(self) -> list[str]:
        return [error.reason if isinstance(error, EdgeError) else repr(error) for error in self.results]


@contextlib.asynccontextmanager
async def rigged(**limits: int) -> AsyncIterator[Rig]:
    rig = Rig(**limits)
    try:
        yield rig
    finally:
        rig.handshaker.close()
        rig.clients.close()
        for stream in rig.opened:
            stream.close()
        assert len(rig.poller) == 0
        rig.poller.close()


async def test_many_at_once_all_succeed() -> None:
    async with rigged(max_pending=5) as rig:
        streams = [rig.connect() for _ in range(40)]
        assert (len(rig.handshaker), rig.handshaker.waiting_count, rig.results) == (40, 40, [])
        await rig.until(lambda: len(rig.results) == 40)
        assert rig.results == [None] * 40
        assert all(stream.is_established for stream in streams)
        assert (rig.handshaker.completed_count, rig.handshaker.failed_count, len(rig.handshaker)) == (40, 0, 0)


async def test_S1_a_silent_client_is_given_up() -> None:
    async with rigged(timeout_ms=200) as rig:
        silent, _ = rig.accept()
        half, _ = rig.accept()
        half.send(b"\x16\x03\x01\x02\x00\x01")
        await rig.until(lambda: len(rig.results) == 2)
        assert rig.reasons() == ["tls_timeout", "tls_timeout"]
        assert rig.handshaker.failed_count == 2
        silent.close()


async def test_the_time_counts_from_accept() -> None:
    async with rigged(timeout_ms=3_600_000) as rig:
        rig.accept(now_ms() - 3_600_000)
        await rig.until(lambda: rig.reasons() == ["tls_timeout"])


async def test_failures_are_told_with_their_reason() -> None:
    async with rigged() as rig:
        plain, _ = rig.accept()
        plain.send(b"GET / HTTP/1.1\r\n\r\n")
        gone, _ = rig.accept()
        gone.close()
        await rig.until(lambda: len(rig.results) == 2)
        assert rig.reasons() == ["tls_error", "tls_error"]
        assert {str(error) for error in rig.results} == {
            "tls_error: HTTP_REQUEST",
            "tls_error: closed in the handshake",
        }


async def test_S9_with_all_places_taken_by_silent_clients_others_come_through() -> None:
    async with rigged(max_pending=2, timeout_ms=3000) as rig:
        for _ in range(2):
            rig.accept()
        await asyncio.sleep(0)
        rig.connect()
        await rig.until(lambda: len(rig.results) >= 3)
        assert sorted(rig.reasons()) == ["None", "tls_timeout", "tls_timeout"]


async def test_a_cancelled_one_is_its_callers_to_close() -> None:
    async with rigged() as rig:
        _, waiting = rig.accept()
        rig.handshaker.cancel(waiting)
        theirs, begun = rig.accept()
        await rig.until(lambda: len(rig.poller) == 1)
        rig.handshaker.cancel(begun)
        rig.handshaker.cancel(begun)
        assert (len(rig.poller), len(rig.handshaker), begun.fileno() >= 0) == (0, 0, True)
        theirs.send(b"x")
        await asyncio.sleep(0)
        assert rig.results == []


async def test_what_is_not_over_is_closed_with_it() -> None:
    async with rigged() as rig:
        theirs, stream = rig.accept()
        await rig.until(lambda: len(rig.poller) == 1)
        rig.handshaker.close()
        assert (stream.fileno(), theirs.recv(1), rig.results) == (-1, b"", [])


async def test_new_limits_are_for_all(caplog: pytest.LogCaptureFixture) -> None:
    async with rigged(max_pending=1, timeout_ms=0) as rig:
        rig.accept()
        rig.connect()
        await rig.until(lambda: rig.handshaker.waiting_count == 1)
        rig.handshaker.reconfigure(max_pending=2, timeout_ms=100)
        await rig.until(lambda: len(rig.results) == 2)
        assert sorted(rig.reasons()) == ["None", "tls_timeout"]


async def test_one_that_cannot_be_watched_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rigged(max_pending=1) as rig:
        add = rig.poller.add
        refusals = iter([OSError(errno.ENOSPC, "No space left on device")])

        def add_later(fd: int, owner: Pollable, events: int = READ) -> None:
            if (refusal := next(refusals, None)) is not None:
                raise refusal
            add(fd, owner, events)

        monkeypatch.setattr(rig.poller, "add", add_later)
        rig.accept()
        rig.connect()
        await rig.until(lambda: len(rig.results) == 2)
        assert rig.reasons() == ["OSError(28, 'No space left on device')", "None"]
        assert (rig.handshaker.failed_count, rig.poller.internal_error_count, len(rig.handshaker)) == (1, 0, 0)


async def test_a_fault_of_ours_ends_one_only(caplog: pytest.LogCaptureFixture) -> None:
    async with rigged() as rig:
        theirs, stream = rig.accept()
        stream._contexts = None  # type: ignore[assignment]
        broken = rig.connect()
        rig.handshaker._ones[broken].done = lambda error: 1 / 0
        theirs.send(b"GET / HTTP/1.1\r\n\r\n")
        await rig.until(lambda: len(rig.handshaker) == 0)
        assert rig.poller.internal_error_count == 2
        assert broken.fileno() == -1
        rig.connect()
        await rig.until(lambda: None in rig.results)
