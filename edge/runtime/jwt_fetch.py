"""Asks the URLs of ``-jwt_keys`` for their keys, in the background: nobody who plays or publishes waits for it.

Once at the start, every ten minutes, and when a token names a key that is not known, at most every ten seconds. An
answer that cannot be used leaves the keys that there are; while there are none it is asked for again soon.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edge.access.jwt_keys import JwtKey, Keyring, parse_key_set
from edge.hooks.caller import Caller, CallFailedError, HttpCaller, shown
from edge.hooks.form import Call
from edge.net.aio import TaskOwner, load_in_thread, now_ms, spawn, spawn_lasting
from edge.runtime.jwt_extra import MODULES

logger = logging.getLogger(__name__)

#: Who may wait for the answer of one URL at a time; others are judged by the keys that there are.
MAX_WAITING = 256
#: Of what another process is told in one frame, beside its sockets.
MAX_TOLD_BYTES = 40_960
_HEADERS = {"Accept": "application/jwk-set+json, application/json"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a URL is asked, in seconds.

    Attributes:
        refresh_s: while all is well.
        retry_s: after an answer that cannot be used, while keys are there.
        least_s: between two questions, whoever wants keys; also after an answer that cannot be used, without keys.
        within_s: most for an answer.
    """

    refresh_s: float = 600.0
    retry_s: float = 60.0
    least_s: float = 10.0
    within_s: float = 5.0


class KeyFetcher:
    """Keeps the keys of one URL.

    Attributes:
        ring: with the keys; for the gates.
        asked_count: how often it was asked.
        answer: the last one that could be used, b"" without.
    """

    def __init__(self, url: str, caller: Caller, pace: Pace) -> None:
        self.ring = Keyring(wants=self._wants)
        self.asked_count = 0
        self.answer = b""
        self._url, self._caller, self._pace = url, caller, pace
        self._tasks = TaskOwner("jwt-keys")
        self._wanted = asyncio.Event()
        self._waiting: list[Callable[[], None]] = []
        self._is_asking = False
        self._asked_ms: int | None = None
        self._has_failed = False

    def start(self) -> None:
        """Ask, inside the loop, and go on doing so."""
        self._is_asking = True  # in a moment: who comes meanwhile waits for it
        spawn_lasting(self._run, name="jwt-keys", owner=self._tasks)

    def adopt(self, answer: bytes) -> None:
        """Begin with the keys of one that another process got; one that cannot be used is as good as none."""
        if self.ring.keys:
            return
        try:
            self.ring.keys = parse_key_set(answer)
        except (ValueError, ImportError) as error:
            self._warn(str(error))
        else:
            self.answer = answer

    async def close(self) -> None:
        """Ask no more; who waits is judged by what there is."""
        await self._tasks.close()
        self._is_asking = False
        self._tell()

    def _wants(self, then: Callable[[], None]) -> bool:
        """See ``Keyring.wants``."""
        if len(self._waiting) >= MAX_WAITING or not len(self._tasks):
            return False
        if not self._is_asking:
            if self._left_s() > 0:
                return False
            self._wanted.set()
        self._waiting.append(then)
        return True

    def _left_s(self) -> float:
        """Until it may be asked again."""
        if self._asked_ms is None:
            return 0.0
        return self._pace.least_s - (now_ms() - self._asked_ms) / 1000

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            is_good = await self._ask()
            pace = self._pace
            wait_s = pace.refresh_s if is_good else pace.retry_s if self.ring.keys else pace.least_s
            try:
                async with asyncio.timeout(max(wait_s, self._left_s())):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def _ask(self) -> bool:
        """Whether the answer could be used; those that wait are told in any case."""
        self._is_asking = True
        self._asked_ms = now_ms()
        self.asked_count += 1
        try:
            await self._take()
        except (CallFailedError, ValueError, ImportError) as error:
            self._warn(str(error))
            return False
        finally:
            self._is_asking = False
            self._tell()
        if self._has_failed or self.asked_count == 1:
            logger.info("-jwt_keys=%s: %d keys", shown(self._url), len(self.ring.keys))
        self._has_failed = False
        return True

    async def _take(self) -> None:
        reply = await self._caller.call(Call("GET", self._url), _HEADERS, within_s=self._pace.within_s)
        if reply.status != 200:
            raise ValueError(f"it is answered {reply.status}")
        await load_in_thread(*MODULES)
        keys = parse_key_set(reply.body)
        self.answer = reply.body
        if _texts_of(keys) != _texts_of(self.ring.keys):  # the same ones leave what is known of tokens as it is
            self.ring.keys = keys

    def _warn(self, why: str) -> None:
        self._has_failed = True
        left = "those of before stay in force" if self.ring.keys else "until it answers every token is refused"
        cause = {"cause": f"jwt keys {shown(self._url)}"}
        logger.warning("-jwt_keys=%s gives no keys: %s; %s", shown(self._url), why, left, extra=cause)

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()


def _texts_of(keys: Iterable[JwtKey]) -> list[tuple[str, str, bytes]]:
    """What tells public keys from others."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return [(each.algorithm, each.key_id, each.material.public_bytes(*form)) for each in keys]


class KeyFetchers:
    """Those of all URLs that settings name."""

    def __init__(self, caller: Callable[[], HttpCaller] = HttpCaller, pace: Pace | None = None) -> None:
        self._make_caller, self._pace = caller, pace or Pace()
        self._caller: HttpCaller | None = None
        self._by_url: dict[str, KeyFetcher] = {}
        self._is_started = False
        self._closing = TaskOwner("jwt-keys")

    def __len__(self) -> int:
        return len(self._by_url)

    def prepare(self, urls: Iterable[str]) -> dict[str, KeyFetcher]:
        """Those of ``urls``: the ones that there are, and new ones that ask nobody yet."""
        found: dict[str, KeyFetcher] = {}
        for url in sorted(set(urls)):
            if self._caller is None:
                self._caller = self._make_caller()
            found[url] = self._by_url.get(url) or KeyFetcher(url, self._caller, self._pace)
        return found

    def take(self, fetchers: dict[str, KeyFetcher]) -> None:
        """Keep these, as ``prepare`` has given them, and end the others."""
        gone = [each for url, each in self._by_url.items() if fetchers.get(url) is not each]
        new = [each for url, each in fetchers.items() if self._by_url.get(url) is not each]
        self._by_url = fetchers
        if self._is_started:
            for each in new:
                each.start()
            for each in gone:
                spawn(each.close(), name="jwt-keys-end", owner=self._closing)

    def answers(self) -> dict[str, bytes]:
        """Those that keys in force come from, by URL; of many or long ones the shortest (``MAX_TOLD_BYTES``)."""
        told, left = dict[str, bytes](), MAX_TOLD_BYTES
        for url, each in sorted(self._by_url.items(), key=lambda item: len(item[1].answer)):
            left -= len(url.encode()) + len(each.answer)
            if each.answer and left >= 0:
                told[url] = each.answer
        return told

    def adopt(self, answers: Mapping[str, bytes]) -> None:
        """Begin with these, as another process has got them (``answers``)."""
        for url in answers.keys() & self._by_url.keys():
            self._by_url[url].adopt(answers[url])

    def start(self) -> None:
        """Begin to ask, inside the loop."""
        if not self._is_started:
            self._is_started = True
            for each in self._by_url.values():
                each.start()

    async def close(self) -> None:
        """Ask nobody any more."""
        self._is_started = False
        for each in self._by_url.values():
            await each.close()
        await self._closing.close()
        if self._caller is not None:
            await self._caller.close()
