"""Pulls go home: to the server that a hashing balancer names for their key.

A pull stays where it runs. After a failure, or a change of the list, it may run
at another server than the owner of its key, and new pulls of other nodes ask the
owner: then two shields fetch the stream, for as long as anybody plays it. Between
nodes of ours a pull changes its server at the very next frame, so once the owner
has been up for ``rebalance_after_ms`` it goes there. Where that brings no data the
pull is back within a moment, and the next try comes after twice the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from edge.hub.key import StreamKey
from naming.node import ServerNode

#: Pulls looked at per call, and pulls away from home remembered at a time: a look costs some microseconds.
_LOOKS = 256
_MAX_STRAYS = 512
#: Longest time between two tries of one pull.
_MAX_WAIT_MS = 3_600_000
# Nodes that see a server come back at one moment spread what they give back to it by this part of the time.
_JITTER = 0.2


class Movable(Protocol):
    """A pull, as far as this module is concerned."""

    key: StreamKey
    server: ServerNode | None

    @property
    def is_running(self) -> bool:
        """It has data now."""
        ...

    def move(self) -> bool:
        """Go on at the owner now; False where that is not possible without a loss."""
        ...


@dataclass(slots=True)
class _Stray:
    """A pull away from home: where that is, until when it waits, and how long that is."""

    home: ServerNode
    until_ms: int
    wait_ms: int


class Rebalancer:
    """Finds the pulls that may go home now.

    Attributes:
        move_count: moves so far.
    """

    __slots__ = ("_after_ms", "_home_of", "_jitter", "_looks", "_moves_per_call", "_strays", "move_count")

    def __init__(
        self,
        home_of: Callable[[str, int], ServerNode | None],
        *,
        after_ms: int,
        moves_per_call: int,
        jitter: Callable[[], float],
    ) -> None:
        """``home_of(key_text, now_ms)``: owner of a key if it is up, else None; ``jitter()`` is uniform in [0, 1)."""
        self._home_of = home_of
        self._after_ms = after_ms
        self._moves_per_call = moves_per_call
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
            if pull is None or self._home_of(key.text, now_ms) != stray.home:
                del self._strays[key]
            elif pull.server == stray.home:
                if pull.is_running:
                    del self._strays[key]
            elif stray.until_ms <= now_ms and moves < self._moves_per_call and pull.move():
                moves += 1
                stray.wait_ms = min(2 * stray.wait_ms, _MAX_WAIT_MS)
                stray.until_ms = now_ms + stray.wait_ms
        self.move_count += moves

    def _look(self, pulls: Iterable[Movable], now_ms: int) -> None:
        for pull in pulls:
            if len(self._strays) >= _MAX_STRAYS:
                return
            home = self._home_of(pull.key.text, now_ms)
            if home is not None and pull.server is not None and home != pull.server and pull.key not in self._strays:
                until_ms = now_ms + self._after_ms + int(_JITTER * self._jitter() * self._after_ms)
                self._strays[pull.key] = _Stray(home, until_ms, self._after_ms)
