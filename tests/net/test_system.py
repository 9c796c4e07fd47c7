"""What the kernel says of a socket, and is told to do with it: here, on macOS by its numbers, and elsewhere."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.net import system
from edge.net.system import (
    has_broken,
    is_at_end,
    is_listening,
    is_unheard,
    least_round_trip_us,
    lock_file,
    tcp_info,
    unacknowledged_bytes,
    unsent_bytes,
)
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.portable import needs_linux

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection of which the second end has little room."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as near:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        near.connect(listener.getsockname())
        far, _ = listener.accept()
        with far:
            yield far, near


def fill(sock: socket.socket) -> None:
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(65536))


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# --- how the connection is doing -------------------------------------------------


@needs_linux
def test_kernel_tells_how_a_connection_is_doing(pair: Pair) -> None:
    far, _ = pair
    info = tcp_info(far)
    assert info is not None
    assert (info.state, info.lost, info.retransmitted) == (1, 0, 0)
    assert info.congestion_window > 0 and info.segment_bytes >= 536 and 0 <= info.rtt_us < deadline(60) * 1_000_000
    fill(far)
    filled = tcp_info(far)
    assert filled is not None and filled.congestion_window > 0


def test_closed_and_other_sockets_have_no_such_thing(pair: Pair) -> None:
    far, _ = pair
    far.close()
    assert tcp_info(far) is None
    with socket.socket(socket.AF_UNIX) as local:
        assert tcp_info(local) is None


@needs_linux
def test_kernel_tells_the_shortest_round_trip(pair: Pair) -> None:
    far, _ = pair
    far.send(b"x")
    wait_until_sync(lambda: unacknowledged_bytes(far) == 0, deadline(2), "the kernel's acknowledgement")
    info = tcp_info(far)
    assert info is not None and 0 < least_round_trip_us(far) <= info.rtt_us + info.rttvar_us
    far.close()
    assert least_round_trip_us(far) == 0


# --- the send queue ----------------------------------------------------------


@needs_linux
def test_what_the_peers_kernel_has_taken_is_acknowledged_though_nobody_reads_it(pair: Pair) -> None:
    far, _ = pair
    assert unacknowledged_bytes(far) == 0
    far.send(bytes(10))
    wait_until_sync(lambda: unacknowledged_bytes(far) == 0, deadline(2), "the kernel's acknowledgement")
    assert unsent_bytes(far) == 0


@needs_linux
def test_what_the_peers_kernel_has_no_room_for_is_not(pair: Pair) -> None:
    far, _ = pair
    fill(far)
    held = unacknowledged_bytes(far)
    assert held is not None and 0 < unsent_bytes(far) <= held


@needs_linux
def test_slow_peer_is_heard(pair: Pair) -> None:
    far, _ = pair
    fill(far)
    assert not is_unheard(far)


def test_socket_that_is_closed_tells_nothing(pair: Pair) -> None:
    far, near = pair
    near.close()
    far.close()
    assert unacknowledged_bytes(far) is None
    assert unsent_bytes(far) == 0


# --- what is over ------------------------------------------------------------


def nothing(far: socket.socket, near: socket.socket) -> None:
    pass


def data(far: socket.socket, near: socket.socket) -> None:
    near.send(b"x")


def half_closed(far: socket.socket, near: socket.socket) -> None:
    near.shutdown(socket.SHUT_WR)


def half_closed_behind_data(far: socket.socket, near: socket.socket) -> None:
    near.send(b"x")
    near.shutdown(socket.SHUT_WR)


def closed_by_both(far: socket.socket, near: socket.socket) -> None:
    near.shutdown(socket.SHUT_WR)
    far.shutdown(socket.SHUT_WR)


def broken(far: socket.socket, near: socket.socket) -> None:
    reset(near)


def broken_behind_data(far: socket.socket, near: socket.socket) -> None:
    near.send(b"x")
    reset(near)


@pytest.mark.parametrize(
    ("happens", "is_broken", "is_ended"),
    [
        (nothing, False, False),
        (data, False, False),
        (half_closed, False, True),
        (half_closed_behind_data, False, False),
        (closed_by_both, True, True),
        (broken, True, True),
        (broken_behind_data, True, False),
    ],
)
def test_what_is_over_is_seen_and_nothing_is_taken(
    pair: Pair, happens: Callable[[socket.socket, socket.socket], None], is_broken: bool, is_ended: bool
) -> None:
    far, near = pair
    happens(far, near)
    far.setblocking(True)  # a look must not wait even so
    wait_until_sync(lambda: has_broken(far.fileno()) == is_broken, deadline(1), "what its kernel knows")
    wait_until_sync(lambda: is_at_end(far.fileno()) == is_ended, deadline(1), "the end")
    if happens in (data, half_closed_behind_data, broken_behind_data):
        assert far.recv(10) == b"x"
    assert far.fileno() >= 0


def test_error_of_a_broken_connection_is_left_for_whoever_reads(pair: Pair) -> None:
    far, near = pair
    reset(near)
    wait_until_sync(lambda: has_broken(far.fileno()), deadline(1), "the reset")
    with pytest.raises(ConnectionResetError):
        far.recv(1)


def test_socket_that_listens_has_not_broken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not has_broken(listener.fileno())


# --- options, by system ------------------------------------------------------

_TCP = socket.IPPROTO_TCP


class Kernel:
    """Takes options as a socket does, and keeps them; answers what is asked with ``answer``."""

    def __init__(self, error: OSError | None = None) -> None:
        self.options: list[tuple[int, int, int]] = []
        self.asked: list[tuple[int, int]] = []
        self.error = error

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append((level, option, value))
        if level == _TCP and self.error is not None:
            raise self.error

    def getsockopt(self, level: int, option: int) -> int:
        self.asked.append((level, option))
        if self.error is not None:
            raise self.error
        return 77


def set_all(kernel: Kernel) -> None:
    system.keep_alive(kernel, idle_s=20, interval_s=5, probe_count=3)  # type: ignore[arg-type]
    system.drop_when_unacknowledged(kernel, 35_500)  # type: ignore[arg-type]
    system.limit_unsent(kernel, 70_000)  # type: ignore[arg-type]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Linux nor macOS, and no names for any of it."""
    monkeypatch.setattr(system, "_IS_LINUX", False)
    monkeypatch.setattr(system, "_IS_MACOS", False)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT", "TCP_NOTSENT_LOWAT", "TCP_INFO"):
        monkeypatch.delattr(socket, name, raising=False)


