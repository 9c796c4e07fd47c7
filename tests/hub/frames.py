"""Frames of all sorts, and a queue of them."""

from __future__ import annotations

from edge.hub.config import HubConfig
from edge.hub.frame_queue import FrameQueue
from edge.media.frame import AUDIO, AUDIO_HEADER, DATA, METADATA, VIDEO, VIDEO_HEADER, Frame


def key(dts_ms: int, size: int = 10) -> Frame:
    return Frame(VIDEO, dts_ms, b"\x17\x01" + bytes(size), is_keyframe=True)


def inter(dts_ms: int, size: int = 10) -> Frame:
    return Frame(VIDEO, dts_ms, b"\x27\x01" + bytes(size))


def sound(dts_ms: int) -> Frame:
    return Frame(AUDIO, dts_ms, b"\xaf\x01xx")


def header(text: bytes = b"h", kind: int = VIDEO_HEADER, dts_ms: int = 0) -> Frame:
    first = {VIDEO_HEADER: b"\x17\x00", AUDIO_HEADER: b"\xaf\x00", METADATA: b"\x02"}[kind]
    return Frame({VIDEO_HEADER: VIDEO, AUDIO_HEADER: AUDIO, METADATA: DATA}[kind], dts_ms, first + text, kind)


def filled(*frames: Frame) -> FrameQueue:
    queue = FrameQueue()
    for frame in frames:
        queue.push(frame)
    return queue


def settle(queue: FrameQueue, config: HubConfig) -> None:
    """Evict until nothing more may go."""
    while count := queue.evictable(config):
        queue.evict(count)


def picture(track: int, dts_ms: int, is_keyframe: bool = False, *others: int, size: int = 4) -> Frame:
    """A picture as OBS sends it: track 0 plain, the others as multitrack messages, perhaps several in one."""
    first = 0x90 if is_keyframe else 0xA0
    if others:
        bodies = b"".join(bytes((one,)) + size.to_bytes(3, "big") + bytes(size) for one in (track, *others))
        return Frame(VIDEO, dts_ms, bytes((first | 6, 0x11)) + b"avc1" + bodies, is_keyframe=is_keyframe)
    if track == 0:
        return key(dts_ms, size) if is_keyframe else inter(dts_ms, size)
    body = bytes((first | 6, 0x01)) + b"avc1" + bytes((track,)) + bytes(size)
    return Frame(VIDEO, dts_ms, body, is_keyframe=is_keyframe)


def data(dts_ms: int) -> Frame:
    return Frame(DATA, dts_ms, b"\x02\x00\x01x")
