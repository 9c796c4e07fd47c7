"""Opus: identification header, dOps, how long a packet lasts, and the control header that stands before it in TS.

Sources: RFC 7845 §5.1 (OpusHead, little-endian); Opus in ISOBMFF §4.3.2 (dOps, big-endian); RFC 6716 §3.1
(the first byte of a packet); the Opus registration for MPEG-TS (opus_control_header, opus_audio_descriptor).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.errors import MalformedFrameError, MalformedHeaderError, UnsupportedCodecError

MAGIC = b"OpusHead"
#: Vorbis channel order (RFC 7845 §5.1.1.2) by number of channels: streams, coupled ones, mapping.
_LAYOUTS = {
    1: (1, 0, (0,)),
    2: (1, 1, (0, 1)),
    3: (2, 1, (0, 2, 1)),
    4: (2, 2, (0, 1, 2, 3)),
    5: (3, 2, (0, 4, 1, 2, 3)),
    6: (4, 2, (0, 4, 1, 2, 3, 5)),
    7: (4, 3, (0, 4, 1, 2, 3, 5, 6)),
    8: (5, 3, (0, 6, 1, 2, 3, 4, 5, 7)),
}
_FIXED_BYTES = 11  # without the magic of OpusHead
#: Samples at 48 kHz of one frame, by the upper five bits of the first byte: SILK, hybrid, CELT (RFC 6716 table 2).
_FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
_MAX_PACKET_SAMPLES = 5760
#: Prefix 0x3FF (11 bits), nothing to trim, no extension.
_CONTROL = b"\x7f\xe0"


@dataclass(frozen=True, slots=True)
class OpusConfig:
    """What a decoder must know.

    Attributes:
        channels: of the output, 1 to 255.
        pre_skip: samples at 48 kHz to leave out at the very start.
        family: 0 mono and stereo, 1 up to 8 channels in Vorbis order, else the application's own.
        streams, coupled: Opus streams in a packet, and how many of them are stereo.
        mapping: for each output channel the decoded one.
    """

    channels: int
    pre_skip: int
    family: int
    streams: int
    coupled: int
    mapping: tuple[int, ...]

    def ts_channel_code(self) -> int:
        """``channel_config_code`` of TS's Opus descriptor: the number of channels in their usual layout.

        Raises:
            UnsupportedCodecError: another layout.
        """
        if _LAYOUTS.get(self.channels) != (self.streams, self.coupled, self.mapping):
            raise UnsupportedCodecError(f"Opus with {self.channels} channels of mapping family {self.family}", "TS")
        return self.channels

    def access_unit(self, data: bytes, start: int, end: int, is_keyframe: bool) -> tuple[bytes, bool]:
        """The packet ``data[start:end]`` behind its control header, whose size field is bytes that are added up."""
        full, rest = divmod(end - start, 255)
        return b"".join((_CONTROL, b"\xff" * full, bytes((rest,)), data[start:end])), True


def decode_config(header: bytes) -> OpusConfig:
    """Read the body of a sequence header: OpusHead, as E-RTMP wants it, or dOps.

    Layout: version, channels, pre-skip (2 bytes), input rate (4), gain (2), mapping family; but for
    family 0 the number of streams, of coupled ones, and a byte per channel.

    Raises:
        MalformedHeaderError: cut short, another version, or a count that cannot be.
    """
    is_head = header.startswith(MAGIC)
    body = header[len(MAGIC) :] if is_head else header
    if len(body) < _FIXED_BYTES or body[0] > 15 or not body[1]:
        raise MalformedHeaderError(f"Opus header of {len(header)} bytes begins with {header[:2].hex() or 'nothing'}")
    channels, family = body[1], body[10]
    pre_skip = int.from_bytes(body[2:4], "little" if is_head else "big")
    if family == 0:
        if channels > 2:
            raise MalformedHeaderError(f"Opus mapping family 0 with {channels} channels")
        return OpusConfig(channels, pre_skip, 0, *_LAYOUTS[channels])
    mapping = tuple(body[_FIXED_BYTES + 2 : _FIXED_BYTES + 2 + channels])
    if len(mapping) < channels:
        raise MalformedHeaderError(f"Opus header of {len(header)} bytes ends within its mapping")
    streams, coupled = body[_FIXED_BYTES], body[_FIXED_BYTES + 1]
    if not streams or coupled > streams:
        raise MalformedHeaderError(f"Opus with {streams} streams, {coupled} of them coupled")
    return OpusConfig(channels, pre_skip, family, streams, coupled, mapping)


def encode_dops(header: bytes) -> bytes:
    """Body of the dOps box (Opus in ISOBMFF §4.3.2) that says what ``header`` says, in either of its forms.

    Raises:
        MalformedHeaderError: as :func:`decode_config`.
    """
    config = decode_config(header)
    is_head = header.startswith(MAGIC)
    body = header[len(MAGIC) :] if is_head else header
    _, channels, pre_skip, input_rate, gain, family = struct.unpack_from("<BBHIhB" if is_head else ">BBHIhB", body)
    fixed = struct.pack(">BBHIhB", 0, channels, pre_skip, input_rate, gain, family)
    return fixed + bytes((config.streams, config.coupled, *config.mapping)) if family else fixed


def packet_samples(data: bytes, start: int, end: int) -> int:
    """Samples at 48 kHz in the packet ``data[start:end]``, which of several streams all have as many.

    RFC 6716 §3.1: five bits for the duration of a frame, one for stereo, two that say whether there are
    1, 2 or 2 frames, or as many as the lower six bits of the next byte.

    Raises:
        MalformedFrameError: cut short, no frames, or more than 120 ms.
    """
    if start < end:
        first = data[start]
        form = first & 3
        count = 1 if form == 0 else 2 if form < 3 else data[start + 1] & 63 if start + 1 < end else 0
        samples = _FRAME_SAMPLES[first >> 3] * count
        if 0 < samples <= _MAX_PACKET_SAMPLES:
            return samples
    raise MalformedFrameError(f"an Opus packet begins with {data[start : min(start + 2, end)].hex() or 'nothing'}")
