"""TS packets: PES packets cut into 188 bytes, with adaptation fields and continuity counters (ISO/IEC 13818-1 §2.4.3).

The bytes of a PES packet are cut by ``struct``, which gives all pieces in one
call, and are joined with headers that are made once per PID of the process: plain Python, and
still well under a microsecond per packet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import add
from struct import Struct

PACKET_BYTES = 188
_BODY_BYTES = PACKET_BYTES - 4
_SYNC = 0x47
_START = 0x40  # payload_unit_start_indicator, in the second byte
_PAYLOAD, _ADAPTATION = 0x10, 0x20  # adaptation_field_control, in the fourth

#: Flags of an adaptation field.
DISCONTINUITY, RANDOM_ACCESS, PRIORITY, _HAS_PCR = 0x80, 0x40, 0x20, 0x10

_FILL = b"\xff" * _BODY_BYTES
#: Adaptation fields of each size that only fill up a packet; one of a single byte is its length, 0.
_STUFFING = (b"", b"\0", *(bytes((size - 1, 0)) + _FILL[: size - 2] for size in range(2, _BODY_BYTES + 1)))
#: What follows a clock in a packet of nothing else.
_BEHIND_CLOCK = _FILL[: _BODY_BYTES - 8]

_MAX_SLICES = 64
_slicers: dict[int, Callable[..., tuple[bytes, ...]]] = {}

_pack_clock = Struct(">BBIH").pack
_pack_pts = Struct(">IHHBBHH").pack
_pack_pts_dts = Struct(">IHHBBHHBHH").pack
_MAX_PES_LENGTH = 0xFFFF
#: Marker 10 and data alignment; which times follow.
_PTS_ONLY, _PTS_AND_DTS = 0x8480, 0x84C0
_START_CODE = 0x100


def adaptation(flags: int, pcr: int | None = None) -> bytes:
    """Adaptation field (§2.4.3.4): length, flags, and a clock: 33 bits at 90 kHz, 6 reserved, 9 at 27 MHz (0)."""
    if pcr is None:
        return bytes((1, flags))
    return _pack_clock(7, flags | _HAS_PCR, pcr >> 1 & 0xFFFFFFFF, (pcr & 1) << 15 | 0x7E00)


def pes_header(stream_id: int, size: int, pts: int, dts: int) -> bytes:
    """Header of a PES packet with ``size`` bytes of data, which begins with an access unit (§2.4.3.6).

    ``pts`` and ``dts`` are at 90 kHz, of any size. Each is 4 bits that tell which it is, then 3, 15 and
    15 bits, each with a 1 behind; DTS is there only where it differs. The length is 0, which means "up
    to the next one", where it does not fit; only video may be that long.
    """
    start = _START_CODE | stream_id
    upper, middle, lower = pts >> 29 & 0xE | 1, pts >> 14 & 0xFFFE | 1, pts << 1 & 0xFFFE | 1
    if pts == dts:
        length = size + 8 if size + 8 <= _MAX_PES_LENGTH else 0
        return _pack_pts(start, length, _PTS_ONLY, 5, 0x20 | upper, middle, lower)
    length = size + 13 if size + 13 <= _MAX_PES_LENGTH else 0
    dts_upper, dts_middle, dts_lower = dts >> 29 & 0xE | 1, dts >> 14 & 0xFFFE | 1, dts << 1 & 0xFFFE | 1
    return _pack_pts_dts(
        start, length, _PTS_AND_DTS, 10, 0x30 | upper, middle, lower, 0x10 | dts_upper, dts_middle, dts_lower
    )


@cache
def _headers_of(pid: int) -> tuple[tuple[bytes, ...], ...]:
    """Heads of packets by their counter: that begin a PES packet, with a field; in its midst, with one; of a field."""

    def headers(flags: int, control: int, count: int = 16) -> tuple[bytes, ...]:
        return tuple(bytes((_SYNC, flags | pid >> 8, pid & 255, control | n & 15)) for n in range(count))

    # Any counter is followed by as many headers as there are slices in one step.
    plain = headers(0, _PAYLOAD, 16 + _MAX_SLICES)
    with_field = _PAYLOAD | _ADAPTATION
    return (
        headers(_START, _PAYLOAD),
        headers(_START, with_field),
        plain,
        headers(0, with_field),
        headers(0, _ADAPTATION),
    )


class PidWriter:
    """Packets of one PID.

    Attributes:
        counter: continuity counter of the next packet with payload.
        is_jump: receivers are told with the next packet that counters jump (discontinuity_indicator, §2.4.3.5).
    """

    __slots__ = ("_field_starts", "_fields", "_plain", "_starts", "_stuffed", "counter", "is_jump", "pid")

    def __init__(self, pid: int, *, is_jump: bool = False) -> None:
        self.pid = pid
        self.counter = 0
        self.is_jump = is_jump
        self._starts, self._field_starts, self._plain, self._stuffed, self._fields = _headers_of(pid)

    def write(self, pes: bytes, field: bytes = b"") -> bytes:
        """All packets of one PES packet; ``field`` is the adaptation field of the first one."""
        if self.is_jump:
            field = self._jumping(field)
        counter = self.counter
        room = _BODY_BYTES - len(field)
        size = len(pes)
        if size < room:
            self.counter = counter + 1 & 15
            return self._field_starts[counter] + _filled(field, _BODY_BYTES - size) + pes
        pieces = [self._field_starts[counter] + field if field else self._starts[counter], pes[:room]]
        count, rest = divmod(size - room, _BODY_BYTES)
        counter = counter + 1 & 15
        while count:
            step = count if count < _MAX_SLICES else _MAX_SLICES
            slicer = _slicers.get(step) or _new_slicer(step)
            pieces += map(add, self._plain[counter : counter + step], slicer(pes, room))
            counter = counter + step & 15
            room += step * _BODY_BYTES
            count -= step
        if rest:
            pieces += (self._stuffed[counter], _STUFFING[_BODY_BYTES - rest], pes[-rest:])
            counter = counter + 1 & 15
        self.counter = counter
        return b"".join(pieces)

    def write_clock(self, pcr: int) -> bytes:
        """A packet without payload, which does not count (§2.4.3.3), for the clock."""
        head = self._fields[self.counter - 1 & 15]
        if self.is_jump:
            return head + _filled(self._jumping(adaptation(0, pcr)), _BODY_BYTES)
        clock = _pack_clock(_BODY_BYTES - 1, _HAS_PCR, pcr >> 1 & 0xFFFFFFFF, (pcr & 1) << 15 | 0x7E00)
        return head + clock + _BEHIND_CLOCK

    def write_section(self, section: bytes) -> bytes:
        """One packet with a whole table section, filled up as sections are (§2.4.4)."""
        counter = self.counter
        self.counter = counter + 1 & 15
        head = self._starts[counter]
        if self.is_jump:
            head = self._field_starts[counter] + self._jumping(b"")
        return head + b"\0" + section + _FILL[: _BODY_BYTES + 3 - len(head) - len(section)]

    def _jumping(self, field: bytes) -> bytes:
        """An adaptation field that says so."""
        self.is_jump = False
        return field[:1] + bytes((field[1] | DISCONTINUITY,)) + field[2:] if field else adaptation(DISCONTINUITY)


def pid_of(packets: bytes | memoryview, start: int = 0) -> int:
    """PID of the packet that begins at ``start``."""
    return (packets[start + 1] & 31) << 8 | packets[start + 2]


def announce_jump(packets: bytes, counters: Mapping[int, int] | None = None) -> bytes:
    """Packets for a player that goes on with ``packets`` after others than those before them.

    ``counters``: of the next packet of further PIDs, which are not among them.

    Each PID among them gets one without payload that says so (discontinuity_indicator, §2.4.3.5), with the
    counter that its next one goes on from; else receivers take what is right for corrupt.
    """
    found: dict[int, bytes] = {}
    for start in range(0, len(packets), PACKET_BYTES):
        pid = pid_of(packets, start)
        if pid not in found:
            control = packets[start + 3]
            found[pid] = _announce(pid, control - 1 if control & _PAYLOAD else control)
    for pid, counter in (counters or {}).items():
        if pid not in found:
            found[pid] = _announce(pid, counter - 1)
    return b"".join(found.values())


def _announce(pid: int, counter: int) -> bytes:
    head = bytes((_SYNC, pid >> 8, pid & 255, _ADAPTATION | counter & 15))
    return head + _filled(adaptation(DISCONTINUITY), _BODY_BYTES)


def _filled(field: bytes, size: int) -> bytes:
    """An adaptation field made ``size`` bytes long."""
    if not field:
        return _STUFFING[size]
    return bytes((size - 1,)) + field[1:] + _FILL[: size - len(field)]


def _new_slicer(count: int) -> Callable[..., tuple[bytes, ...]]:
    _slicers[count] = slicer = Struct(f"{_BODY_BYTES}s" * count).unpack_from
    return slicer
