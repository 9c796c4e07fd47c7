"""Where the coded data stand in an FLV tag body.

Classic bodies (FLV 10.1 §E.4.2, §E.4.3), the old codec ids 12 (HEVC) and 13
(AV1) that many encoders use in the layout of AVC, and Enhanced RTMP (E-RTMP v1
and v2) with its ModEx prefixes and its multitrack packets, of which one track
is read. The offset in nanoseconds that a ModEx prefix may bear is passed over.

Both readers give a plain tuple, since they run once per frame:
``(codec, what, start, end, composition_offset_ms)``. ``codec`` is the FourCC; a
classic codec that has none is named by its number, one byte. ``start`` and
``end`` enclose the coded data or the decoder configuration within the body.
"""

from __future__ import annotations

from edge.media.frame import skip_mod_ex

#: What a body holds.
HEADER, CODED, NOTHING, TS_HEADER = range(4)

Body = tuple[bytes, int, int, int, int]

AVC, HEVC, AV1, AAC, MP3, OPUS = b"avc1", b"hvc1", b"av01", b"mp4a", b".mp3", b"Opus"

_VIDEO_FOURCCS = {7: AVC, 12: HEVC, 13: AV1}
_AUDIO_FOURCCS = {2: MP3, 14: MP3}
_CLASSIC_AAC = 10
_EX_AUDIO = 9
_COMMAND = 5

_SEQUENCE_START = 0
_CODED_FRAMES = 1
_CODED_FRAMES_X = 3
_MPEG2TS_SEQUENCE_START = 5
_VIDEO_MULTITRACK = 6
_AUDIO_MULTITRACK = 5
_MOD_EX = 7
#: CodedFrames bear a composition offset for these codecs only.
_WITH_OFFSET = frozenset({AVC, HEVC, b"vvc1"})

_NO_OFFSET = b"\0\0\0"

_ONE_TRACK = 0
_MANY_TRACKS_MANY_CODECS = 2
_MAX_TRACKS = 32

_NONE: Body = (b"", NOTHING, 0, 0, 0)


def read_video(payload: bytes, track_id: int = 0) -> Body:
    """Read a video body; ``NOTHING`` of an empty one, a command, an end of sequence, or one that is cut short."""
    size = len(payload)
    if size < 2:
        return _NONE
    first = payload[0]
    if first & 0x80:
        return _read_enhanced(payload, track_id, _VIDEO_MULTITRACK)
    if first >> 4 == _COMMAND or track_id:
        return _NONE
    codec = _VIDEO_FOURCCS.get(first & 15)
    if codec is None:
        return bytes((first & 15,)), CODED, 1, size, 0
    if size < 6:
        return codec, NOTHING, 0, 0, 0
    packet_type = payload[1]
    if packet_type == _CODED_FRAMES:
        offset = payload[2:5]
        return codec, CODED, 5, size, 0 if offset == _NO_OFFSET else int.from_bytes(offset, "big", signed=True)
    return codec, HEADER if packet_type == _SEQUENCE_START else NOTHING, 5, size, 0


def read_audio(payload: bytes, track_id: int = 0) -> Body:
    """Read an audio body; ``NOTHING`` of an empty one, a multichannel configuration, or one that is cut short."""
    size = len(payload)
    if size < 2:
        return _NONE
    codec = payload[0] >> 4
    if codec == _CLASSIC_AAC and not track_id:
        if payload[1] and size > 2:
            return AAC, CODED, 2, size, 0
        return AAC, NOTHING if payload[1] else HEADER, 2, size, 0
    if codec == _EX_AUDIO:
        return _read_enhanced(payload, track_id, _AUDIO_MULTITRACK)
    if track_id:
        return _NONE
    return _AUDIO_FOURCCS.get(codec) or bytes((codec,)), CODED, 1, size, 0


def _read_enhanced(payload: bytes, track_id: int, multitrack: int) -> Body:
    packet_type, start = skip_mod_ex(payload, payload[0] & 15)
    is_video = multitrack == _VIDEO_MULTITRACK
    if packet_type == _MOD_EX:
        return _NONE
    if is_video and payload[0] >> 4 & 7 == _COMMAND:
        return _NONE
    if packet_type == multitrack:
        codec, packet_type, start, end = _find_track(payload, start, track_id)
    else:
        codec, start, end = payload[start : start + 4], start + 4, len(payload)
        if track_id:
            return _NONE
    if len(codec) < 4 or start > end:
        return _NONE
    if packet_type == _SEQUENCE_START:
        return codec, HEADER, start, end, 0
    if start == end:
        return codec, NOTHING, 0, 0, 0
    if packet_type == _CODED_FRAMES:
        if not is_video or codec not in _WITH_OFFSET:
            return codec, CODED, start, end, 0
        if end - start < 4:
            return codec, NOTHING, 0, 0, 0
        return codec, CODED, start + 3, end, int.from_bytes(payload[start : start + 3], "big", signed=True)
    if is_video and packet_type == _CODED_FRAMES_X:
        return codec, CODED, start, end, 0
    if is_video and packet_type == _MPEG2TS_SEQUENCE_START:
        return codec, TS_HEADER, start, end, 0
    return codec, NOTHING, 0, 0, 0


def _find_track(payload: bytes, offset: int, track_id: int) -> tuple[bytes, int, int, int]:
    """Codec, packet type, start and end of one track in a multitrack packet; codec ``b""`` where it is not there."""
    absent = (b"", NOTHING, 0, 0)
    if offset >= len(payload):
        return absent
    form, packet_type = payload[offset] >> 4, payload[offset] & 15
    offset += 1
    codec = b""
    if form != _MANY_TRACKS_MANY_CODECS:
        codec = payload[offset : offset + 4]
        offset += 4
    for _ in range(_MAX_TRACKS):
        if form == _MANY_TRACKS_MANY_CODECS:
            codec = payload[offset : offset + 4]
            offset += 4
        if offset >= len(payload):
            return absent
        found = payload[offset]
        if form == _ONE_TRACK:
            return (codec, packet_type, offset + 1, len(payload)) if found == track_id else absent
        start = offset + 4
        offset = start + int.from_bytes(payload[offset + 1 : start], "big")
        if found == track_id:
            return (codec, packet_type, start, offset) if offset <= len(payload) else absent
    return absent