@pytest.fixture
def on_macos(elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_IS_MACOS", True)


@needs_linux
def test_options_of_linux() -> None:
    kernel = Kernel()
    set_all(kernel)
    assert kernel.options == [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (_TCP, 4, 20),
        (_TCP, 5, 5),
        (_TCP, 6, 3),
        (_TCP, 18, 35_500),
        (_TCP, 25, 70_000),
    ]


@needs_linux
def test_option_that_linux_refuses_is_a_fault() -> None:
    with pytest.raises(OSError):
        set_all(Kernel(OSError(errno.EINVAL, "invalid")))


def test_options_of_macos_are_those_of_its_headers(on_macos: None) -> None:
    kernel = Kernel()
    set_all(kernel)
    assert kernel.options == [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (_TCP, 0x10, 20),
        (_TCP, 0x101, 5),
        (_TCP, 0x102, 3),
        (_TCP, 0x80, 36),
        (_TCP, 0x201, 70_000),
    ]


def test_macos_tells_of_its_send_queue_by_one_number(on_macos: None) -> None:
    kernel = Kernel()
    assert (unacknowledged_bytes(kernel), unsent_bytes(kernel), is_unheard(kernel)) == (77, 77, False)  # type: ignore[arg-type]
    assert kernel.asked == [(socket.SOL_SOCKET, 0x1024)] * 2


def test_macos_may_refuse_to_speak_of_a_connection_that_is_over(on_macos: None) -> None:
    kernel = Kernel(OSError(errno.EINVAL, "invalid"))
    set_all(kernel)
    assert (unacknowledged_bytes(kernel), unsent_bytes(kernel)) == (None, 0)  # type: ignore[arg-type]


def test_elsewhere_nothing_is_set_and_nothing_is_known(elsewhere: None) -> None:
    kernel = Kernel()
    set_all(kernel)
    assert kernel.options == [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    assert (unacknowledged_bytes(kernel), unsent_bytes(kernel), is_unheard(kernel)) == (None, 0, False)  # type: ignore[arg-type]
    assert kernel.asked == []
    assert system.new_ready_set() is None


# --- open files --------------------------------------------------------------

_UNLIMITED = 2**63 - 1  # of macOS


@pytest.mark.parametrize(
    ("is_macos", "before", "after"),
    [
        (False, (256, 4096), 4096),
        (False, (4096, 4096), 4096),
        (True, (256, _UNLIMITED), 10240),
        (True, (256, 4096), 4096),
        (True, (20_000, _UNLIMITED), 20_000),
    ],
)
def test_more_files_may_be_open(
    monkeypatch: pytest.MonkeyPatch, is_macos: bool, before: tuple[int, int], after: int
) -> None:
    limits = [before]
    monkeypatch.setattr(system, "_IS_MACOS", is_macos)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda kind, new: limits.append(new))
    assert system.raise_descriptor_limit() == (before[0], after)
    assert limits[-1] == (after, before[1])


def test_figures_of_this_process_have_a_place_for_what_differs() -> None:
    assert system.descriptor_limit() >= 16
    assert system.usage().ru_utime > 0
    assert 1_000_000 < system.most_resident_bytes() < 1 << 40
    assert len(system.kernel_version().split()) >= 2


def test_a_socket_that_listens_is_told_from_all_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as idle:
        assert is_listening(listening) and not is_listening(idle)
    near, far = socket.socketpair()
    with near, far:
        assert not is_listening(near)


def test_a_file_is_locked_once(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as one, (tmp_path / "file").open("w") as other:
        assert lock_file(one.fileno()) and not lock_file(other.fileno())
        one.close()
        assert lock_file(other.fileno())
