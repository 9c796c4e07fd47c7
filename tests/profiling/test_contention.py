from __future__ import annotations

import asyncio
import threading
import time

import pytest

from edge.profiling.contention import Heart, lag_facts, watch_loop
from edge.profiling.stacks import CONTENTION, Profile
from tests.harness.clock import deadline
from tests.httpd.serving import until


def hold_the_loop(seconds: float) -> None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        time.sleep(0.001)


async def watched(work_s: float) -> Profile:
    """A profile while something in the loop takes ``work_s``."""
    heart, is_stopped = Heart(asyncio.get_running_loop()), threading.Event()
    heart.start()
    ident = threading.get_ident()
    watching = asyncio.ensure_future(
        asyncio.to_thread(lambda: watch_loop(heart, ident, deadline(60), name="n", started_ms=0, is_stopped=is_stopped))
    )
    await asyncio.sleep(0.05)
    hold_the_loop(work_s)
    await asyncio.sleep(0.05)
    is_stopped.set()
    profile = await watching
    heart.stop()
    return profile


async def test_function_that_holds_the_loop_is_named() -> None:
    profile = await watched(1.0)
    assert profile.kind is CONTENTION
    held = sum(row.value for row in profile.rows if any(frame.function == "hold_the_loop" for frame in row.stack))
    assert held > 100_000_000
    assert profile.facts["late_count"] >= 1
    assert profile.facts["lag_max_ms"] > 300


async def test_heart_beats_on_and_stops() -> None:
    heart = Heart(asyncio.get_running_loop())
    heart.start()
    await until(lambda: len(heart.lags_ms) >= 3)
    heart.stop()
    beats = len(heart.lags_ms)
    assert beats >= 3
    await asyncio.sleep(0.05)
    assert len(heart.lags_ms) == beats
    assert heart.late_s() > 0


@pytest.mark.parametrize(
    ("lags", "facts"),
    [
        ([], {"beat_count": 0}),
        ([3.0], {"beat_count": 1, "lag_50_ms": 3.0, "lag_99_ms": 3.0, "lag_max_ms": 3.0}),
        (
            [float(each) for each in range(200)],
            {"beat_count": 200, "lag_50_ms": 100.0, "lag_99_ms": 198.0, "lag_max_ms": 199.0},
        ),
    ],
)
def test_lag_facts(lags: list[float], facts: dict[str, float]) -> None:
    assert lag_facts(lags) == facts
