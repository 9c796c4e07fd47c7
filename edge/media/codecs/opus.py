"""Opus: identification header, dOps, and the control header that stands before each packet in TS.

Sources: RFC 7845 §5.1 (OpusHead, little-endian); Opus in ISOBMFF §4.3.2 (dOps, big-endian); the
Opus registration for MPEG-TS (opus_control_header, opus_audio_descriptor).
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import MalformedHeaderError, UnsupportedCodecError

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
