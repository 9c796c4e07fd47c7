"""Accepting, limits, and telling protocols apart on real sockets."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
import time
from typing import Any

import pytest

from edge.errors import ConfigError
from edge.net.accepted import Accepted
from edge.net.address import address_of
from edge.net.config import NetConfig
from edge.net.listener import PortBusyError, open_socket
from edge.net.poller import READ
from edge.net.sniff import WireProtocol
from tests.harness.clock import deadline
from tests.net.live import LiveServer, eventually, serving

ALL = (WireProtocol.HTTP, WireProtocol.HTTP2, WireProtocol.TLS)


async def gone(sock: socket.socket) -> bytes:
    """What the server says until its end, FIN or reset."""
    sock.setblocking(False)
    loop, said = asyncio.get_running_loop(), b""
    try:
        async with asyncio.timeout(deadline(3)):
            while data := await loop.sock_recv(sock, 65536):
                said += data
    except ConnectionError:
        pass
    return said


class Broke:
    """The listening socket of a process without descriptors."""

    def __init__(self, sock: socket.socket, error: int) -> None:
        self._sock, self.error, self.calls = sock, error, 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.calls += 1
        if self.error:
            raise OSError(self.error, "none left")
        return self._sock.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


# --- opening -----------------------------------------------------------------


def test_T12_port_in_use_is_a_busy_port() -> None:
    first = open_socket("127.0.0.1", 0)
    try:
        port = first.getsockname()[1]
        with pytest.raises(PortBusyError, match=f"Fail to listen 127.0.0.1:{port}: "):
            open_socket("127.0.0.1", port)
    finally:
        first.close()


def test_T12_address_that_is_not_ours_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"Fail to listen 192\.0\.2\.1:0") as caught:
        open_socket("192.0.2.1", 0)
    assert not isinstance(caught.value, PortBusyError)


def test_every_address_means_both_families() -> None:
    sock = open_socket("", 0)
    try:
        port = sock.getsockname()[1]
        for host in ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
            socket.create_connection((host, port), timeout=deadline(1)).close()
    finally:
        sock.close()


async def test_ipv6_peer_is_served_and_named_in_brackets() -> None:
    async with serving(host="::1") as server:
        with socket.create_connection(("::1", server.port)) as peer:
            peer.sendall(b"\x03")
            await eventually(lambda: server.connections, "a connection")
            assert server.connections[0].peer == f"[::1]:{peer.getsockname()[1]}"


# --- accepting ---------------------------------------------------------------


async def test_T8_no_more_accepts_per_turn_than_asked_for() -> None:
    async with serving(net=NetConfig(accept_per_turn=3)) as server:
        peers = [server.plain() for _ in range(7)]
        found = []
        for _ in range(3):
            server.listener.on_ready(READ)
            found.append(server.counters["conn_accepted_count"])
        assert found == [3, 6, 7]
        for peer in peers:
            peer.close()


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM], ids=errno.errorcode.get)
async def test_T9_out_of_descriptors_pauses_and_resumes(code: int, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        listener = server.listener
        broke = Broke(listener.sock, code)
        listener.sock = broke  # type: ignore[assignment]
        with server.plain() as peer:
            began = time.monotonic()
            await eventually(lambda: listener.accept_paused, "the pause")
            await asyncio.sleep(0.05)
            assert broke.calls <= 1 + (time.monotonic() - began) / 0.1, "busy loop"
            failures = server.counters["error_fd_exhausted_count"]
            assert failures == broke.calls
            broke.error = 0
            await eventually(lambda: "conn_accepted_count" in server.counters, "accepting again", 1)
            assert not listener.accept_paused
            peer.sendall(b"\x03")
            await eventually(lambda: server.connections, "service")
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["accept paused reason=fd_exhausted none left"] * failures


async def test_T9_pauses_grow_to_a_second_and_start_short_again() -> None:
    async with serving() as server:
        listener = server.listener
        broke = Broke(listener.sock, errno.EMFILE)
        listener.sock = broke  # type: ignore[assignment]
        waits = []
        server.context.call_later = lambda ms, callback: waits.append(ms)  # type: ignore
        for _ in range(6):
            listener.on_ready(READ)
        assert waits == [100, 200, 400, 800, 1000, 1000]
        broke.error = 0
        with server.plain():
            listener.on_ready(READ)
            broke.error = errno.EMFILE
            listener.on_ready(READ)
            assert waits[-1] == 100
        listener._resume()


async def test_a_connection_that_is_reset_while_it_waits_stops_nobody() -> None:
    async with serving() as server:
        broke = Broke(server.listener.sock, errno.ECONNABORTED)
        server.listener.sock = broke  # type: ignore[assignment]
        server.listener.on_ready(READ)
        assert broke.calls == server.context.config.accept_per_turn
        assert not server.listener.accept_paused


async def test_T10_one_connection_too_many_is_closed_at_once() -> None:
    async with serving(max_connections=2) as server:
        peers = [server.plain() for _ in range(3)]
        assert await gone(peers[2]) == b""
        assert server.counters["conn_rejected_count"] == 1
        peers[0].sendall(b"\x03")
        await eventually(lambda: server.connections, "service of those inside")
        for peer in peers:
            peer.close()
        await eventually(lambda: server.limits.open_count == 0, "room")
        peers = [server.plain()]
        await eventually(lambda: server.limits.open_count == 1, "the newcomer")
        peers[0].close()


async def test_T10_the_internal_port_is_exempt() -> None:
    async with serving(max_connections=0, is_internal=True, protocols=ALL) as server:
        with server.plain() as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n")
            await eventually(lambda: server.accepted, "service")
            ((protocol, accepted),) = server.accepted
            assert (protocol, accepted.entrance.is_internal) == (WireProtocol.HTTP, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_T11_one_address_may_not_open_all_slots(host: str) -> None:
    async with serving(net=NetConfig(max_connections_per_ip=2), host="") as server:
        peers = [socket.create_connection((host, server.port)) for _ in range(3)]
        assert await gone(peers[2]) == b"", "the silent count too"
        assert server.counters["conn_rejected_count"] == 1
        other = socket.create_connection(("::1" if host != "::1" else "127.0.0.1", server.port))
        await eventually(lambda: server.counters["conn_accepted_count"] == 4, "the other address")
        assert server.counters["conn_rejected_count"] == 1
        for peer in (*peers, other):
            peer.close()


# --- detection ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", WireProtocol.HTTP),
        (b"POST /x HTTP/1.1\r\n\r\n", WireProtocol.HTTP),
        (b"PUT /x HTTP/1.1\r\n\r\n", WireProtocol.HTTP),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", WireProtocol.HTTP2),
        (b"\x16\x03\x01\x00\x05", WireProtocol.TLS),
    ],
)
async def test_P3_every_prefix_is_waited_on_and_nothing_is_taken(head: bytes, wanted: WireProtocol) -> None:
    async with serving(protocols=ALL) as server:
        turns = 0
        with server.plain() as peer:
            for end in range(1, len(head) + 1):
                peer.sendall(head[end - 1 : end])
                await asyncio.sleep(0.001)
                turns += 1
                if server.accepted:
                    break
            await eventually(lambda: server.accepted, "a decision")
            ((protocol, accepted),) = server.accepted
            sock = accepted.wire.sock
            assert (protocol, accepted.head) == (wanted, head[:turns])
            assert (accepted.tls, str(accepted.address)) == (None, str(address_of(peer.getsockname())))
            assert sock.recv(100) == head[:turns], "all bytes are still there"
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


async def test_an_undecided_byte_does_not_spin() -> None:
    async with serving(protocols=ALL) as server:
        with server.plain() as peer:
            await eventually(lambda: server.limits.undecided, "the connection")
            (undecided,) = server.limits.undecided
            calls = []
            looks = type(undecided).on_ready
            owner = type(
                "Counting", (), {"on_ready": lambda _, events: (calls.append(events), looks(undecided, events))}
            )
            server.context.poller._owners[undecided.accepted.wire.fileno()] = owner()
            peer.sendall(b"P")
            await eventually(lambda: calls, "a look at the first byte")
            await asyncio.sleep(0.1)
            assert len(calls) == 1
            peer.sendall(b"O")
            await eventually(lambda: len(calls) > 1, "a look at the second")
            await asyncio.sleep(0.1)
            assert len(calls) == 2


async def test_T3_silence_ends_quietly_after_its_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(net=NetConfig(protocol_detect_timeout_ms=100)) as server:
        with server.plain() as peer:
            began = time.monotonic()
            assert await gone(peer) == b""
            assert 0.09 < time.monotonic() - began < deadline(0.5)
            assert server.counters["error_detect_timeout_count"] == 1
    (line,) = [record for record in caplog.records if "detect_timeout" in record.getMessage()]
    assert line.levelno == logging.INFO


async def test_P3_an_endless_pause_inside_a_signature_ends_quietly() -> None:
    async with serving(net=NetConfig(protocol_detect_timeout_ms=100), protocols=ALL) as server:
        with server.plain() as peer:
            peer.sendall(b"PRI ")
            assert await gone(peer) == b""
            assert server.counters["error_detect_timeout_count"] == 1


async def test_T3_connect_and_leave_is_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving() as server:
        server.plain().close()
        await eventually(lambda: server.counters.get("conn_empty_count"), "the count")
        assert server.counters == {"conn_accepted_count": 1, "conn_empty_count": 1}
    assert not caplog.records


async def test_a_signature_cut_off_by_the_end_is_dropped_at_once() -> None:
    async with serving(protocols=ALL) as server:
        with server.plain() as peer:
            peer.sendall(b"GE")
            peer.shutdown(socket.SHUT_WR)
            assert await gone(peer) == b""
            assert server.counters["error_detect_truncated_count"] == 1


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"\xff\x00garbage", "unknown_protocol"),
        (b"SSH-2.0-x\r\n", "unknown_protocol"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "unknown_protocol"),
        (b"*1\r\n$4\r\nPING\r\n", "unknown_protocol"),
        (b"\x06" + bytes(20), "rtmp_version"),
        (b"\x08" + bytes(20), "rtmp_version"),
        (b"\x00", "unknown_protocol"),
        (b"\x1f" * 4, "unknown_protocol"),
    ],
)
async def test_P1_P7_what_we_do_not_speak_is_dropped_without_a_word(
    head: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(protocols=ALL) as server:
        with server.plain() as peer:
            peer.sendall(head)
            assert await gone(peer) == b""
            assert server.counters[f"error_{reason}_count"] == 1
    (line,) = [record for record in caplog.records if f"reason={reason}" in record.getMessage()]
    assert (line.levelno, head[:16].hex() in line.getMessage()) == (logging.INFO, True)


async def test_P2_a_three_claims_rtmp_whatever_follows() -> None:
    async with serving(protocols=ALL) as server:
        with server.plain() as peer:
            peer.sendall(b"\x03GET / HTTP/1.1\r\n\r\n")
            await eventually(lambda: server.connections, "an RTMP connection")
            assert not server.accepted


async def test_P4_a_client_hello_without_tls_is_named() -> None:
    async with serving(protocols=(WireProtocol.HTTP,)) as server:
        with server.plain() as peer:
            peer.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            assert await gone(peer) == b""
            assert server.counters["error_tls_not_enabled_count"] == 1


# --- faults of ours, and the end ---------------------------------------------


async def test_R10_a_handler_that_fails_ends_its_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:

        def fail(accepted: Accepted) -> None:
            raise RuntimeError("injected")

        serve, server.handler = server.handler, fail
        with server.plain() as first, server.plain() as second:
            first.sendall(b"\x03")
            assert await gone(first) == b""
            poller = server.context.poller
            assert poller.internal_error_count == 1
            poller.internal_error_count = 0
            server.handler = serve
            second.sendall(b"\x03")
            await eventually(lambda: server.connections, "the listener lives")
    assert "injected" in caplog.text


async def test_closing_drops_the_undecided_and_keeps_the_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving() as server:
        with server.plain() as silent, server.plain() as known:
            known.sendall(b"\x03")
            await eventually(lambda: len(server.limits.undecided) == len(server.connections) == 1, "both")
            server.stop_listening()
            assert await gone(silent) == b""
            assert len(server.connections) == 1
    assert not caplog.records


async def test_closing_in_a_pause_leaves_no_timer() -> None:
    server = LiveServer()
    server.listener._pause(OSError(errno.EMFILE, "none left"))
    timer = server.listener._timer
    assert timer is not None
    await server.close()
    assert timer.cancelled()


async def test_R10_accepting_goes_on_after_a_connection_that_could_not_be_set_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        for error, counted in ((RuntimeError("injected"), 1), (OSError(errno.ENOSPC, "no watches left"), 0)):
            with monkeypatch.context() as patch:

                def fail(*_: object, error: Exception = error) -> None:
                    raise error

                patch.setattr("edge.net.listener.Detecting", fail)
                with server.plain() as sock:
                    assert await gone(sock) == b""
            assert server.context.poller.internal_error_count == counted
            server.context.poller.internal_error_count = 0
        await server.client()
    assert "injected" in caplog.text


# --- held until their handler is there ---------------------------------------


async def test_a_held_protocol_waits_unread_and_is_served_when_it_is_released() -> None:
    async with serving(protocols=ALL) as server:
        server.listener.held.add(WireProtocol.HTTP)
        peers = [server.plain() for _ in range(3)]
        requests = [b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(3)]
        for peer, request in zip(peers, requests, strict=True):
            peer.sendall(request)
        await eventually(
            lambda: [one.protocol for one in server.limits.undecided] == [WireProtocol.HTTP] * 3, "all held"
        )
        with server.plain() as other:  # nobody else waits
            other.sendall(b"\x03")
            await eventually(lambda: server.connections, "RTMP")
        assert not server.accepted
        server.listener.release(WireProtocol.HTTP)
        assert [protocol for protocol, _ in server.accepted] == [WireProtocol.HTTP] * 3
        sockets = [accepted.wire.sock for _, accepted in server.accepted]
        assert [sock.recv(100) for sock in sockets] == requests, "in the order of their coming"
        assert {sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) for sock in sockets} == {1}
        assert not server.limits.undecided
        with server.plain() as later:
            later.sendall(b"GET / HTTP/1.1\r\n\r\n")
            await eventually(lambda: len(server.accepted) == 4, "one that comes afterwards")
        for peer in peers:
            peer.close()


async def test_what_is_held_neither_spins_nor_runs_out_of_time() -> None:
    async with serving(protocols=ALL, net=NetConfig(protocol_detect_timeout_ms=50)) as server:
        server.listener.held.add(WireProtocol.HTTP)
        with server.plain() as peer:
            for piece in (b"G", b"ET / HTTP/1.1\r\n"):
                peer.sendall(piece)
                await asyncio.sleep(0.005)
            await eventually(
                lambda: [one.protocol for one in server.limits.undecided] == [WireProtocol.HTTP], "it is held"
            )
            (held,) = server.limits.undecided
            began = time.thread_time()
            await asyncio.sleep(0.2)
            assert time.thread_time() - began < 0.1
            assert set(server.limits.undecided) == {held}
            peer.sendall(b"\r\n")
            server.listener.release(WireProtocol.HTTP)
            ((_, accepted),) = server.accepted
            assert accepted.wire.sock.recv(100).startswith(b"GET / HTTP/1.1\r\n")


async def test_one_that_is_reset_or_half_closed_while_it_is_held_costs_nothing() -> None:
    async with serving(protocols=ALL) as server:
        server.listener.held.add(WireProtocol.HTTP)
        reset, closed = server.plain(), server.plain()
        for peer in (reset, closed):
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        await eventually(
            lambda: [one.protocol for one in server.limits.undecided] == [WireProtocol.HTTP] * 2, "both held"
        )
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reset.close()
        closed.shutdown(socket.SHUT_WR)
        await eventually(lambda: len(server.limits.undecided) == 1, "the reset one to go")
        server.listener.release(WireProtocol.HTTP)
        ((_, accepted),) = server.accepted
        assert accepted.wire.sock.recv(100) == b"GET / HTTP/1.1\r\n\r\n"
        closed.close()


async def test_the_end_drops_what_is_held() -> None:
    async with serving(protocols=ALL) as server:
        server.listener.held.add(WireProtocol.HTTP)
        with server.plain() as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
            await eventually(
                lambda: [one.protocol for one in server.limits.undecided] == [WireProtocol.HTTP], "it is held"
            )
            server.stop_listening()
            assert await gone(peer) == b""
        assert not server.accepted
