"""Rules that say who may play and publish; each may take its time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest

logger = logging.getLogger(__name__)

Answer = Callable[[Refusal | None], None]


class Later:
    """What a rule says that is going to answer by a call."""


LATER: Final = Later()


class Rule(Protocol):
    """One reason to say no; rules are asked in order, and the first refusal counts."""

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | Later | None:
        """None for no objection, or ``LATER`` and a call of ``later`` with the same, once and at any time.

        Its limit of time is the rule's own: nothing else ends the wait but the client's leaving.
        """
        ...


class Asking:
    """One request on its way through the rules.

    Attributes:
        is_open: it has been neither answered nor withdrawn.
    """

    __slots__ = ("_request", "_rules", "_then", "_turn", "is_open")

    def __init__(self, rules: Iterator[Rule], request: PlayRequest | PublishRequest, then: Answer) -> None:
        """``then`` is called once with the first refusal or with None, within this call when no rule waits."""
        self._rules = rules
        self._request = request
        self._then = then
        self._turn = 0
        self.is_open = True
        self._go_on()

    def cancel(self) -> None:
        """The client has gone, or does not want it any more: whatever the rules say is of no interest."""
        self.is_open = False

    def _go_on(self) -> None:
        for rule in self._rules:
            self._turn += 1
            verdict = self._ask(rule)
            if isinstance(verdict, Later) or not self.is_open:
                return
            if verdict is not None:
                self._end(verdict)
                return
        if self.is_open:
            self._end(None)

    def _ask(self, rule: Rule) -> Refusal | Later | None:
        """What the rule says; one that fails ends this request only, and lets nobody in."""
        try:
            return rule.check(self._request, self._answer_to(self._turn))
        except Exception:
            logger.exception("rule %s failed for key=%s", type(rule).__name__, self._request.name.key)
            return Refusal(Reason.RULE_FAILED, "the server could not decide")

    def _answer_to(self, turn: int) -> Answer:
        def later(refusal: Refusal | None) -> None:
            if not self.is_open or turn != self._turn:
                return  # withdrawn, or said already
            self._turn += 1
            if refusal is None:
                self._go_on()
            else:
                self._end(refusal)

        return later

    def _end(self, refusal: Refusal | None) -> None:
        self.is_open = False
        self._then(refusal)


class Answered(Asking):
    """A request that nobody had to be asked about."""

    __slots__ = ()

    def __init__(self) -> None:
        self.is_open = False


_ANSWERED: Final = Answered()


class Admission:
    """The rules of a service.

    Attributes:
        rules: asked in this order; a change holds for those who come after it.
    """

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def ask(self, request: PlayRequest | PublishRequest, then: Answer) -> Asking:
        """Call ``then`` with the first refusal, or with None when there is none; see ``Asking``."""
        if not self.rules:
            then(None)
            return _ANSWERED
        return Asking(iter(tuple(self.rules)), request, then)
