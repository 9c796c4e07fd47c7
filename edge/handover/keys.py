"""What names a listening socket, in whichever process it is."""

from __future__ import annotations

from typing import NamedTuple


class SocketKey(NamedTuple):
    """A listening socket, by what it was asked for: port 0 where the kernel has chosen one.

    With ``is_given`` somebody else has opened it for its role, a service manager: whatever the flags say, it is used.
    """

    host: str
    port: int
    role: str
    is_given: bool = False
