"""Deadlines of one loop."""

from __future__ import annotations

from edge.net.aio import now_ms
from tests.net.serving import Nodes, wait_until


class Due:
    """Something with one deadline."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms: int | None = at_ms
        self.called = 0

    def next_deadline_ms(self) -> int | None:
        return self.at_ms

    def on_deadline(self, now: int) -> None:
        self.called += 1
        self.at_ms = None


async def test_deadlines_are_kept_moved_and_forgotten() -> None:
    async with Nodes() as nodes:
        context = nodes.add().context
        soon, moved, cancelled = Due(now_ms() + 1), Due(now_ms() + 1), Due(now_ms() + 1)
        for due in (soon, moved, cancelled):
            context.deadlines.watch(due, now_ms() + 1)
        gone = Due(now_ms())
        context.deadlines.watch(gone, now_ms())
        del gone
        moved.at_ms, cancelled.at_ms = now_ms() + 100_000, None
        await wait_until(lambda: soon.called, 2, "deadline")
        assert (soon.called, moved.called, cancelled.called) == (1, 0, 0)


class Failing(Due):
    """Its handler has a fault of ours."""

    aborted = ""

    def on_deadline(self, now_ms: int) -> None:
        raise RuntimeError("injected")

    def abort(self, why: str) -> None:
        self.aborted = why


async def test_R10_a_deadline_that_fails_ends_its_owner_and_no_other(caplog) -> None:
    async with Nodes() as nodes:
        context = nodes.add().context
        broken, healthy, later = Failing(now_ms()), Due(now_ms() + 1), Due(now_ms() + 100)
        for due in (broken, healthy, later):
            context.deadlines.watch(due, now_ms())
        await wait_until(lambda: later.called, 2, "the later one")
        assert (broken.aborted, healthy.called, later.called) == ("internal", 1, 1)
        assert context.internal_error_count == 1
    assert "injected" in caplog.text


async def test_one_that_is_renewed_for_long_does_not_delay_those_before_it() -> None:
    async with Nodes() as nodes:
        context = nodes.add().context
        began = now_ms()
        renewed, soon = Due(began + 1), Due(began + 400)
        for due in (renewed, soon):
            context.deadlines.watch(due, due.at_ms or 0)
        renewed.at_ms = began + 60_000
        await wait_until(lambda: soon.called, 2, "the deadline after the one that was renewed")
        assert now_ms() - began < 1000
