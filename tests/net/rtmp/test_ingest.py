"""Reading many publishers on a tick."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.net.config import NetConfig
from edge.net.connection import RawConnection
from edge.net.context import NetContext
from edge.net.fan.fanout import Fanout
from edge.net.fan.interval import MERGE_MS, FlushInterval
from edge.net.rtmp import ingest
from edge.net.rtmp.ingest import MANY, IngestTicker
from edge.service.rules import Rules
from tests.harness.portable import needs_linux
from tests.net.live import LiveServer, RtmpClient, eventually, pictures, send_audio, send_video, serving
from tests.net.serving import Nodes, wait_until


class Publisher:
    """A connection that has so many reads left in it."""

    state = "open"
    read_limit = 65536

    def __init__(
        self,
        full_reads: int = 0,
        error: Exception | None = None,
        *,
        reads_all: bool = True,
        size: int = 65536,
        tick_ms: int = 20,
    ) -> None:
        self.stream = Stream(StreamKey("_", "live", "s"), Rules((HubConfig(), NetConfig(ingest_tick_ms=tick_ms))), 0)
        self.left = full_reads
        self.reads_all, self.size = reads_all, size
        self.reads = 0
        self.is_polled = True
        self.came: Callable[[], None] | None = None
        self.error = error
        self.aborted = ""
        self.fd = -1  # no descriptor: nothing is registered for it

    def publishes(self) -> list[Publisher]:
        return [self]

    def poll_reads(self, is_polled: bool) -> None:
        self.is_polled = is_polled

    def tell_of_bytes(self, came: Callable[[], None] | None) -> None:
        self.came = came

    def arrive(self) -> None:
        came, self.came = self.came, None
        if came is not None:
            came()

    def read_some(self) -> int:
        self.reads += 1
        if self.error is not None:
            raise self.error
        self.left -= 1
        return self.size if self.left >= 0 else 10 if self.reads_all else 0

    def abort(self, why: str) -> None:
        self.aborted, self.state = why, "closed"


def ticker_of(context: NetContext, publishers: set[Publisher]) -> IngestTicker:
    ticker = IngestTicker(context)
    ticker.publishers = publishers
    return ticker


async def test_few_publishers_are_polled_and_many_are_read_in_turn() -> None:
    async with Nodes() as nodes:
        publishers = {Publisher() for _ in range(MANY - 1)}
        ticker = ticker_of(nodes.add().context, publishers)
        ticker.tick()
        assert all(publisher.is_polled for publisher in publishers)
        busy = Publisher(full_reads=3)
        publishers.add(busy)
        ticker.tick()
        assert not any(publisher.is_polled for publisher in publishers)
        await wait_until(lambda: all(publisher.reads for publisher in publishers), 2, "a round")
        assert busy.reads >= 4
        publishers.discard(busy)
        ticker.tick()
        assert all(publisher.is_polled for publisher in publishers)
        ticker.close()


async def test_tick_grows_with_the_publishers() -> None:
    async with Nodes() as nodes:
        publishers: set[Publisher] = set()
        ticker = ticker_of(nodes.add().context, publishers)
        publishers |= {Publisher() for _ in range(MANY)}
        assert ticker.tick_ms(20) == 20
        publishers |= {Publisher() for _ in range(200)}
        assert 20 < ticker.tick_ms(20) == min(1000 * 200 // ingest._READS_PER_S, ingest._MAX_TICK_MS)
        publishers |= {Publisher() for _ in range(2000)}
        assert ticker.tick_ms(20) == ingest._MAX_TICK_MS


async def test_R10_one_that_fails_is_ended_and_the_others_are_read() -> None:
    async with Nodes() as nodes:
        bad = Publisher(error=ValueError("x"))
        publishers = {bad, *(Publisher() for _ in range(MANY))}
        context = nodes.add().context
        context.poller._owners[bad.fd] = bad
        ticker = ticker_of(context, publishers)
        ticker.tick()
        await wait_until(lambda: all(publisher.reads for publisher in publishers), 2, "a round")
        assert bad.aborted == "internal"
        assert context.poller.internal_error_count == 1
        ticker.close()


async def test_few_publishers_are_read_in_turn_where_messages_are_merged_for_players() -> None:
    async with Nodes() as nodes:
        publishers = {Publisher() for _ in range(ingest._AWAITED + 1)}
        context = nodes.add().context
        ticker = ticker_of(context, publishers)
        publisher = next(iter(publishers))
        context.fanout._flush.interval_ms = MERGE_MS
        ticker.tick()
        assert not publisher.is_polled
        assert MERGE_MS <= ticker.tick_ms(20) <= MERGE_MS + 2
        await wait_until(lambda: publisher.reads > 2, 2, "reads")
        context.fanout._flush.interval_ms = 0
        ticker.tick()
        assert publisher.is_polled
        ticker.close()


async def test_turns_that_read_are_counted_so_that_what_sending_takes_in_one_is_known() -> None:
    async with Nodes() as nodes:
        context = nodes.add().context
        ticker = ticker_of(context, {Publisher(tick_ms=1000)})
        context.fanout._flush.interval_ms = MERGE_MS
        ticker.tick()
        turns = context.fanout._flush._turns
        ticker._read_lot(1000)
        assert context.fanout._flush._turns == turns + 1
        ticker.close()


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many players that it pays to be told of bytes."""
    monkeypatch.setattr(ingest, "_AWAITED_FROM_PLAYERS", 0)


