"""Ids of what is billed: unique over processes, machines and time, and as media-server writes them."""

from __future__ import annotations

import ipaddress
import itertools
import struct

import mmh3

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
#: Digits of six bits in 64.
_HALF_DIGITS = 11
_FIRST = 2


def half_text(half: int) -> str:
    """64 bits as eleven digits, the lowest six bits first."""
    return "".join(_DIGITS[half >> 6 * place & 63] for place in range(_HALF_DIGITS))


class RequestIds:
    """Makes the ids of one process.

    The two halves of MurmurHash3-x64-128 over: own address, ``-port``, process id, a counter, the
    moment in microseconds; integers of 4, 4, 8, 8 and 8 bytes in the order of this machine.
    """

    def __init__(self, host: str, port: int, process_id: int) -> None:
        """``host``: a numeric address of this machine; of one of IPv6 its last four bytes stand for it."""
        address = int(ipaddress.ip_address(host)) & 0xFFFFFFFF
        self._head = struct.pack("=IiQ", address, port, process_id)
        self._counter = itertools.count(_FIRST)

    def new(self, wall_us: int) -> str:
        """The next one, of 22 characters."""
        data = self._head + struct.pack("=Qq", next(self._counter), wall_us)
        low, high = mmh3.hash64(data, 0, x64arch=True, signed=False)
        return half_text(low) + half_text(high)
