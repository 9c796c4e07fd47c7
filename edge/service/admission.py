"""Rules that say who may connect, play and publish, and on what terms; each may take its time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from edge.hub.key import StreamKey
from edge.service.names import BadNameError, StreamName, check_key
from edge.service.refusal import Reason, Refusal
from edge.service.request import ConnectRequest, PlayRequest, PublishRequest

logger = logging.getLogger(__name__)

StreamRequest = PlayRequest | PublishRequest

#: Stands for a stream name that is a secret, or may be meant for one.
HIDDEN: Final = "***"


class Later:
    """What a rule says that is going to answer by a call."""


LATER: Final = Later()


@dataclass(frozen=True, slots=True)
class Granted:
    """A yes on terms; of several rules the tightest terms count, and the last name.

    Attributes:
        name: ``app/stream`` under which it goes on, in the same vhost, "" for the same; looked at like any name.
        query: what goes on of what the client said beside the name; None for all of it.
        lifetime_s: how long it may last, 0.0 for as long as it likes.
        max_kbps: most that a publisher may send, 0 for no limit.
        may_be_named: the name, be it this one or the client's own, is no secret.
    """

    name: str = ""
    query: str | None = None
    lifetime_s: float = 0.0
    max_kbps: int = 0
    may_be_named: bool = True


#: A yes without terms, and to a name that is no secret.
YES: Final = Granted()
Verdict = Refusal | Granted | None
Answer = Callable[[Verdict], None]
Then = Callable[[Refusal | None], None]


class Rule(Protocol):
    """One reason to say no; rules are asked in order, and the first refusal counts."""

    def check(self, request: StreamRequest, later: Answer) -> Verdict | Later:
        """None for no objection, terms, or ``LATER`` and a call of ``later`` with one of these, once and at any time.

        Its limit of time is the rule's own: nothing else ends the wait but the client's leaving.
        """
        ...


class ConnectRule(Protocol):
    """The same for clients that have not said what they want."""

    def check_connect(self, request: ConnectRequest, later: Answer) -> Verdict | Later:
        """As ``Rule.check``; of terms there is the name alone, which is another app."""
        ...


def _least(one: float, other: float) -> float:
    """The tighter of two limits, of which 0 is none."""
    return min(one, other) if one and other else one or other


def take_terms(request: StreamRequest, granted: Granted, max_name_bytes: int) -> Refusal | None:
    """Put what a rule grants into ``request``, or say why that cannot be."""
    if granted is YES:
        request.may_be_named = True
        return None
    request.lifetime_s = _least(request.lifetime_s, granted.lifetime_s)
    request.max_kbps = int(_least(request.max_kbps, granted.max_kbps))
    name = request.name
    if granted.name:
        app, _, stream_name = granted.name.partition("/")
        key = name.key._replace(app=app, stream_name=stream_name)
        try:
            check_key(key, max_name_bytes)
        except BadNameError as error:
            return Refusal(Reason.BAD_NAME, f"the name that a rule gives: {error}")
        name = replace(name, key=key)
    if granted.query is not None:
        name = replace(name, query=granted.query)
    request.name = name
    request.may_be_named |= granted.may_be_named
    return None


class Asking:
    """One request on its way through the rules.

    Attributes:
        is_open: it has been neither answered nor withdrawn.
    """

    __slots__ = ("_questions", "_take", "_then", "_turn", "is_open")

    def __init__(
        self,
        questions: Iterator[Callable[[Answer], Verdict | Later]],
        then: Then,
        take: Callable[[Granted], Refusal | None],
    ) -> None:
        """``then`` is called once with the first refusal or with None, within this call when no rule waits.

        ``take`` puts terms into force, or says why it cannot.
        """
        self._questions = questions
        self._then = then
        self._take = take
        self._turn = 0
        self.is_open = True
        self._go_on()

    def cancel(self) -> None:
        """The client has gone, or does not want it any more: whatever the rules say is of no interest."""
        self.is_open = False

    def _go_on(self) -> None:
        for question in self._questions:
            self._turn += 1
            verdict = question(self._answer_to(self._turn))
            if isinstance(verdict, Later) or not self.is_open:
                return
            refusal = self._take(verdict) if isinstance(verdict, Granted) else verdict
            if refusal is not None:
                self._end(refusal)
                return
        if self.is_open:
            self._end(None)

    def _answer_to(self, turn: int) -> Answer:
        def later(verdict: Verdict) -> None:
            if not self.is_open or turn != self._turn:
                return  # withdrawn, or said already
            self._turn += 1
            refusal = self._take(verdict) if isinstance(verdict, Granted) else verdict
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


def take_app(request: ConnectRequest, granted: Granted, max_name_bytes: int) -> Refusal | None:
    """Put another app into ``request``, which is all that a connection may be given, or say why that cannot be."""
    if granted.name:
        try:
            check_key(StreamKey(request.vhost, granted.name, "any"), max_name_bytes)
        except BadNameError as error:
            return Refusal(Reason.BAD_NAME, f"the app that a rule gives: {error}")
        request.app = granted.name
    return None


class Admission:
    """The rules of a service.

    Attributes:
        rules: asked in this order about plays and publishes; a change holds for those who come after it.
        entry_rules: those of ``rules`` that are asked about each viewer of what many viewers share.
        connect_rules: the same about clients that have not said what they want.
        hides: whether the name of a request may be a secret, as long as no rule has said that it is none; None for
            never. Such a name is shown nowhere.
        refused: how many were refused, by what they wanted (``connect``, ``play``, ``publish``) and the reason.
        max_name_bytes: of a name that a rule gives.
        on_refused: hears of each play and publish that a rule has refused; None for nobody.
    """

    def __init__(self, max_name_bytes: int = 512) -> None:
        self.rules: list[Rule] = []
        self.entry_rules: list[Rule] = []
        self.connect_rules: list[ConnectRule] = []
        self.hides: Callable[[StreamRequest], bool] | None = None
        self.refused: Counter[tuple[str, str]] = Counter()
        self.max_name_bytes = max_name_bytes
        self.on_refused: Callable[[StreamRequest, Refusal], None] | None = None

    def ask(self, request: StreamRequest, then: Then) -> Asking:
        """Call ``then`` with the first refusal, or with None when there is none; see ``Asking``."""
        return self._ask(self.rules, request, then)

    def ask_entry(self, request: StreamRequest, then: Then) -> Asking:
        """The same of the rules that look at each viewer, where no play of its own begins."""
        return self._ask(self.entry_rules, request, then)

    def _ask(self, rules: list[Rule], request: StreamRequest, then: Then) -> Asking:
        if not rules:
            then(None)
            return _ANSWERED
        action = "play" if isinstance(request, PlayRequest) else "publish"

        def judged(refusal: Refusal | None) -> None:
            if refusal is not None and self.on_refused is not None:
                self.on_refused(request, refusal)
            then(refusal)

        return Asking(
            (self._question(rule, request) for rule in tuple(rules)),
            self._counted(action, judged),
            lambda granted: take_terms(request, granted, self.max_name_bytes),
        )

    def ask_connect(self, request: ConnectRequest, then: Then) -> Asking:
        """The same for a client that has not said what it wants."""
        if not self.connect_rules:
            then(None)
            return _ANSWERED
        rules = tuple(self.connect_rules)
        questions = (self._connect_question(rule, request) for rule in rules)
        return Asking(
            questions,
            self._counted("connect", then),
            lambda granted: take_app(request, granted, self.max_name_bytes),
        )

    def shown(self, name: StreamName, *, is_secret: bool) -> StreamName:
        """``name`` as logs and pages may have it."""
        return StreamName(name.key._replace(stream_name=HIDDEN)) if is_secret else name

    def may_be_secret(self, request: StreamRequest) -> bool:
        """Whether the name of ``request`` is shown nowhere."""
        return self.hides is not None and not request.may_be_named and self.hides(request)

    def key_of(self, request: StreamRequest) -> StreamKey:
        """What is shown of its name."""
        return self.shown(request.name, is_secret=self.may_be_secret(request)).key

    def _counted(self, action: str, then: Then) -> Then:
        def counted(refusal: Refusal | None) -> None:
            if refusal is not None:
                self.refused[action, refusal.reason.value] += 1
            then(refusal)

        return counted

    def _question(self, rule: Rule, request: StreamRequest) -> Callable[[Answer], Verdict | Later]:
        """What the rule says; one that fails ends this request only, and lets nobody in."""

        def ask(later: Answer) -> Verdict | Later:
            try:
                return rule.check(request, later)
            except Exception:
                logger.exception("rule %s failed for key=%s", type(rule).__name__, self.key_of(request))
                return Refusal(Reason.RULE_FAILED, "the server could not decide")

        return ask

    def _connect_question(self, rule: ConnectRule, request: ConnectRequest) -> Callable[[Answer], Verdict | Later]:
        def ask(later: Answer) -> Verdict | Later:
            try:
                return rule.check_connect(request, later)
            except Exception:
                logger.exception("rule %s failed for a connection to vhost=%s", type(rule).__name__, request.vhost)
                return Refusal(Reason.RULE_FAILED, "the server could not decide")

        return ask