@pytest.mark.usefixtures("crowd")
async def test_one_or_two_are_read_when_their_first_bytes_have_waited_to_be_merged() -> None:
    async with Nodes() as nodes:
        first, second = Publisher(), Publisher()
        context = nodes.add().context
        ticker = ticker_of(context, {first, second})
        context.fanout._flush.interval_ms = MERGE_MS
        ticker.tick()
        await wait_until(lambda: first.came is not None, 2, "the first read")
        reads = first.reads
        await asyncio.sleep(3 * MERGE_MS / 1000)
        assert first.reads == reads, "nothing has come"
        second.arrive()
        assert first.came is None, "it is known when to read"
        assert first.reads == reads
        await wait_until(lambda: first.reads == second.reads == reads + 1, 2, "a read of both")
        ticker.close()


@pytest.mark.parametrize("player_count", [99, 100])
async def test_it_takes_a_hundred_players_to_wait_for_bytes(player_count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fanout, "player_count", player_count)
    async with Nodes() as nodes:
        publisher = Publisher()
        context = nodes.add().context
        ticker = ticker_of(context, {publisher})
        context.fanout._flush.interval_ms = MERGE_MS
        ticker.tick()
        await wait_until(lambda: publisher.reads > 0, 2, "a read")
        assert (publisher.came is not None) == (player_count == 100)
        ticker.close()


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("change", ["another publisher", "few calls", "gone"])
async def test_waiting_for_bytes_ends_with_its_reason(change: str) -> None:
    async with Nodes() as nodes:
        publisher = Publisher()
        publishers = {publisher}
        context = nodes.add().context
        ticker = ticker_of(context, publishers)
        context.fanout._flush.interval_ms = MERGE_MS
        ticker.tick()
        await wait_until(lambda: publisher.came is not None, 2, "the first read")
        reads = publisher.reads
        if change == "another publisher":
            publishers |= {Publisher() for _ in range(ingest._AWAITED)}
        elif change == "few calls":
            context.fanout._flush.interval_ms = 0
        else:
            publishers.clear()
        ticker.tick()
        assert not ticker._awaiting
        assert publisher.is_polled == (change == "few calls")
        if change == "another publisher":
            await wait_until(lambda: publisher.reads > reads + 1, 2, "reads on a tick")
        else:
            assert not ticker._timers
        ticker.close()


async def test_without_a_tick_publishers_are_always_polled() -> None:
    async with Nodes() as nodes:
        publishers = {Publisher(tick_ms=0) for _ in range(2 * MANY)}
        context = nodes.add().context
        ticker = ticker_of(context, publishers)
        context.fanout._flush.interval_ms = MERGE_MS
        ticker.tick()
        assert all(publisher.is_polled for publisher in publishers)
        ticker.close()


async def test_each_vhost_says_how_often_its_publishers_are_read() -> None:
    async with Nodes() as nodes:
        often, seldom = Publisher(tick_ms=100), Publisher(tick_ms=1000)
        never = Publisher(tick_ms=0)
        others = {Publisher(tick_ms=1000) for _ in range(MANY)}
        ticker = ticker_of(nodes.add().context, {often, seldom, never, *others})
        ticker.tick()
        ticker._read_lot(100)
        ticker._read_lot(100)
        assert (often.reads, seldom.reads, never.reads) == (2, 0, 0)
        assert (often.is_polled, seldom.is_polled, never.is_polled) == (False, False, True)
        ticker._read_lot(1000)
        assert (often.reads, seldom.reads, never.reads) == (2, 1, 0)
        often.stream.reconfigure(Rules((HubConfig(), NetConfig(ingest_tick_ms=0))))
        ticker.tick()
        assert often.is_polled
        assert list(ticker._timers) == [1000]
        ticker.close()


