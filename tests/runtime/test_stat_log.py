"""The table of streams and the billing events of a real node, against traffic that is counted."""

from __future__ import annotations

import pytest

from edge.logbook.config import LogbookConfig
from tests.net.live import eventually, pictures
from tests.runtime.nodes import running
from tests.runtime.stats_rig import QUIET, WALL_S, Statistics, feed, only_stream

PREFIX = "T20261121 03:02:26.123456 [STATS] "
HEAD = "CreatedTime               |From               |Key       |Gop |F/s|Video B/s|Audio B/s|Fluency|Play|"


async def test_the_table_byte_for_byte(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        publisher = await one.publisher("s")
        player = await one.player("s")
        await pictures(player, 0)
        stream = await feed(one, publisher, 49, sounds=20)  # 50 pictures of 33 bytes, 20 sounds of 15
        statistics = Statistics(one, caplog, ("-dump_stats_interval=5",))
        began = stream.created_ms
        assert statistics.table(began) == []
        assert statistics.table(began + 4999) == []
        peer = f"{stream.publisher.peer:<19}"  # type: ignore[union-attr]
        assert statistics.table(began + 5000) == [
            "Stream stats (1 in total):",
            PREFIX + HEAD,
            PREFIX + f"2026/11/21-03:02:21.123456|{peer}|_/live/s  |0   |10 |330      |60       |66.7%* |1   |",
            "--------END--------",
        ]
        await feed(one, publisher, 25, first=50)
        statistics.wall_s = WALL_S + 5
        lines = statistics.table(began + 10_000)
        assert lines[2].endswith(
            f"2026/11/21-03:02:21.123456|{peer}|_/live/s  |0   |5  |165      |0        |33.3%* |1   |"
        )
        assert lines[2].startswith("T20261121 03:02:31.123456 [STATS] ")
        assert statistics.table(began + 10_250) == []


async def test_no_streams_no_table_and_each_service_has_its_own(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, ("-dump_stats_interval=1",))
        assert [statistics.tick(now_ms) for now_ms in (0, 1000, 5000)] == [[], [], []]


async def test_who_was_stuck_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        await one.publisher("s", pictures=10)
        stream = only_stream(one)
        await eventually(lambda: stream.stats.video_frames == 10, "the pictures")
        statistics = Statistics(one, caplog, ("-dump_stats_interval=1",))
        statistics.tick(stream.created_ms)
        queue = stream.queue
        stream.note_stuck("10.0.0.9:5", 1, queue.base, queue.end)
        lines = statistics.tick(stream.created_ms + 1000)
        assert lines[2].endswith("|0   | stuck: 10.0.0.9:5[1](v=10)")
        assert statistics.tick(stream.created_ms + 2000)[2].endswith("|0   |")


async def test_an_interval_that_ends_writes_nothing_and_does_not_spin(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        await one.publisher("s", pictures=3)
        stream = only_stream(one)
        statistics = Statistics(one, caplog, ("-dump_stats_interval=1",))
        at_ms = stream.created_ms
        statistics.tick(at_ms)
        assert statistics.tick(at_ms + 1000)
        for interval in (0, -1):
            statistics.log.reconfigure(LogbookConfig(dump_stats_interval=interval, pithy_print_ms=0), at_ms + 1000)
            assert [statistics.tick(at_ms + 1000 + ms) for ms in range(0, 60_000, 250)] == [[]] * 240
            assert stream.stats.stuck is None
        statistics.log.reconfigure(LogbookConfig(dump_stats_interval=2, pithy_print_ms=0), at_ms + 70_000)
        assert [bool(statistics.tick(at_ms + ms)) for ms in (70_000, 71_750, 72_000, 72_250)] == [
            *(False, False, True, False)
        ]


async def test_a_late_tick_writes_one_table_for_all_that_it_has_missed(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        await one.publisher("s", pictures=3)
        began = only_stream(one).created_ms
        statistics = Statistics(one, caplog, ("-dump_stats_interval=1",))
        statistics.tick(began)
        tables = [
            sum("in total" in line for line in statistics.tick(began + now_ms)) for now_ms in (60_000, 60_250, 60_500)
        ]
        assert sum(tables) <= 2
        assert tables[0] == 1


async def test_flags_that_are_off_write_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        await one.publisher("s", pictures=3)
        await one.player("s")
        began = only_stream(one).created_ms
        statistics = Statistics(one, caplog, ())
        assert [statistics.tick(began + second * 1000) for second in range(100)] == [[]] * 100
        assert only_stream(one).stats.stuck is None
