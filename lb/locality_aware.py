"""``la``: a random server, with chances that follow what each has done lately.

The weight of a server is its finished attempts per second divided by their mean
latency, both over the last 128. While attempts are going on for longer than
they used to, it is lowered already. All arithmetic is in integers. This is as in
brpc, number for number; what is done with the weights differs.

brpc draws by the weights. Where all that a server does is what was drawn, its
throughput is its share, so each share feeds itself: equal servers drift apart,
and one that was slow for a while stays without work for good. Here

- the draw goes by the geometric mean of the weight and of what it were at equal
  throughput: shares settle, at the inverse square of the latencies;
- a latency below ``NEGLIGIBLE_US`` counts as that, or servers that answer within
  a millisecond would differ by chance alone;
- samples older than ``MEMORY_US`` are forgotten, since those of a server that is
  seldom asked are older than those of the others;
- a server that was not chosen for ``MEASURE_AFTER_US`` is, without a draw, or one
  that is a hundred times slower would never show that it is no longer. All of
  these together are at most one selection in ``MEASURE_EVERY``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import isqrt

from lb.attempts import NEGLIGIBLE_US, TIMEOUT_US, Attempts, latency_us_of
from lb.base import SelectRequest
from lb.registry import Entropy, refuse_unknown, register
from naming.node import ServerNode

# brpc's: with it the sums of weights stay within 63 bits.
WEIGHT_SCALE = (2**63 - 1) // 72000000 // 127
MIN_WEIGHT = 1000
MAX_SAMPLES = 128
# Samples are forgotten at this age, but for the last few.
MEMORY_US = 5_000_000
MIN_SAMPLES = 2
# A server is measured again when it was not chosen for this long, and so many selections at least
# lie between two such choices.
MEASURE_AFTER_US = 3_000_000
MEASURE_EVERY = 10
_SECOND_US = 1_000_000


class Record:
    """What one server did lately; times in microseconds.

    Attributes:
        base_weight: from finished attempts.
        weight: ``base_weight`` less what attempts that take long cost it.
        mean_latency_us: of the samples, 0 without one.
        attempts: those going on.
        chosen_us: when it was last chosen, or else came into the list.
    """

    __slots__ = ("_samples", "attempts", "base_weight", "chosen_us", "mean_latency_us", "weight")

    def __init__(self, weight: int, now_us: int = 0) -> None:
        self.weight = self.base_weight = weight
        self.chosen_us = now_us
        self.mean_latency_us = 0
        self.attempts = Attempts()
        # (sum of latencies up to this one, moment of its end)
        self._samples: deque[tuple[int, int]] = deque(maxlen=MAX_SAMPLES)

    def reweigh(self, now_us: int) -> int:
        """Work ``weight`` out again and return it."""
        weight, age_us = self.base_weight, self.attempts.mean_age_us(now_us)
        # One and a half of the usual latency is still no sign of trouble.
        limit_us = self.mean_latency_us * 3 // 2
        if age_us and self.mean_latency_us and age_us >= limit_us:
            weight = weight * limit_us // age_us
        self.weight = max(weight, MIN_WEIGHT)
        return self.weight

    def chance(self, usual_us: int) -> int:
        """Its part of a draw; ``usual_us`` stands for the latency while it is not known."""
        latency_us = self.mean_latency_us or usual_us
        return max(isqrt(self.weight * latency_us * WEIGHT_SCALE) // max(latency_us, NEGLIGIBLE_US), 1)

    def limit(self, most: int) -> None:
        """It is down: let it come back with no more than ``most``."""
        if self.base_weight > most:
            self.base_weight = most
            self.weight = max(most, MIN_WEIGHT)

    def learn(self, latency_us: int, is_ok: bool, now_us: int) -> None:
        """Take an attempt that has finished.

        A failure counts as a timeout at least. It makes the newest sample
        longer rather than being one, so that failing fast adds no throughput.
        """
        self.attempts.finish(now_us - latency_us)
        total_us = self._samples[-1][0] if self._samples else 0
        if is_ok:
            self._samples.append((total_us + latency_us, now_us))
        else:
            if self._samples:
                self._samples.pop()
            self._samples.append((total_us + max(latency_us * 6 // 5, TIMEOUT_US), now_us))
        while len(self._samples) > MIN_SAMPLES and now_us - self._samples[0][1] > MEMORY_US:
            self._samples.popleft()
        self._average(now_us)

    def _average(self, now_us: int) -> None:
        (first_total_us, first_end_us), (total_us, _) = self._samples[0], self._samples[-1]
        steps = len(self._samples) - 1
        span_us = now_us - first_end_us
        scaled_qps = WEIGHT_SCALE
        if span_us > 0 and steps:
            if steps + 1 == MAX_SAMPLES or span_us >= _SECOND_US:
                scaled_qps = max(steps * _SECOND_US * WEIGHT_SCALE // span_us, WEIGHT_SCALE)
            mean_latency_us = (total_us - first_total_us) // steps
        elif steps == 0:
            mean_latency_us = total_us
        else:
            return
        if mean_latency_us > 0:
            self.mean_latency_us = mean_latency_us
            self.base_weight = scaled_qps // mean_latency_us
            self.reweigh(now_us)


@register("la", is_learning=True)
class LocalityAware:
    """Draw by weights that are learned; there are no parameters.

    brpc draws from all servers, again when it meets one that is down or was
    tried; here the draw is among those that may be chosen, with the same shares.
    """

    __slots__ = ("_entropy", "_records", "_seen", "_selections")

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        refuse_unknown("la", params, ())
        # Since a server was chosen to be measured.
        self._selections = 0
        self._entropy = entropy
        self._seen: tuple[ServerNode, ...] = ()
        self._records: dict[ServerNode, Record] = {}

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return a server that is up, one that was tried only when no other is; None when none is up."""
        now_us = request.now_ms * 1000
        self._follow(servers, now_us)
        up = [server for server in self._seen if server not in request.unavailable]
        if len(up) < len(self._seen):
            mean = self._total(self._seen) // len(self._seen)
            for server in request.unavailable & self._records.keys():
                self._records[server].limit(mean)
        candidates = [server for server in up if server not in request.excluded] or up
        chosen = self._unmeasured(candidates, now_us) or self._choose(candidates, now_us)
        if chosen is not None:
            record = self._records[chosen]
            record.chosen_us = now_us
            record.attempts.begin(now_us)
        return chosen

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn how long it took; a server that is not in the list is ignored."""
        record = self._records.get(server)
        if record is not None:
            record.learn(latency_us_of(latency_ms), is_ok, now_ms * 1000)

    def _unmeasured(self, candidates: Sequence[ServerNode], now_us: int) -> ServerNode | None:
        """The one that has waited longest to be chosen, when that is too long and one may be measured again."""
        self._selections += 1
        if self._selections < MEASURE_EVERY or not candidates:
            return None
        oldest = min(candidates, key=lambda server: self._records[server].chosen_us)
        if now_us - self._records[oldest].chosen_us < MEASURE_AFTER_US:
            return None
        self._selections = 0
        return oldest

    def _choose(self, candidates: Sequence[ServerNode], now_us: int) -> ServerNode | None:
        """One by chance; None without candidates."""
        chosen = None
        known_us = [record.mean_latency_us for record in self._records.values() if record.mean_latency_us]
        usual_us = sum(known_us) // len(known_us) if known_us else 1
        for _ in candidates:
            chosen, depth = self._draw(candidates, usual_us)
            record = self._records[chosen]
            record.reweigh(now_us)
            if record.chance(usual_us) >= depth:
                break  # what it lost by waiting did not reach to where it was hit
        return chosen

    def _follow(self, servers: Sequence[ServerNode], now_us: int) -> None:
        if servers is self._seen or tuple(servers) == self._seen:
            return
        self._seen = tuple(dict.fromkeys(servers))
        records = {server: self._records[server] for server in self._seen if server in self._records}
        for server in self._seen:
            if server not in records:
                total = sum(record.weight for record in records.values())
                records[server] = Record(total // len(records) if records else WEIGHT_SCALE, now_us)
        self._records = records

    def _total(self, servers: Iterable[ServerNode]) -> int:
        return sum(self._records[server].weight for server in servers)

    def _draw(self, candidates: Sequence[ServerNode], usual_us: int) -> tuple[ServerNode, int]:
        """A server by chance, and how deep in its part of all chances the draw lies."""
        chances = [self._records[server].chance(usual_us) for server in candidates]
        draw = self._entropy(sum(chances))
        for server, chance in zip(candidates, chances, strict=True):
            if draw < chance:
                return server, draw
            draw -= chance
        raise AssertionError("the draw is below the sum of the chances")
