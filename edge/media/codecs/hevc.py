"""H.265: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1) and access units in Annex B form."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import MalformedHeaderError
from edge.media.codecs.nal import is_annex_b, join_annex_b, split_by_length, split_header

VPS, SPS, PPS, ACCESS_UNIT_DELIMITER = 32, 33, 34, 35
_PARAMETER_SETS = frozenset({VPS, SPS, PPS})
_PREFIX_SEI = 39
#: Pictures from which decoding may begin: BLA, IDR, CRA and the reserved ones (H.265 §7.4.2.2).
_FIRST_IRAP = 16
IRAP = frozenset(range(_FIRST_IRAP, 24))
#: pic_type 2: any slices (H.265 §7.4.3.5).
_DELIMITER = b"\x46\x01\x50"
_DELIMITED = join_annex_b([_DELIMITER, b""])
_FIXED_BYTES = 23
_LENGTH_SIZE_AT = 21


@dataclass(frozen=True, slots=True)
class HevcConfig:
    """How frames are cut into NAL units, and what must precede the first picture.

    Attributes:
        length_size: bytes of the length before each NAL unit, 1 to 4.
        parameter_sets: VPS, SPS, PPS, then SEI for the whole stream, without lengths; may be empty.
    """

    length_size: int
    parameter_sets: tuple[bytes, ...]

    def access_unit(self, data: bytes, start: int, end: int, is_keyframe: bool) -> tuple[bytes, bool]:
        """Annex B form of the frame ``data[start:end]``, and whether decoding may begin with it.

        Begins with an access unit delimiter. On keyframes and wherever there is an IRAP picture the
        parameter sets follow, unless the frame brings all three kinds. Empty for a frame without NAL units.

        Raises:
            MalformedFrameError: the lengths do not fit the frame, or there are too many units.
        """
        unit = start + self.length_size
        is_one_unit = unit + int.from_bytes(data[start:unit], "big") == end > unit
        if is_one_unit and not is_keyframe and data[unit] >> 1 & 63 < _FIRST_IRAP:
            return _DELIMITED + data[unit:end], False
        units = split_by_length(data, start, end, self.length_size)
        types = [unit[0] >> 1 & 63 for unit in units]
        if ACCESS_UNIT_DELIMITER in types:
            units = [unit for unit in units if unit[0] >> 1 & 63 != ACCESS_UNIT_DELIMITER]
        if not units:
            return b"", False
        if not is_keyframe and IRAP.isdisjoint(types):
            return join_annex_b([_DELIMITER, *units]), False
        if _PARAMETER_SETS.issubset(types):
            return join_annex_b([_DELIMITER, *units]), True
        return join_annex_b([_DELIMITER, *self.parameter_sets, *units]), True


def decode_config(record: bytes) -> HevcConfig:
    """Read the body of a sequence header.

    Layout: 21 bytes that repeat what the sets say, 6 bits and length size - 1, the number of arrays;
    per array 2 bits and the NAL unit type, the number of units (2 bytes), each behind its size (2 bytes).
    The arrays may stand in any order. Encoders that know Annex B only send the sets in that form.

    Raises:
        MalformedHeaderError: cut short, another version, or an empty unit.
    """
    if is_annex_b(record):
        return HevcConfig(4, _in_order(split_header(record)))
    if len(record) < _FIXED_BYTES or record[0] > 1:
        raise MalformedHeaderError(f"hvcC of {len(record)} bytes begins with {record[:1].hex() or 'nothing'}")
    units: list[bytes] = []
    offset = _FIXED_BYTES
    for _ in range(record[_FIXED_BYTES - 1]):
        count = int.from_bytes(record[offset + 1 : offset + 3], "big")
        offset += 3
        if offset > len(record):
            raise MalformedHeaderError(f"hvcC of {len(record)} bytes: an array begins at {offset - 3}")
        for _ in range(count):
            start = offset + 2
            offset = start + int.from_bytes(record[offset:start], "big")
            if offset > len(record) or offset == start:
                raise MalformedHeaderError(f"hvcC of {len(record)} bytes: a unit from {start} to {offset}")
            units.append(record[start:offset])
    return HevcConfig((record[_LENGTH_SIZE_AT] & 3) + 1, _in_order(units))


def _in_order(units: list[bytes]) -> tuple[bytes, ...]:
    order = {VPS: 0, SPS: 1, PPS: 2, _PREFIX_SEI: 3}
    wanted = [unit for unit in units if unit[0] >> 1 & 63 in order]
    return tuple(sorted(wanted, key=lambda unit: order[unit[0] >> 1 & 63]))
