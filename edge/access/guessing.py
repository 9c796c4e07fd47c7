"""Bounds guessing: after so many wrong credentials nothing of an address is looked at for a minute.

Nothing sleeps, and what is kept is bounded: who was heard of last stays.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from edge.service.client_network import network_of

logger = logging.getLogger(__name__)

MAX_ADDRESSES = 65_536
WINDOW_MS = 60_000

_Mark = bytes | str


def _mark_of(host: str) -> _Mark:
    return network_of(host) or host


class _Failures:
    __slots__ = ("blocked_until_ms", "count", "since_ms")

    def __init__(self, now_ms: int) -> None:
        self.since_ms = now_ms
        self.count = 0
        self.blocked_until_ms = 0


class Guessing:
    """The budgets of all addresses.

    Attributes:
        limit: wrong ones in a minute; 0 for no limit.
        is_exempt: whether an address has no budget, such as that of a proxy with many clients.
        blocked_count: how often an address ran out of it.
    """

    def __init__(self, limit: int, now_ms: Callable[[], int], is_exempt: Callable[[str], bool]) -> None:
        """``now_ms``: a monotonic clock."""
        self.limit = limit
        self.is_exempt = is_exempt
        self.blocked_count = 0
        self._now_ms = now_ms
        self._all_free_ms = 0
        self._addresses: OrderedDict[_Mark, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._addresses)

    def wait_s(self, host: str) -> int:
        """How long nothing of ``host`` is looked at, in seconds, rounded up; 0 while it is."""
        if not self._all_free_ms or self._now_ms() >= self._all_free_ms:
            return 0
        found = self._addresses.get(_mark_of(host))
        if found is None or not found.blocked_until_ms or not self.limit:
            return 0
        left_ms = found.blocked_until_ms - self._now_ms()
        if left_ms <= 0 or self.is_exempt(host):  # it may be so since a reload
            return 0
        return -(-left_ms // 1000)

    def failed(self, host: str) -> None:
        """A credential from ``host`` was wrong."""
        if not self.limit or self.is_exempt(host):
            return
        now_ms, mark = self._now_ms(), _mark_of(host)
        found = self._addresses.get(mark)
        if found is None:
            found = self._addresses[mark] = _Failures(now_ms)
            if len(self._addresses) > MAX_ADDRESSES:
                self._addresses.popitem(last=False)
        else:
            self._addresses.move_to_end(mark)
        if now_ms - found.since_ms >= WINDOW_MS:
            found.since_ms, found.count = now_ms, 0
        found.count += 1
        if found.count >= self.limit and found.blocked_until_ms <= now_ms:
            found.blocked_until_ms = self._all_free_ms = now_ms + WINDOW_MS
            found.since_ms, found.count = now_ms, 0
            self.blocked_count += 1
            text = "%d wrong credentials in a minute from %s: for a minute all of it is refused, right ones too"
            logger.warning(text, self.limit, host, extra={"cause": f"guessing {host}"})
