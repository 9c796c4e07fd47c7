from __future__ import annotations

import pytest

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO, Epoch
from edge.service.condition import SILENT_MS, conditions_of
from edge.service.story import Kind
from tests.net.fakes import VIDEO_HEADER_BODY, audio, video


class Fed:
    """A stream, and who feeds it."""

    def __init__(self) -> None:
        self.stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
        self.publisher = Publisher(self.stream, "10.0.0.9:5", 0)
        self.stream.begin_publish(self.publisher, Epoch("e"), 0)

    def push(self, type_id: int, at_ms: int, body: bytes, now_ms: int | None = None) -> None:
        self.publisher.push(type_id, at_ms, body, at_ms + 1 if now_ms is None else now_ms)
        self.publisher.commit()

    def run(self, seconds: int, *, gop: int = 25, pace: float = 1.0, sound: float = 1.0) -> None:
        """Pictures and sounds whose clocks run at these parts of real time, and a tick each second."""
        self.push(VIDEO, 0, VIDEO_HEADER_BODY)
        for second in range(seconds):
            for number in range(25):
                at_ms, n = second * 1000 + number * 40, second * 25 + number
                self.push(VIDEO, int(at_ms * pace), video(n, is_keyframe=n % gop == 0), at_ms + 1)
                self.push(AUDIO, int(at_ms * sound), audio(n), at_ms + 1)
            self.stream.tick(second * 1000)

    def kinds(self, now_ms: int) -> list[Kind]:
        return [each.kind for each in conditions_of(self.stream, now_ms)]


def test_sound_stream_has_no_fault() -> None:
    fed = Fed()
    fed.run(6)
    assert fed.kinds(6000) == []


def test_nobody_publishes() -> None:
    fed = Fed()
    fed.stream.feed.leave(fed.publisher)
    assert fed.kinds(0) == [Kind.ABSENT]
    fed.stream.feed.grace_until_ms = 5000
    assert fed.kinds(0) == [Kind.PUBLISHER_LOST] and fed.kinds(6000) == [Kind.ABSENT]


def test_publisher_that_has_sent_nothing_and_one_that_has_stopped() -> None:
    fed = Fed()
    (condition,) = conditions_of(fed.stream, 7000)
    assert condition.kind is Kind.NO_MEDIA and "for 7 s" in condition.text
    fed.push(VIDEO, 0, video(0, is_keyframe=True))
    assert Kind.SILENT not in fed.kinds(SILENT_MS) and fed.kinds(SILENT_MS + 10) == [Kind.SILENT]


def test_node_that_pushes_it_has_lost_its_publisher() -> None:
    fed = Fed()
    fed.publisher.is_hop = fed.publisher.is_lost = True
    (condition,) = conditions_of(fed.stream, 0)
    assert condition.kind is Kind.PUBLISHER_LOST and "the node that pushes it" in condition.text


def test_pictures_without_keyframe_or_header() -> None:
    fed = Fed()
    for number in range(1, 5):
        fed.push(VIDEO, number * 40, video(number))
    assert fed.kinds(200) == [Kind.NO_HEADER, Kind.NO_KEYFRAME]


@pytest.mark.parametrize(
    ("type_id", "body", "codec"),
    [(VIDEO, b"\x12xxxx", "H263"), (VIDEO, b"\x91zzzz\0\0\0x", "zzzz"), (AUDIO, b"\x62xxxx", "Nellymoser")],
)
def test_codecs_that_common_players_do_not_know(type_id: int, body: bytes, codec: str) -> None:
    fed = Fed()
    fed.push(type_id, 0, body)
    (condition,) = conditions_of(fed.stream, 100)
    assert condition.kind is Kind.CODEC and codec in condition.text


def test_keyframes_far_apart() -> None:
    fed = Fed()
    fed.run(26, gop=300)
    (condition,) = conditions_of(fed.stream, 26_000)
    assert condition.kind is Kind.WAITS and "12 s apart" in condition.text


def test_line_that_is_too_slow_and_clocks_that_differ() -> None:
    fed = Fed()
    fed.run(8, pace=0.5, sound=0.5)
    (condition,) = conditions_of(fed.stream, 8000)
    assert condition.kind is Kind.SLOW_LINE and "50 %" in condition.text
    fed = Fed()
    fed.run(8, sound=1.5)
    assert conditions_of(fed.stream, 8000)[0].text.endswith("ahead of its pictures'")


def test_timestamps_that_jump() -> None:
    fed = Fed()
    fed.run(1)
    fed.push(VIDEO, 50_000_000, video(99, is_keyframe=True), 1050)
    assert fed.kinds(1100) == [Kind.CLOCK]
