"""A node throttled to half, in virtual time: when 95 % of its viewers are elsewhere, whenever it happens to whom."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from edge.quality.config import QualityConfig
from edge.quality.delivery import Deliveries, Left
from edge.quality.share import LateShare
from edge.quality.steering import Pathway, Viewer, order
from tests.harness.hls_playback import PlaybackClock

WITHIN_S = 10.0
PART_ELSEWHERE = 0.95
SEGMENT_MS = 2000
_PART_MS = 300
_CONFIG = QualityConfig()
_STEP_MS = 20
_LOOK_MS = 100
_THROTTLED_MS = 20_000
#: What an answer to a steering question may wait in the queue of a slow line.
_QUEUE_MS = 500
_BYTES_PER_MS = 125
_COUNT = 100


@dataclass
class _Watching:
    """One viewer of media of ``media_ms``, who begins three of them before the live edge, and asks at ``phase_ms``.

    Parts are known at once, by blocking reloads; of segments the viewer has to ask (RFC 8216 §6.3.4).
    """

    name: str
    media_ms: int
    phase_ms: int
    known: int = 3
    polls_ms: int = 0
    at: str = "one"
    left: float = 0.0
    loads_from: str = ""
    loaded_from: str = ""
    answer: tuple[int, str] | None = None
    playback: PlaybackClock = field(default_factory=PlaybackClock)
    loaded: int = 0

    def poll(self, now_ms: int) -> None:
        """Load the playlist when it is time."""
        if now_ms >= self.polls_ms:
            before, self.known = self.known, 3 + now_ms // self.media_ms
            is_part = self.media_ms < SEGMENT_MS
            wait_ms = self.media_ms // 2 if self.known == before else self.media_ms
            self.polls_ms = now_ms + (_STEP_MS if is_part else wait_ms if now_ms else self.phase_ms % self.media_ms)

    def load(self, now_ms: int, deliveries: Deliveries) -> None:
        """Ask for what comes next, if it is known and nothing is under way."""
        if not self.loads_from and self.loaded < self.known:
            self.loads_from, self.left = self.at, self.media_ms * _BYTES_PER_MS
            if self.at == "one":
                deliveries.begin(self.name, self.media_ms * _BYTES_PER_MS, self.media_ms, now_ms)

    def take(self, size: float, now_ms: int) -> None:
        """Bytes that have come."""
        self.left = max(self.left - size, 0)
        if not self.left:
            self.playback.add(self.media_ms / 1000, now_ms / 1000)
            self.loaded_from, self.loads_from = self.loads_from, ""
            self.loaded += 1

    def steer(self, now_ms: int, share: float) -> None:
        """Ask each TTL, and go where the answer says once it has come."""
        if (now_ms - self.phase_ms) % (_CONFIG.hls_steer_ttl_s * 1000) == 0:
            viewer = Viewer(self.name, "one", self.at)
            first = order(viewer, [Pathway("one", "http://one", share), Pathway("other", "http://other")])[0]
            self.answer = now_ms + _QUEUE_MS, first.id
        if self.answer is not None and self.answer[0] <= now_ms:
            self.at, self.answer = self.answer[1], None


class _Node:
    """The node that is throttled, and those who began at it."""

    def __init__(self, watching: list[_Watching]) -> None:
        self.watching = watching
        self.by_name = {each.name: each for each in watching}
        self.deliveries = Deliveries()
        config = _CONFIG
        self.late = LateShare(
            most=config.hls_steer_late_pct / 100,
            hold_ms=config.hls_steer_hold_s * 1000,
            step_ms=config.hls_steer_ttl_s * 1000,
        )

    def step(self, now_ms: int, capacity: float) -> None:
        """So many bytes go out, shared by all who load from it; other nodes have enough for all."""
        loading = [each for each in self.watching if each.loads_from == "one"]
        for each in self.watching:
            if each.loads_from:
                each.take(capacity / len(loading) if each.loads_from == "one" else each.left, now_ms)
            each.poll(now_ms)
            each.load(now_ms, self.deliveries)
            each.steer(now_ms, self.late.share)
        if now_ms % _LOOK_MS == 0:
            self.deliveries.look(lambda name: Left(int(self._left(str(name))), 20), now_ms)
            self.late.note(self.deliveries.late_share(), now_ms)

    def _left(self, name: str) -> float:
        viewer = self.by_name[name]
        return viewer.left if viewer.loads_from == "one" else 0


@pytest.mark.parametrize("low_latency_count", [0, 25, 75, 100])
@pytest.mark.parametrize("offset_ms", range(0, SEGMENT_MS, 400))
def test_at_half_of_what_they_need_95_of_100_are_elsewhere_within_10_s(low_latency_count: int, offset_ms: int) -> None:
    ttl_ms, watching = _CONFIG.hls_steer_ttl_s * 1000, []
    for number in range(_COUNT):
        media_ms = _PART_MS if number < low_latency_count else SEGMENT_MS
        watching.append(_Watching(str(number), media_ms, number * 37 * _STEP_MS % ttl_ms))
    node = _Node(watching)
    need, throttled_ms = _BYTES_PER_MS * _COUNT * _STEP_MS, _THROTTLED_MS + offset_ms
    for now_ms in range(0, throttled_ms, _STEP_MS):
        node.step(now_ms, 20 * need)
    assert node.late.share == 0 and all(each.loaded_from == "one" for each in watching)
    assert not any(each.playback.stalls for each in watching)
    for now_ms in range(throttled_ms, throttled_ms + int(WITHIN_S * 1000), _STEP_MS):
        node.step(now_ms, need / 2)
    assert sum(each.loaded_from == "other" for each in watching) >= PART_ELSEWHERE * _COUNT
    for each in watching:
        each.playback.close(now_ms / 1000)
    longest_s = max((stall.length_s for each in watching for stall in each.playback.stalls), default=0)
    assert longest_s <= SEGMENT_MS / 1000
