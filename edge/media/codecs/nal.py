"""NAL units: split by length (ISO/IEC 14496-15) or by start code (Annex B of H.264 and H.265)."""

from __future__ import annotations

from edge.errors import MalformedFrameError, MalformedHeaderError

START_CODE = b"\0\0\0\1"
_SHORT_START_CODE = b"\0\0\1"
#: Of one frame; the largest levels know 600 slices. Millions of empty units would stop everybody else for seconds.
MAX_UNITS = 4096


def is_annex_b(data: bytes) -> bool:
    """Whether data begin with a start code; lengths may look like one, so try those first."""
    return data.startswith((_SHORT_START_CODE, START_CODE))


def split_by_length(data: bytes, start: int, end: int, length_size: int) -> list[bytes]:
    """Units of ``data[start:end]``, each behind its size in ``length_size`` bytes; empty units are left out.

    Some encoders send Annex B where lengths belong: what cannot be split by length and begins with a
    start code is split by start codes.

    Raises:
        MalformedFrameError: a length leads past the end, or there are too many units.
    """
    units: list[bytes] = []
    position = start
    for _ in range(MAX_UNITS + 1):
        if position >= end:
            return units
        unit = position + length_size
        position = unit + int.from_bytes(data[position:unit], "big")
        if position > end or unit > end:
            if is_annex_b(data[start : start + 4]):
                return split_annex_b(data[start:end])
            raise MalformedFrameError(f"a NAL unit ends at byte {position} of {end}")
        if position > unit:
            units.append(data[unit:position])
    raise MalformedFrameError(f"more than {MAX_UNITS} NAL units")


def split_annex_b(data: bytes) -> list[bytes]:
    """Units between start codes; what stands before the first one is left out.

    Zeros before a start code belong to it, or are padding of the unit before (trailing_zero_8bits).

    Raises:
        MalformedFrameError: too many units.
    """
    parts = data.split(_SHORT_START_CODE, MAX_UNITS + 1)
    if len(parts) > MAX_UNITS + 1:
        raise MalformedFrameError(f"more than {MAX_UNITS} NAL units")
    units = [part.rstrip(b"\0") for part in parts[1:]]
    return [unit for unit in units if unit]


def split_header(record: bytes) -> list[bytes]:
    """Units of a sequence header in Annex B form.

    Raises:
        MalformedHeaderError: too many units.
    """
    try:
        return split_annex_b(record)
    except MalformedFrameError as error:
        raise MalformedHeaderError(error.detail) from error


def join_annex_b(units: list[bytes]) -> bytes:
    """Units, each behind a start code of four bytes."""
    return START_CODE + START_CODE.join(units)
