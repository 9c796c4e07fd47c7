from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from edge.profiling import heap
from edge.profiling.stacks import GROWTH, HEAP


@pytest.fixture
def tracing() -> Iterator[None]:
    tracemalloc.start(5)
    yield
    tracemalloc.stop()


class Kept:
    """Allocates when it is asked whether the time is over, as another thread would meanwhile."""

    def __init__(self) -> None:
        self.held: list[bytearray] = []

    def wait(self, _seconds: float) -> bool:
        self.held.append(bytearray(3_000_000))
        return True


def held_here(rows: tuple[object, ...]) -> int:
    return sum(row.value for row in rows if row.stack[-1].file == "tests/profiling/test_heap.py")  # type: ignore[attr-defined]


@pytest.mark.usefixtures("tracing")
def test_what_is_held_is_found_where_it_was_made() -> None:
    held = bytearray(2_000_000)
    profile = heap.heap_profile(name="n", started_ms=1)
    assert profile.kind is HEAP and profile.duration_ms == 0
    assert 2_000_000 <= held_here(profile.rows) < 2_100_000
    assert profile.facts["traced_bytes"] >= len(held)


def test_growth_traces_for_its_time_only() -> None:
    assert not heap.is_tracing()
    kept = Kept()
    profile = heap.growth_profile(1, name="n", started_ms=1, is_stopped=kept)  # type: ignore[arg-type]
    assert not heap.is_tracing()
    assert profile.kind is GROWTH
    assert 3_000_000 <= held_here(profile.rows) < 3_100_000


@pytest.mark.usefixtures("tracing")
def test_growth_of_what_is_traced_anyway_is_the_difference() -> None:
    before = bytearray(5_000_000)
    kept = Kept()
    profile = heap.growth_profile(1, name="n", started_ms=1, is_stopped=kept)  # type: ignore[arg-type]
    assert heap.is_tracing()
    assert 3_000_000 <= held_here(profile.rows) < len(before)


def test_growth_ends_when_it_is_told_to() -> None:
    is_stopped = threading.Event()
    is_stopped.set()
    assert heap.growth_profile(1e6, name="n", started_ms=1, is_stopped=is_stopped).duration_ms < 1e6


def test_heap_that_is_not_traced() -> None:
    with pytest.raises(RuntimeError):
        heap.heap_profile(name="n", started_ms=1)
