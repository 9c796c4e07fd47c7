"""``p2c``: of a few servers drawn at random the one with the best score.

The score is an estimate of latency times the attempts going on, divided by the
weight: low is good. The estimate follows a rise at once and a fall slowly
(*peak* moving average), so a server in trouble is avoided from its first bad
answer; without news it fades, so that it is tried again. The estimate is brpc's,
number for number. The score differs in one thing: a latency below
``NEGLIGIBLE_US`` counts as that. Beside servers that answer within a millisecond
the estimate of a slow one would have to fade for a minute until it is tried
again, and among these chance alone would decide.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence

from lb.attempts import NEGLIGIBLE_US, TIMEOUT_US, Attempts, latency_us_of
from lb.base import BalancerError, SelectRequest
from lb.registry import Entropy, refuse_unknown, register
from lb.weights import parse_weight
from naming.node import ServerNode

_log = logging.getLogger(__name__)

DEFAULT_CHOICES, MIN_CHOICES, MAX_CHOICES = 2, 2, 64
DEFAULT_TAU_MS = 10000
MAX_TAU_MS = 86400000
# A failure never counts as more, or a server would stay avoided long after.
MAX_PUNISH_US = 30_000_000


class Estimate:
    """What is thought of one server; times in microseconds.

    Attributes:
        ewma_us: estimate of the latency at ``stamp_us``, 0 without news.
        weight: the number in its tag, 1 without one.
        attempts: those going on.
    """

    __slots__ = ("attempts", "ewma_us", "stamp_us", "weight")

    def __init__(self, weight: int) -> None:
        self.ewma_us = 0
        self.stamp_us = 0
        self.weight = weight
        self.attempts = Attempts()

    def score(self, now_us: int, tau_us: int) -> float:
        """Lower is better."""
        latency_us = 1.0
        if self.ewma_us:
            latency_us = max(self.ewma_us * math.exp(-max(now_us - self.stamp_us, 0) / tau_us), NEGLIGIBLE_US)
        return latency_us * (self.attempts.count(now_us) + 1) / self.weight

    def learn(self, latency_us: int, is_ok: bool, now_us: int, tau_us: int) -> None:
        """Take an attempt that has finished; a failure counts as a timeout at least."""
        self.attempts.finish(now_us - latency_us)
        sample_us = latency_us
        if not is_ok:
            sample_us = min(max(sample_us, TIMEOUT_US, 2 * self.ewma_us), MAX_PUNISH_US)
        if 0 < sample_us < self.ewma_us:
            keep = math.exp(-max(now_us - self.stamp_us, 0) / tau_us)
            sample_us = int(self.ewma_us * keep + sample_us * (1 - keep))
        self.ewma_us, self.stamp_us = sample_us, now_us


@register("p2c", is_learning=True)
class PowerOfTwoChoices:
    """Compare ``choices`` (2) servers; the estimate fades with ``tau_ms`` (10000)."""

    __slots__ = ("_choices", "_entropy", "_estimates", "_seen", "_tau_us")

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        refuse_unknown("p2c", params, ("choices", "tau_ms"))
        self._choices = _read(params, "choices", DEFAULT_CHOICES, MIN_CHOICES, MAX_CHOICES)
        self._tau_us = _read(params, "tau_ms", DEFAULT_TAU_MS, 1, MAX_TAU_MS) * 1000
        self._entropy = entropy
        self._seen: tuple[ServerNode, ...] = ()
        self._estimates: dict[ServerNode, Estimate] = {}

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return a server that is up, one that was tried only when no other is; None when none is up."""
        self._follow(servers)
        seen, now_us = self._seen, request.now_ms * 1000
        if not seen:
            return None
        if self._choices >= len(seen):
            start = self._entropy(len(seen))
            chosen = self._best((*seen[start:], *seen[:start]), request)
        else:
            chosen = self._best(self._sample(), request) or self._best(seen, request)
        if chosen is None:
            chosen = next((server for server in seen if server not in request.unavailable), None)
        if chosen is not None:
            self._estimates[chosen].attempts.begin(now_us)
        return chosen

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn how long it took; a server that is not in the list is ignored."""
        estimate = self._estimates.get(server)
        if estimate is not None:
            estimate.learn(latency_us_of(latency_ms), is_ok, now_ms * 1000, self._tau_us)

    def _best(self, servers: Iterable[ServerNode], request: SelectRequest) -> ServerNode | None:
        barred, now_us = request.unavailable | request.excluded, request.now_ms * 1000
        candidates = [server for server in servers if server not in barred]
        # The first of equals wins.
        return min(candidates, key=lambda server: self._estimates[server].score(now_us, self._tau_us), default=None)

    def _sample(self) -> list[ServerNode]:
        """Different servers at random: ``choices`` of them unless luck is very bad."""
        drawn: dict[ServerNode, None] = {}
        for _ in range(4 * self._choices + 8):
            drawn[self._seen[self._entropy(len(self._seen))]] = None
            if len(drawn) == self._choices:
                break
        return list(drawn)

    def _follow(self, servers: Sequence[ServerNode]) -> None:
        if servers is self._seen or tuple(servers) == self._seen:
            return
        self._seen = tuple(dict.fromkeys(servers))
        self._estimates = {server: self._estimates.get(server) or Estimate(_weight(server)) for server in self._seen}


def _weight(server: ServerNode) -> int:
    weight = parse_weight(server.tag)
    if weight is None and server.tag:
        text = 'server %s has the weight 1: its tag "%s" is no weight'
        _log.warning(text, server.endpoint, server.tag, extra={"cause": server.endpoint})
    return weight or 1


def _read(params: Mapping[str, str], name: str, default: int, lower: int, upper: int) -> int:
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and lower <= int(text) <= upper):
        raise BalancerError(f'load balancer "p2c": {name}="{text}" is not in {lower}-{upper}')
    return int(text)
