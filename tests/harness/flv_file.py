"""FLV files as frames of the hub, and frames as a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge.media import flv
from edge.media.frame import AUDIO, METADATA, VIDEO, Frame, classify_audio, classify_video


def frame_of(type_id: int, dts_ms: int, body: bytes) -> Frame:
    """A frame as the hub makes it of a message."""
    if type_id == VIDEO:
        return Frame(VIDEO, dts_ms, body, *classify_video(body))
    return Frame(type_id, dts_ms, body, classify_audio(body) if type_id == AUDIO else METADATA)


def read_flv(data: bytes) -> list[Frame]:
    """All frames of a file."""
    return [frame_of(tag.type_id, tag.timestamp_ms, tag.body) for tag in flv.TagReader().receive_data(data)]


def write_flv(path: Path, frames: Iterable[Frame]) -> Path:
    """A file of ours with these frames; its header names the tracks that there are."""
    frames = list(frames)
    types = {frame.type_id for frame in frames}
    pieces = [flv.encode_prologue(has_audio=AUDIO in types, has_video=VIDEO in types)]
    for frame in frames:
        pieces += flv.encode_tag(frame, frame.dts_ms)
    path.write_bytes(b"".join(pieces))
    return path
