"""Recordings of a live URL held against the clip that was published: each check is one call of a URL and a clip.

A recording may begin later than the clip, at a keyframe; it must then be its end.
All calls return when the broadcast has ended, so the publisher runs beside them or before.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from edge.media.flv import Tag, TagReader
from edge.media.frame import Frame
from edge.media.mpegts import VIDEO_PID
from tests.harness.clients import Program
from tests.harness.clock import require_program
from tests.harness.coded import av_packets, av_picture_count
from tests.harness.flv_file import frame_of, write_flv
from tests.harness.http_media import FlvReader, TsReader, WsFlvReader
from tests.harness.media_file import assert_clean, streams_of
from tests.harness.tag_compare import Comparison, compare_tags

#: FLV counts whole milliseconds; in TS only the first of several frames of sound in a packet bears its time.
_WITHIN_MS = 5.0


class Sample(NamedTuple):
    """A packet, or a decoded frame: when it is due, its size and its MD5."""

    pts_ms: float
    size: int
    digest: str


Samples = dict[str, list[Sample]]


async def framemd5(
    source: Path | str, duration_s: float | None = None, *, decodes_video: bool = False, within_s: float = 30.0
) -> Samples:
    """What ffmpeg reads from a file or a URL, by medium, in order.

    Args:
        source: a path; or a URL of http or rtmp, that is read until it ends.
        duration_s: read so much of it only.
        decodes_video: of pictures take what they look like, which is the same in every container; sound is
            never decoded, since the first frame of a recording is made of the one before it too.
        within_s: when ffmpeg must be done.
    """
    limit = ("-t", str(duration_s)) if duration_s is not None else ()
    pictures = ("-c:v", "rawvideo", "-vsync", "passthrough", "-enc_time_base", "-1") if decodes_video else ()
    command = (
        *(require_program("ffmpeg"), "-nostdin", "-v", "error", "-copyts", "-i", str(source)),
        *("-map", "0:v?", "-map", "0:a?", "-c", "copy", *pictures, "-copyts", *limit, "-f", "framemd5", "-"),
    )
    with Program(*command) as program:
        return parse_samples(await program.wait_ok(within_s))


async def _bare_sound(source: Path) -> list[Sample]:
    """The frames of sound as FLV has them: AAC without ADTS headers."""
    streams = await asyncio.to_thread(streams_of, source)
    strip = ("-bsf:a", "aac_adtstoasc") if streams["audio"]["codec_name"] == "aac" else ()
    command = (
        *(require_program("ffmpeg"), "-nostdin", "-v", "error", "-copyts", "-i", str(source), "-map", "0:a"),
        *("-c", "copy", *strip, "-copyts", "-f", "framemd5", "-"),
    )
    with Program(*command) as program:
        return parse_samples(await program.wait_ok(30))["audio"]


def parse_samples(text: bytes) -> Samples:
    """Read ffmpeg's framemd5, whatever its time bases."""
    media, bases = dict[int, str](), dict[int, Fraction]()
    found: Samples = {}
    for line in text.decode().splitlines():
        name, _, rest = line.partition(" ")
        if name in ("#tb", "#media_type"):
            index, _, value = rest.partition(": ")
            if name == "#tb":
                bases[int(index)] = Fraction(value)
            else:
                media[int(index)] = value
        elif line and not line.startswith("#"):
            index, _, pts, _, size, digest = (field.strip() for field in line.split(",")[:6])
            at = float(int(pts) * bases[int(index)] * 1000)
            found.setdefault(media[int(index)], []).append(Sample(at, int(size), digest))
    return found


def read_tags(path: Path) -> list[Tag]:
    """The tags of an FLV file."""
    return TagReader().receive_data(path.read_bytes())


