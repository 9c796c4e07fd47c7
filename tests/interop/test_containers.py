"""FLV and TS of our muxers, read by ffmpeg, ffprobe and PyAV: clean, whole, sound in step with picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge.media.frame import AUDIO, VIDEO, Frame, has_picture
from edge.media.mpegts import AUDIO_PID, VIDEO_PID, TsMuxer
from edge.media.ts_packets import announce_jump
from tests.harness.clients import ffprobe_packets
from tests.harness.coded import (
    AV1_OPTIONS,
    FOURCCS,
    KINDS,
    TEST_PICTURE,
    TEST_SOUND,
    av_packets,
    av_picture_count,
    coded_frames,
    encode,
    synthesise,
)
from tests.harness.flv_file import read_flv, write_flv
from tests.harness.media_file import assert_clean, assert_same, presentation_ms, streams_of
from tests.harness.ts_demux import demux

pytestmark = pytest.mark.interop

_CLIPS = ["bbb-360p-10s.flv", "bbb-720p-5s.mp4"]


def write_ts(path: Path, frames: Sequence[Frame], **options: int) -> Path:
    muxer = TsMuxer(**options)
    data = b"".join([*[muxer.encode(frame) for frame in frames], muxer.flush()])
    demux(data)
    assert (muxer.dropped_count, muxer.bad_header_count, muxer.unsupported) == (0, 0, set())
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", _CLIPS)
def test_flv_of_a_clip_is_the_clip(name: str, clips: Callable[[str], Path], tmp_path: Path) -> None:
    clip = clips(name)
    written = write_flv(tmp_path / "ours.flv", read_flv(clip.read_bytes()))
    assert ffprobe_packets(written) == ffprobe_packets(clip)
    assert_clean(written)


@pytest.mark.parametrize(("name", "hold_ms"), [(_CLIPS[0], 0), (_CLIPS[1], 0), (_CLIPS[0], 100)])
def test_ts_of_a_clip(name: str, hold_ms: int, clips: Callable[[str], Path], tmp_path: Path) -> None:
    clip = clips(name)
    frames = read_flv(clip.read_bytes())
    assert_same(write_ts(tmp_path / "ours.ts", frames, audio_hold_ms=hold_ms), clip)


@pytest.mark.parametrize(("kept", "name"), [(AUDIO, _CLIPS[1]), (VIDEO, _CLIPS[0])])
def test_ts_of_one_medium_of_a_clip(kept: int, name: str, clips: Callable[[str], Path], tmp_path: Path) -> None:
    frames = [frame for frame in read_flv(clips(name).read_bytes()) if frame.type_id == kept]
    only = write_flv(tmp_path / "only.flv", frames)
    assert_same(write_ts(tmp_path / "only.ts", frames), only)
    assert len(streams_of(tmp_path / "only.ts")) == 1


def test_ts_from_a_keyframe_in_the_middle(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """A player that joins late needs nothing from before."""
    muxer = TsMuxer()
    frames = read_flv(clips(_CLIPS[0]).read_bytes())
    pieces = [muxer.encode(frame) for frame in frames]
    starts = [number for number, frame in enumerate(frames) if frame.is_keyframe]
    (tmp_path / "late.ts").write_bytes(b"".join(pieces[starts[1] :]))
    assert_clean(tmp_path / "late.ts")
    pictures = sum(frame.type_id == VIDEO and has_picture(frame.payload) for frame in frames[starts[1] :])
    assert int(streams_of(tmp_path / "late.ts")["video"]["nb_read_frames"]) == pictures


def test_ts_with_a_jump_to_a_later_keyframe(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """As a player gets it that was too slow."""
    muxer = TsMuxer()
    frames = read_flv(clips(_CLIPS[0]).read_bytes())
    pieces = [muxer.encode(frame) for frame in frames]
    starts = [number for number, frame in enumerate(frames) if frame.is_keyframe]
    before, after = b"".join(pieces[: starts[0] + 51]), b"".join(pieces[starts[-1] :])
    (tmp_path / "jump.ts").write_bytes(before + announce_jump(after[: 188 * 200]) + after)
    assert_clean(tmp_path / "jump.ts")
    sent = frames[: starts[0] + 51] + frames[starts[-1] :]
    pictures = sum(frame.type_id == VIDEO and not frame.kind and has_picture(frame.payload) for frame in sent)
    assert int(streams_of(tmp_path / "jump.ts")["video"]["nb_read_frames"]) == pictures


def test_ts_across_the_wrap_of_its_clock(clips: Callable[[str], Path], tmp_path: Path) -> None:
    clip = clips(_CLIPS[0])
    frames = read_flv(clip.read_bytes())
    for frame in frames:
        frame.dts_ms += (1 << 33) // 90 - 5000
    assert_same(write_ts(tmp_path / "late.ts", frames), clip)


@pytest.mark.parametrize(
    ("kind", "options", "classic"),
    [
        ("h264", ("-c:v", "libx264", "-bf", "3", "-g", "50", "-x264-params", "b-pyramid=strict:slices=3"), {}),
        ("h264", ("-c:v", "libx264", "-bf", "2", "-x264-params", "open-gop=1:keyint=25"), {"h264": 7}),
        ("hevc", ("-c:v", "libx265", "-x265-params", "log-level=none:bframes=3:keyint=25"), {}),
        ("hevc", ("-c:v", "libx265", "-x265-params", "log-level=none:open-gop=1:keyint=25"), {"hevc": 12}),
    ],
)
@pytest.mark.parametrize("shown_early_ms", [0, 80])
def test_ts_of_reordered_pictures(
    kind: str, options: tuple[str, ...], classic: dict[str, int], shown_early_ms: int, tmp_path: Path
) -> None:
    source = encode(
        tmp_path / "source.mp4",
        *(*options, "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k"),
        picture=TEST_PICTURE,
        sound=TEST_SOUND,
    )
    frames = coded_frames(source, FOURCCS, classic=classic, shown_early_ms=shown_early_ms)
    written = write_ts(tmp_path / "ours.ts", frames)
    assert_clean(written)
    have, want = streams_of(written), streams_of(source)
    assert have["video"]["codec_name"] == kind
    assert have["video"]["nb_read_frames"] == want["video"]["nb_read_frames"] == "100"
    times, pts = presentation_ms(written), presentation_ms(source)
    first = [min(found["video"]) - min(found["audio"]) for found in (times, pts)]
    assert abs(first[0] - first[1]) <= 2, f"sound stands {first[0] - first[1]} ms off"
    shown = times["video"]
    assert all(abs(at - shown[0] - number * 40) <= 2 for number, at in enumerate(shown))


@pytest.mark.parametrize(
    ("layout", "channels", "config"),
    [
        ("mono", 1, None),
        ("stereo", 2, None),
        ("5.1", 6, None),
        ("7.1", 8, None),
        ("7.1", 8, b"\x11\xe0"),  # the same elements under number 12, which ADTS has no room for
        ("hexagonal", 6, None),  # described by a program config element
    ],
)
def test_ts_of_aac_layouts(layout: str, channels: int, config: bytes | None, tmp_path: Path) -> None:
    source = encode(
        tmp_path / "source.mp4", "-af", f"aformat=channel_layouts={layout}", "-c:a", "aac", sound=TEST_SOUND
    )
    frames = coded_frames(source, FOURCCS)
    if config is not None:
        frames[0] = Frame(AUDIO, 0, b"\xaf\x00" + config, frames[0].kind)
    written = write_ts(tmp_path / "ours.ts", frames)
    assert_clean(written)
    stream = streams_of(written)["audio"]
    assert (stream["codec_name"], stream["channels"], stream["sample_rate"]) == ("aac", channels, "48000")
    assert int(stream["nb_read_frames"]) == len(frames) - 1


@pytest.mark.parametrize("rate", [44100, 22050])
def test_ts_and_flv_of_mp3(rate: int, tmp_path: Path) -> None:
    source = encode(tmp_path / "source.flv", "-c:a", "libmp3lame", "-ar", str(rate), "-ac", "2", sound=TEST_SOUND)
    frames = read_flv(source.read_bytes())
    written = write_ts(tmp_path / "ours.ts", frames)
    assert_clean(written)
    stream = streams_of(written)["audio"]
    assert (stream["codec_name"], stream["sample_rate"]) == ("mp3", str(rate))
    assert len(presentation_ms(written)["audio"]) == len(presentation_ms(source)["audio"])


@pytest.mark.parametrize("codec", ["ac3", "eac3"])
def test_ts_of_dolby_digital(codec: str, tmp_path: Path) -> None:
    source = encode(tmp_path / "source.mp4", "-c:a", codec, "-ac", "6", sound=TEST_SOUND)
    frames = coded_frames(source, FOURCCS)
    written = write_ts(tmp_path / "ours.ts", frames)
    assert_clean(written)
    stream = streams_of(written)["audio"]
    assert (stream["codec_name"], stream["channels"]) == (codec, 6)
    assert int(stream["nb_read_frames"]) == len(frames)


@pytest.mark.parametrize(("layout", "channels"), [("stereo", 2), ("5.1", 6)])
def test_ts_of_opus(layout: str, channels: int, tmp_path: Path) -> None:
    family = ("-mapping_family", "1") if channels > 2 else ()
    source = encode(
        tmp_path / "source.mp4",
        *("-af", f"aformat=channel_layouts={layout}", "-c:a", "libopus", *family),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p"),
        picture=TEST_PICTURE,
        sound=TEST_SOUND,
    )
    frames = coded_frames(source, FOURCCS)
    written = write_ts(tmp_path / "ours.ts", frames)
    assert_clean(written)
    stream = streams_of(written)["audio"]
    assert (stream["codec_name"], stream["channels"]) == ("opus", channels)
    packets = demux(written.read_bytes()).of(AUDIO_PID)
    sent = [frame.payload[5:] for frame in frames if frame.type_id == AUDIO][1:]
    assert [pes.data[-len(body) :] for pes, body in zip(packets, sent, strict=True)] == sent


def test_ts_of_av1(tmp_path: Path) -> None:
    """No ffmpeg reads AV1 in TS: what a receiver takes from the PES packets is decoded."""
    source = encode(tmp_path / "source.mp4", *AV1_OPTIONS, "-t", "2", picture=TEST_PICTURE)
    frames = coded_frames(source, FOURCCS)
    found = demux(write_ts(tmp_path / "ours.ts", frames).read_bytes())
    assert [pes.is_random_access for pes in found.of(VIDEO_PID)].count(True) == 2
    units = [b"\x12\0" + pes.data.replace(b"\0\0\1", b"").replace(b"\0\0\3", b"\0\0") for pes in found.of(VIDEO_PID)]
    (tmp_path / "units.obu").write_bytes(b"".join(units))
    assert_clean(tmp_path / "units.obu")
    assert streams_of(tmp_path / "units.obu")["video"]["nb_read_frames"] == "50"


@pytest.mark.parametrize("kind", KINDS)
def test_flv_of_new_codecs_is_read_by_pyav(kind: str, tmp_path: Path) -> None:
    source, frames = synthesise(kind, tmp_path)
    written = write_flv(tmp_path / "ours.flv", frames)
    assert av_packets(written) == av_packets(source)
    assert av_picture_count(written) == 50
