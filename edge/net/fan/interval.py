"""The automatic flush interval: calls take about ``flush_cpu_pct`` of the loop.

Pure arithmetic: counts and thread CPU time in, an interval out.
"""

from __future__ import annotations

MIN_MS = 10
MAX_MS = 350

#: Cost of a byte, taken out of the measured cost of a call: 0.2 us per KB.
_NS_PER_BYTE = 0.2
_SAMPLE_EVERY = 32


class FlushInterval:
    """Follows what ``send`` calls cost.

    Attributes:
        interval_ms: 0 = every message at once.
        call_us: fixed cost of a call, smoothed.
    """

    __slots__ = (
        "_calls",
        "_cpu_ns",
        "_demand",
        "_demand_per_s",
        "_fixed_ms",
        "_measured_calls",
        "_pct",
        "_raw_ms",
        "_sample",
        "_sent_per_s",
        "_since_ms",
        "call_us",
        "interval_ms",
    )

    def __init__(self, fixed_ms: int, cpu_pct: int) -> None:
        self._fixed_ms = fixed_ms
        self._pct = cpu_pct
        self.interval_ms = max(fixed_ms, 0)
        self.call_us = 5.0
        self._calls = self._demand = self._measured_calls = 0
        self._cpu_ns = 0.0
        self._since_ms = 0
        self._sample = 0
        self._demand_per_s = self._sent_per_s = 0.0
        self._raw_ms = 0.0

    def demand(self, count: int) -> None:
        """``count`` players would have been sent to, had everything gone out at once."""
        self._demand += count

    def sent(self, calls: int) -> None:
        """``calls`` sends were made."""
        self._calls += calls

    def is_sample_due(self) -> bool:
        """True for one in 32 small flushes, so that measuring stays cheap."""
        self._sample += 1
        return self._sample % _SAMPLE_EVERY == 0

    def spent(self, calls: int, size_bytes: int, cpu_ns: int) -> None:
        """A measured flush: ``calls`` sends of ``size_bytes`` together took ``cpu_ns`` of thread CPU time."""
        self._measured_calls += calls
        self._cpu_ns += max(cpu_ns - size_bytes * _NS_PER_BYTE, calls * 1000.0)

    def adapt(self, now_ms: int) -> None:
        """Choose the interval; call a few times a second."""
        elapsed_ms = now_ms - self._since_ms
        if elapsed_ms < 200:
            return
        first = self._since_ms == 0
        self._since_ms = now_ms
        if first:
            self._calls = self._demand = 0
            return
        weight = min(elapsed_ms / 2000.0, 1.0)
        self._demand_per_s += (self._demand * 1000.0 / elapsed_ms - self._demand_per_s) * weight
        self._sent_per_s += (self._calls * 1000.0 / elapsed_ms - self._sent_per_s) * weight
        if self._measured_calls:
            cost_us = min(max(self._cpu_ns / self._measured_calls / 1000.0, 1.0), 50.0)
            self.call_us += (cost_us - self.call_us) * weight
        self._calls = self._demand = self._measured_calls = 0
        self._cpu_ns = 0.0
        if self._fixed_ms < 0:
            self._choose(elapsed_ms)

    def _choose(self, elapsed_ms: int) -> None:
        budget_per_s = self._pct * 10_000.0 / self.call_us
        if self.interval_ms == 0:
            if self._demand_per_s > budget_per_s:
                self._raw_ms = float(MIN_MS)
                self.interval_ms = MIN_MS
            return
        if self._demand_per_s < 0.8 * budget_per_s:
            self._raw_ms = 0.0
            self.interval_ms = 0
            return
        step = 1.0 + 0.25 * elapsed_ms / 1000.0
        target_ms = self._raw_ms * max(self._sent_per_s, 1.0) / budget_per_s
        self._raw_ms = min(max(target_ms, self._raw_ms / step), self._raw_ms * step, float(MAX_MS))
        self._raw_ms = max(self._raw_ms, float(MIN_MS))
        self.interval_ms = int(self._raw_ms) // 10 * 10
