"""Ids of requests, against MurmurHash3-x64-128 as its author describes it."""

from __future__ import annotations

import re
import struct

from edge.logbook.request_id import RequestIds, half_text

_MASK = (1 << 64) - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _finished(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & _MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & _MASK
    return value ^ value >> 33


def murmur(data: bytes) -> tuple[int, int]:
    """Two halves of 64 bits, with the seed 0."""
    first = second = 0
    whole = len(data) // 16 * 16
    for at in range(0, whole, 16):
        one, two = struct.unpack_from("<QQ", data, at)
        first ^= _rotated(one * _C1 & _MASK, 31) * _C2 & _MASK
        first = ((_rotated(first, 27) + second) * 5 + 0x52DCE729) & _MASK
        second ^= _rotated(two * _C2 & _MASK, 33) * _C1 & _MASK
        second = ((_rotated(second, 31) + first) * 5 + 0x38495AB5) & _MASK
    tail = data[whole:]
    second ^= _rotated(int.from_bytes(tail[8:], "little") * _C2 & _MASK, 33) * _C1 & _MASK
    first ^= _rotated(int.from_bytes(tail[:8], "little") * _C1 & _MASK, 31) * _C2 & _MASK
    first, second = first ^ len(data), second ^ len(data)
    first = (first + second) & _MASK
    second = (second + first) & _MASK
    first, second = _finished(first), _finished(second)
    first = (first + second) & _MASK
    return first, (second + first) & _MASK


def test_digits_begin_with_the_lowest_six_bits() -> None:
    assert half_text(0) == "0" * 11
    assert half_text(1) == "1" + "0" * 10
    assert half_text(64 + 61) == "Z1" + "0" * 9
    assert half_text(62 | 63 << 6) == "-_" + "0" * 9
    assert half_text((1 << 64) - 1) == "_" * 10 + "f"


def test_the_bytes_that_are_hashed() -> None:
    ids = RequestIds("10.0.0.9", 8079, 4242)
    for counter, micros in ((2, 1795230146123456), (3, 1795230146123457)):
        data = struct.pack("=IiQQq", 0x0A000009, 8079, 4242, counter, micros)
        low, high = murmur(data)
        assert ids.new(micros) == half_text(low) + half_text(high)


def test_they_differ_and_have_22_digits() -> None:
    ids = RequestIds("::1", -1, 1)
    made = {ids.new(0) for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"[0-9a-zA-Z_-]{22}", each) for each in made)
