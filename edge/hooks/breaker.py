"""Leaves a dead server alone: after a few failures in a row nobody waits for it any more.

One that answers is not dead. What it says may be of no use because of what it was asked, so that such answers count
once for each address that asked: nobody can have a server left alone by asking what it has no answer to, nor keep it
so, since an address whose probe came to such an answer leaves those that follow to others.
"""

from __future__ import annotations

from edge.service.client_network import network_of

#: So many in a row open it.
FAILURES = 5
#: How often it is tried, then: at first, and at most.
FIRST_PROBE_MS, LAST_PROBE_MS = 1000, 10_000
#: Addresses whose probes came to nothing; of more all are forgotten.
_MAX_SPENT = 1024


class Breaker:
    """That of one URL.

    Attributes:
        is_open: calls count as unanswered at once.
    """

    __slots__ = ("_askers", "_failure_count", "_probe_at_ms", "_spent", "_wait_ms", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._failure_count = 0
        self._askers: set[bytes | str] = set()
        self._spent: set[bytes | str] = set()
        self._probe_at_ms = 0
        self._wait_ms = FIRST_PROBE_MS

    def is_probe_due(self, now_ms: int, asker: str = "") -> bool:
        """Whether this question is to be put all the same, to see whether it is answered again; once per interval.

        ``asker``: the address of whom it is about. One that has spent a probe gets another when nobody else has
        wanted it for an interval more.
        """
        if not self.is_open or now_ms < self._probe_at_ms:
            return False
        is_others_turn = asker and (network_of(asker) or asker) in self._spent
        if is_others_turn and now_ms < self._probe_at_ms + self._wait_ms:
            return False
        self._wait_ms = min(2 * self._wait_ms, LAST_PROBE_MS)
        self._probe_at_ms = now_ms + self._wait_ms
        return True

    def succeeded(self) -> None:
        """It has answered, be it no."""
        self.is_open = False
        self._failure_count = 0
        self._askers.clear()
        self._spent.clear()
        self._wait_ms = FIRST_PROBE_MS

    def failed(self, now_ms: int, asker: str = "") -> bool:
        """It has not; returns whether that has opened it.

        ``asker``: the address of whom it was asked about, where it has said something of no use; "" where it said
        nothing, as a dead one does.
        """
        if asker and self.is_open:
            if len(self._spent) >= _MAX_SPENT:
                self._spent.clear()
            self._spent.add(network_of(asker) or asker)
        elif asker:
            network = network_of(asker) or asker
            if network in self._askers:
                return False
            self._askers.add(network)
        self._failure_count += 1
        if self.is_open or self._failure_count < FAILURES:
            return False
        self.is_open = True
        self._wait_ms = FIRST_PROBE_MS
        self._probe_at_ms = now_ms + FIRST_PROBE_MS
        return True
