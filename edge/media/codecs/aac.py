"""AAC: AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) and the ADTS header that TS wants (§1.A.3.2).

ADTS names the object type in two bits, so it has a place for Main, LC, SSR and LTP. HE-AAC (SBR) and
HE-AAC v2 (PS) are LC at half the rate with more in the same frames: their ADTS header is that of the
LC core, whether the configuration says so (object types 5 and 29) or not. Channel layouts beyond the
three bits, and those that a program config element describes, get such an element before each frame
(§4.5.1.2); frames of 960 samples and the low-delay, error-resilient and unified codecs have no ADTS.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.errors import MalformedFrameError, MalformedHeaderError, UnsupportedCodecError
from edge.media.codecs.bits import BitReader, BitWriter

SAMPLES_PER_FRAME = 1024
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
#: Rates that are none of these use the tables of the nearest below these limits (ISO/IEC 14496-3, table 4.82).
_LIMITS = (92017, 75132, 55426, 46009, 37566, 27713, 23004, 18783, 13856, 11502, 9391)

_SBR, _PS, _ESCAPE = 5, 29, 31
_ADTS_OBJECT_TYPES = frozenset({1, 2, 3, 4})
_NAMES = {
    **{6: "AAC-Scalable", 17: "AAC-ER-LC", 19: "AAC-ER-LTP", 20: "AAC-ER-Scalable", 22: "AAC-ER-BSAC"},
    **{23: "AAC-LD", 36: "MPEG-4-ALS", 39: "AAC-ELD", 42: "xHE-AAC"},
}
_EXPLICIT_RATE = 15
_PROGRAM_CONFIG = 5  # id_syn_ele
_MAX_ADTS_BYTES = 0x1FFF
_ADTS_HEADER_BYTES = 7

#: Channel configurations whose number needs more than three bits, by front, side, back and LFE elements;
#: True for a pair of channels.
_WIDE_LAYOUTS: dict[int, tuple[tuple[bool, ...], tuple[bool, ...], tuple[bool, ...], int]] = {
    11: ((False, True), (), (True, False), 1),
    12: ((False, True), (True,), (True,), 1),
}


@dataclass(frozen=True, slots=True)
class AacConfig:
    """What a decoder must know.

    Attributes:
        object_type: of the core: 2 for LC and HE-AAC alike.
        rate_index: sampling frequency index of the core.
        sample_rate: of the core, in Hz: half the output's where there is SBR.
        channels: channel configuration of the ADTS header, 0 where ``program_config`` says it.
        program_config: a program config element to stand before each frame, or empty.
        has_sbr, has_ps: as far as the configuration says so.
        adts_base: the seven bytes of the ADTS header, as a number, but for the frame length (bits 13 to 25).
    """

    object_type: int
    rate_index: int
    sample_rate: int
    channels: int
    program_config: bytes = b""
    has_sbr: bool = False
    has_ps: bool = False
    adts_base: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay out the ADTS header, which the frames of a configuration share.

        12 bits sync, MPEG-4 (0), layer 0, no CRC (1), object type - 1 (2), rate index (4), private,
        channels (3), 4 bits 0, frame length (13), buffer fullness 0x7FF (11), frames - 1 (2).
        """
        head = 0xFFF1 << 40 | (self.object_type - 1) << 38 | self.rate_index << 34 | self.channels << 30
        object.__setattr__(self, "adts_base", head | 0x7FF << 2)

    def access_unit(self, data: bytes, start: int, end: int, is_keyframe: bool) -> tuple[bytes, bool]:
        """The frame ``data[start:end]`` with its ADTS header; decoding may begin with any.

        Raises:
            MalformedFrameError: longer than ADTS can say.
        """
        size = end - start + _ADTS_HEADER_BYTES + len(self.program_config)
        if size > _MAX_ADTS_BYTES:
            raise MalformedFrameError(f"an AAC frame of {end - start} bytes; ADTS holds {_MAX_ADTS_BYTES}")
        header = (self.adts_base | size << 13).to_bytes(_ADTS_HEADER_BYTES, "big")
        if self.program_config:
            header += self.program_config
        return header + data[start:end], True


