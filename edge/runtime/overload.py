"""Does what the guard of a process says: closes the door, cuts caches, closes the slowest players."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from edge.hub.registry import Registry
from edge.net import system
from edge.runtime.memory import memory_limit_bytes, resident_bytes
from edge.service.config import OverloadConfig
from edge.service.grants import Play
from edge.service.overload import Level, OverloadGuard
from edge.service.refusal import Reason, Refusal
from edge.service.service import Service

logger = logging.getLogger(__name__)

#: How often players are closed, and free memory is given back, while it is short.
_CLOSING_MS = 1000
_GIVING_BACK_MS = 5000
#: After something has been loaded: what is known of the loop's lag is a second old.
_EXCUSED_MS = 2000
#: Of the players that there are, closed at once.
_CLOSED_SHARE = 1 / 32
_WORDS = {
    Level.REFUSING: "newcomers are refused",
    Level.CUTTING: "newcomers are refused, streams keep one group of pictures",
    Level.CLOSING: "newcomers are refused, streams keep one group of pictures, the slowest players are closed",
}


class Unit(Protocol):
    """One service, as far as it is shed from."""

    registry: Registry
    service: Service


class Lag(Protocol):
    """How late the loop is (``LagProbe``)."""

    @property
    def p90_ms(self) -> int:
        """Nine of the last ten turns were no later."""
        ...


class Overload:
    """Looks four times a second at memory and lag, and acts.

    Attributes:
        guard: decides.
        closed_count: players that were closed to have memory.
    """

    def __init__(
        self,
        config: OverloadConfig,
        units: Sequence[Unit],
        lag: Lag,
        *,
        is_loading: Callable[[], bool] = lambda: False,
        resident_bytes: Callable[[], int | None] = resident_bytes,
        give_back: Callable[[], object] = system.give_memory_back,
    ) -> None:
        """``is_loading``: a part of the program is being loaded, for which the loop may be late and soon is not."""
        self.config = config
        self.guard = OverloadGuard(config, memory_limit_bytes(config.max_memory_mb))
        self.closed_count = 0
        self._units = units
        self._lag = lag
        self._is_loading = is_loading
        self._excused_until_ms = 0
        self._resident_bytes = resident_bytes
        self._give_back = give_back
        self._level = Level.CALM
        self._close_at_ms = self._give_back_at_ms = 0
        for unit in units:
            unit.service.guard = self.guard

    def reconfigure(self, config: OverloadConfig) -> None:
        """Other limits from the next look on."""
        if config != self.config:
            self.config = config
            self.guard.reconfigure(config, memory_limit_bytes(config.max_memory_mb))

    def counters(self) -> dict[str, int]:
        """For pages and metrics."""
        return {
            "overload_level": int(self.guard.level),
            "overload_refused_count": self.guard.refused_count,
            "overload_closed_count": self.closed_count,
            "memory_limit_bytes": self.guard.limit_bytes,
        }

    @property
    def state(self) -> str:
        """For people: what is done and why, "" while nothing is."""
        return f"{_WORDS[self._level]}: {self.guard.reason}" if self._level else ""

    def tick(self, now_ms: int) -> None:
        """Four times a second."""
        if self._is_loading():
            self._excused_until_ms = now_ms + _EXCUSED_MS
        lag_ms = self._lag.p90_ms if now_ms >= self._excused_until_ms else 0
        self.guard.look(now_ms, resident_bytes=self._resident_bytes(), lag_ms=lag_ms)
        level = self.guard.level
        if level is not self._level:
            self._enter(level)
        if level >= Level.CUTTING and now_ms >= self._give_back_at_ms:
            self._give_back_at_ms = now_ms + _GIVING_BACK_MS
            self._give_back()
        if level is Level.CLOSING and now_ms >= self._close_at_ms:
            self._close_at_ms = now_ms + _CLOSING_MS
            self._close_slowest()

    def _enter(self, level: Level) -> None:
        before, self._level = self._level, level
        if (before >= Level.CUTTING) is not (level >= Level.CUTTING):
            for unit in self._units:
                unit.registry.tighten(level >= Level.CUTTING)
        if (before > Level.CALM) is not (level > Level.CALM):
            self._guard_doors(is_shut=level > Level.CALM)
        if level > before:
            # A cause each, so that one that comes a minute after another is a warning too.
            extra = {"cause": f"{self.guard.cause} {level.name}"}
            logger.warning("overloaded cause=%s: %s", self.guard.cause, self.state, extra=extra)
        else:
            logger.info("overload is over: %s", self.state or "newcomers are let in")

    def _guard_doors(self, *, is_shut: bool) -> None:
        """The guard is the first rule while it has something to say: cheaper than any other, and costs nobody else."""
        for unit in self._units:
            rules = unit.service.admission.rules
            if is_shut:
                rules.insert(0, self.guard)
            else:
                rules.remove(self.guard)

    def _close_slowest(self) -> None:
        """Some of the players, those first that are farthest behind; other nodes, which have many viewers, last."""
        plays = sorted(self._plays(), key=lambda found: (found[1].is_internal, -found[0]))
        for _, play in plays[: max(int(len(plays) * _CLOSED_SHARE), 1)]:
            self.closed_count += 1
            play.stop(Refusal(Reason.OVERLOADED, f"the server is overloaded: {self.guard.reason}"))

    def _plays(self) -> Iterator[tuple[int, Play]]:
        """How far each is behind; those of HLS are shared by their viewers, who hold nothing."""
        for unit in self._units:
            for stream in unit.registry.streams.values():
                for play in stream.roster.plays():
                    if not play.client.protocol.startswith("hls"):
                        at = play.served.next_seq
                        yield (stream.queue.end - at if at is not None else 0), play
