"""How far the clock of a neighbouring node is from ours, by questions that it answers with its time.

A question leaves at ``sent_us`` by our clock, is answered at ``peer_us`` by the
peer's, and the answer is here at ``received_us``. Neither way takes less than
nothing, so what must be added to the peer's time to get ours lies between
``sent_us - peer_us`` and ``received_us - peer_us``. Of several answers each bound
counts where it is narrowest: a question that was held up widens its own upper bound,
and no answer needs to have been quick both ways. The middle of what remains is the
estimate; half the width is how wrong it can be at most.

Both clocks are ones that never step (``net/aio.py``, ``clock_us``), and run apart by
parts in a million. When two answers contradict each other by more than that, the
peer's clock stood still, as that of a suspended machine does, and the old answers go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

#: Answers that count, and how often one is asked for until there are as many, and from then on.
_KEPT = 16
_FIRST_EVERY_US = 900_000
_EVERY_US = 4_000_000
#: So many questions follow each other at once in the beginning.
_AT_ONCE = 4
#: How much clocks that are kept by NTP may run apart in a second (RFC 5905 §7.2, PHI 15e-6), for both of them.
_DRIFT = 30e-6


class _Answer(NamedTuple):
    """Bounds of what is added to the peer's time, in microseconds, and when the answer came."""

    low_us: int
    high_us: int
    at_us: int


class PeerClock:
    """The clock of one peer, as far as its answers tell.

    Attributes:
        answer_count: answers so far.
    """

    __slots__ = ("_answers", "_ask", "_asked_us", "_clock_us", "_estimate_us", "_last_us", "answer_count")

    def __init__(self, clock_us: Callable[[], int], ask: Callable[[int], None]) -> None:
        """``ask`` puts the question that left at a time of ``clock_us``, which is ours."""
        self._clock_us = clock_us
        self._ask: Callable[[int], None] | None = ask
        self._answers: deque[_Answer] = deque(maxlen=_KEPT)
        self._asked_us: set[int] = set()
        self._last_us: int | None = None
        self._estimate_us: int | None = None
        self.answer_count = 0

    def keep(self) -> None:
        """Ask where that is due; called about once a second while the clock is of use."""
        now_us = self._clock_us()
        every_us = _EVERY_US if len(self._answers) >= _KEPT else _FIRST_EVERY_US
        if self._last_us is None or now_us - self._last_us >= every_us:
            self._put_question(now_us)

    def _put_question(self, now_us: int) -> None:
        if self._ask is None:
            return
        if len(self._asked_us) >= _KEPT:
            self._asked_us.clear()  # it does not answer those any more
        self._asked_us.add(now_us)
        self._last_us = now_us
        self._ask(now_us)

    def told(self, sent_us: int, peer_us: int) -> None:
        """The answer to the question of ``sent_us`` has come; one that was not asked for is left out."""
        if sent_us not in self._asked_us:
            return
        self._asked_us.discard(sent_us)
        now_us = self._clock_us()
        self.answer_count += 1
        self._answers.append(_Answer(sent_us - peer_us, now_us - peer_us, now_us))
        low_us, high_us = self._bounds(now_us)
        if low_us > high_us:
            newest = self._answers[-1]
            self._answers.clear()
            self._answers.append(newest)
            low_us, high_us = newest.low_us, newest.high_us
        self._estimate_us = round((low_us + high_us) / 2)
        if self.answer_count < _AT_ONCE:
            self._put_question(now_us)

    def _bounds(self, now_us: int) -> tuple[float, float]:
        """The narrowest bounds; those of an old answer widen with its age."""
        low_us = max(answer.low_us - _DRIFT * (now_us - answer.at_us) for answer in self._answers)
        high_us = min(answer.high_us + _DRIFT * (now_us - answer.at_us) for answer in self._answers)
        return low_us, high_us

    def ours(self, peer_us: int) -> int | None:
        """A time of the peer's by our clock, in microseconds; None before the first answer."""
        return peer_us + self._estimate_us if self._estimate_us is not None else None

    @property
    def error_us(self) -> int | None:
        """How wrong ``ours`` can be at most; None before the first answer."""
        if not self._answers:
            return None
        low_us, high_us = self._bounds(self._clock_us())
        return round((high_us - low_us) / 2)

    def close(self) -> None:
        """The connection is over: nothing more is asked."""
        self._ask = None
