"""What the parameter sets of a video say of its pictures: their size, and how samples are stored.

Sequence parameter sets of H.264 (§7.3.2.1.1) and H.265 (§7.3.2.2), and the sequence header unit of AV1
(§5.5). Only what stands before and at the size is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import MalformedHeaderError
from edge.media.codecs.bits import BitReader

_EMULATION, _PROTECTED = b"\0\0\3", b"\0\0"
#: Profiles of H.264 whose set names the chroma format and bit depths.
AVC_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
#: Width and height of the chroma unit in luma samples, by chroma format: none, 4:2:0, 4:2:2, 4:4:4.
_CHROMA_UNITS = ((1, 1), (2, 2), (2, 1), (1, 1))
_SEPARATE_PLANES = 3
#: Both are 16 bits in MP4.
_MAX_SIZE = 65535
_MAX_REFERENCES = 255
_MACROBLOCK = 16
_HEVC_PROFILE_BITS = 88
_HEVC_MAX_SUB_LAYERS = 7
_AV1_HAS_EXTENSION, _AV1_HAS_SIZE = 0x04, 0x02


@dataclass(frozen=True, slots=True)
class Picture:
    """Pictures of one video.

    Attributes:
        width, height: in luma samples, after cropping.
        chroma_format: 0 none, 1 4:2:0, 2 4:2:2, 3 4:4:4.
        luma_bits, chroma_bits: per sample.
    """

    width: int
    height: int
    chroma_format: int
    luma_bits: int
    chroma_bits: int


def _payload(unit: bytes, header_bytes: int) -> BitReader:
    return BitReader(unit.replace(_EMULATION, _PROTECTED)[header_bytes:])


def _picture(size: tuple[int, int], crop: tuple[int, int], chroma_format: int, bits: tuple[int, int]) -> Picture:
    width, height = size[0] - crop[0], size[1] - crop[1]
    if not (0 < width <= _MAX_SIZE and 0 < height <= _MAX_SIZE) or max(bits) > 16:
        raise MalformedHeaderError(f"pictures of {width}x{height} with {bits[0]} and {bits[1]} bits per sample")
    return Picture(width, height, chroma_format, *bits)


def _chroma_format(bits: BitReader) -> tuple[int, tuple[int, int]]:
    """The chroma format, and the unit in which cropping counts."""
    chroma_format = bits.read_ue()
    if chroma_format >= len(_CHROMA_UNITS):
        raise MalformedHeaderError(f"chroma format {chroma_format}")
    if chroma_format == _SEPARATE_PLANES:
        bits.read(1)
    return chroma_format, _CHROMA_UNITS[chroma_format]


def of_avc(sps: bytes) -> Picture:
    """Read a sequence parameter set of H.264, its NAL unit header included.

    Raises:
        MalformedHeaderError: it ends too soon, or says what cannot be.
    """
    bits = _payload(sps, 1)
    profile = bits.read(8)
    bits.read(16)  # constraints, level
    bits.read_ue()  # its id
    chroma_format, unit = 1, _CHROMA_UNITS[1]
    luma_bits = chroma_bits = 8
    if profile in AVC_HIGH_PROFILES:
        chroma_format, unit = _chroma_format(bits)
        luma_bits, chroma_bits = 8 + bits.read_ue(), 8 + bits.read_ue()
        bits.read(1)  # lossless
        if bits.read(1):
            for number in range(12 if chroma_format == _SEPARATE_PLANES else 8):
                if bits.read(1):
                    _skip_scaling_list(bits, 16 if number < 6 else 64)
    bits.read_ue()  # bits of the frame number
    _skip_picture_order(bits)
    bits.read_ue()  # reference frames
    bits.read(1)  # gaps
    width = (bits.read_ue() + 1) * _MACROBLOCK
    height = (bits.read_ue() + 1) * _MACROBLOCK
    fields = 2 - bits.read(1)
    if fields == 2:
        bits.read(1)
    bits.read(1)  # direct inference
    crop = _crop(bits, (unit[0], unit[1] * fields)) if bits.read(1) else (0, 0)
    return _picture((width, height * fields), crop, chroma_format, (luma_bits, chroma_bits))


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """H.264 §7.3.2.1.1.1: differences, until one leads to 0, which ends the list."""
    last = 8
    for _ in range(size):
        last = (last + bits.read_se()) % 256
        if not last:
            return


def _skip_picture_order(bits: BitReader) -> None:
    kind = bits.read_ue()
    if kind == 0:
        bits.read_ue()
    elif kind == 1:
        bits.read(1)
        bits.read_se()
        bits.read_se()
        count = bits.read_ue()
        if count > _MAX_REFERENCES:
            raise MalformedHeaderError(f"a picture order cycle of {count} frames")
        for _ in range(count):
            bits.read_se()


def _crop(bits: BitReader, unit: tuple[int, int]) -> tuple[int, int]:
    """What left and right, and top and bottom, take away."""
    left, right, top, bottom = (bits.read_ue() for _ in range(4))
    return (left + right) * unit[0], (top + bottom) * unit[1]


def of_hevc(sps: bytes) -> Picture:
    """Read a sequence parameter set of H.265, its NAL unit header included.

    Raises:
        MalformedHeaderError: it ends too soon, or says what cannot be.
    """
    bits = _payload(sps, 2)
    bits.read(4)  # id of the video parameter set
    sub_layers = bits.read(3)
    if sub_layers >= _HEVC_MAX_SUB_LAYERS:
        raise MalformedHeaderError(f"{sub_layers + 1} temporal layers")
    bits.read(1)  # nesting
    bits.read(_HEVC_PROFILE_BITS + 8)
    if sub_layers:
        present = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
        bits.read(2 * (8 - sub_layers))
        for has_profile, has_level in present:
            bits.read(_HEVC_PROFILE_BITS * has_profile + 8 * has_level)
    bits.read_ue()  # its id
    chroma_format, unit = _chroma_format(bits)
    size = bits.read_ue(), bits.read_ue()
    crop = _crop(bits, unit) if bits.read(1) else (0, 0)
    return _picture(size, crop, chroma_format, (8 + bits.read_ue(), 8 + bits.read_ue()))


def hevc_profile(sps: bytes) -> tuple[bytes, int]:
    """The 12 bytes of the general profile, tier and level in a set of H.265, and the byte that stands before them.

    That byte holds the id of the video parameter set (4 bits), temporal layers less one (3) and their nesting.

    Raises:
        MalformedHeaderError: it ends too soon.
    """
    head = sps.replace(_EMULATION, _PROTECTED)[2:15]
    if len(head) < 13:
        raise MalformedHeaderError(f"a sequence parameter set of {len(sps)} bytes")
    return head[1:], head[0]


def size_of_av1(unit: bytes) -> tuple[int, int]:
    """Width and height in a sequence header unit of AV1, its own header and size included.

    Raises:
        MalformedHeaderError: it ends too soon.
    """
    first = unit[0] if unit else 0
    start = 2 if first & _AV1_HAS_EXTENSION else 1
    if first & _AV1_HAS_SIZE:
        while start < len(unit) and unit[start] & 0x80:
            start += 1
        start += 1
    bits = BitReader(unit[start:])
    bits.read(4)  # profile, still picture
    if bits.read(1):  # reduced header
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_operating_points(bits: BitReader) -> None:
    """AV1 §5.5.1 from timing_info_present_flag on to the last operating point."""
    delay_bits = 0
    if bits.read(1):
        bits.read(64)
        if bits.read(1):
            bits.read_ue()  # ticks per picture, in AV1's uvlc()
        if bits.read(1):
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5 + 5)
    has_display_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_display_delay and bits.read(1):
            bits.read(4)
