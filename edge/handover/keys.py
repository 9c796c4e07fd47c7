"""What names a listening socket, in whichever process it is."""

from __future__ import annotations

from typing import NamedTuple


class SocketKey(NamedTuple):
    """A listening socket, by what it was asked for: port 0 where the kernel has chosen one."""

    host: str
    port: int
    role: str
