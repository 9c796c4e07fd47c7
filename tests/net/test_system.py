"""What the kernel says of a socket, and is told to do with it."""

from __future__ import annotations

import socket

from edge.net.system import unacknowledged_bytes
from tests.harness.clock import deadline, wait_until_sync


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.socket()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        near.connect(listener.getsockname())
        far, _ = listener.accept()
    return far, near


def test_what_the_peers_kernel_has_taken_is_acknowledged_though_nobody_reads_it() -> None:
    far, near = pair()
    with far, near:
        assert unacknowledged_bytes(far) == 0
        far.send(bytes(10))
        wait_until_sync(lambda: unacknowledged_bytes(far) == 0, deadline(2), "the kernel's acknowledgement")


def test_what_the_peers_kernel_has_no_room_for_is_not() -> None:
    far, near = pair()
    with far, near:
        far.setblocking(False)
        try:
            while True:
                far.send(bytes(65536))
        except BlockingIOError:
            pass
        held = unacknowledged_bytes(far)
        assert held is not None and held > 0


def test_socket_that_is_closed_tells_nothing() -> None:
    far, near = pair()
    near.close()
    far.close()
    assert unacknowledged_bytes(far) is None