def assert_end_of(have: Mapping[str, Sequence[Sample]], want: Mapping[str, Sequence[Sample]]) -> dict[str, int]:
    """Each medium of ``have`` is the end of that of ``want``, digest for digest; how many were skipped of each."""
    assert set(have) == set(want), f"media {sorted(have)} of {sorted(want)}"
    skipped = {}
    for medium, wanted in want.items():
        got, all_of_it = ([(sample.size, sample.digest) for sample in samples] for samples in (have[medium], wanted))
        skipped[medium] = start = len(all_of_it) - len(got)
        assert start >= 0, f"{medium}: {len(got)} of {len(all_of_it)}"
        pairs = zip(got, all_of_it[start:], strict=True)
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        assert same == len(got), f"{medium}: number {same} of {len(got)} differs (of {len(all_of_it)} published)"
    return skipped


def assert_in_step(
    have: Mapping[str, Sequence[Sample]], want: Mapping[str, Sequence[Sample]], within_ms: float = _WITHIN_MS
) -> float:
    """All times of all media are those of ``want`` plus one and the same difference, which is returned.

    That difference is the first picture's. What stands further from it than ``within_ms`` is named.
    """
    shifts = {
        medium: [got.pts_ms - sent.pts_ms for got, sent in zip(have[medium], wanted[-len(have[medium]) :], strict=True)]
        for medium, wanted in want.items()
    }
    base = shifts["video" if "video" in shifts else "audio"][0]
    for medium, each in shifts.items():
        number, furthest = max(enumerate(each), key=lambda pair: abs(pair[1] - base))
        assert abs(furthest - base) <= within_ms, f"{medium} number {number} is {furthest - base:.1f} ms off"
    return base


def _assert_whole(skipped: Mapping[str, int], want: Mapping[str, Sequence[Sample]]) -> None:
    """Nothing is wanting but sound from before the first picture."""
    first_ms = want["video"][0].pts_ms if "video" in want else 0
    before = {medium: sum(sample.pts_ms <= first_ms for sample in samples) for medium, samples in want.items()}
    assert not skipped.get("video"), f"the first {skipped['video']} pictures are missing"
    assert skipped.get("audio", 0) <= before.get("audio", 0), (
        f"the first {skipped['audio']} frames of sound are missing"
    )


async def record(reader: FlvReader | TsReader, output: Path, within_s: float) -> Path:
    """Read until the server ends the stream in good order, into a file."""
    async with reader:
        assert reader.status in (101, 200), f"{reader.url}: {reader.status} {reader.refusal[:200]!r}"
        await reader.wait_end(within_s)
        reader.assert_ended_well()
    return reader.save(output)


async def assert_ts_is_clip(
    url: str,
    clip: Path,
    folder: Path,
    *,
    from_first: bool = False,
    within_s: float = 30.0,
    within_ms: float = _WITHIN_MS,
) -> TsReader:
    """The TS at ``url`` is ``clip``: it decodes clean, frame for frame, sound in step with picture.

    ``clip`` is a file of H.264 or HEVC with AAC, MP3 or Opus, in any container; ffmpeg reads no AV1 in TS.

    Args:
        from_first: the player is there before the publisher: nothing may be skipped.
        within_ms: how far a time may stand from the clip's; must stay under the length of a frame.
    """
    reader = TsReader(url)
    path = await record(reader, folder / "played.ts", within_s)
    await asyncio.to_thread(assert_clean, path)
    have, want = [await framemd5(each, decodes_video=True) for each in (path, clip)]
    for samples, each in ((have, path), (want, clip)):
        if "audio" in samples:
            samples["audio"] = await _bare_sound(each)
    skipped = assert_end_of(have, want)
    if "video" in have:
        packets = len(reader.of(VIDEO_PID))
        assert packets == len(have["video"]), f"{packets} pictures came, {len(have['video'])} can be decoded"
    if from_first:
        _assert_whole(skipped, want)
    assert_in_step(have, want, within_ms)
    return reader


