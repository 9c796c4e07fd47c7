"""Reading many publishers on a tick."""

from __future__ import annotations

from edge.net.context import NetContext
from edge.net.rtmp import ingest
from edge.net.rtmp.ingest import MANY, IngestTicker
from tests.net.serving import Nodes, wait_until


class Publisher:
    """A connection that has so many reads left in it."""

    state = "open"
    read_limit = 65536

    def __init__(self, full_reads: int = 0, error: Exception | None = None) -> None:
        self.left = full_reads
        self.reads = 0
        self.is_polled = True
        self.error = error
        self.aborted = ""
        self.fd = -1  # no descriptor: nothing is registered for it

    def poll_reads(self, is_polled: bool) -> None:
        self.is_polled = is_polled

    def read_some(self) -> int:
        self.reads += 1
        if self.error is not None:
            raise self.error
        self.left -= 1
        return 65536 if self.left >= 0 else 10

    def abort(self, why: str) -> None:
        self.aborted, self.state = why, "closed"


def ticker_of(context: NetContext, publishers: set[Publisher]) -> IngestTicker:
    ticker = IngestTicker(context)
    ticker.publishers = publishers
    return ticker


async def test_few_publishers_are_polled_and_many_are_read_in_turn() -> None:
    async with Nodes() as nodes:
        publishers = {Publisher() for _ in range(MANY - 1)}
        ticker = ticker_of(nodes.add(ingest_tick_ms=5).context, publishers)
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
        ticker = ticker_of(nodes.add(ingest_tick_ms=20).context, publishers)
        assert ticker.tick_ms == 20
        publishers |= {Publisher() for _ in range(200)}
        assert 20 < ticker.tick_ms == 1000 * 200 // ingest._READS_PER_S
        publishers |= {Publisher() for _ in range(2000)}
        assert ticker.tick_ms == ingest._MAX_TICK_MS


async def test_R10_one_that_fails_is_ended_and_the_others_are_read() -> None:
    async with Nodes() as nodes:
        bad = Publisher(error=ValueError("x"))
        publishers = {bad, *(Publisher() for _ in range(MANY))}
        context = nodes.add(ingest_tick_ms=5).context
        context.poller._owners[bad.fd] = bad
        ticker = ticker_of(context, publishers)
        ticker.tick()
        await wait_until(lambda: all(publisher.reads for publisher in publishers), 2, "a round")
        assert bad.aborted == "internal"
        assert context.poller.internal_error_count == 1
        ticker.close()
