"""H.264: AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1) and access units in Annex B form."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import MalformedHeaderError
from edge.media.codecs.nal import is_annex_b, join_annex_b, split_by_length, split_header

IDR, SPS, PPS, ACCESS_UNIT_DELIMITER = 5, 7, 8, 9
#: primary_pic_type 7: any slices (H.264 §7.4.2.4).
_DELIMITER = b"\x09\xf0"
_DELIMITED = join_annex_b([_DELIMITER, b""])
_FIXED_BYTES = 6


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """How frames are cut into NAL units, and the parameter sets.

    Attributes:
        profile, compatibility, level: as in the SPS; 0 where the record was Annex B.
        length_size: bytes of the length before each NAL unit, 1 to 4.
        sps, pps: parameter sets without lengths; empty where they are in the frames.
    """

    profile: int
    compatibility: int
    level: int
    length_size: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]

    def access_unit(self, data: bytes, start: int, end: int, is_keyframe: bool) -> tuple[bytes, bool]:
        """Annex B form of the frame ``data[start:end]``, and whether decoding may begin with it.

        Begins with an access unit delimiter. On keyframes and wherever there is an IDR slice the
        parameter sets follow, unless the frame brings both kinds. Empty for a frame without NAL units.

        Raises:
            MalformedFrameError: the lengths do not fit the frame, or there are too many units.
        """
        unit = start + self.length_size
        is_one_unit = unit + int.from_bytes(data[start:unit], "big") == end > unit
        if is_one_unit and not is_keyframe and data[unit] & 31 < IDR:
            return _DELIMITED + data[unit:end], False
        units = split_by_length(data, start, end, self.length_size)
        types = [unit[0] & 31 for unit in units]
        if ACCESS_UNIT_DELIMITER in types:
            units = [unit for unit in units if unit[0] & 31 != ACCESS_UNIT_DELIMITER]
        if not units:
            return b"", False
        if not is_keyframe and IDR not in types:
            return join_annex_b([_DELIMITER, *units]), False
        if SPS in types and PPS in types:
            return join_annex_b([_DELIMITER, *units]), True
        return join_annex_b([_DELIMITER, *self.sps, *self.pps, *units]), True


def decode_config(record: bytes) -> AvcConfig:
    """Read the body of a sequence header.

    Layout: version 1, profile, compatibility, level, 6 bits and length size - 1, 3 bits and the number
    of SPS, each behind its size (2 bytes); the number of PPS (1 byte), each likewise. What follows for
    the high profiles is not needed. Encoders that know Annex B only send parameter sets in that form.

    Raises:
        MalformedHeaderError: cut short, another version, or an empty parameter set.
    """
    if is_annex_b(record):
        units = split_header(record)
        sps = tuple(unit for unit in units if unit[0] & 31 == SPS)
        pps = tuple(unit for unit in units if unit[0] & 31 == PPS)
        return AvcConfig(0, 0, 0, 4, sps, pps)
    if len(record) < _FIXED_BYTES + 1 or record[0] != 1:
        raise MalformedHeaderError(f"avcC of {len(record)} bytes begins with {record[:1].hex() or 'nothing'}")
    sps, offset = _parameter_sets(record, _FIXED_BYTES, record[5] & 31)
    if offset >= len(record):
        raise MalformedHeaderError(f"avcC ends at byte {offset}, before its PPS")
    pps, _ = _parameter_sets(record, offset + 1, record[offset])
    return AvcConfig(record[1], record[2], record[3], (record[4] & 3) + 1, sps, pps)


def _parameter_sets(record: bytes, offset: int, count: int) -> tuple[tuple[bytes, ...], int]:
    found = []
    for _ in range(count):
        start = offset + 2
        offset = start + int.from_bytes(record[offset:start], "big")
        if offset > len(record) or offset == start:
            raise MalformedHeaderError(f"avcC of {len(record)} bytes: a parameter set from {start} to {offset}")
        found.append(record[start:offset])
    return tuple(found), offset
