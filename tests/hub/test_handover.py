"""A stream that goes on in another process is the same stream."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import HandoverError
from edge.hub.config import HubConfig
from edge.hub.handover import VERSION, StreamExport, StreamImport
from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.media.frame import MEDIA, VIDEO
from edge.media.metadata import encode_metadata
from tests.hub.test_stream import AAC, AVC, AVC2, INTER, KEYFRAME, SOUND, Feed

BODIES = (AVC, AVC2, AAC, KEYFRAME, INTER, SOUND, encode_metadata({"width": 640.0}), b"\x27\x01\0\0\0" + bytes(3000))


def move(feed: Feed, *, frames: bool = True) -> tuple[Feed, StreamImport]:
    """The feed in another process, with all its publishers."""
    stream = feed.stream
    publishers = [one for one in (stream.feed.current, *stream.feed.muted) if one is not None]
    export = StreamExport(stream, publishers)
    found = StreamImport(export.document())
    for document in export.frame_documents(4000) if frames else ():
        found.add_frames(document)
    moved = Feed.__new__(Feed)
    moved.now_ms = feed.now_ms
    moved.stream = Stream(stream.key, stream.config, feed.now_ms)
    found.resume(moved.stream)
    moved.publisher = found.publishers[publishers.index(feed.publisher)]
    return moved, found


def held(stream: Stream) -> list[tuple[Any, ...]]:
    """The frames that players may get; headers go by what ``shown`` says."""
    return [
        (
            *(frame.type_id, frame.dts_ms, frame.payload, frame.is_keyframe, frame.index, frame.track),
            frame.epoch.id if frame.epoch is not None else "",
        )
        for frame in stream.queue.frames
        if frame.kind == MEDIA
    ]


def shown(stream: Stream) -> tuple[Any, ...]:
    queue = stream.queue
    return (
        [frame.payload for frame in queue.headers_at(queue.end)],
        stream.metadata,
        stream.epoch.next_index if stream.epoch is not None else None,
        stream.has_begun,
        stream.timeline.state(),
        stream.stats.video_bytes,
    )


@settings(deadline=None)
@given(
    script=st.lists(st.tuples(st.sampled_from(BODIES), st.integers(0, 90)), min_size=1, max_size=60),
    cut=st.integers(0, 60),
    republished=st.integers(0, 60),
)
def test_what_comes_next_is_alike_in_both(script: list[tuple[bytes, int]], cut: int, republished: int) -> None:
    """Wherever it moves: the same frames with the same names and stamps, and the same start for newcomers.

    Old frames go in lots, now and then: what one of them has let go already the other may still hold.
    """
    stayed, at_ms = Feed(min_cached_frames_without_keyframes=8), 0
    moved: Feed | None = None
    for number, (body, step_ms) in enumerate(script):
        if number == cut:
            moved, _ = move(stayed)
        at_ms += step_ms
        for feed in (stayed, moved):
            if feed is None:
                continue
            feed.now_ms = at_ms
            if number == republished:
                feed.take_over("e2")
            feed.push(body, at_ms=at_ms)
    if moved is None:
        moved, _ = move(stayed)
    frames = [held(one.stream) for one in (moved, stayed)]
    count = min(map(len, frames))
    assert count or frames == [[], []]
    assert frames[0][len(frames[0]) - count :] == frames[1][len(frames[1]) - count :]
    assert shown(moved.stream)[1:] == shown(stayed.stream)[1:]
    config = stayed.stream.config
    starts = [one.stream.queue.start_seq(config, waited_ms=10**6) for one in (stayed, moved)]
    assert (starts[0] is None) == (starts[1] is None)
    if starts[0] is not None and starts[1] is not None:
        names = [one.stream.queue[at].index for one, at in zip((stayed, moved), starts, strict=True)]
        assert names[0] == names[1]


def test_places_are_found_again() -> None:
    feed = Feed(max_cached_frames=64)
    feed.push(AVC, AAC)
    for number in range(300):
        feed.push(KEYFRAME if number % 50 == 0 else INTER, at_ms=number * 40)
    old = feed.stream.queue
    assert old.base > 0
    moved, found = move(feed)
    new = moved.stream.queue
    for seq in range(old.base, old.end):
        assert new[found.place_of(seq)].index == old[seq].index
    assert found.place_of(old.end) == new.end
    assert found.place_of(0) == found.place_of(old.base)
    assert [frame.payload for frame in new.headers_at(found.place_of(old.base))] == [AVC, AAC]


def test_headers_that_a_new_publish_has_only_confirmed_are_kept() -> None:
    feed = Feed()
    feed.push(AVC, AAC, KEYFRAME, SOUND)
    feed.take_over("e2")
    feed.push(AVC, AAC, KEYFRAME, SOUND, at_ms=40)
    moved, _ = move(feed)
    moved.push(INTER, SOUND, at_ms=80)
    assert sorted(moved.headers) == sorted([AVC, AAC])


def test_who_is_muted_goes_on_waiting_and_who_left_is_waited_for() -> None:
    feed = Feed()
    feed.push(AVC, KEYFRAME)
    first = feed.publisher
    feed.take_over("e2")
    feed.push(AVC, KEYFRAME)
    moved, found = move(feed)
    assert [one.peer for one in moved.stream.feed.muted] == ["e1"]
    assert moved.stream.publisher is found.publishers[0]
    assert moved.stream.feed.past_epochs == feed.stream.feed.past_epochs
    alone = StreamImport(StreamExport(feed.stream, [first], grace_until_ms=77).document())
    for document in StreamExport(feed.stream, [first]).frame_documents():
        alone.add_frames(document)
    stream = Stream(feed.stream.key, HubConfig(hls=False), 0)
    alone.resume(stream)
    assert (stream.publisher, stream.feed.grace_until_ms) == (None, 77)


def test_segments_are_counted_on() -> None:
    feed = Feed(hls=True, hls_fragment_s=1.0)
    feed.push(AVC)
    for number in range(400):
        feed.push(KEYFRAME if number % 25 == 0 else INTER, at_ms=number * 40)
    moved, _ = move(feed)
    for number in range(400, 500):
        for one in (feed, moved):
            one.push(KEYFRAME if number % 25 == 0 else INTER, at_ms=number * 40)
    for one in (feed, moved):
        assert one.stream.cuts is not None
        one.stream.cuts.catch_up(one.stream.queue)
    names = [[(cut.number, cut.dts_ms) for cut in one.stream.cuts.cuts][-2:] for one in (feed, moved)]
    assert names[0] == names[1]
    assert names[0][-1][0] >= 12


def test_what_was_told_of_cuts_while_there_was_no_hls_counts_once_there_is() -> None:
    feed = Feed(hls=True, hls_fragment_s=1.0)
    feed.push(AVC)
    for number in range(400):
        feed.push(KEYFRAME if number % 25 == 0 else INTER, at_ms=number * 40)
    stream, later = feed.stream, Stream(feed.stream.key, HubConfig(hls=False), 0)
    queue = stream.queue
    told, state = queue[queue.base], stream.cut_at(queue.base)
    assert later.cuts is None and told.epoch is not None and state is not None
    later.adopt_cut(told.epoch.id, told.index, state)
    for frame in queue.frames:
        later.queue.push(frame)
    later.reconfigure(stream.rules)
    for one in (stream, later):
        assert one.cuts is not None
        one.cuts.catch_up(one.queue)
        cut = one.cuts.cuts[-1]
        assert (cut.number, cut.dts_ms) == (15, 15000)


def test_documents_are_judged() -> None:
    feed = Feed()
    feed.push(AVC, KEYFRAME)
    document = StreamExport(feed.stream, []).document()
    fields = msgspec.msgpack.decode(document)
    with pytest.raises(HandoverError) as refused:
        StreamImport(msgspec.msgpack.encode({**fields, "version": VERSION + 1}))
    assert refused.value.reason == "handover_version"
    for broken in (document[:-1], document + b"\0", b"", msgspec.msgpack.encode({**fields, "key": ["_"]})):
        with pytest.raises(HandoverError) as refused:
            StreamImport(broken)
        assert refused.value.reason == "handover_malformed"
    with pytest.raises(HandoverError, match="0 of 2 frames"):
        StreamImport(document).resume(Stream(StreamKey("_", "live", "s"), HubConfig(), 0))
    bad_epoch = [[VIDEO, 0, KEYFRAME, 0, True, 5, 0]] * 2
    found = StreamImport(document)
    found.add_frames(msgspec.msgpack.encode(bad_epoch))
    with pytest.raises(HandoverError):
        found.resume(Stream(StreamKey("_", "live", "s"), HubConfig(), 0))
