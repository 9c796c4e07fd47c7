"""What has passed a place of a stream."""

from __future__ import annotations

import itertools

from edge.logbook.conn_stats import Counts
from edge.runtime.passing import Passed, received, received_bytes, source_of
from edge.service.grants import Served
from tests.net.live import eventually
from tests.runtime.nodes import running
from tests.runtime.stats_rig import QUIET, feed, only_stream


async def test_what_has_come_in_and_what_has_passed_each_place() -> None:
    async with running(QUIET) as one:
        publisher = await one.publisher("s")
        await eventually(lambda: one.node.units[0].registry.streams and only_stream(one).stats.video_frames, "it")
        stream = await feed(one, publisher, 9, sounds=4)
        assert received(stream) == Counts(10 * 33 + 15, 4 * 15 + 12, 10)
        assert received_bytes(stream) == 417
        passed, queue = Passed(stream), stream.queue
        assert passed.at(queue.end) == passed.at(10**9) == Counts(330, 60, 10)
        assert passed.at(queue.base) == passed.at(-1) == Counts(0, 0, 0)
        steps = [passed.at(seq) for seq in range(queue.base, queue.end + 1)]
        assert all(before <= after for before, after in itertools.pairwise(steps))
        assert passed.of(Served(0, queue.end, has_video=True, has_audio=False)) == Counts(330, 0, 10)
        assert passed.of(Served(0, queue.end, has_video=False, has_audio=True)) == Counts(0, 60, 0)
        assert passed.of(Served()) == Counts(330, 60, 10)


async def test_the_source_of_a_stream() -> None:
    async with running(QUIET) as one:
        player = await one.publisher("s")
        stream = only_stream(one)
        unit = one.node.units[0]
        assert source_of(unit, stream) == stream.publisher.peer  # type: ignore[union-attr]
        player.delete_stream("s")
        await eventually(lambda: stream.publisher is None, "the end")
        assert source_of(unit, stream) == "0.0.0.0:0"
