"""What the first bytes of an audio or video body tell: whether there is a frame in it, or a codec header.

FLV 10.1 §E.4.2.1, §E.4.3.1; E-RTMP v2 for bodies with a FourCC.
"""

from __future__ import annotations

from edge.rtmp.messages import MessageType

_AVC, _HEVC, _AV1, _AAC = 7, 12, 13, 10
_CODECS_WITH_HEADER = frozenset((_AVC, _HEVC, _AV1))
_ENHANCED_VIDEO, _ENHANCED_AUDIO = 0x80, 9


def is_short(type_id: int, payload: bytes) -> bool:
    """True for an audio or video body without a frame in it.

    Players treat a tag of no size as broken. Enhanced headers are left alone.
    """
    if len(payload) < 2:
        return True
    if type_id == MessageType.AUDIO:
        return payload[0] >> 4 == _AAC and len(payload) <= 2
    if payload[0] & _ENHANCED_VIDEO:
        return len(payload) < 5
    return payload[0] & 15 == _AVC and len(payload) <= 5


def is_end_of_sequence(type_id: int, payload: bytes) -> bool:
    """True for what ffmpeg sends behind its last AVC frame (AVCPacketType 2)."""
    return type_id == MessageType.VIDEO and payload[1:2] == b"\x02" and payload[0] & 15 == _AVC


def is_header(type_id: int, payload: bytes) -> bool:
    """True for what a decoder needs before the first frame of a track; ``payload`` is not empty."""
    first = payload[0]
    if type_id == MessageType.AUDIO:
        if first >> 4 == _ENHANCED_AUDIO:
            return not first & 15
        return first >> 4 == _AAC and payload[1:2] == b"\0"
    if first & _ENHANCED_VIDEO:
        return not first & 15
    return first & 15 in _CODECS_WITH_HEADER and payload[1:2] == b"\0"
