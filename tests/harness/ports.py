"""Ports for servers that must be reached at the same place again after they were killed."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterator

# Below those of outgoing connections (32768 and up), so that the kernel gives none away while its server is dead.
_FIRST, _LAST, _BLOCK = 20000, 32000, 300


class _Block:
    """Ports that no other test process takes: it holds the block's name among the abstract sockets until it ends."""

    def __init__(self) -> None:
        self._holder = socket.socket(socket.AF_UNIX)
        for first in range(_FIRST, _LAST, _BLOCK):
            try:
                self._holder.bind(f"\0edge-tests-ports-{first}")
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            self._ports: Iterator[int] = itertools.cycle(range(first, first + _BLOCK))
            return
        raise AssertionError("all blocks of ports are taken by other test processes")

    def take(self) -> int:
        """The port of the block that was taken longest ago, of those that nobody listens on."""
        for port in itertools.islice(self._ports, _BLOCK):
            with socket.socket() as probe:
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    continue
                return port
        raise AssertionError("all ports of the block are in use")


# Taken before any test looks at what it leaves open.
_block = _Block()


def free_port() -> int:
    """A TCP port that nobody uses now, and that is given to nobody else until 300 more have been asked for."""
    return _block.take()
