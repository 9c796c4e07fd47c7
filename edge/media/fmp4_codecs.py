"""What MP4 must know of a codec: its sample entry, its name in CODECS attributes, and how frames become samples.

H.264 avc1 and H.265 hvc1 (ISO/IEC 14496-15 §5.4.2, §8.4.1), AV1 av01 (AV1 in ISOBMFF §2), AAC mp4a (ISO/IEC
14496-14 §5.6) and Opus (Opus in ISOBMFF §4.3). Names are those of RFC 6381 §3.3, of ISO/IEC 14496-15 annex
E for H.265, and of AV1 in ISOBMFF §5. Forms of AAC that ADTS has no place for are left to nobody here either.

NAL units stand behind lengths of four bytes, whatever the publisher's are. Where its record has no
parameter sets they must be in the frames, and the entry is avc3 or hev1, which allow that.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from edge.errors import MalformedHeaderError, UnsupportedCodecError
from edge.media.codecs import aac, av1, avc, hevc, opus
from edge.media.codecs.body import AAC, AV1, AVC, HEVC, OPUS
from edge.media.codecs.nal import MAX_UNITS, is_annex_b, split_by_length
from edge.media.codecs.picture import (
    AVC_HIGH_PROFILES,
    Picture,
    hevc_profile,
    of_avc,
    of_hevc,
    size_of_av1,
)
from edge.media.fmp4_boxes import box, full_box

VIDEO_TIMESCALE = 90000
OPUS_TIMESCALE = 48000
VIDEO_CODECS, AUDIO_CODECS = frozenset({AVC, HEVC, AV1}), frozenset({AAC, OPUS})

#: Real ones have some hundred bytes.
MAX_HEADER_BYTES = 65536

_LENGTH_BYTES = 4
_LENGTH = struct.Struct(">I")
_DOTS_PER_INCH_72 = 0x48_0000
_DEPTH_24 = 0x18
_MAX_SAMPLE_RATE = 0xFFFF  # of the sample entry's field
_AVC_MAX_SPS, _AVC_MAX_PPS = 31, 255
_HEVC_SETS = frozenset({hevc.VPS, hevc.SPS, hevc.PPS})
_HEVC_HEAD_BYTES = 22
_AV1_LEFT_OUT = frozenset({av1.TEMPORAL_DELIMITER, av1.TILE_LIST, av1.PADDING})
_AV1_HAS_EXTENSION, _AV1_HAS_SIZE = 0x04, 0x02
_CHANNELS_OF_AAC_7 = 8
_SBR, _PS = 5, 29

#: Makes the sample of ``(data, start, end, is_keyframe)``, the frame ``data[start:end]``; empty where there is
#: nothing in it. Raises MalformedFrameError where the frame breaks its format.
Sample = Callable[[bytes, int, int, bool], "bytes | memoryview"]


@dataclass(frozen=True, slots=True)
class VideoCodec:
    """One video configuration in MP4; times are in units of ``VIDEO_TIMESCALE``.

    Attributes:
        name: for CODECS, e.g. ``avc1.64001f``.
        entry: the sample entry box.
        width, height: 0 where the configuration does not say.
    """

    name: str
    entry: bytes
    width: int
    height: int
    sample: Sample


@dataclass(frozen=True, slots=True)
class AudioCodec:
    """One audio configuration in MP4; a sample is the frame as it is.

    Attributes:
        timescale: the sampling frequency; of AAC with SBR that of the core, since it counts as the frames do.
        frame_samples: duration of a frame; 0 where each packet says its own.
    """

    name: str
    entry: bytes
    timescale: int
    frame_samples: int


def configure_video(codec: bytes, header: bytes, *, is_ts_header: bool = False) -> VideoCodec:
    """The MP4 side of a video sequence header; ``is_ts_header``: in the form that E-RTMP defines for TS.

    Raises:
        MalformedHeaderError: it cannot be read, or is absurdly long.
        UnsupportedCodecError: no codec of this module.
    """
    _require_size(header)
    if codec == AVC:
        return _configure_avc(header)
    if codec == HEVC:
        return _configure_hevc(header)
    if codec == AV1:
        return _configure_av1(av1.decode_ts_header(header) if is_ts_header else av1.decode_config(header))
    raise UnsupportedCodecError(_name_of(codec), "MP4")


def configure_audio(codec: bytes, header: bytes) -> AudioCodec:
    """The MP4 side of an audio sequence header.

    Raises:
        MalformedHeaderError: it cannot be read, or is absurdly long.
        UnsupportedCodecError: no codec of this module, or no form of it that we know.
    """
    _require_size(header)
    if codec == AAC:
        return _configure_aac(header)
    if codec == OPUS:
        channels = opus.decode_config(header).channels
        entry = _audio_entry(b"Opus", channels, OPUS_TIMESCALE, box(b"dOps", opus.encode_dops(header)))
        return AudioCodec("Opus", entry, OPUS_TIMESCALE, 0)
    raise UnsupportedCodecError(_name_of(codec), "MP4")


def _require_size(header: bytes) -> None:
    if len(header) > MAX_HEADER_BYTES:
        raise MalformedHeaderError(f"a sequence header of {len(header)} bytes")


def _name_of(codec: bytes) -> str:
    return codec.decode("ascii", "replace") if len(codec) == 4 else f"codec {codec.hex()}"


def _video_entry(kind: bytes, width: int, height: int, configuration: bytes) -> bytes:
    """VisualSampleEntry (ISO/IEC 14496-12 §12.1.3): one picture per sample, no name of a compressor."""
    fields = struct.pack(">6xH16xHHIIIH32xHh", 1, width, height, *[_DOTS_PER_INCH_72] * 2, 0, 1, _DEPTH_24, -1)
    return box(kind, fields, configuration)


def _audio_entry(kind: bytes, channels: int, sample_rate: int, configuration: bytes) -> bytes:
    """AudioSampleEntry (ISO/IEC 14496-12 §12.2.3); a rate that does not fit is left to the configuration."""
    rate = sample_rate if sample_rate <= _MAX_SAMPLE_RATE else 0
    return box(kind, struct.pack(">6xH8xHHxxxxI", 1, channels, 16, rate << 16), configuration)


def _try_picture(read: Callable[[bytes], Picture], sets: Sequence[bytes]) -> Picture | None:
    """Pictures of the first set, if there is one that can be read: the decoder may know better."""
    try:
        return read(sets[0]) if sets else None
    except MalformedHeaderError:
        return None


def _configure_avc(header: bytes) -> VideoCodec:
    config = avc.decode_config(header)
    picture = _try_picture(of_avc, config.sps)
    record = _build_avcc(config, picture) if is_annex_b(header) else header
    record = record[:4] + bytes((record[4] | _LENGTH_BYTES - 1,)) + record[5:]
    profile = record[1:4] if record[1] or not config.sps else config.sps[0][1:4]
    kind = b"avc1" if config.sps and config.pps else b"avc3"
    width, height = (picture.width, picture.height) if picture else (0, 0)
    entry = _video_entry(kind, width, height, box(b"avcC", record))
    return VideoCodec(f"{kind.decode()}.{profile.hex()}", entry, width, height, _nal_sample(config.length_size))


def _build_avcc(config: avc.AvcConfig, picture: Picture | None) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1) of parameter sets in Annex B form."""
    if not config.sps or len(config.sps[0]) < 4:
        raise MalformedHeaderError("H.264 without a sequence parameter set")
    sps, pps = config.sps[:_AVC_MAX_SPS], config.pps[:_AVC_MAX_PPS]
    profile = config.sps[0][1]
    parts = [
        b"\1",
        config.sps[0][1:4],
        bytes((0xFF, 0xE0 | len(sps))),
        _counted(sps),
        bytes((len(pps),)),
        _counted(pps),
    ]
    if profile in AVC_HIGH_PROFILES and picture:
        depths = 0xF8 | picture.luma_bits - 8, 0xF8 | picture.chroma_bits - 8
        parts.append(bytes((0xFC | picture.chroma_format, *depths, 0)))
    return b"".join(parts)