async def test_vhost_that_is_read_often_does_not_hold_back_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Nodes() as nodes:
        seldom = {Publisher(tick_ms=2000) for _ in range(15)}
        often = {Publisher(tick_ms=1000) for _ in range(MANY)}
        ticker = ticker_of(nodes.add().context, seldom | often)
        ticker.tick()
        clock = count(0, ingest._TURN_BUDGET_NS // 10)  # ten reads a turn
        monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
        ticker._read_lot(2000)
        assert sum(publisher.reads for publisher in seldom) < 15, "there is no time for all of them"
        ticker._read_lot(1000)
        await asyncio.sleep(0)
        assert {publisher.reads for publisher in seldom} == {1}, "they were there before"
        for _ in range(MANY):
            await asyncio.sleep(0)
        assert {publisher.reads for publisher in often} == {1}
        ticker.close()


async def fed(server: LiveServer) -> tuple[RtmpClient, RtmpClient, RawConnection]:
    """A publisher with three pictures, a player, and the connection of the publisher."""
    feed = await server.publisher()
    for number in range(3):
        send_video(feed, number, is_keyframe=number == 0)
    player = await server.player()
    await eventually(lambda: server.stream("s").queue.end == 5, "the pictures")
    (publisher,) = (one for one in server.connections if one.role == "publish")
    return feed, player, publisher


async def test_what_came_within_a_tick_costs_one_read_and_one_send_to_the_player(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FlushInterval, "adapt", lambda *_: None)
    async with serving(net=NetConfig()) as server:
        feed, player, publisher = await fed(server)
        reads: list[int] = []
        wire = publisher.wire

        class Counted:
            """The wire, with its reads counted."""

            has_unread = has_unsent = False

            def recv_into(self, view: memoryview, limit: int) -> int:
                count = wire.recv_into(view, limit)
                reads.append(count)
                return count

            def __getattr__(self, name: str) -> Any:
                return getattr(wire, name)

        publisher.wire = Counted()  # type: ignore[assignment]
        server.context.fanout._flush.interval_ms = MERGE_MS
        ticker = server.rtmp.ingest
        ticker.tick()
        assert not publisher._is_polled
        sends = server.context.fanout.send_count
        for number in range(3, 9):
            send_video(feed, number)
            send_audio(feed, number)
        await eventually(lambda: server.stream("s").queue.end == 5 + 12, "the rest")
        assert len(reads) <= 2, "they may have come on both sides of a tick"
        await eventually(lambda: server.context.fanout.send_count - sends >= len(reads), "the sends")
        assert server.context.fanout.send_count - sends == len(reads)
        publisher.wire = wire
        server.context.fanout._flush.interval_ms = 0
        ticker.tick()
        await pictures(player, 8)


async def test_a_wire_that_gives_little_at_once_is_read_until_it_has_no_more() -> None:
    async with Nodes() as nodes:
        tls = Publisher(full_reads=9, reads_all=False, size=16384, tick_ms=1000)
        publishers = {tls, *(Publisher(tick_ms=1000) for _ in range(MANY))}
        ticker = ticker_of(nodes.add().context, publishers)
        ticker.tick()
        ticker._read_lot(1000)
        assert tls.reads == 10
        ticker.close()


async def test_one_that_never_ends_holds_nobody_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Nodes() as nodes:
        floods = [Publisher(full_reads=10**9, tick_ms=1000) for _ in range(2)]
        others = [Publisher(tick_ms=1000) for _ in range(MANY)]
        context = nodes.add().context
        ticker = ticker_of(context, {*floods, *others})
        ticker.tick()
        clock = count(0, ingest._TURN_BUDGET_NS // 10)  # ten reads a turn
        monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
        for round_number in range(1, 6):
            ticker._read_lot(1000)
            for _ in range(MANY):
                await asyncio.sleep(0)
            assert {other.reads for other in others} == {round_number}
        assert all(flood.reads > 20 for flood in floods)
        ticker.close()


@pytest.mark.usefixtures("crowd")
async def test_what_comes_after_silence_is_read_and_so_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FlushInterval, "adapt", lambda *_: None)  # for so few calls it would be at once again
    async with serving(net=NetConfig()) as server:
        feed, player, publisher = await fed(server)
        server.context.fanout._flush.interval_ms = MERGE_MS
        ticker = server.rtmp.ingest
        ticker.tick()
        modified: list[int] = []
        modify = server.context.poller.modify

        def noted(fd: int, events: int) -> None:
            modified.extend([events] if fd == publisher.fd else [])
            modify(fd, events)

        await eventually(lambda: publisher._bytes_came is not None, "that bytes are waited for")
        monkeypatch.setattr(server.context.poller, "modify", noted)
        for number in range(3, 6):
            modified.clear()
            await asyncio.sleep(3 * MERGE_MS / 1000)
            send_video(feed, number)
            await eventually(lambda number=number: server.stream("s").queue.end == 3 + number, "the picture")
            await eventually(lambda: publisher._bytes_came is not None, "that bytes are waited for")
            assert len(modified) == 2, "once to be told no more, once to be told again"
        send_video(feed, 6)
        await feed.peer.close()
        await eventually(lambda: publisher.state == "closed", "the end")
        await pictures(player, 6)


@needs_linux  # elsewhere the end shows once all before it has been read, which the tick does
async def test_the_end_is_told_while_reading_is_left_to_the_tick() -> None:
    async with serving() as server:
        feed, player, publisher = await fed(server)
        publisher.poll_reads(False)
        send_video(feed, 3)
        await feed.peer.close()
        await eventually(lambda: publisher.state == "closed", "the end")
        await pictures(player, 3)
