"""Frames of H.264 and AAC that muxers are given, each with bytes of its own."""

from __future__ import annotations

from edge.media.frame import AUDIO, VIDEO, Frame
from tests.harness.flv_file import frame_of
from tests.media.codecs.records import by_length


def picture(dts_ms: int, size: int = 1000, *, key: bool = False, offset_ms: int = 0) -> Frame:
    """Of one NAL unit."""
    unit = bytes((0x65 if key else 0x41,)) + bytes((dts_ms + n) % 255 + 1 for n in range(size))
    head = (b"\x17\x01" if key else b"\x27\x01") + offset_ms.to_bytes(3, "big", signed=True)
    return frame_of(VIDEO, dts_ms, head + by_length(unit))


def sound(dts_ms: int, size: int = 100) -> Frame:
    """One access unit."""
    return frame_of(AUDIO, dts_ms, b"\xaf\x01" + bytes((dts_ms + n) % 256 for n in range(size)))


def in_other_tracks(key: Frame, dts_ms: int) -> tuple[Frame, Frame]:
    """A keyframe alone as the second of several tracks, and at ``dts_ms`` as the first beside another one."""
    second = frame_of(VIDEO, key.dts_ms, b"\x96\x01avc1\x01" + key.payload[2:])
    both = b"\x96\x11avc1" + b"".join(
        bytes((track,)) + len(body).to_bytes(3, "big") + body
        for track, body in ((1, b"\0\0\0other"), (0, key.payload[2:]))
    )
    return second, frame_of(VIDEO, dts_ms, both)