def decode_config(config: bytes) -> AacConfig:
    """Read the body of a sequence header.

    Raises:
        MalformedHeaderError: cut short, or a reserved sampling frequency.
        UnsupportedCodecError: ADTS has no place for it.
    """
    bits = BitReader(config)
    object_type = _object_type(bits)
    rate = _sample_rate(bits)
    channels = bits.read(4)
    has_ps = object_type == _PS
    has_sbr = has_ps or object_type == _SBR
    if has_sbr:
        _sample_rate(bits)  # of the output
        object_type = _object_type(bits)
    if object_type not in _ADTS_OBJECT_TYPES:
        raise UnsupportedCodecError(_NAMES.get(object_type, f"AAC object type {object_type}"), "ADTS")
    if bits.read(1):
        raise UnsupportedCodecError("AAC with frames of 960 samples", "ADTS")
    if bits.read(1):
        bits.read(14)  # core coder delay
    bits.read(1)  # extension flag: says nothing for these object types
    program_config = b""
    if channels == 0:
        program_config = _copy_program_config(bits)
    elif channels in _WIDE_LAYOUTS:
        program_config, channels = _wide_program_config(object_type, _rate_index(rate), channels), 0
    elif channels > 7:
        raise UnsupportedCodecError(f"AAC with channel configuration {channels}", "ADTS")
    return AacConfig(object_type, _rate_index(rate), rate, channels, program_config, has_sbr, has_ps)


def _object_type(bits: BitReader) -> int:
    value = bits.read(5)
    return 32 + bits.read(6) if value == _ESCAPE else value


def _sample_rate(bits: BitReader) -> int:
    index = bits.read(4)
    rate = bits.read(24) if index == _EXPLICIT_RATE else _RATES[index] if index < len(_RATES) else 0
    if not rate:
        raise MalformedHeaderError(f"AAC sampling frequency index {index}")
    return rate


def _rate_index(rate: int) -> int:
    if rate in _RATES:
        return _RATES.index(rate)
    return next((index for index, limit in enumerate(_LIMITS) if rate >= limit), len(_LIMITS))


def _copy_program_config(bits: BitReader) -> bytes:
    """The configuration's program config element, as an element of a frame: its comment is aligned anew."""
    element = BitWriter()
    element.write(_PROGRAM_CONFIG, 3)

    def copy(count: int) -> int:
        value = bits.read(count)
        element.write(value, count)
        return value

    copy(4 + 2 + 4)  # instance tag, object type, rate
    front, side, back, lfe, data, coupling = copy(4), copy(4), copy(4), copy(2), copy(3), copy(4)
    for mixdown_bits in (4, 4, 3):  # mono, stereo, matrix
        if copy(1):
            copy(mixdown_bits)
    for _ in range(front + side + back + coupling):
        copy(5)
    for _ in range(lfe + data):
        copy(4)
    bits.align()
    element.align()
    for _ in range(copy(8)):
        copy(8)
    return bytes(element)


def _wide_program_config(object_type: int, rate_index: int, channels: int) -> bytes:
    """A program config element for a layout that has a number, but one too large for ADTS."""
    front, side, back, lfe = _WIDE_LAYOUTS[channels]
    element = BitWriter()
    element.write(_PROGRAM_CONFIG, 3)
    element.write(0, 4)
    element.write(object_type - 1, 2)
    element.write(rate_index, 4)
    for count, width in ((len(front), 4), (len(side), 4), (len(back), 4), (lfe, 2), (0, 3), (0, 4), (0, 3)):
        element.write(count, width)
    singles = pairs = 0
    for is_pair in (*front, *side, *back):
        element.write(is_pair, 1)
        element.write(pairs if is_pair else singles, 4)
        pairs, singles = pairs + is_pair, singles + (not is_pair)
    for tag in range(lfe):
        element.write(tag, 4)
    element.align()
    element.write(0, 8)  # no comment
    return bytes(element)
