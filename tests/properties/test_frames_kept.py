"""What a queue keeps of a stream that no node plays: whoever comes begins as if all had been kept."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.frame_queue import FrameQueue
from edge.media.frame import AUDIO, VIDEO, Frame
from tests.hub.frames import data, header, inter, key, picture, settle, sound


class Pair:
    """One stream twice: kept for nodes, and for nobody but a reader who stands at ``read``."""

    def __init__(self, config: HubConfig) -> None:
        self.config = config
        self.full, self.spare = FrameQueue(), FrameQueue()
        self.read: int | None = None

    def push(self, what: Frame) -> None:
        for queue in (self.full, self.spare):
            queue.push(Frame(what.type_id, what.dts_ms, what.payload, what.kind, what.is_keyframe))
        settle(self.full, self.config)
        while count := self.spare.evictable(self.config, lambda: self.read):
            self.spare.evict(count)

    def is_kept_for_nodes(self, frame: Frame) -> bool:
        """Whether it would be, if there were no older one of another track that is."""
        return frame.dts_ms >= self.full._kept_from(frame, self.config.log_retain_ms, self.config)

    def run(self, seconds: int, *, gop: int = 50, from_ms: int = 0, size: int = 10) -> None:
        for n in range(25 * seconds):
            at_ms = from_ms + n * 40
            self.push(key(at_ms, size) if n % gop == 0 else inter(at_ms, size))
            self.push(sound(at_ms))


#: What a publisher may send: sound alone, one camera, several, one that is switched off and on, slides.
SHOWS = {
    "sound": ["sound"],
    "sound and data": ["sound", "sound", "data"],
    "camera": [0, "sound"],
    "cameras": [0, 1, 2, "many", "sound", "sound", "header"],
    "data": ["data"],
}
CONFIGS = [
    HubConfig(),
    HubConfig(log_retain_ms=3000, min_buffering_ms=1500),
    HubConfig(log_retain_ms=3000, min_buffering_ms=8000),
    HubConfig(log_retain_ms=2000, max_cached_keyframes=3, min_cached_frames_without_keyframes=0, min_buffering_ms=700),
    HubConfig(log_retain_ms=0),
    HubConfig(max_cached_frames=100),
    HubConfig(gop_cache_max_bytes=3000),
]


def frame_of(what: str | int, at_ms: int, is_keyframe: bool) -> Frame:
    if what == "many":
        return picture(1, at_ms, is_keyframe, 2)
    if isinstance(what, int):
        return picture(what, at_ms, is_keyframe)
    return {"sound": sound, "data": data, "header": lambda ms: header(dts_ms=ms)}[what](at_ms)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32), config=st.sampled_from(CONFIGS), shows=st.lists(st.sampled_from([*SHOWS]), min_size=1)
)
def test_places_to_start_are_those_of_a_queue_that_keeps_all(seed: int, config: HubConfig, shows: list[str]) -> None:
    chance = Random(seed)
    pair, clock_ms = Pair(config), 0
    for n in range(900):
        if n % 150 == 0:
            show, gop = chance.choice(shows), chance.choice([1, 10, 60, 1000])
        clock_ms += chance.choices([0, 5, 20, 40, 900, 4000], [5, 20, 40, 20, 2, 0.4])[0]
        pair.push(frame_of(chance.choice(SHOWS[show]), clock_ms, chance.randrange(gop) == 0))
        full, spare = pair.full, pair.spare
        assert full.base < spare.base + 32, "more than a lot is kept beyond what is for a node"
        assert spare.end == full.end and spare.frames[-1].payload == full.frames[-1].payload
        for waited_ms in (0, 10**6):
            start, ours = full.start_seq(config, waited_ms=waited_ms), spare.start_seq(config, waited_ms=waited_ms)
            if start is None or pair.is_kept_for_nodes(full[start]):
                assert ours == start or (ours is not None and ours < full.base)
        if start is not None and start >= spare.base:
            shown = [each.payload for each in full.pictures_at(start)]
            assert [each.payload for each in spare.pictures_at(start)] == shown
        if pair.read is not None:
            at = max(pair.read, full.base)
            is_late = at < full.end and not pair.is_kept_for_nodes(full[at])
            assert spare.base <= max(at, full.base + 31) or is_late, "a reader jumps that would not"
            pair.read = max(pair.read, full.base, spare.base)
        if chance.random() < 0.02:
            pair.read = chance.choice([None, full.end, max(full.end - 60, spare.base)])


def test_group_in_progress_is_all_that_is_kept_for_nobody() -> None:
    pair = Pair(HubConfig())
    pair.run(30)
    assert pair.full.frames[-1].dts_ms - pair.full.frames[0].dts_ms >= 10_000
    newest = pair.spare.keyframes[-1]
    assert newest - 32 < pair.spare.base <= newest


@pytest.mark.parametrize(("behind_s", "kept_s"), [(0, 2), (3, 5), (8, 10), (20, 11)], ids=str)
def test_what_a_slow_reader_stands_on_is_kept_as_long_as_for_a_node(behind_s: int, kept_s: int) -> None:
    pair = Pair(HubConfig())
    for n in range(40):
        pair.run(1, from_ms=n * 1000, gop=25)
        pair.read = max(pair.spare.end - behind_s * 50, 0)
    held_ms = pair.spare.frames[-1].dts_ms - pair.spare.frames[0].dts_ms
    assert (pair.spare.base <= pair.read) == (behind_s < 10)
    assert held_ms <= kept_s * 1000


@pytest.mark.parametrize("what", ["sound", "data", "pictures without keyframes"])
def test_without_keyframes_the_least_number_is_kept(what: str) -> None:
    pair, make = Pair(HubConfig()), {"sound": sound, "data": data}.get(what, inter)
    for n in range(3000):
        pair.push(make(n * 20))
    assert 128 <= len(pair.spare.frames) < 128 + 32
    assert len(pair.full.frames) >= 500


def test_groups_and_buffering_that_are_asked_for_are_kept_for_nobody_too() -> None:
    many, old = Pair(HubConfig(max_cached_keyframes=4)), Pair(HubConfig(min_buffering_ms=6000))
    for pair in (many, old):
        pair.run(30)
    assert len(many.spare.keyframes) == 4
    start = old.spare.start_seq(old.config)
    assert start is not None and old.spare.frames[-1].dts_ms - old.spare[start].dts_ms >= 6000


def test_camera_that_stands_still_is_kept_until_it_is_silent() -> None:
    pair = Pair(HubConfig())
    pair.run(4)
    at = pair.full.last_seq[VIDEO]
    for ms in range(4000, 12_000, 20):
        pair.push(sound(ms))
    assert pair.spare.base <= at, "it may go on with the group"
    for ms in range(12_000, 20_000, 20):
        pair.push(sound(ms))
    assert pair.spare.base > at
    assert pair.spare.last_seq[AUDIO] == pair.spare.end - 1


def test_bounds_stand_above_what_readers_need() -> None:
    pair = Pair(HubConfig(gop_cache_max_bytes=100_000))
    pair.read = 0
    pair.run(10, size=1000)
    assert pair.spare.size_bytes <= 100_000
