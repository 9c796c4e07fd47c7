"""What another process goes on with has the same names and the same bytes as if there had been one process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.errors import HandoverError
from edge.hls import playlist
from edge.hls.config import HlsConfig
from edge.hls.handover import (
    HlsImport,
    resume_two_level,
    resume_window,
    two_level_documents,
    window_documents,
)
from edge.hls.segmenter import Segmenter
from edge.hls.two_level import TwoLevelSegmenter
from edge.hub.config import HubConfig
from edge.hub.handover import StreamExport, StreamImport
from edge.hub.stream import Stream
from edge.media.mpegts import AUDIO_PID, VIDEO_PID
from tests.harness.m3u8 import parse_media
from tests.harness.ts_demux import demux
from tests.hls.feeding import BOTH, URIS, Origin

HUB = HubConfig(hls_fragment_s=2)
CONFIG = HlsConfig(ts_duration_ms=1000, hls_window_s=10)


def move(origin: Origin) -> tuple[Origin, Callable[[int], int]]:
    """The stream and its publisher in another process, and where its frames stand there."""
    export = StreamExport(origin.stream, [origin.publisher])
    found = StreamImport(export.document())
    for document in export.frame_documents():
        found.add_frames(document)
    moved = Origin.__new__(Origin)
    moved.stream, moved.number = Stream(origin.stream.key, origin.stream.config, 0), origin.number
    found.resume(moved.stream)
    moved.publisher = found.publishers[0]
    return moved, found.place_of


def told(documents: list[bytes]) -> HlsImport:
    found = HlsImport()
    for document in documents:
        found.add(document)
    return found


def feed(origins: list[Origin], from_ms: int, until_ms: int) -> None:
    """Groups of a second: two to a segment."""
    for origin in origins:
        origin.run(from_ms, until_ms, gop_ms=1000)


@pytest.mark.parametrize("kind", ["ts", "m4s"])
@pytest.mark.parametrize("at_ms", [19_400, 20_000, 21_480], ids=["second group", "at a cut", "end of a segment"])
def test_a_window_goes_on_as_if_nothing_had_been(kind: str, at_ms: int) -> None:
    origin = Origin(HUB)
    origin.headers()
    segmenter = Segmenter(origin.stream, kind, BOTH, CONFIG, lambda: None)
    feed([origin], 0, at_ms)
    before = playlist.low_latency(segmenter, URIS) if kind == "m4s" else playlist.classic(segmenter, URIS)
    segmenter.note_listed()
    moved, place_of = move(origin)
    found = told(list(window_documents(segmenter, BOTH)))
    (state, segments), *others = found.windows
    assert not others and not found.two_level
    other = resume_window(state, segments, moved.stream, CONFIG, place_of, lambda: None)
    after = playlist.low_latency(other, URIS) if kind == "m4s" else playlist.classic(other, URIS)
    assert after == before
    feed([origin, moved], at_ms, at_ms + 5000)
    texts = [playlist.classic(one, URIS) for one in (segmenter, other)]
    assert texts[0] == texts[1]
    assert not any(each.is_gap for each in parse_media(texts[1]).segments)
    for mine, theirs in zip(segmenter._all(), other._all(), strict=True):
        assert (mine.name, mine.data, [part.size for part in mine.parts]) == (
            theirs.name,
            theirs.data,
            [part.size for part in theirs.parts],
        )
        assert mine.data or mine is segmenter.current
    assert not segmenter.mp4 or (other.mp4 is not None and segmenter.mp4.inits == other.mp4.inits)


@pytest.mark.parametrize("at_keyframes", [False, True])
def test_two_level_segments_are_numbered_on_and_hold_each_frame_once(at_keyframes: bool) -> None:
    origin = Origin(HUB)
    origin.headers()
    segmenter = TwoLevelSegmenter(
        origin.stream, BOTH, CONFIG, "0123abcd", lambda: None, at_keyframes=at_keyframes, max_bytes=10**9
    )
    feed([origin], 0, 7320)
    moved, place_of = move(origin)
    found = told(list(two_level_documents(segmenter, BOTH, at_keyframes=at_keyframes)))
    assert not segmenter.segments[-1].is_complete  # telling changes nothing
    (state, segments), *others = found.two_level
    assert not others and not found.windows
    changes: list[int] = []
    other = resume_two_level(
        state, segments, moved.stream, CONFIG, place_of, lambda: changes.append(1), max_bytes=10**9
    )
    assert other.epoch == "0123abcd" and not changes
    before, after = (parse_media(one.playlist(URIS)) for one in (segmenter, other))
    # Those that were named ahead are named still, and the one that was in progress is complete.
    assert [each.uri for each in after.segments] == [each.uri for each in before.segments]
    segmenter.let_go()
    assert [b"".join(one.pieces) for one in segmenter.segments] == [b"".join(one.pieces) for one in other.segments]
    assert other.segments[-1].is_complete and 300 < other.segments[-1].duration_ms < 360
    begun = segmenter.newest
    feed([moved], 7320, 12_000)
    assert len(segmenter.segments) and segmenter.newest == begun
    assert [one.number for one in other.segments] == list(range(1, other.newest + 1))
    assert not any(one.is_discontinuity for one in other.segments)
    demuxed = demux(b"".join(piece for one in other.segments for piece in one.pieces))
    stamps = [[each.dts for each in demuxed.of(pid)] for pid in (VIDEO_PID, AUDIO_PID)]
    assert [len(set(each)) for each in stamps] == [12 * 25, moved.number - 12 * 25]
    assert all(each == sorted(set(each)) for each in stamps)
    assert parse_media(other.playlist(URIS)).discontinuity_sequence == 0


def test_another_publish_is_a_discontinuity_there_too() -> None:
    origin = Origin(HUB)
    origin.headers()
    segmenter = TwoLevelSegmenter(
        origin.stream, BOTH, CONFIG, "0123abcd", lambda: None, at_keyframes=False, max_bytes=10**9
    )
    feed([origin], 0, 3000)
    moved, place_of = move(origin)
    ((state, segments),) = told(list(two_level_documents(segmenter, BOTH, at_keyframes=False))).two_level
    other = resume_two_level(state, segments, moved.stream, CONFIG, place_of, lambda: None, max_bytes=10**9)
    moved.begin("e2", 1_796_000_010_000)
    moved.headers()
    feed([moved], 0, 2000)
    assert [one.is_discontinuity for one in other.segments].count(True) == 1


@pytest.mark.parametrize("document", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x81\xa4type\xa6window"])
def test_documents_are_judged(document: bytes) -> None:
    with pytest.raises(HandoverError) as error:
        HlsImport().add(document)
    assert error.value.reason == "handover_malformed"


def test_segments_go_with_the_document_before_them() -> None:
    origin = Origin(HUB)
    origin.headers()
    segmenter = Segmenter(origin.stream, "ts", BOTH, CONFIG, lambda: None)
    feed([origin], 0, 7000)
    documents = list(window_documents(segmenter, BOTH))
    assert len(documents) == 2
    with pytest.raises(HandoverError):
        told(documents[1:])
