"""Pulls go to where they belong while all is well: to the owner of their key, and away from a server off the list.

A pull stays where it runs. After a failure, or a change of the list, it may run
at another server than the one that a hashing balancer names for its key, and new
pulls of other nodes ask that one: then two shields fetch the stream, for as long
as anybody plays it. Or its server has been taken off the list, to be shut down.
Between nodes of ours a pull changes its server at the very next frame, so when it
has been away for ``rebalance_after_ms`` it is moved. Where that brings no data it is
back within a moment, and the next try comes after twice the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from edge.hub.key import StreamKey

#: Pulls looked at per call, and pulls that are away remembered at a time: a look costs some microseconds.
_LOOKS = 256
_MAX_STRAYS = 512
#: Longest time between two tries of one pull.
_MAX_WAIT_MS = 3_600_000
# Nodes that see a server come back at one moment spread what they give back to it by this part of the time.
_JITTER = 0.2


class Movable(Protocol):
    """A pull, as far as this module is concerned."""

    key: StreamKey

    def is_away(self, now_ms: int) -> bool:
        """It belongs elsewhere, and may go there."""
        ...

    @property
    def is_running(self) -> bool:
        """It has data now."""
        ...

    def move(self) -> bool:
        """Ask the balancer again and go on there; False where that is not possible now."""
        ...


@dataclass(slots=True)
class _Stray:
    """A pull that is away: until when it stays, and how long that is.

    ``is_doubtful``: it was not away at the last look.
    """

    until_ms: int
    wait_ms: int
    is_doubtful: bool = False


class Rebalancer:
    """Finds the pulls to move.

    Attributes:
        move_count: moves so far.
        moves_per_call: most moves of one call.
    """

    __slots__ = ("_after_ms", "_jitter", "_looks", "_strays", "move_count", "moves_per_call")

    def __init__(self, *, after_ms: int, moves_per_call: int, jitter: Callable[[], float]) -> None:
        """``jitter()`` is uniform in [0, 1)."""
        self._after_ms = after_ms
        self.moves_per_call = moves_per_call
        self._jitter = jitter
        self._looks: Iterator[Movable] = iter(())
        self._strays: dict[StreamKey, _Stray] = {}
        self.move_count = 0

    def tick(self, pulls: Mapping[StreamKey, Movable], now_ms: int) -> None:
        """Look at some of the pulls, in turn, and move those whose time has come. Call once a second."""
        if self._after_ms <= 0:
            return
        batch = list(islice(self._looks, _LOOKS))
        if len(batch) < _LOOKS:
            self._looks = iter(list(pulls.values()))
        self._look(batch, now_ms)
        moves = 0
        for key, stray in list(self._strays.items()):
            pull = pulls.get(key)
            if pull is None:
                del self._strays[key]
            elif not pull.is_away(now_ms):
                # Else it is under way, or its owner is being tried out by another pull at this moment.
                if pull.is_running and stray.is_doubtful:
                    del self._strays[key]
                stray.is_doubtful = pull.is_running
            elif stray.until_ms <= now_ms and moves < self.moves_per_call and pull.move():
                moves += 1
                stray.wait_ms = min(2 * stray.wait_ms, _MAX_WAIT_MS)
                stray.until_ms = now_ms + stray.wait_ms
            else:
                stray.is_doubtful = False
        self.move_count += moves

    def _look(self, pulls: Iterable[Movable], now_ms: int) -> None:
        for pull in pulls:
            if len(self._strays) >= _MAX_STRAYS:
                return
            if pull.key not in self._strays and pull.is_away(now_ms):
                until_ms = now_ms + self._after_ms + int(_JITTER * self._jitter() * self._after_ms)
                self._strays[pull.key] = _Stray(until_ms, self._after_ms)
