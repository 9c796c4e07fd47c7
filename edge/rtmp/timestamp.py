"""Arithmetic on RTMP's 32-bit timestamps, and the habits of real senders around them.

A ``wire_timestamp`` counts milliseconds modulo 2**32. Headers carry it, or a
delta, in 24 bits; 0xFFFFFF there says that four more bytes hold the value
(RTMP 1.0 §5.3.1.3). The text leaves three things open, which the functions
below decide: what a type-3 header that starts a message adds, whether the
extended field of a type-1/2 header is a delta, and whether type-3 headers
repeat the extended field.
"""

from __future__ import annotations

EXTENDED_MARK = 0xFFFFFF
"""Value of the 24-bit field that announces an extended timestamp."""

WRAP = 1 << 32
MASK = WRAP - 1

MAX_REPEATED_ABSOLUTE_MS = 1000
"""Up to here a type-3 header after a type-0 one repeats the timestamp as its delta."""

ABSOLUTE_WINDOW_MS = 10_000
"""An extended delta this close to the running timestamp is an absolute time."""


def signed_difference(later: int, earlier: int) -> int:
    """Return ``later - earlier`` in ms, read modulo 2**32 as -2**31 .. 2**31 - 1."""
    difference = (later - earlier) & MASK
    return difference - WRAP if difference >= 1 << 31 else difference


def advance(wire_timestamp: int, delta_ms: int) -> int:
    """Return ``wire_timestamp`` plus ``delta_ms``, wrapped to 32 bits."""
    return (wire_timestamp + delta_ms) & MASK


def delta_after_absolute(wire_timestamp: int) -> int:
    """Return what a type-3 header adds when the last header was of type 0.

    RTMP 1.0 §5.3.1.2.4 says: the type-0 timestamp itself. That is meant for
    streams that begin near 0; a doubled absolute time of minutes is never what
    a sender meant, so beyond ``MAX_REPEATED_ABSOLUTE_MS`` nothing is added.
    """
    return wire_timestamp if wire_timestamp <= MAX_REPEATED_ABSOLUTE_MS else 0


def resolve_extended(value: int, running: int) -> tuple[int, int]:
    """Read the extended field of a header that carries a delta.

    Returns ``(wire_timestamp, delta_ms)``. A true delta of 4.66 hours
    practically never occurs, while peers of the old reading (SRS before 2025)
    put the absolute time there: within ``ABSOLUTE_WINDOW_MS`` of ``running``
    the value is absolute, else a delta.
    """
    difference = signed_difference(value, running)
    if -ABSOLUTE_WINDOW_MS <= difference <= ABSOLUTE_WINDOW_MS:
        return value, max(difference, 0)
    return advance(running, value), value


def may_repeat_extended(head: bytes, extended: int, running: int) -> bool:
    """Tell whether ``head`` (0-4 bytes) begins a repeated extended timestamp.

    The field is expected as it was sent, or as the absolute time; senders that
    keep or lose bit 31 between the two are matched as well.
    """
    for expected in (extended, running):
        for value in (expected, expected ^ 0x80000000):
            if value.to_bytes(4, "big").startswith(head):
                return True
    return False
