"""Coded media made by ffmpeg, as frames with the bodies that Enhanced RTMP and the classic codecs give them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from edge.media.frame import AUDIO, VIDEO, Frame
from tests.harness.clock import deadline, missing, require_program
from tests.harness.flv_file import frame_of

TEST_PICTURE = "testsrc2=size=160x120:rate=25:duration=4"
#: Noise, not a sine: a decoder that loses a frame or a channel is not smooth by chance.
TEST_SOUND = "anoisesrc=duration=4:sample_rate=48000:seed=1"
AV1_OPTIONS = ("-c:v", "libaom-av1", "-cpu-used", "8", "-g", "25")
#: By ffmpeg's name of the codec (E-RTMP v2).
FOURCCS = {
    "h264": b"avc1",
    "hevc": b"hvc1",
    "av1": b"av01",
    "aac": b"mp4a",
    "opus": b"Opus",
    "mp3": b".mp3",
    "ac3": b"ac-3",
    "eac3": b"ec-3",
}
_WITH_OFFSET = frozenset({b"avc1", b"hvc1"})


def run_ffmpeg(*options: str) -> str:
    """Run ffmpeg to its end; what it complains about."""
    command = [require_program("ffmpeg"), "-nostdin", "-v", "error", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=deadline(30))
    assert done.returncode == 0, done.stderr
    return done.stderr


def require_av() -> Any:
    """PyAV; without it the test fails under ``CI=true`` and is skipped elsewhere."""
    try:
        import av
    except ImportError:
        missing("PyAV is not installed")
    return av


def encode(path: Path, *codec: str, picture: str = "", sound: str = "") -> Path:
    """Make a file of test media; ``codec`` are ffmpeg's options for the encoders."""
    sources = [option for source in (picture, sound) if source for option in ("-f", "lavfi", "-i", source)]
    run_ffmpeg(*sources, *codec, "-y", str(path))
    return path


def coded_frames(
    path: Path, fourccs: dict[str, bytes], *, classic: dict[str, int] | None = None, shown_early_ms: int = 0
) -> list[Frame]:
    """A file's frames in order of decoding, each track behind its header.

    ``fourccs`` by ffmpeg's name of the codec; a video codec in ``classic`` gets the old body with that
    codec id instead. The first DTS is 0. With ``shown_early_ms`` pictures are decoded so much later and
    shown when they were: composition offsets become negative.
    """
    av = require_av()
    headers: list[Frame] = []
    found: list[tuple[float, int, bytes]] = []
    with av.open(str(path)) as container:
        for stream in container.streams:
            name = _name(stream)
            type_id = VIDEO if stream.type == "video" else AUDIO
            old = (classic or {}).get(name)
            header = bytes(stream.codec_context.extradata or b"")
            if header:
                headers.append(frame_of(type_id, 0, _head(type_id, fourccs[name], old, 0, True) + header))
        for packet in container.demux():
            if packet.dts is not None:
                found.append(_coded(packet, fourccs, classic or {}, shown_early_ms))
    start = min(at for at, _, _ in found)
    media = [frame_of(type_id, round((at - start) * 1000), body) for at, type_id, body in found]
    return [*headers, *sorted(media, key=lambda frame: frame.dts_ms)]


def _name(stream: Any) -> str:
    """The codec's name, whichever decoder PyAV chose for it."""
    return str(stream.codec_context.codec.canonical_name)


def _coded(
    packet: Any, fourccs: dict[str, bytes], classic: dict[str, int], shown_early_ms: int
) -> tuple[float, int, bytes]:
    stream = packet.stream
    name = _name(stream)
    type_id = VIDEO if stream.type == "video" else AUDIO
    offset_ms = round(float((packet.pts - packet.dts) * stream.time_base) * 1000)
    at = float(packet.dts * stream.time_base)
    if type_id == VIDEO:
        at += shown_early_ms / 1000
        offset_ms -= shown_early_ms
    head = _head(type_id, fourccs[name], classic.get(name), 1, bool(packet.is_keyframe))
    old = classic.get(name)
    if type_id == VIDEO and (old is not None or fourccs[name] in _WITH_OFFSET):
        head = head[:-3] + offset_ms.to_bytes(3, "big", signed=True)
    return at, type_id, head + bytes(packet)


def _head(type_id: int, fourcc: bytes, old: int | None, packet_type: int, is_keyframe: bool) -> bytes:
    """Head of a body; of video with composition offset 0, where there is one."""
    frame_type = 1 if is_keyframe else 2
    if type_id == AUDIO:
        return bytes((0xAF, packet_type)) if fourcc == b"mp4a" else bytes((0x90 | packet_type,)) + fourcc
    if old is not None:
        return bytes((frame_type << 4 | old, packet_type)) + bytes(3)
    has_offset = packet_type == 1 and fourcc in _WITH_OFFSET
    return bytes((0x80 | frame_type << 4 | packet_type,)) + fourcc + (bytes(3) if has_offset else b"")


_PIXELS = ("-pix_fmt", "yuv420p")
_AVC = ("-c:v", "libx264", "-bf", "2", "-g", "25", *_PIXELS)
_HEVC = ("-c:v", "libx265", "-x265-params", "log-level=none:bframes=2:keyint=25:open-gop=0", *_PIXELS)
#: Pairs of codecs: ffmpeg's options for them, and the pictures that get the body from before Enhanced RTMP.
KINDS: dict[str, tuple[tuple[str, ...], dict[str, int]]] = {
    "avc_aac": ((*_AVC, "-c:a", "aac"), {"h264": 7}),
    "avc_opus": ((*_AVC, "-c:a", "libopus"), {"h264": 7}),
    "enhanced_avc_aac": ((*_AVC, "-c:a", "aac"), {}),
    "hevc_opus": ((*_HEVC, "-c:a", "libopus"), {}),
    "hevc_aac": ((*_HEVC, "-c:a", "aac"), {}),
    "av1_aac": ((*AV1_OPTIONS, *_PIXELS, "-c:a", "aac"), {}),
}


def synthesise(kind: str, folder: Path, *, seconds: float = 2.0) -> tuple[Path, list[Frame]]:
    """A file of test media of a kind, 25 pictures a second, each 25th a keyframe; and its frames as published."""
    options, classic = KINDS[kind]
    path = encode(folder / f"{kind}.mp4", *options, "-t", str(seconds), picture=TEST_PICTURE, sound=TEST_SOUND)
    return path, coded_frames(path, FOURCCS, classic=classic)


def av_packets(path: Path) -> list[tuple[str, bytes]]:
    """What PyAV, whose FFmpeg is newer than Debian's, reads from a file: medium and payload of all packets, sorted."""
    with require_av().open(str(path)) as container:
        return sorted((packet.stream.type, bytes(packet)) for packet in container.demux() if packet.size)


def av_picture_count(path: Path) -> int:
    """How many pictures PyAV can decode from a file."""
    with require_av().open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))
