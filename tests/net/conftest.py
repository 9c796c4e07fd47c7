"""What must hold after each test of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


def open_sockets() -> set[str]:
    """Names of the sockets that this process holds."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if name.startswith("socket:"):
            found.add(name)
    return found


@pytest.fixture(autouse=True)
def no_socket_left_open() -> Iterator[None]:
    """Fail a test after which a socket is open that was not before."""
    before = open_sockets()
    yield
    left = open_sockets() - before
    assert not left, f"left open: {sorted(left)}"
