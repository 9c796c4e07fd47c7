"""How large a list of headers becomes that is sent compressed (HPACK, RFC 7541), without decoding it.

A block of a few kilobytes may stand for megabytes: each of its bytes may mean a large header that was sent once.
Strings are not decoded, so those in Huffman's code count as long as they may be at most. What was evicted from the
table is not known here either: whether an index means something still is for the decoder to say.
"""

from __future__ import annotations

from collections import deque

#: What each header counts beside its text (RFC 7541 §4.1).
ENTRY_BYTES = 32
#: Size of the table unless the decoder says another; it cannot have more entries than this.
TABLE_BYTES = 4096
_MAX_ENTRIES = TABLE_BYTES // ENTRY_BYTES
_STATIC_ENTRIES = 61
# No name, and no value, of the static table is longer.
_STATIC_NAME_BYTES, _STATIC_VALUE_BYTES = 27, 13
# Shortest code of a sign in bits (RFC 7541, appendix B).
_LEAST_BITS = 5
_MAX_SIZE_CHANGES = 2
_MAX_INTEGER_BITS = 28


class HpackError(Exception):
    """A block that no decoder takes."""


class HeaderSizes:
    """Measures the blocks of one connection, in the order of coming."""

    def __init__(self) -> None:
        self._table: deque[tuple[int, int]] = deque(maxlen=_MAX_ENTRIES)

    def measure(self, block: bytes) -> int:
        """Bytes that the headers of a whole block have at most (RFC 9113 §6.5.2); raises HpackError."""
        at, total, changes, has_headers = 0, 0, 0, False
        while at < len(block):
            first = block[at]
            if first & 0xE0 == 0x20:
                size, at = _integer(block, at, 5)
                changes += 1
                if has_headers or changes > _MAX_SIZE_CHANGES or size > TABLE_BYTES:
                    raise HpackError(f"the table is to have {size} bytes")
                continue
            has_headers = True
            if first & 0x80:
                index, at = _integer(block, at, 7)
                name, value = self._entry(index)
            else:
                is_kept = bool(first & 0x40)
                index, at = _integer(block, at, 6 if is_kept else 4)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = _string(block, at)
                value, at = _string(block, at)
                if is_kept:
                    self._table.appendleft((name, value))
            total += name + value + ENTRY_BYTES
        return total

    def _entry(self, index: int) -> tuple[int, int]:
        """Sizes of the name and the value of an entry (RFC 7541 §2.3.3)."""
        if 0 < index <= _STATIC_ENTRIES:
            return _STATIC_NAME_BYTES, _STATIC_VALUE_BYTES
        place = index - _STATIC_ENTRIES - 1
        if not 0 <= place < len(self._table):
            raise HpackError(f"index {index} means nothing")
        return self._table[place]


def _integer(block: bytes, at: int, prefix_bits: int) -> tuple[int, int]:
    """An integer (RFC 7541 §5.1) and the place behind it."""
    most = (1 << prefix_bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for shift in range(0, _MAX_INTEGER_BITS, 7):
        if at >= len(block):
            raise HpackError("a number is cut off")
        value += (block[at] & 0x7F) << shift
        at += 1
        if not block[at - 1] & 0x80:
            return value, at
    raise HpackError("a number does not end")


def _string(block: bytes, at: int) -> tuple[int, int]:
    """The most bytes that a string may have (RFC 7541 §5.2), and the place behind it."""
    if at >= len(block):
        raise HpackError("a string is cut off")
    is_huffman = bool(block[at] & 0x80)
    size, at = _integer(block, at, 7)
    if at + size > len(block):
        raise HpackError("a string is cut off")
    return (size * 8 // _LEAST_BITS if is_huffman else size), at + size
