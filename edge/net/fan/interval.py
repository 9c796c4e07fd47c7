"""The automatic flush interval: as long as a viewer does not notice, then as calls cost.

Pure arithmetic: counts and thread CPU time in, an interval out. Its stages:

* at once, while there are so few calls that merging messages would save nothing to speak of;
* ``MERGE_MS``: publishers are read so often (``net/rtmp/ingest.py``), and what has come together goes out together,
  which takes a third of the calls away, and of the turns of the loop. With sound and picture of an ordinary
  stream that pays from some 15 players on;
* up to ``CALM_MS`` such that there are ``CALLS_PER_S``, or less where these take ``flush_cpu_pct`` of the loop;
* beyond that only as ``flush_cpu_pct`` demands.
"""

from __future__ import annotations

MERGE_MS = 16
CALM_MS = 110
_SEND_MS = 2
#: What a turn takes that reads and sends, by what its calls cost; bytes, and all that the pause has put out of the
#: caches, are in it.
_READ_AND_SEND = 1.5
MAX_MS = 350

#: From so many calls a second on messages are merged.
MERGE_FROM_PER_S = 1000
#: Calls that a loop makes before it merges more: 300 players of an ordinary stream are under it, 1,800 at ``CALM_MS``.
CALLS_PER_S = 17000

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
        "_made",
        "_measured_calls",
        "_pct",
        "_raw_ms",
        "_sample",
        "_since_ms",
        "_turn_calls",
        "_turns",
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
        self._demand_per_s = 0.0
        self._raw_ms = 0.0
        # Calls of an interval, times 1000: players of streams that send often enough. Smoothed as such, and not the
        # calls per second, which the interval itself changes: it would be judged by calls of one that is over.
        self._made = 0.0
        # Calls that follow one reading of the publishers, while the interval is brief.
        self._turns = 0
        self._turn_calls = 0.0

    def reconfigure(self, fixed_ms: int, cpu_pct: int) -> None:
        """Keep to ``fixed_ms``, or from its like back to choosing, which begins with every message at once."""
        if fixed_ms != self._fixed_ms:
            self.interval_ms = max(fixed_ms, 0)
            self._raw_ms = self._made = 0.0
        self._fixed_ms, self._pct = fixed_ms, cpu_pct

    @property
    def is_brief(self) -> bool:
        """The interval is automatic, and as long as it takes to merge messages."""
        return self._fixed_ms < 0 and self.interval_ms == MERGE_MS

    @property
    def read_ms(self) -> int:
        """How often publishers are read while the interval is brief: ``MERGE_MS``, and what sending leaves of 2 ms.

        Up to 2 ms less than ``MERGE_MS`` where sending takes longer.
        """
        send_ms = self._turn_calls * self.call_us * _READ_AND_SEND / 1e3
        return MERGE_MS + max(_SEND_MS - int(send_ms), -_SEND_MS)

    @property
    def pump_delay_ms(self) -> int:
        """How long a connection that writes for itself waits for more to write."""
        if self._fixed_ms >= 0:
            return self.interval_ms
        return 0 if self.is_brief else min(self.interval_ms, MERGE_MS)

    def demand(self, count: int) -> None:
        """``count`` calls would have been made, had each message gone to each player by itself."""
        self._demand += count

    def sent(self, calls: int) -> None:
        """``calls`` sends were made."""
        self._calls += calls

    def has_read(self) -> None:
        """The publishers have been read, and what came has been sent."""
        self._turns += 1

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
            self._calls = self._demand = self._turns = 0
            return
        weight = min(elapsed_ms / 2000.0, 1.0)
        self._demand_per_s += (self._demand * 1000.0 / elapsed_ms - self._demand_per_s) * weight
        made = self._raw_ms * self._calls * 1000.0 / elapsed_ms
        self._made += (made - self._made) * (weight if self._made else 1.0)
        if self._measured_calls:
            cost_us = min(max(self._cpu_ns / self._measured_calls / 1000.0, 1.0), 50.0)
            self.call_us += (cost_us - self.call_us) * weight
        if self._turns:
            turn_calls = self._calls / self._turns
            self._turn_calls += (turn_calls - self._turn_calls) * (weight if self._turn_calls else 1.0)
        self._calls = self._demand = self._measured_calls = self._turns = 0
        self._cpu_ns = 0.0
        if self._fixed_ms < 0:
            self._choose(elapsed_ms)

    def _choose(self, elapsed_ms: int) -> None:
        if self.interval_ms == 0:
            if self._demand_per_s > MERGE_FROM_PER_S:
                self._raw_ms = float(MERGE_MS)
                self.interval_ms = MERGE_MS
            return
        if self._demand_per_s < 0.8 * MERGE_FROM_PER_S:
            self._raw_ms = self._made = 0.0
            self.interval_ms = 0
            return
        affordable_per_s = self._pct * 10_000.0 / self.call_us
        target_ms = max(min(self._made / CALLS_PER_S, CALM_MS), self._made / affordable_per_s)
        step = 1.0 + 0.25 * elapsed_ms / 1000.0
        self._raw_ms = min(max(target_ms, self._raw_ms / step), self._raw_ms * step, float(MAX_MS))
        self._raw_ms = max(self._raw_ms, float(MERGE_MS))
        self.interval_ms = int(self._raw_ms) if self._raw_ms < 2 * MERGE_MS else int(self._raw_ms) // 5 * 5
