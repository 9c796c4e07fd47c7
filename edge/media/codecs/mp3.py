"""MPEG audio layers I to III: the frame header (ISO/IEC 11172-3 §2.4.1.3, 13818-3 §2.4.2.3)."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import MalformedFrameError

_RATES = (44100, 48000, 32000)
_MPEG_25, _MPEG_2, _MPEG_1 = 0, 2, 3
_RESERVED = 1
_LAYER_I, _LAYER_II = 3, 2


@dataclass(frozen=True, slots=True)
class Mp3Header:
    """What TS must know of a frame.

    Attributes:
        is_mpeg_1: MPEG-1 audio; else the lower sampling frequencies of MPEG-2 and 2.5.
        sample_rate: in Hz.
        samples: per frame and channel.
    """

    is_mpeg_1: bool
    sample_rate: int
    samples: int


def decode_header(data: bytes, start: int = 0) -> Mp3Header:
    """Read the header of the frame at ``start``: sync (11 bits), version (2), layer (2), CRC, rates.

    Raises:
        MalformedFrameError: no sync word, or a reserved value.
    """
    head = int.from_bytes(data[start : start + 4], "big")
    version, layer, rate = head >> 19 & 3, head >> 17 & 3, head >> 10 & 3
    if start + 4 > len(data) or head >> 21 != 0x7FF or version == _RESERVED or layer == 0 or rate == 3:
        raise MalformedFrameError(f"MPEG audio frame begins with {data[start : start + 4].hex() or 'nothing'}")
    sample_rate = _RATES[rate] >> {_MPEG_1: 0, _MPEG_2: 1, _MPEG_25: 2}[version]
    samples = 384 if layer == _LAYER_I else 1152 if layer == _LAYER_II or version == _MPEG_1 else 576
    return Mp3Header(version == _MPEG_1, sample_rate, samples)
