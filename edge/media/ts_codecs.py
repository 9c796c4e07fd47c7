"""What TS has a place for: per codec its stream type, descriptors and PES stream id, and its access units.

H.264 0x1B, H.265 0x24, AAC in ADTS 0x0F, MPEG audio 0x03 (MPEG-1) and 0x04 (lower rates; ISO/IEC
13818-1 table 2-34); AC-3 0x81 and E-AC-3 0x87 (ATSC A/52); AV1 and Opus are private data (0x06) that
a registration descriptor names. There is no place for G.711, Speex, Nellymoser, PCM, FLAC, VP8, VP9,
H.263, VP6 and the screen codecs: private numbers that some programs give them are read by nobody else.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from edge.errors import MalformedHeaderError, MediaError, UnsupportedCodecError
from edge.media.codecs import aac, av1, avc, hevc, mp3, opus
from edge.media.codecs.body import AAC, AV1, AVC, CODED, HEADER, HEVC, MP3, OPUS, TS_HEADER, read_audio, read_video
from edge.media.frame import AUDIO, VIDEO, Frame, codec_name
from edge.media.ts_packets import PRIORITY, RANDOM_ACCESS
from edge.media.ts_tables import registration

_VIDEO_ID, _AUDIO_ID, _PRIVATE_ID = 0xE0, 0xC0, 0xBD
_PRIVATE_DATA = 0x06
_TICKS_PER_S = 90000

#: Codecs whose frames are complete in themselves, with their stream type and registration.
_PLAIN = {b"ac-3": (0x81, b"AC-3"), b"ec-3": (0x87, b"EAC3")}
#: Codecs whose frames need no sequence header before them.
HEADERLESS = frozenset({MP3, *_PLAIN})
SUPPORTED = frozenset({AVC, HEVC, AV1, AAC, MP3, OPUS, *_PLAIN})


#: Real ones have some hundred bytes. Parameter sets go out again with each keyframe.
MAX_HEADER_BYTES = 65536
_REMEMBERED, _REMEMBERED_BYTES = 1024, 1024


class Units(Protocol):
    """Makes access units of frames: a decoder configuration of ``edge.media.codecs``."""

    def access_unit(self, data: bytes, start: int, end: int, is_keyframe: bool) -> tuple[bytes, bool]:
        """Bytes for the PES packet, and whether decoding may begin with them; empty when there is nothing to send.

        Raises:
            MalformedFrameError: the frame breaks its format.
        """
        ...


class PlainUnits:
    """Frames that go into TS as they are."""

    def access_unit(self, data: bytes, start: int, end: int, is_keyframe: bool) -> tuple[bytes, bool]:
        """Just the frame."""
        return data[start:end], True


class TsCodec:
    """How one codec configuration goes into TS.

    Attributes:
        access_unit: makes the bytes for a PES packet of ``(data, start, end, is_keyframe)``, see :class:`Units`.
        stream_type, stream_id, descriptors: for the PMT and the PES header.
        random_access: adaptation field flags of an access unit with which decoding may begin.
        unit_ticks: duration of an access unit at 90 kHz; 0 where it varies.
    """

    __slots__ = ("access_unit", "descriptors", "random_access", "stream_id", "stream_type", "unit_ticks")

    def __init__(
        self,
        units: Units,
        stream_type: int,
        stream_id: int,
        descriptors: bytes = b"",
        random_access: int = RANDOM_ACCESS,
        unit_ticks: float = 0,
    ) -> None:
        self.access_unit = units.access_unit
        self.stream_type = stream_type
        self.stream_id = stream_id
        self.descriptors = descriptors
        self.random_access = random_access
        self.unit_ticks = unit_ticks


def configure(codec: bytes, header: bytes, *, is_ts_header: bool = False) -> TsCodec:
    """The TS side of a sequence header; of an MP3 stream, which has none, ``header`` is its first frame.

    ``is_ts_header``: the header is the one that E-RTMP defines for transport streams.

    Raises:
        MalformedHeaderError, MalformedFrameError: it cannot be read, or is absurdly long.
        UnsupportedCodecError: TS has no place for the codec, or for this form of it.
    """
    if len(header) > MAX_HEADER_BYTES and codec not in HEADERLESS:
        raise MalformedHeaderError(f"a sequence header of {len(header)} bytes")
    if codec in HEADERLESS or len(header) > _REMEMBERED_BYTES:
        return _configure(codec, header, is_ts_header)
    return _remembered(codec, header, is_ts_header)


def _configure(codec: bytes, header: bytes, is_ts_header: bool) -> TsCodec:
    if codec == AVC:
        return TsCodec(avc.decode_config(header), 0x1B, _VIDEO_ID)
    if codec == HEVC:
        return TsCodec(hevc.decode_config(header), 0x24, _VIDEO_ID, registration(b"HEVC"))
    if codec == AV1:
        av1_config = av1.decode_ts_header(header) if is_ts_header else av1.decode_config(header)
        descriptors = registration(b"AV01") + b"\x80\x04" + av1_config.fixed
        return TsCodec(av1_config, _PRIVATE_DATA, _PRIVATE_ID, descriptors, RANDOM_ACCESS | PRIORITY)
    if codec == AAC:
        config = aac.decode_config(header)
        ticks = aac.SAMPLES_PER_FRAME * _TICKS_PER_S / config.sample_rate
        return TsCodec(config, 0x0F, _AUDIO_ID, unit_ticks=ticks)
    if codec == MP3:
        frame = mp3.decode_header(header)
        ticks = frame.samples * _TICKS_PER_S / frame.sample_rate
        return TsCodec(PlainUnits(), 0x03 if frame.is_mpeg_1 else 0x04, _AUDIO_ID, unit_ticks=ticks)
    if codec == OPUS:
        opus_config = opus.decode_config(header)
        descriptors = registration(b"Opus") + b"\x7f\x02\x80" + bytes((opus_config.ts_channel_code(),))
        return TsCodec(opus_config, _PRIVATE_DATA, _PRIVATE_ID, descriptors)
    if codec in _PLAIN:
        stream_type, name = _PLAIN[codec]
        return TsCodec(PlainUnits(), stream_type, _PRIVATE_ID, registration(name))
    raise UnsupportedCodecError(codec.decode("ascii", "replace") if len(codec) == 4 else f"codec {codec.hex()}", "TS")


#: Each segment begins with the header of the one before.
_remembered = lru_cache(_REMEMBERED)(_configure)


def require_place(frame: Frame) -> None:
    """Say whether TS can carry the medium of a frame; for one that nobody can read, and for data, yes.

    Meant for the headers in force and the first frames, before a player is answered.

    Raises:
        UnsupportedCodecError: it cannot; ``codec`` is the codec's name.
    """
    if frame.type_id not in (AUDIO, VIDEO) or not frame.payload:
        return
    payload = frame.payload
    codec, what, start, end, _ = read_video(payload) if frame.type_id == VIDEO else read_audio(payload)
    if not codec:
        return
    if codec not in SUPPORTED:
        raise UnsupportedCodecError(codec_name(frame.type_id, payload), "TS")
    if what in (HEADER, TS_HEADER) or (what == CODED and codec in HEADERLESS):
        try:
            configure(codec, payload[start:end], is_ts_header=what == TS_HEADER)
        except UnsupportedCodecError:
            raise
        except MediaError:
            return
