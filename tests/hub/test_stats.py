"""Counters of one stream."""

from __future__ import annotations

from edge.hub.stats import StreamStats
from edge.media.frame import AUDIO, DATA, VIDEO, Frame


def test_bytes_frames_and_rates() -> None:
    stats = StreamStats()
    assert stats.fps == 0
    for second in range(3):
        for n in range(25):
            stats.count(Frame(VIDEO, 0, b"12345", is_keyframe=n == 0 and second != 1))
            stats.count(Frame(AUDIO, 0, b"12"))
        stats.count(Frame(DATA, 0, b"1234567"))
        stats.sample()
    assert (stats.video_frames, stats.audio_frames) == (75, 75)
    assert (stats.video_bytes, stats.audio_bytes) == (375, 150)
    assert (stats.video_bps, stats.audio_bps) == (125, 50)
    assert stats.gop == 50
    assert stats.fps == 25


def test_rates_fall_to_0_in_silence() -> None:
    stats = StreamStats()
    stats.count(Frame(VIDEO, 0, b"12345"))
    for _ in range(12):
        stats.sample()
    assert (stats.video_bps, stats.audio_bps, stats.fps) == (0, 0, 0)