def _counted(units: Iterable[bytes]) -> bytes:
    """Units, each behind its size in two bytes, as configuration records have them."""
    return b"".join([len(unit).to_bytes(2, "big") + unit for unit in units])


def _configure_hevc(header: bytes) -> VideoCodec:
    """hvc1 wants to hear that all parameter sets are in the record, which publishers do not always say there."""
    config = hevc.decode_config(header)
    sets = config.parameter_sets
    kinds = [unit[0] >> 1 & 63 for unit in sets]
    sps = [unit for unit, kind in zip(sets, kinds, strict=True) if kind == hevc.SPS]
    picture = _try_picture(of_hevc, sps)
    head = _build_hvcc_head(sps, picture) if is_annex_b(header) else header[:_HEVC_HEAD_BYTES]
    is_complete = _HEVC_SETS.issubset(kinds)
    arrays = []
    for kind, units in ((kind, list(group)) for kind, group in groupby(sets, lambda unit: unit[0] >> 1 & 63)):
        is_all = is_complete and kind in _HEVC_SETS
        arrays.append(struct.pack(">BH", is_all << 7 | kind, len(units)) + _counted(units))
    record = b"".join((head[:-1], bytes((head[-1] | _LENGTH_BYTES - 1, len(arrays))), *arrays))
    entry_kind = b"hvc1" if is_complete else b"hev1"
    width, height = (picture.width, picture.height) if picture else (0, 0)
    entry = _video_entry(entry_kind, width, height, box(b"hvcC", record))
    return VideoCodec(
        f"{entry_kind.decode()}.{_hevc_profile(record)}", entry, width, height, _nal_sample(config.length_size)
    )


