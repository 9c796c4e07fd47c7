"""Recovery after all servers were down: let in only what those that are back can carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lb.base import BalancerError, SelectRequest
from lb.registry import refuse_unknown
from naming.node import ServerNode

# How long a count of the available servers holds (brpc's -detect_available_server_interval_ms).
COUNT_INTERVAL_MS = 10
_NAMES = ("min_working_instances", "hold_seconds")


class RecoverPolicy:
    """Refuse a part of the selections from the moment on when one found nobody that is up.

    brpc finds that out when all servers are isolated. Our callers keep half of them
    at most from everybody, so it is all of them being down that counts. While
    recovering a selection is let in with the probability usable servers /
    ``min_working_instances``, so that the first server to return does not get the
    load of all. It ends when the usable count, not 0, has not changed for more
    than ``hold_seconds``.
    """

    __slots__ = ("_changed_at_ms", "_counted_at_ms", "_entropy", "_hold_ms", "_min_working", "_usable", "is_recovering")

    def __init__(self, min_working_instances: int, hold_seconds: int, entropy: Callable[[int], int]) -> None:
        self._min_working = min_working_instances
        self._hold_ms = hold_seconds * 1000
        self._entropy = entropy
        self._usable = 0
        self._changed_at_ms = 0
        self._counted_at_ms: int | None = None
        self.is_recovering = False

    def begin(self, now_ms: int) -> None:
        """Take the news that a selection found nobody."""
        if not self.is_recovering:
            self.is_recovering = True
            self._usable, self._changed_at_ms, self._counted_at_ms = 0, now_ms, None

    def may_select(self, servers: Sequence[ServerNode], request: SelectRequest) -> bool:
        """Whether this selection is let in."""
        now_ms = request.now_ms
        if not self.is_recovering:
            if not request.down or any(server not in request.down for server in servers):
                return True
            self.begin(now_ms)
        if self._usable and now_ms - self._changed_at_ms > self._hold_ms:
            self.is_recovering = False
            return True
        if self._counted_at_ms is None or now_ms - self._counted_at_ms >= COUNT_INTERVAL_MS:
            self._counted_at_ms = now_ms
            barred = request.unavailable | request.down
            usable = sum(server not in barred for server in servers)
            if usable != self._usable:
                self._usable, self._changed_at_ms = usable, now_ms
        return self._entropy(self._min_working) < self._usable

    def narrow(self, servers: Sequence[ServerNode], request: SelectRequest) -> SelectRequest | None:
        """The selection to make: None for none, one among the servers that are up while recovering."""
        if not self.may_select(servers, request):
            return None
        return replace(request, unavailable=request.unavailable | request.down) if self.is_recovering else request


def recover_policy(params: Mapping[str, str], entropy: Callable[[int], int], balancer: str) -> RecoverPolicy | None:
    """The policy of ``min_working_instances=N hold_seconds=S``; None without parameters.

    Raises BalancerError for another parameter, for one without the other, and
    for a value that is not an integer above 0.
    """
    if not params:
        return None
    refuse_unknown(balancer, params, _NAMES)
    values = []
    for name in _NAMES:
        text = params.get(name, "")
        if not (text.isascii() and text.isdigit() and int(text) > 0):
            raise BalancerError(f'load balancer "{balancer}": {name}="{text}" is not an integer above 0')
        values.append(int(text))
    return RecoverPolicy(values[0], values[1], entropy)
