from __future__ import annotations

from collections.abc import Hashable

from edge.quality.delivery import WINDOW_MS, Deliveries, Left

LOOK_MS = 100


class Line:
    """Connections that share a line, looked at ten times a second; each loads media whenever it has got the last."""

    def __init__(self, count: int, *, size: int, media_ms: int, round_trip_ms: int = 0) -> None:
        self.deliveries = Deliveries()
        self.size, self.media_ms, self.round_trip_ms = size, media_ms, round_trip_ms
        self.now_ms = 0
        # By connection: bytes that are still to be sent, and when media were asked for last.
        self.left = dict.fromkeys(range(count), 0)
        self.asked_ms = dict.fromkeys(range(count), -media_ms)
        self.shares: list[float] = []

    def _left_of(self, connection: Hashable) -> Left | None:
        assert isinstance(connection, int)
        return Left(self.left[connection], self.round_trip_ms)

    def run(self, seconds: float, *, part_of_need: float, slow: int | None = None) -> float:
        """Go on for a time with so much of what viewers need, or ``slow`` of them; the share that is late then."""
        most = int(self.size * LOOK_MS / self.media_ms * part_of_need)
        for _ in range(int(seconds * 1000 / LOOK_MS)):
            for each in self.left:
                self.left[each] = max(self.left[each] - (most if slow is None or each < slow else 10**9), 0)
            self.deliveries.look(self._left_of, self.now_ms)
            self.shares.append(self.deliveries.late_share())
            for each in self.left:
                if not self.left[each] and self.now_ms - self.asked_ms[each] >= self.media_ms:
                    self.left[each], self.asked_ms[each] = self.size, self.now_ms
                    self.deliveries.begin(each, self.size, self.media_ms, self.now_ms)
            self.now_ms += LOOK_MS
        return self.shares[-1]


def test_half_of_what_viewers_need_is_seen_before_their_segments_have_come() -> None:
    line = Line(10, size=500_000, media_ms=2000)
    assert line.run(10, part_of_need=4) == 0 == max(line.shares)
    line.shares.clear()
    line.run(10, part_of_need=0.5)
    assert line.shares.index(1.0) * LOOK_MS <= 2000 + 1200, "the first segments of two seconds take four"
    line.run(8, part_of_need=4)
    assert line.shares[-1] == 0


def test_half_of_what_viewers_of_parts_need_is_seen_within_seconds() -> None:
    line = Line(10, size=40_000, media_ms=300)
    assert line.run(5, part_of_need=4) == 0 == max(line.shares)
    line.shares.clear()
    line.run(4, part_of_need=0.5)
    assert line.shares[-1] == 1 and next(at for at, share in enumerate(line.shares) if share > 0.5) * LOOK_MS <= 3000


def test_who_keeps_up_is_not_late_however_far_away_or_late_in_starting() -> None:
    line = Line(10, size=40_000, media_ms=300, round_trip_ms=400)
    assert line.run(5, part_of_need=0.75) == 0, "a round trip more than a part lasts"
    assert Line(10, size=500_000, media_ms=2000).run(20, part_of_need=1.2) == 0


def test_two_slow_viewers_are_not_the_node() -> None:
    line = Line(3, size=500_000, media_ms=2000)
    line.run(10, part_of_need=0.3, slow=2)
    assert max(line.shares) == 0
    line = Line(10, size=500_000, media_ms=2000)
    line.run(12, part_of_need=0.3, slow=5)
    assert 0.2 < max(line.shares) < 0.9, "a part of them is that part"


def test_what_ended_long_ago_and_whoever_has_gone_tell_nothing() -> None:
    line = Line(5, size=500_000, media_ms=2000)
    assert line.run(10, part_of_need=0.5) == 1 and not line.deliveries.is_idle
    line.deliveries.look(lambda _: None, line.now_ms)
    line.deliveries.look(lambda _: None, line.now_ms + WINDOW_MS + 1)
    assert line.deliveries.is_idle and line.deliveries.late_share() == 0