async def assert_flv_is_clip(
    url: str, clip: Path, folder: Path, *, from_first: bool = False, within_s: float = 30.0
) -> Comparison:
    """The FLV at ``url``, by http or ws, is ``clip``: tag for tag as we read it, packet for packet as ffmpeg does."""
    reader = WsFlvReader(url) if url.startswith("ws") else FlvReader(url)
    path = await record(reader, folder / "played.flv", within_s)
    found = compare_tags(read_tags(clip), reader.items)
    found.assert_exact(from_first=from_first)
    await asyncio.to_thread(assert_clean, path)
    have, want = await framemd5(path), await framemd5(clip)
    skipped = assert_end_of(have, want)
    if from_first:
        _assert_whole(skipped, want)
    shift_ms = assert_in_step(have, want, within_ms=0)
    assert shift_ms == found.shift_ms, f"ffmpeg sees {shift_ms}, we {found.shift_ms}"
    return found


async def assert_flv_is_frames(
    url: str, frames: Sequence[Frame], source: Path, folder: Path, *, from_first: bool = False, within_s: float = 30.0
) -> Comparison:
    """As :func:`assert_flv_is_clip` for codecs that Debian's ffmpeg does not read in FLV.

    ``frames`` are what was published, made of ``source`` (``coded.synthesise``).
    """
    reader = WsFlvReader(url) if url.startswith("ws") else FlvReader(url)
    await record(reader, folder / "played.flv", within_s)
    return await assert_tags_are_frames(reader.items, frames, source, folder, from_first=from_first)


async def assert_tags_are_frames(
    tags: Sequence[Tag], frames: Sequence[Frame], source: Path, folder: Path, *, from_first: bool = False
) -> Comparison:
    """What was played, by FLV or RTMP, are these frames, tag for tag, and PyAV decodes as many pictures.

    With ``from_first`` all of them are there.
    """
    found = compare_tags([Tag(frame.type_id, frame.dts_ms, frame.payload) for frame in frames], tags)
    found.assert_exact(from_first=from_first)
    got = [frame_of(tag.type_id, tag.timestamp_ms, tag.body) for tag in tags if tag.body]
    played = await asyncio.to_thread(write_flv, folder / f"{source.stem}-played.flv", got)
    packets = [await asyncio.to_thread(av_packets, path) for path in (played, source)]
    assert set(packets[0]) <= set(packets[1])
    if from_first:  # sound from before the first picture may be left out, as ``assert_exact`` has it
        pictures = [[each for each in one if each[0] == "video"] for one in packets]
        assert pictures[0] == pictures[1]
    skipped = found.skipped.get("video", 0)
    counts = [await asyncio.to_thread(av_picture_count, path) for path in (played, source)]
    assert counts[0] == counts[1] - skipped, f"{counts[0]} of {counts[1]} pictures can be decoded, {skipped} skipped"
    return found


async def assert_ffmpeg_plays_clip(url: str, clip: Path, *, from_first: bool = False, within_s: float = 30.0) -> None:
    """ffmpeg itself, reading ``url`` until it ends, gets the clip: packets of FLV, pictures as decoded of TS."""
    is_ts = url.partition("?")[0].endswith(".ts")
    have = await framemd5(url, decodes_video=is_ts, within_s=within_s)
    want = await framemd5(clip, decodes_video=is_ts)
    if is_ts:  # its sound has ADTS headers
        assert len(have.get("audio", ())) <= len(want.get("audio", ()))
        have, want = ({"video": samples["video"]} for samples in (have, want))
    skipped = assert_end_of(have, want)
    if from_first:
        _assert_whole(skipped, want)
    assert_in_step(have, want, within_ms=_WITHIN_MS if is_ts else 0)


async def assert_ffprobe_sees(url: str, clip: Path, within_s: float = 10.0) -> None:
    """ffprobe finds codecs and picture size of ``clip`` at a running ``url``, and no further stream."""
    entries = "stream=codec_type,codec_name,width,height,sample_rate,channels"
    command = (require_program("ffprobe"), "-v", "error", "-show_entries", entries, "-of", "csv=p=0")
    found = []
    for source in (url, str(clip)):
        with Program(*command, source) as probe:
            lines = (await probe.wait_ok(within_s)).decode().split()
            found.append(sorted({line for line in lines if line}))
    assert found[0] == found[1], found