def _build_hvcc_head(sps: Sequence[bytes], picture: Picture | None) -> bytes:
    """HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1) up to the size of the lengths."""
    if not sps or picture is None:
        raise MalformedHeaderError("H.265 without a sequence parameter set that can be read")
    profile, layers = hevc_profile(sps[0])
    depths = 0xF8 | picture.luma_bits - 8, 0xF8 | picture.chroma_bits - 8
    fields = bytes((0xFC | picture.chroma_format, *depths, 0, 0, (layers >> 1 & 7) + 1 << 3 | (layers & 1) << 2))
    return b"".join((b"\1", profile, b"\xf0\0\xfc", fields))


def _hevc_profile(record: bytes) -> str:
    """ISO/IEC 14496-15 §E.3: profile, compatibility flags (last bit first), tier and level, constraints."""
    space, tier, profile = record[1] >> 6, record[1] >> 5 & 1, record[1] & 31
    compatibility = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\0")
    parts = [f"{('', 'A', 'B', 'C')[space]}{profile}", f"{compatibility:X}", f"{'LH'[tier]}{record[12]}"]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])


def _nal_sample(length_size: int) -> Sample:
    if length_size == _LENGTH_BYTES:
        return _nal_units
    return lambda data, start, end, _: _join_by_length(split_by_length(data, start, end, length_size))


def _nal_units(data: bytes, start: int, end: int, is_keyframe: bool) -> bytes | memoryview:
    """The frame itself if its lengths fit, else what can be made of it."""
    position, last = start, end - _LENGTH_BYTES
    if position < last:
        for _ in range(MAX_UNITS):
            (size,) = _LENGTH.unpack_from(data, position)
            position += _LENGTH_BYTES + size
            if position >= last or not size:
                break
        if position == end and size:
            return memoryview(data)[start:end]
    return _join_by_length(split_by_length(data, start, end, _LENGTH_BYTES))


