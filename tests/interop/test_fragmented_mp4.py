"""Fragmented MP4 of our muxer, read by ffmpeg, ffprobe and PyAV: clean, whole, sound in step with picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edge.media.fmp4 import AUDIO_TRACK_ID, VIDEO_TRACK_ID, Fmp4Muxer
from edge.media.frame import AUDIO, DATA, MEDIA, VIDEO, Frame
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
from tests.harness.mp4_reader import read_fragments

pytestmark = pytest.mark.interop

_CLIPS = ["bbb-360p-10s.flv", "bbb-720p-5s.mp4"]
_PART_MS = 300


def parts(frames: Sequence[Frame]) -> Iterator[tuple[list[Frame], dict[int, int]]]:
    """Parts of 300 ms, each with the times at which the media of the next ones begin."""
    media = [frame for frame in frames if frame.kind == MEDIA]
    while media:
        end_ms = media[0].dts_ms + _PART_MS
        part = [frame for frame in media if frame.dts_ms < end_ms]
        media = [frame for frame in media if frame.dts_ms >= end_ms]
        ends: dict[int, int] = {}
        for frame in media:
            ends.setdefault(frame.type_id, frame.dts_ms)
        yield part, ends


def count_of(frames: Sequence[Frame], type_id: int) -> int:
    return sum(frame.type_id == type_id and frame.kind == MEDIA for frame in frames)


def first_ms(path: Path, type_id: int) -> float:
    """When the first picture or sound of a file is presented, as the file has it."""
    track_id, ticks = (VIDEO_TRACK_ID, 90) if type_id == VIDEO else (AUDIO_TRACK_ID, 48)
    return min(sample.dts + sample.offset for sample in read_fragments(path.read_bytes())[track_id]) / ticks


def write_fmp4(path: Path, frames: Sequence[Frame], *, shift_ms: int = 0) -> Fmp4Muxer:
    muxer = Fmp4Muxer()
    for frame in frames:
        muxer.take_header(frame)
    data = [muxer.fragment(part, number, ends, shift_ms) for number, (part, ends) in enumerate(parts(frames), 1)]
    assert (muxer.dropped_count, muxer.bad_header_count, muxer.unsupported) == (0, 0, set())
    path.write_bytes(b"".join((muxer.init_segment, *data)))
    assert len(read_fragments(path.read_bytes())) == len({frame.type_id for frame in frames} - {DATA})
    return muxer


@pytest.mark.parametrize("name", _CLIPS)
def test_clip(name: str, clips: Callable[[str], Path], tmp_path: Path) -> None:
    clip = clips(name)
    muxer = write_fmp4(tmp_path / "ours.mp4", read_flv(clip.read_bytes()))
    assert_same(tmp_path / "ours.mp4", clip)
    stream = streams_of(clip)["video"]
    assert (muxer.width, muxer.height) == (stream["width"], stream["height"])


@pytest.mark.parametrize(("kept", "name"), [(AUDIO, _CLIPS[1]), (VIDEO, _CLIPS[0])])
def test_one_medium_of_a_clip(kept: int, name: str, clips: Callable[[str], Path], tmp_path: Path) -> None:
    frames = [frame for frame in read_flv(clips(name).read_bytes()) if frame.type_id == kept]
    only = write_flv(tmp_path / "only.flv", frames)
    write_fmp4(tmp_path / "only.mp4", frames)
    assert_same(tmp_path / "only.mp4", only)
    assert len(streams_of(tmp_path / "only.mp4")) == 1


def test_times_beyond_32_bits(clips: Callable[[str], Path], tmp_path: Path) -> None:
    clip = clips(_CLIPS[0])
    frames = read_flv(clip.read_bytes())
    write_fmp4(tmp_path / "late.mp4", frames, shift_ms=-((1 << 32) // 90 + 5000))
    assert_same(tmp_path / "late.mp4", clip)


@pytest.mark.parametrize("kind", KINDS)
def test_new_codecs(kind: str, tmp_path: Path) -> None:
    source, frames = synthesise(kind, tmp_path)
    written = tmp_path / "ours.mp4"
    muxer = write_fmp4(written, frames)
    assert_clean(written)
    assert av_picture_count(written) == 50
    if not kind.startswith("av1"):  # of AV1 the temporal delimiters differ
        assert av_packets(written) == av_packets(source)
    have, want = streams_of(written), streams_of(source)
    for medium, type_id in (("video", VIDEO), ("audio", AUDIO)):
        assert have[medium]["codec_name"] == want[medium]["codec_name"]
        assert int(have[medium]["nb_read_frames"]) == count_of(frames, type_id)
    assert (muxer.width, muxer.height) == (160, 120)
    assert len(muxer.codecs.split(",")) == 2


@pytest.mark.parametrize("shown_early_ms", [0, 80])
@pytest.mark.parametrize(
    ("options", "classic"),
    [
        (("-c:v", "libx264", "-bf", "3", "-g", "50", "-x264-params", "b-pyramid=strict:slices=3"), {}),
        (("-c:v", "libx264", "-bf", "2", "-x264-params", "open-gop=1:keyint=25"), {"h264": 7}),
        (("-c:v", "libx265", "-x265-params", "log-level=none:open-gop=1:keyint=25"), {"hevc": 12}),
    ],
)
def test_reordered_pictures(
    options: tuple[str, ...], classic: dict[str, int], shown_early_ms: int, tmp_path: Path
) -> None:
    """Where offsets are negative ffmpeg, which wants DTS <= PTS, shows all pictures later by the largest of them.

    It does so with files of its own too (``negative_cts_offsets``): how picture and sound stand is read by us.
    """
    source = encode(
        tmp_path / "source.mp4",
        *(*options, "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k"),
        picture=TEST_PICTURE,
        sound=TEST_SOUND,
    )
    written = tmp_path / "ours.mp4"
    write_fmp4(written, coded_frames(source, FOURCCS, classic=classic, shown_early_ms=shown_early_ms))
    assert_clean(written)
    assert streams_of(written)["video"]["nb_read_frames"] == "100"
    shown = presentation_ms(written)["video"]
    assert all(abs(at - shown[0] - number * 40) <= 2 for number, at in enumerate(shown))
    pts = presentation_ms(source)
    early_ms = (min(pts["video"]) - min(pts["audio"])) - (first_ms(written, VIDEO) - first_ms(written, AUDIO))
    assert abs(early_ms) <= 2, f"sound stands {early_ms} ms off"


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "7.1", "hexagonal"])
def test_aac_layouts(layout: str, tmp_path: Path) -> None:
    source = encode(
        tmp_path / "source.mp4", "-af", f"aformat=channel_layouts={layout}", "-c:a", "aac", sound=TEST_SOUND
    )
    frames = coded_frames(source, FOURCCS)
    write_fmp4(tmp_path / "ours.mp4", frames)
    assert_clean(tmp_path / "ours.mp4")
    have, want = streams_of(tmp_path / "ours.mp4")["audio"], streams_of(source)["audio"]
    assert int(have["nb_read_frames"]) == count_of(frames, AUDIO)
    for entry in ("channels", "sample_rate", "codec_tag_string"):
        assert have[entry] == want[entry]


@pytest.mark.parametrize(
    ("layout", "milliseconds"), [("stereo", "20"), ("5.1", "20"), ("stereo", "60"), ("mono", "2.5")]
)
def test_opus(layout: str, milliseconds: str, tmp_path: Path) -> None:
    family = ("-mapping_family", "1") if layout == "5.1" else ()
    options = ("-c:a", "libopus", "-frame_duration", milliseconds, *family)
    source = encode(tmp_path / "source.mp4", "-af", f"aformat=channel_layouts={layout}", *options, sound=TEST_SOUND)
    frames = coded_frames(source, FOURCCS)
    write_fmp4(tmp_path / "ours.mp4", frames)
    assert_clean(tmp_path / "ours.mp4")
    have, want = streams_of(tmp_path / "ours.mp4")["audio"], streams_of(source)["audio"]
    assert (have["codec_name"], have["channels"]) == ("opus", want["channels"])
    assert len(presentation_ms(tmp_path / "ours.mp4")["audio"]) == count_of(frames, AUDIO)


def test_av1_is_said_to_be_what_it_is(tmp_path: Path) -> None:
    source = encode(tmp_path / "source.mp4", *AV1_OPTIONS, "-t", "2", picture=TEST_PICTURE)
    frames = coded_frames(source, FOURCCS)
    muxer = write_fmp4(tmp_path / "ours.mp4", frames)
    assert_same(tmp_path / "ours.mp4", source)
    have, want = streams_of(tmp_path / "ours.mp4")["video"], streams_of(source)["video"]
    assert (have["profile"], have["level"]) == (want["profile"], want["level"])
    assert muxer.codecs.startswith("av01.0.") and muxer.codecs.endswith("M.08")
