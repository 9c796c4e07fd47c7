"""Billing events, byte for byte and in time."""

from __future__ import annotations

import itertools

from edge.logbook.billing import MAX_LOOKS_PER_TICK, Bill, Bills, Line, segment_lines

INTERVAL_MS = 5000


class Table:
    """Bills with ids that count up, the lines they have written, and a counter for each subject."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.counts: dict[str, int] = {}
        numbers = itertools.count(1)
        self.bills = Bills(lambda: f"id{next(numbers)}", self._write)

    def _write(self, line: Line) -> None:
        self.lines.append(line[0] % line[1])

    def open(
        self, subject: str, what: str = "play", *, is_received: bool = False, begins_at_zero: bool = False
    ) -> None:
        self.counts[subject] = 0
        bill = Bill(
            what,
            f"_/live/{subject}",
            "10.0.0.9:5",
            False,
            lambda: self.counts[subject],
            is_received=is_received,
            begins_at_zero=begins_at_zero,
        )
        self.bills.open(subject, bill)

    def tick(self, now_ms: int) -> list[str]:
        self.bills.tick(now_ms, INTERVAL_MS)
        return self.taken()

    def taken(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines


def play(event: str, sent: int, *, number: int = 1, what: str = "play", subject: str = "a") -> str:
    return (
        f"{event}_{what} key:_/live/{subject} request:id{number} send:{sent} recv:0 type:external endpoint:10.0.0.9:5"
    )


def test_a_play_byte_for_byte() -> None:
    table = Table()
    table.open("a")
    assert table.tick(0) == []
    table.counts["a"] = 1234
    assert table.tick(250) == [play("start", 1234)]
    table.counts["a"] = 5000
    assert table.tick(5249) == []
    assert table.tick(5250) == [play("on", 5000)]
    table.counts["a"] = 6000
    table.bills.close("a")
    assert table.taken() == [play("stop", 6000)]
    assert len(table.bills) == 0
    assert table.tick(60_000) == []


def test_on_comes_with_the_next_byte_after_the_interval_not_before() -> None:
    table = Table()
    table.open("a")
    table.counts["a"] = 10
    table.tick(0)
    assert table.tick(20_000) == []
    table.counts["a"] = 11
    assert table.tick(20_250) == [play("on", 11)]


def test_flv_begins_at_zero() -> None:
    table = Table()
    table.open("a", "flv_play", begins_at_zero=True)
    table.counts["a"] = 700
    assert table.tick(0) == [play("start", 0, what="flv_play")]
    table.bills.close("a")
    assert table.taken() == [play("stop", 700, what="flv_play")]


def test_a_publish_tells_what_it_has_received() -> None:
    table = Table()
    table.open("a", "publish", is_received=True)
    table.counts["a"] = 99
    assert table.tick(0) == ["start_publish key:_/live/a request:id1 send:0 recv:99 type:external endpoint:10.0.0.9:5"]


def test_one_shorter_than_a_tick_has_both_lines_and_one_that_never_began_none() -> None:
    table = Table()
    table.open("a")
    table.open("b")
    table.counts["a"] = 50
    table.bills.close("a")
    table.bills.close("b")
    table.bills.close("c")
    assert table.taken() == [play("start", 50), play("stop", 50)]


def test_after_a_pause_it_is_another_request_that_counts_from_zero() -> None:
    table = Table()
    table.open("a")
    table.counts["a"] = 100
    table.tick(0)
    table.bills.pause("a")
    assert table.taken() == [play("stop", 100)]
    assert table.tick(10_000) == []
    table.counts["a"] = 130
    assert table.tick(10_250) == [play("start", 30, number=2)]
    table.counts["a"] = 140
    assert table.tick(15_000) == []
    table.bills.close("a")
    assert table.taken() == [play("stop", 40, number=2)]


def test_a_resting_line_of_before_a_pause_does_not_count_for_the_request_after_it() -> None:
    table = Table()
    table.open("a")
    table.counts["a"] = 100
    table.tick(0)
    table.bills.pause("a")
    table.counts["a"] = 200
    table.tick(4000)
    table.taken()
    table.counts["a"] = 300
    assert table.tick(5000) == []
    assert table.tick(9000) == [play("on", 200, number=2)]


def test_a_segment_begins_and_ends_with_all_of_it() -> None:
    bill = Bill("hls_play", "_/live/a b", "10.0.0.9:5", True, lambda: 0)
    assert [text % values for text, values in segment_lines(bill, "x", 188)] == [
        f"{event}_hls_play key:_/live/a\\x20b request:x send:188 recv:0 type:internal endpoint:10.0.0.9:5"
        for event in ("start", "stop")
    ]


def test_a_crowd_is_looked_at_in_turns_and_nobody_is_forgotten() -> None:
    table = Table()
    crowd = [str(number) for number in range(2 * MAX_LOOKS_PER_TICK + 10)]
    for subject in crowd:
        table.open(subject)
        table.counts[subject] = 1
    seen = [len(table.tick(tick * 250)) for tick in range(4)]
    assert seen == [MAX_LOOKS_PER_TICK, MAX_LOOKS_PER_TICK, 10, 0]


def test_a_shorter_interval_is_not_waited_out_at_the_longer_one() -> None:
    table = Table()
    table.open("a")
    table.counts["a"] = 100
    table.bills.tick(0, 3_600_000)
    table.taken()
    table.counts["a"] = 200
    assert table.tick(4750) == []
    assert table.tick(5000) == [play("on", 200)]