def _join_by_length(units: list[bytes]) -> bytes:
    return b"".join([part for unit in units for part in (_LENGTH.pack(len(unit)), unit)])


def _configure_av1(config: av1.Av1Config) -> VideoCodec:
    """av1C and the name (AV1 in ISOBMFF §2.3, §5): profile, level and tier, bits per sample."""
    unit = _with_size(config.sequence_header)
    try:
        width, height = size_of_av1(unit) if unit else (0, 0)
    except MalformedHeaderError:
        width = height = 0
    entry = _video_entry(b"av01", width & 0xFFFF, height & 0xFFFF, box(b"av1C", config.fixed, unit))
    profile, level, flags = config.fixed[1] >> 5, config.fixed[1] & 31, config.fixed[2]
    depth = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    name = f"av01.{profile}.{level:02d}{'MH'[flags >> 7]}.{depth:02d}"
    return VideoCodec(name, entry, width, height, partial(_temporal_unit, unit))


def _with_size(unit: bytes) -> bytes:
    """A unit with its size field, which it may have lacked as the last one of its record."""
    if not unit or unit[0] & _AV1_HAS_SIZE:
        return unit
    head = 2 if unit[0] & _AV1_HAS_EXTENSION else 1
    return (
        bytes((unit[0] | _AV1_HAS_SIZE,))
        + unit[1:head]
        + _expandable(len(unit) - head, is_low_first=True)
        + unit[head:]
    )


def _temporal_unit(sequence_header: bytes, data: bytes, start: int, end: int, is_keyframe: bool) -> bytes | memoryview:
    """The units but for those that do not belong into samples (AV1 in ISOBMFF §2.4).

    A keyframe gets the sequence header, which a sync sample must have, unless it brings one.
    """
    units = av1.split_units(data, start, end)
    kept = [unit for kind, unit in units if kind not in _AV1_LEFT_OUT]
    if is_keyframe and kept and all(kind != av1.SEQUENCE_HEADER for kind, _ in units):
        return b"".join((sequence_header, *kept))
    return memoryview(data)[start:end] if len(kept) == len(units) else b"".join(kept)


def _configure_aac(header: bytes) -> AudioCodec:
    config = aac.decode_config(header)
    object_type = _PS if config.has_ps else _SBR if config.has_sbr else config.object_type
    # A layout that a program config element describes is known to the decoder only.
    channels = _CHANNELS_OF_AAC_7 if config.channels == 7 else config.channels or 2
    entry = _audio_entry(b"mp4a", channels, config.sample_rate, _esds(header))
    return AudioCodec(f"mp4a.40.{object_type}", entry, config.sample_rate, aac.SAMPLES_PER_FRAME)


def _esds(config: bytes) -> bytes:
    """ES_Descriptor of an AAC stream (ISO/IEC 14496-1 §7.2.6.5): id and flags; decoder configuration; SL "MP4".

    Decoder configuration: object type 0x40 (ISO/IEC 14496-3), stream type 5 (audio), buffer and bit rates unknown.
    """
    decoder = _descriptor(4, b"\x40\x15", bytes(3 + 4 + 4), _descriptor(5, config))
    return full_box(b"esds", 0, 0, _descriptor(3, bytes(3), decoder, _descriptor(6, b"\2")))


def _descriptor(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((tag,)) + _expandable(len(body)) + body


def _expandable(size: int, *, is_low_first: bool = False) -> bytes:
    """A size in groups of seven bits: ISO/IEC 14496-1 §8.3.3, or, with the lowest bits first, AV1 §4.10.5."""
    groups = [size & 0x7F]
    while size := size >> 7:
        groups.append(size & 0x7F)
    if not is_low_first:
        groups.reverse()
    return bytes([*[group | 0x80 for group in groups[:-1]], groups[-1]])
