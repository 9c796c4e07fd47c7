"""What is known of the tracks of the frames held: what is seen of silent ones, and who is behind."""

from __future__ import annotations

import pytest

from edge.hub.config import HubConfig
from edge.hub.frame_queue import FrameQueue
from edge.hub.held_frames import MAX_KEPT_BYTES, MAX_TRACKS
from edge.media.frame import METADATA, VIDEO, Epoch, Frame
from tests.hub.frames import data, filled, header, inter, key, picture, settle, sound

AUDIO_BIT, VIDEO_BIT, DATA_BIT = 1, 2, 4


def slides(count: int, *, each_ms: int = 12_000, size: int = 100) -> tuple[FrameQueue, Frame]:
    """Sound, and a keyframe now and then; returns the newest picture too."""
    queue, config = FrameQueue(), HubConfig()
    shown = key(0)
    for n in range(count):
        shown = Frame(VIDEO, n * each_ms, b"\x17\x01" + bytes([n]) * size, is_keyframe=True)
        queue.push(shown)
        for ms in range(n * each_ms, (n + 1) * each_ms, 20):
            queue.push(sound(ms))
            settle(queue, config)
    return queue, shown


def test_tracks_ahead() -> None:
    queue = filled(header(kind=METADATA), key(0), sound(0), inter(40))
    assert queue.tracks_from(0) == AUDIO_BIT | VIDEO_BIT | DATA_BIT
    assert queue.tracks_from(1) == AUDIO_BIT | VIDEO_BIT
    assert queue.tracks_from(3) == VIDEO_BIT
    assert queue.tracks_from(4) == 0
    assert queue.tracks_from(0, AUDIO_BIT) == AUDIO_BIT


def test_newest() -> None:
    assert FrameQueue().newest() is None
    frame = key(0)
    assert filled(frame).newest() is frame


@pytest.mark.parametrize("each_ms", [12_000, 60_000])
def test_newcomer_to_slides_gets_the_present_one(each_ms: int) -> None:
    queue, shown = slides(3, each_ms=each_ms)
    start = queue.start_seq(HubConfig())
    assert start == queue.end - 1
    assert queue.pictures_at(start) == [shown]
    assert queue.pictures_at(start, after=start - 10) == [], "who was here has it"
    queue.push(inter(each_ms * 3))
    assert queue.pictures_at(queue.end - 1) == [], "it has changed"


def test_kept_pictures_are_bounded() -> None:
    queue, _ = slides(2, each_ms=60_000, size=MAX_KEPT_BYTES)
    assert queue.pictures_at(queue.end - 1) == []


def test_slide_of_a_publisher_before_is_not_shown() -> None:
    queue, shown = slides(1)
    frame = sound(12_020)
    frame.epoch = Epoch("new")
    queue.push(frame)
    assert queue.pictures_at(queue.end - 1) == []
    assert queue.pictures_at(queue.end - 2) == [shown]


def test_picture_from_the_node_above_is_shown_until_one_comes() -> None:
    shown, queue = [key(0, 3), key(0, 4)], FrameQueue()
    queue.hold_pictures(shown)
    assert queue.start_seq(HubConfig()) is None
    queue.push(sound(0))
    assert queue.start_seq(HubConfig()) == 0
    assert queue.pictures_at(0) == shown
    queue.push(key(0))
    assert queue.start_seq(HubConfig()) == 1
    assert queue.pictures_at(1) == []
    queue.hold_pictures(shown)
    queue.push(sound(20))
    assert queue.pictures_at(2) == [queue[1]], "what has come itself is what is seen"


def test_further_tracks_than_are_looked_at_cost_nobody_the_picture() -> None:
    queue = filled(*(picture(n, 0, True) for n in range(200)), key(40), inter(80))
    assert len(queue.tracks) <= MAX_TRACKS
    start = queue.start_seq(HubConfig())
    assert start is not None
    assert start <= 200


def test_lag_is_that_of_the_track_that_is_farthest_behind() -> None:
    queue = FrameQueue()
    for n in range(100):
        queue.push(inter(n * 40))
        queue.push(sound(7))
        queue.push(data(n * 5000))
    assert queue.lag_ms(0) == queue.lag_ms(1) + 40 == 99 * 40
    assert queue.lag_ms(queue.end) == 0
    assert filled(data(0), data(700)).lag_ms(0) == 700
