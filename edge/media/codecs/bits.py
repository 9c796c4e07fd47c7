"""Bits, most significant first: to read from bytes, and to write."""

from __future__ import annotations

from edge.errors import MalformedHeaderError

#: H.264 and H.265 know no larger number.
_MAX_EXP_GOLOMB_BITS = 32


class BitReader:
    """Reads a decoder configuration; what is asked for past its end is a :class:`MalformedHeaderError`.

    Attributes:
        position: bits read so far.
    """

    __slots__ = ("_bits", "_size", "position")

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._size = len(data) * 8
        self.position = 0

    @property
    def left(self) -> int:
        """Bits not yet read."""
        return self._size - self.position

    def read(self, count: int) -> int:
        """The next ``count`` bits as a number."""
        self.position += count
        if self.position > self._size:
            raise MalformedHeaderError(f"configuration of {self._size // 8} bytes ends within a field")
        return self._bits >> (self._size - self.position) & ((1 << count) - 1)

    def read_ue(self) -> int:
        """An unsigned Exp-Golomb number (H.264 §9.1): as many zeros as bits follow the first one."""
        for zeros in range(_MAX_EXP_GOLOMB_BITS + 1):
            if self.read(1):
                return (1 << zeros) - 1 + self.read(zeros)
        raise MalformedHeaderError(f"an Exp-Golomb number of more than {_MAX_EXP_GOLOMB_BITS} bits")

    def read_se(self) -> int:
        """A signed Exp-Golomb number (H.264 §9.1.1): 0, 1, -1, 2, -2 and so on."""
        value = self.read_ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)

    def align(self) -> None:
        """Go to the next whole byte."""
        self.position += -self.position % 8


class BitWriter:
    """Collects bits; ``bytes(writer)`` fills the last byte with zeros."""

    __slots__ = ("_bits", "size")

    def __init__(self) -> None:
        self._bits = 0
        self.size = 0

    def write(self, value: int, count: int) -> None:
        self._bits = self._bits << count | value
        self.size += count

    def align(self) -> None:
        """Fill up to a whole byte."""
        self.write(0, -self.size % 8)

    def __bytes__(self) -> bytes:
        padding = -self.size % 8
        return (self._bits << padding).to_bytes((self.size + padding) // 8, "big")
