"""The last hour of a node in looks ten seconds apart: what the charts of the console are drawn from."""

from __future__ import annotations

import asyncio
from collections import deque

from edge.facts.facts import Facts
from edge.facts.records import SampleFacts, TotalFacts
from edge.net.aio import wall_ms
from edge.runtime.loop import LagProbe

PERIOD_S = 10
#: An hour of them.
MAX_SAMPLES = 360


def wait_s(at_ms: int) -> float:
    """Time until the next look, of who has just looked at Unix time ``at_ms``.

    A wall clock that is being slowed down has not quite reached the multiple that was waited for: it is over.
    """
    left_s = PERIOD_S - at_ms % (PERIOD_S * 1000) / 1000
    return left_s if left_s > PERIOD_S / 10 else left_s + PERIOD_S


class History:
    """Looks at a node and remembers.

    Attributes:
        samples: the oldest first.
    """

    def __init__(self, facts: Facts, lag: LagProbe) -> None:
        self.samples: deque[SampleFacts] = deque(maxlen=MAX_SAMPLES)
        self._facts = facts
        self._lag = lag
        self._before: TotalFacts | None = None

    async def run(self) -> None:
        """Take a sample at each multiple of ``PERIOD_S`` of the wall clock, until it is cancelled."""
        await self.look(wall_ms())
        while True:
            await asyncio.sleep(wait_s(wall_ms()))
            await self.look(wall_ms())

    async def look(self, at_ms: int) -> None:
        """Take a sample; the first look is for the next one to compare with.

        Args:
            at_ms: Unix time.
        """
        before, traffic = self._before, await self._facts.totals()
        lag_ms, self._before = self._lag.take_peak_ms(), traffic
        if before is None:
            return
        services = await self._facts.services()
        passed_ms = max(traffic.uptime_ms - before.uptime_ms, 1)
        self.samples.append(
            SampleFacts(
                at_s=(at_ms + PERIOD_S * 500) // (PERIOD_S * 1000) * PERIOD_S,
                stream_count=sum(service.stream_count for service in services),
                player_count=sum(service.player_count for service in services),
                received_bps=max(traffic.received_bytes - before.received_bytes, 0) * 8000 // passed_ms,
                sent_bps=max(traffic.sent_bytes - before.sent_bytes, 0) * 8000 // passed_ms,
                cpu_pct=round(100 * (traffic.cpu_ms - before.cpu_ms) / passed_ms, 1),
                loop_lag_ms=lag_ms,
            )
        )

    def since(self, at_s: int) -> list[SampleFacts]:
        """Those after ``at_s``, the oldest first."""
        return [sample for sample in self.samples if sample.at_s > at_s]
