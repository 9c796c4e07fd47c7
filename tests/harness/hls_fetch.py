"""Requests of an HLS client: what is recorded of each, and when one is sent again."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import aiohttp
from yarl import URL

# A reload is a blocking one; a hint is a part that was asked for before it was listed.
Kind = Literal["entry", "playlist", "reload", "map", "segment", "part", "hint", "steer"]

# The policy of hls.js for errors of a server: six more tries, 1 s apart and then twice as long each time, up to 8 s.
MOST_RETRIES = 6
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 8.0


@dataclass(slots=True)
class Fetched:
    """One request and its answer.

    Attributes:
        status: 0 where no answer came.
        attempt: 0 for the first, 1 for the first that is sent again.
        began_s: seconds of the client's clock.
        first_byte_ms: until the first byte of the body; until the head where the body is empty.
        error: why the answer is not whole; "" if it is.
        body: None where it was not kept.
    """

    kind: Kind
    uri: str
    attempt: int
    began_s: float
    status: int = 0
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    size_bytes: int = 0
    sha1: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    body: bytes | None = None

    @property
    def is_whole(self) -> bool:
        return self.status == 200 and not self.error

    @property
    def age_s(self) -> int | None:
        """What a cache in between says, in seconds."""
        value = self.headers.get("Age", "")
        return int(value) if value.isdecimal() else None

    @property
    def etag(self) -> str | None:
        return self.headers.get("ETag")


class GaveUpError(Exception):
    """No whole answer, and no more tries; ``fetched`` is the last one."""

    def __init__(self, fetched: Fetched) -> None:
        super().__init__(f"{fetched.kind} {fetched.uri}: {fetched.status} {fetched.error}".rstrip())
        self.fetched = fetched


def open_session() -> aiohttp.ClientSession:
    """A session for any number of clients: no limit of connections, no cookies, no time-out of its own."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=None),
    )


class Fetcher:
    """Asks, and asks again.

    Args:
        now_s: seconds of the client's clock, which runs ``speed`` times as fast as the wall clock.
        timeout_s: of one request, in seconds of the wall clock.
        on_fetched: called with each answer, whatever it is.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        now_s: Callable[[], float],
        on_fetched: Callable[[Fetched], None],
        *,
        timeout_s: float,
        speed: float,
    ) -> None:
        self._session = session
        self._now_s = now_s
        self._on_fetched = on_fetched
        self._timeout_s = timeout_s
        self._speed = speed

    async def get(self, kind: Kind, uri: str, *, keeps_body: bool) -> Fetched:
        """Ask until the answer is whole.

        An answer of 3xx or 4xx is final. 5xx, a time-out and a broken connection are tried again.

        Raises:
            GaveUpError: it is not to be had.
        """
        attempt = 0
        while True:
            fetched = await self._get_once(kind, uri, attempt, keeps_body)
            if fetched.is_whole:
                return fetched
            if 300 <= fetched.status < 500 or attempt == MOST_RETRIES:
                raise GaveUpError(fetched)
            await asyncio.sleep(retry_delay_s(fetched) / self._speed)
            attempt += 1

    async def _get_once(self, kind: Kind, uri: str, attempt: int, keeps_body: bool) -> Fetched:
        fetched = Fetched(kind, uri, attempt, self._now_s())
        began, digest, blocks = time.monotonic(), hashlib.sha1(usedforsecurity=False), []
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.get(URL(uri, encoded=True), allow_redirects=False) as answer,
            ):
                fetched.status, fetched.headers = answer.status, answer.headers
                fetched.first_byte_ms = (time.monotonic() - began) * 1000
                async for block in answer.content.iter_any():
                    if not fetched.size_bytes:
                        fetched.first_byte_ms = (time.monotonic() - began) * 1000
                    fetched.size_bytes += len(block)
                    digest.update(block)
                    if keeps_body:
                        blocks.append(block)
        except TimeoutError:
            fetched.error = "time-out"
        except aiohttp.ClientError as error:
            fetched.error = repr(error)
        fetched.total_ms = (time.monotonic() - began) * 1000
        fetched.sha1 = digest.hexdigest()
        fetched.body = b"".join(blocks) if keeps_body else None
        self._on_fetched(fetched)
        return fetched


def retry_delay_s(fetched: Fetched) -> float:
    """Seconds until the next try: what Retry-After says (RFC 9110 §10.2.3), else a longer time each time."""
    said = fetched.headers.get("Retry-After", "")
    if said.isdecimal():
        return float(said)
    if said:
        try:
            return max((parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds(), 0.0)
        except (TypeError, ValueError):
            pass
    return min(_FIRST_DELAY_S * 2.0**fetched.attempt, _LONGEST_DELAY_S)
