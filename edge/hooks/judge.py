"""Asks who may publish and play: each question once, whoever asks it at the same time, and not for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from typing import NamedTuple

from edge.hooks.answer import Answer, No, Unusable, Yes
from edge.hooks.breaker import Breaker
from edge.hooks.caller import Caller, CallFailedError, shown
from edge.hooks.config import HookConfig
from edge.hooks.event import Event
from edge.hooks.figures import Figures
from edge.hooks.forms import FORMS
from edge.hooks.memory import Memory
from edge.hooks.places import Places
from edge.hooks.signature import sign
from edge.net.aio import TaskOwner, spawn

logger = logging.getLogger(__name__)


class Ground(Enum):
    """Why a verdict is what it is; the values are words for logs."""

    #: The servers were called for this client.
    ASKED = "asked"
    #: They were called for another one who asked the same at the same time.
    SHARED = "shared"
    #: They have said so lately.
    CACHED = "cached"
    #: They do not answer, and have said so before.
    GRACE = "grace"
    #: They do not answer.
    FAILURE = "failure"


class Verdict(NamedTuple):
    """What is decided: ``Unusable`` is a no as well, for want of an answer."""

    answer: Answer
    ground: Ground


Then = Callable[[Verdict], None]


class Signing:
    """Headers of calls: a signature, where there is a secret.

    Attributes:
        secrets: by path of their file.
    """

    def __init__(self, new_id: Callable[[], str], wall_ms: Callable[[], int]) -> None:
        self.secrets: dict[str, bytes] = {}
        self._new_id = new_id
        self._wall_ms = wall_ms

    def headers(self, path: str, body: bytes) -> dict[str, str]:
        """For one call; raises CallFailedError where the secret is not there: an unsigned one would be refused."""
        if not path:
            return {}
        secret = self.secrets.get(path)
        if secret is None:
            raise CallFailedError("-hook_secret_file could not be read")
        return sign(secret, f"msg_{self._new_id()}", self._wall_ms() // 1000, body)


class _Flight:
    """A question under way, and who waits for the answer."""

    __slots__ = ("began_ms", "waiting")

    def __init__(self, began_ms: int) -> None:
        self.began_ms = began_ms
        self.waiting: list[Then] = []


class Questions:
    """Puts questions, to whom ``call`` knows how to ask.

    Attributes:
        what: whom, for people.
        memory: each yes that was given.
        places: calls in progress.
    """

    what = "hook"

    def __init__(self, figures: Figures, places: Places, now_ms: Callable[[], int]) -> None:
        self.memory = Memory()
        self.places = places
        self._figures = figures
        self._now_ms = now_ms
        self._breakers: dict[str, Breaker] = {}
        self._flights: dict[Hashable, _Flight] = {}
        self._tasks = TaskOwner("hooks")

    @property
    def open_count(self) -> int:
        """Servers that are left alone at present."""
        return sum(breaker.is_open for breaker in self._breakers.values())

    def keep_only(self, urls: Iterable[str]) -> None:
        """Forget what is known of servers that nobody calls any more."""
        known = set(urls)
        self._breakers = {url: breaker for url, breaker in self._breakers.items() if url in known}

    async def close(self) -> None:
        """End what is under way; nobody is answered."""
        await self._tasks.close()

    def question_of(self, event: Event, config: HookConfig) -> Hashable:
        """What makes a question the very same: whom is asked, how, and what."""
        return (config.urls(event.action), config.hook_form, event.question)

    def ask(self, event: Event, config: HookConfig, then: Then) -> Verdict | None:
        """The verdict, if it is known at once; else None, and ``then`` is called with it."""
        question, now_ms = self.question_of(event, config), self._now_ms()
        cached = self.memory.cached(question, config.hook_cache_s, now_ms)
        if cached is not None:
            self._figures.counts["hook_cached_count"] += 1
            return Verdict(cached, Ground.CACHED)
        flight, urls = self._flights.get(question), config.urls(event.action)
        left_alone = [url for url in urls if self._breaker(url).is_open]
        if left_alone and (config.hook_failure == "deny" or left_alone == list(urls)):
            # Nor does anybody wait for a call that began before.
            if flight is None and any(self._breakers[url].is_probe_due(now_ms, event.ip) for url in left_alone):
                self._begin(event, config, question, is_probe=True)
            return self._unanswered(question, config, Unusable(f"{shown(left_alone[0])} does not answer"), now_ms)
        if flight is None:
            flight = self._begin(event, config, question)
        flight.waiting.append(then)
        return None

    def _breaker(self, url: str) -> Breaker:
        breaker = self._breakers.get(url)
        if breaker is None:
            breaker = self._breakers[url] = Breaker()
        return breaker

    def _begin(self, event: Event, config: HookConfig, question: Hashable, *, is_probe: bool = False) -> _Flight:
        """Call the servers; of a probe nobody waits for the answer."""
        flight = _Flight(self._now_ms())
        if not is_probe:
            self._flights[question] = flight
        spawn(self._fly(event, config, question, flight, is_probe=is_probe), name="hook", owner=self._tasks)
        return flight

    async def _fly(
        self, event: Event, config: HookConfig, question: Hashable, flight: _Flight, *, is_probe: bool
    ) -> None:
        try:
            answer = await self._ask_all(event, config, is_probe=is_probe)
        except Exception:
            logger.exception("%s %s failed", self.what, event.action.value)
            answer = Unusable("a fault of ours")
        finally:
            if self._flights.get(question) is flight:
                del self._flights[question]
        now_ms = self._now_ms()
        if isinstance(answer, Yes):
            self.memory.said_yes(question, answer, now_ms)
        elif isinstance(answer, No):
            self.memory.said_no(question)
        for number, then in enumerate(flight.waiting):
            ground = Ground.SHARED if number else Ground.ASKED
            verdict = Verdict(answer, ground)
            if isinstance(answer, Unusable):
                verdict = self._unanswered(question, config, answer, flight.began_ms)
            try:
                then(verdict)
            except Exception:
                logger.exception("%s %s: its verdict could not be acted on", self.what, event.action.value)

    def _unanswered(self, question: Hashable, config: HookConfig, answer: Unusable, asked_ms: int) -> Verdict:
        """What holds for a question of ``asked_ms``."""
        counts = self._figures.counts
        graced = self.memory.graced(question, config.hook_grace_s, asked_ms)
        if graced is not None:
            counts["hook_graced_count"] += 1
            return Verdict(graced, Ground.GRACE)
        if config.hook_failure == "allow":
            counts["hook_allowed_count"] += 1
            return Verdict(Yes(), Ground.FAILURE)
        counts["hook_denied_count"] += 1
        return Verdict(answer, Ground.FAILURE)

    async def _ask_all(self, event: Event, config: HookConfig, *, is_probe: bool) -> Answer:
        """The servers in turn, all within one limit of time; the first that does not say yes ends it."""
        until_ms = self._now_ms() + config.hook_timeout_ms
        together: Yes | Unusable = Yes()
        for url in config.urls(event.action):
            answer = await self._ask_one(event, config, url, until_ms, is_probe=is_probe)
            if isinstance(answer, No):
                return answer
            if isinstance(answer, Unusable):
                together = answer
                if config.hook_failure == "deny":
                    return together
            elif isinstance(together, Yes):
                together = together.and_then(answer)
        return together

    async def _ask_one(self, event: Event, config: HookConfig, url: str, until_ms: int, *, is_probe: bool) -> Answer:
        breaker = self._breaker(url)
        if breaker.is_open and not is_probe:
            return Unusable(f"{shown(url)} does not answer")
        began_ms = self._now_ms()
        answer: Answer
        try:
            async with asyncio.timeout(max(until_ms - began_ms, 0) / 1000):
                if not await self.places.take(url):
                    return Unusable(f"{shown(url)} does not answer")
            try:
                if breaker.is_open and not is_probe:
                    return Unusable(f"{shown(url)} does not answer")
                answer = await self.call(event, config, url, within_ms=until_ms - self._now_ms())
            finally:
                self.places.give_back()
        except TimeoutError:
            answer = Unusable(f"no place for a call in {config.hook_timeout_ms} ms")
        self._figures.called(event.action, shown(url), answer, self._now_ms() - began_ms)
        if not isinstance(answer, Unusable):
            breaker.succeeded()
        elif breaker.failed(self._now_ms(), event.ip if answer.is_said else ""):
            logger.warning("%s %s is left alone: it has not answered several times in a row", self.what, shown(url))
            self.places.give_up(url)
        return answer

    async def ask_about(self, event: Event, config: HookConfig) -> Answer:
        """What is said of a session that goes on: nothing is remembered, and a server that is left alone says none."""
        answer: Answer = Unusable("nobody to ask")
        for url in config.urls(event.action):
            breaker = self._breaker(url)
            is_probe = breaker.is_open and breaker.is_probe_due(self._now_ms(), event.ip)
            until_ms = self._now_ms() + config.hook_timeout_ms
            answer = await self._ask_one(event, config, url, until_ms, is_probe=is_probe)
            if isinstance(answer, No):
                return answer
        return answer

    async def call(self, event: Event, config: HookConfig, url: str, *, within_ms: int) -> Answer:
        """What one server says, without regard to what is known of it."""
        raise NotImplementedError


class Judge(Questions):
    """Puts questions to servers of the operator, by HTTP."""

    def __init__(
        self, caller: Caller, signing: Signing, figures: Figures, places: Places, now_ms: Callable[[], int]
    ) -> None:
        super().__init__(figures, places, now_ms)
        self._caller = caller
        self._signing = signing

    async def call(self, event: Event, config: HookConfig, url: str, *, within_ms: int) -> Answer:
        """What one server says, without regard to what is known of it."""
        form = FORMS[config.hook_form]
        call = form.call(event, url)
        try:
            headers = self._signing.headers(config.hook_secret_file, call.body)
            reply = await self._caller.call(call, headers, within_s=max(within_ms, 1) / 1000)
        except CallFailedError as error:
            return Unusable(str(error))
        answer = form.read(event, reply.status, reply.location, reply.body)
        return answer._replace(is_said=True) if isinstance(answer, Unusable) else answer
