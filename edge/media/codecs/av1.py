"""AV1: configuration record, open bitstream units, and temporal units as MPEG-TS carries them.

Sources: AV1 bitstream specification §5.3 and §4.10.5 (leb128); AV1 in ISOBMFF §2.3 (av1C); AOM's
"Carriage of AV1 in MPEG-2 TS", by which each unit stands behind a start code and is kept from
looking like one. That text wants a PES packet per *frame*; ours hold what FLV holds, a temporal
unit, which may bear hidden frames beside the one shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.errors import MalformedFrameError, MalformedHeaderError

SEQUENCE_HEADER, TEMPORAL_DELIMITER, TILE_LIST, PADDING = 1, 2, 8, 15
_START_CODE = b"\0\0\1"
_HAS_EXTENSION, _HAS_SIZE = 0x04, 0x02
_MAX_LEB128_BYTES = 8
#: Two zeros before a byte below 4, or at the end of a unit, get a 3 behind them.
_EMULATION = re.compile(rb"\x00\x00(?=[\x00-\x03]|\Z)")
_DESCRIPTOR = b"\x80\x04"
#: Of one temporal unit: see the same of NAL units. Coded data hold hardly any zeros that need an escape.
_MAX_UNITS = 4096
_MAX_ESCAPES = 65536


@dataclass(frozen=True, slots=True)
class Av1Config:
    """The four fixed bytes of av1C, which are the AV1 video descriptor of TS too, and the sequence header unit.

    ``sequence_header`` is empty where the record brings none.
    """

    fixed: bytes
    sequence_header: bytes

    def access_unit(self, data: bytes, start: int, end: int, is_keyframe: bool) -> tuple[bytes, bool]:
        """TS form of the temporal unit ``data[start:end]``, and whether decoding may begin with it.

        Keyframes get the sequence header, unless they bring one. Temporal delimiters are left out, as they
        may be: mpegts.js ends with an error where one stands before the first sequence header.

        Raises:
            MalformedFrameError: the sizes do not fit the frame, or a unit is full of zeros.
        """
        found = split_units(data, start, end)
        units = [unit for kind, unit in found if kind not in (TEMPORAL_DELIMITER, TILE_LIST, PADDING)]
        if not units:
            return b"", False
        has_header = any(kind == SEQUENCE_HEADER for kind, _ in found)
        if is_keyframe and not has_header and self.sequence_header:
            units.insert(0, self.sequence_header)
        protected = [_escape(unit) for unit in units]
        return _START_CODE + _START_CODE.join(protected), is_keyframe


def decode_config(record: bytes) -> Av1Config:
    """Read av1C, the body of a sequence header: marker and version (0x81), profile and level, flags, delay; units.

    Raises:
        MalformedHeaderError: cut short, another version, or units that do not fit.
    """
    if len(record) < 4 or record[0] != 0x81:
        raise MalformedHeaderError(f"av1C of {len(record)} bytes begins with {record[:1].hex() or 'nothing'}")
    try:
        found = split_units(record, 4, len(record))
    except MalformedFrameError as error:
        raise MalformedHeaderError(f"av1C: {error.detail}") from error
    headers = [unit for kind, unit in found if kind == SEQUENCE_HEADER]
    return Av1Config(record[:4], headers[0] if headers else b"")


def decode_ts_header(descriptor: bytes) -> Av1Config:
    """Read the AV1 video descriptor that E-RTMP's Mpeg2TsSequenceStart brings: tag 0x80, size 4, then as av1C.

    Raises:
        MalformedHeaderError: another tag or size, or as :func:`decode_config`.
    """
    if not descriptor.startswith(_DESCRIPTOR):
        raise MalformedHeaderError(f"AV1 video descriptor begins with {descriptor[:2].hex() or 'nothing'}")
    return decode_config(descriptor[2:6])


def split_units(data: bytes, start: int, end: int) -> list[tuple[int, bytes]]:
    """Type and bytes, header and size field included, of each unit of ``data[start:end]``.

    Only the last one may lack its size field (low overhead format, AV1 §5.2).

    Raises:
        MalformedFrameError: a size leads past the end or has too many bytes, or there are too many units.
    """
    found: list[tuple[int, bytes]] = []
    for _ in range(_MAX_UNITS + 1):
        if start >= end:
            return found
        first = data[start]
        position = start + (2 if first & _HAS_EXTENSION else 1)
        if first & _HAS_SIZE:
            size, position = _leb128(data, position, end)
            position += size
        else:
            position = max(position, end)
        if position > end:
            raise MalformedFrameError(f"a unit from byte {start} ends at {position} of {end}")
        found.append((first >> 3 & 15, data[start:position]))
        start = position
    raise MalformedFrameError(f"more than {_MAX_UNITS} units")


def _escape(unit: bytes) -> bytes:
    escaped, count = _EMULATION.subn(b"\0\0\3", unit, _MAX_ESCAPES)
    if count == _MAX_ESCAPES:
        raise MalformedFrameError(f"a unit of {len(unit)} bytes is full of zeros")
    return escaped


def _leb128(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = 0
    for count in range(_MAX_LEB128_BYTES):
        if position >= end:
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << 7 * count
        if not byte & 0x80:
            return value, position
    raise MalformedFrameError(f"a size that does not end at byte {position}")
