"""Events are values: equal when they say the same, and short to print."""

from __future__ import annotations

from edge.rtmp.events import MediaReceived, Noticed


def test_media_events_compare_by_value() -> None:
    event = MediaReceived(1, 9, 40, b"frame")
    assert event == MediaReceived(1, 9, 40, b"frame")
    assert hash(event) == hash(MediaReceived(1, 9, 40, b"frame"))
    assert event != MediaReceived(1, 9, 41, b"frame")
    assert event != Noticed("media_short")


def test_payload_is_not_printed() -> None:
    text = repr(MediaReceived(1, 9, 40, b"frame"))
    assert "<5 bytes>" in text
    assert "frame" not in text
