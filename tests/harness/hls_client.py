"""A client of HLS that follows the rules, and records what a player would have seen.

Playlists are judged by ``m3u8``; media are fetched and not decoded, their durations
feed a clock that plays in thought. Some hundred clients run in one process over
one session (``open_session``), with ``keeps_fetches=False``.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

import aiohttp

from tests.harness.clock import deadline, wait_until
from tests.harness.hls_fetch import Fetched, Fetcher, GaveUpError, Kind, open_session
from tests.harness.hls_playback import FellBehindError, Item, PlaybackClock, Position, next_item, start_of
from tests.harness.hls_steering import Steering
from tests.harness.m3u8 import Media, Multivariant, Playlist, PlaylistError, apply_delta, check_follow, parse

__all__ = ["Fetched", "HlsClient", "Played", "media_of", "open_session"]

# Clients of one stream load the same texts.
_parse_shared = functools.lru_cache(maxsize=64)(parse)


@dataclass(frozen=True, slots=True)
class Played:
    """Media in the order of playing, with the initialisation that belongs to them."""

    fetched: Fetched
    map: Fetched | None
    duration_s: float


class HlsClient:
    """Plays one URL.

    Attributes:
        playlist: the newest media playlist, whole.
        fetches: every answer in the order of arrival, those of failed tries included.
        objects: the last answer for each URI.
        statuses: how often each came; 0 stands for no answer.
        played: the media so far.
        played_count: their number.
        missed: URIs of media that could not be had, gaps included.
        unused_hints: URIs that were hinted at and then not listed.
        playback: the clock, with its stalls.
        notes: of playlists, each once.
        errors: what was wrong, in order.
        is_over: ``run`` has ended.
        steering: which pathway is played; None where there is no content steering, or it is not followed.
    """

    def __init__(
        self,
        url: str,
        *,
        session: aiohttp.ClientSession | None = None,
        duration_s: float | None = None,
        keeps_bodies: bool = False,
        keeps_fetches: bool = True,
        is_low_latency: bool = True,
        uses_skip: bool = True,
        follows_steering: bool = False,
        session_id: str = "",
        allows_absolute: bool = False,
        timeout_s: float = 20.0,
        max_buffer_s: float = 30.0,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        on_start: Callable[[HlsClient], None] | None = None,
        on_fetched: Callable[[HlsClient, Fetched], None] | None = None,
    ) -> None:
        """Describe the playback.

        Args:
            url: of a multivariant playlist, of which the first variant is played, or of a media playlist.
            session: shared with other clients; by default one of its own.
            duration_s: when ``run`` ends at the latest, in seconds of the playlist.
            keeps_bodies: as :func:`media_of` needs.
            keeps_fetches: False keeps counts only, and what ``on_fetched`` is given.
            is_low_latency: play parts where the playlist has them.
            uses_skip: ask for delta updates where there are any.
            follows_steering: play from where content steering says.
            session_id: report with requests for media whether the buffer has been empty (CMCD); "" for no reports.
            allows_absolute: URIs in playlists may have a host.
            timeout_s: of one request, by the wall clock.
            max_buffer_s: fetch nothing while this much is still to be played.
            speed: how many seconds of the playlist pass in one of ``clock``, for servers in a hurry.
            on_start: called when the first media have come.
        """
        self.url = url
        self.playlist: Media | None = None
        self.fetches: list[Fetched] = []
        self.objects: dict[str, Fetched] = {}
        self.statuses: Counter[int] = Counter()
        self.played: list[Played] = []
        self.played_count = 0
        self.missed: list[str] = []
        self.unused_hints: list[str] = []
        self.playback = PlaybackClock()
        self.notes: dict[str, None] = {}
        self.errors: list[str] = []
        self.is_over = False
        self._session = session
        self._duration_s = duration_s
        self._keeps_bodies = keeps_bodies
        self._keeps_fetches = keeps_fetches
        self._is_low_latency = is_low_latency
        self._uses_skip = uses_skip
        self._follows_steering = follows_steering
        self._session_id = session_id
        self._told_stalls = 0
        self.steering: Steering | None = None
        self._allows_absolute = allows_absolute
        self._timeout_s = timeout_s
        self._max_buffer_s = max_buffer_s
        self._speed = speed
        self._clock = clock
        self._on_start = on_start
        self._on_fetched = on_fetched
        self._began = clock()
        self._media_url = url
        self._asked_s = 0.0
        self._has_changed = True
        self._is_followed = True
        self._position: Position | None = None
        self._maps: dict[str, Fetched] = {}
        self._hints: dict[str, asyncio.Task[Fetched]] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._fetcher: Fetcher

    # --- the life of it --------------------------------------------------------------

    async def run(self) -> None:
        """Play until the playlist has ended, the time is over, or no playlist is to be had."""
        session = self._session or open_session()
        self._fetcher = Fetcher(session, self.now_s, self._record, timeout_s=self._timeout_s, speed=self._speed)
        self._began = self._clock()
        tasks: list[asyncio.Task[Any]] = []
        try:
            async with asyncio.timeout(self._duration_s and self._duration_s / self._speed) as limit:
                if await self._open():
                    tasks.append(asyncio.create_task(self._follow(), name=f"playlist of {self.url}"))
                    if self.steering is not None:
                        tasks.append(asyncio.create_task(self._steer(self.steering), name=f"steering of {self.url}"))
                    await self._play()
                    await tasks[0]
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            tasks += self._hints.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.is_over = True
            if self.playlist is None or not self.playlist.is_ended:
                self.playback.close(self.now_s())
            if self._session is None:
                await session.close()

    async def __aenter__(self) -> HlsClient:
        self._task = asyncio.create_task(self.run(), name=f"player of {self.url}")
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._task is not None
        self._task.cancel()
        found = await asyncio.gather(self._task, return_exceptions=True)
        if isinstance(found[0], Exception):
            raise found[0]

    async def wait_for(self, condition: Callable[[], object], within_s: float, what: str) -> float:
        """Wait until it holds; fail at once when the client has ended without."""

        def holds() -> object:
            found = condition()
            assert found or not self.is_over, f"{self.url} ended before {what}: {self.errors}"
            return found

        return await wait_until(holds, deadline(within_s), f"{what} at {self.url}")

    async def wait_media(self, count: int, within_s: float) -> float:
        """Wait for this many segments or parts in all."""
        return await self.wait_for(lambda: self.played_count >= count, within_s, f"{count} media")

    async def wait_end(self, within_s: float) -> float:
        """Wait until it has ended by itself."""
        return await wait_until(lambda: self.is_over, deadline(within_s), f"end of {self.url}")

    def assert_well(self) -> None:
        """No rule was broken, and nothing was missed."""
        assert not self.errors and not self.missed, f"{self.url}: {self.errors} {self.missed}"

    def now_s(self) -> float:
        """Seconds since the start, as the playlist counts them."""
        return (self._clock() - self._began) * self._speed

    def of(self, *kinds: Kind) -> list[Fetched]:
        """The answers of these kinds."""
        return [fetched for fetched in self.fetches if fetched.kind in kinds]

    def _record(self, fetched: Fetched) -> None:
        self.statuses[fetched.status] += 1
        if self._keeps_fetches:
            self.fetches.append(fetched)
            self.objects[fetched.uri] = fetched
        if self._on_fetched is not None:
            self._on_fetched(self, fetched)

    # --- playlists -------------------------------------------------------------------

    async def _load(self, kind: Kind, url: str) -> Playlist:
        self._asked_s = self.now_s()
        fetched = await self._fetcher.get(kind, url, keeps_body=True)
        body = fetched.body or b""
        if not self._keeps_bodies:
            fetched.body = None
        try:
            return _parse_shared(body.decode(), allows_absolute=self._allows_absolute)
        except UnicodeDecodeError as error:
            raise PlaylistError(0, f"is not UTF-8: {error}") from None

    async def _open(self) -> bool:
        """Load what the URL names; whether there is something to play."""
        try:
            found = await self._load("entry", self.url)
            if isinstance(found, Multivariant):
                self._media_url = urljoin(self.url, found.variants[0].uri)
                self.steering = Steering.of(found, self.url) if self._follows_steering else None
                found = await self._load("playlist", self._media_url)
            if not isinstance(found, Media):
                raise PlaylistError(0, "a variant is a multivariant playlist")
            if found.skipped:
                raise PlaylistError(0, "a delta update that nobody asked for")
        except (GaveUpError, PlaylistError) as error:
            self._complain(error)
            return False
        self._position = start_of(found, uses_parts=self._plays_parts(found))
        self._take(found)
        return True

    async def _steer(self, steering: Steering) -> None:
        """Ask where to play from, as often as is said; a server that does not answer is asked again."""
        while True:
            try:
                fetched = await self._fetcher.get("steer", steering.question, keeps_body=True)
                steering.take(fetched.body or b"")
                self._media_url = steering.media_url
            except GaveUpError:
                pass
            except PlaylistError as error:
                self._complain(error)
            await self._sleep(steering.ttl_s)

    async def _follow(self) -> None:
        """Load the media playlist again and again, as RFC 8216 §6.3.4 and 8216bis §6.3.8 say."""
        try:
            while self.playlist is not None and not self.playlist.is_ended:
                await self._reload(self.playlist)
        except (GaveUpError, PlaylistError) as error:
            self._complain(error)
        finally:
            self._is_followed = False
            self._news.set()

    async def _reload(self, before: Media) -> None:
        query = self._directives(before)
        if query:
            separator = "&" if "?" in self._media_url else "?"
            found = await self._load("reload", f"{self._media_url}{separator}{query}")
        else:
            wait_s = before.target_s if self._has_changed else before.target_s / 2
            await self._sleep(self._asked_s + wait_s - self.now_s())
            found = await self._load("playlist", self._media_url)
        if not isinstance(found, Media):
            raise PlaylistError(0, "a media playlist has become a multivariant playlist")
        if found.skipped and "_HLS_skip" not in query:
            raise PlaylistError(0, "a delta update that nobody asked for")
        try:
            found = apply_delta(before, found)
        except PlaylistError as error:
            self._complain(error)
            found_whole = await self._load("playlist", self._media_url)
            if not isinstance(found_whole, Media) or found_whole.skipped:
                raise
            found = found_whole
        self._take(found)
        has_news = found.next_sequence > before.next_sequence or (
            "_HLS_part" in query and len(found.trailing.parts) > len(before.trailing.parts)
        )
        if query and not found.is_ended and not has_news:
            self._complain(f"a blocking reload is answered without what was asked for: {query}")
            await self._sleep(before.target_s / 2)

    def _directives(self, before: Media) -> str:
        """The query of a blocking reload, its parameters in the order of their names; "" for an ordinary one."""
        control = before.server_control
        if control is None or not control.can_block_reload:
            return ""
        found = f"_HLS_msn={before.next_sequence}"
        if self._plays_parts(before):
            found += f"&_HLS_part={len(before.trailing.parts)}"
        skip_s = control.can_skip_until_s
        # What is older than half the Skip Boundary is to be loaded whole.
        if self._uses_skip and skip_s is not None and self.now_s() - self._asked_s < skip_s / 2:
            found += "&_HLS_skip=YES"
        return found

    def _take(self, media: Media) -> None:
        before, self.playlist = self.playlist, media
        self.notes |= dict.fromkeys(media.notes)
        self._has_changed = before is None or _content(before) != _content(media)
        if before is not None:
            try:
                check_follow(before, media)
            except PlaylistError as error:
                self._complain(error)
        self._follow_hint(media)
        self._news.set()

    def _plays_parts(self, media: Media) -> bool:
        """Whether parts are played; not where the reload cannot wait for them."""
        control = media.server_control
        can_block = control is not None and control.can_block_reload
        return self._is_low_latency and media.part_target_s is not None and (can_block or media.is_ended)

    def _follow_hint(self, media: Media) -> None:
        """Ask for what is hinted at, and drop what was hinted at in vain."""
        if not self._plays_parts(media):
            return
        hint = None if media.preload_hint is None else urljoin(self._media_url, media.preload_hint.uri)
        lists = [*(segment.parts for segment in media.segments), media.trailing.parts]
        listed = {urljoin(self._media_url, part.uri) for parts in lists for part in parts}
        for url in [url for url in self._hints if url != hint and url not in listed]:
            self._hints.pop(url).cancel()
            self.unused_hints.append(url)
        if hint is not None and hint not in self._hints and hint not in listed:
            asked = self._fetcher.get("hint", self._reporting(hint), keeps_body=self._keeps_bodies)
            self._hints[hint] = asyncio.create_task(asked, name=f"hint {hint}")
            self._hints[hint].add_done_callback(_take_outcome)

    def _complain(self, what: object) -> None:
        self.errors.append(f"{self.now_s():.3f} s: {what}")

    # --- media -----------------------------------------------------------------------

    async def _play(self) -> None:
        while True:
            item = self._next()
            if item is not None:
                await self._play_item(item)
            elif not self._is_followed:
                return
            else:
                self._news.clear()
                await self._news.wait()

    def _next(self) -> Item | None:
        assert self.playlist is not None and self._position is not None
        uses_parts = self._plays_parts(self.playlist)
        try:
            return next_item(self.playlist, self._position, uses_parts=uses_parts)
        except FellBehindError as error:
            self._complain(error)
            self._position = error.resume or start_of(self.playlist, uses_parts=uses_parts)
            return next_item(self.playlist, self._position, uses_parts=uses_parts)

    async def _play_item(self, item: Item) -> None:
        self._position = item.after
        url = urljoin(self._media_url, item.uri)
        if item.is_gap:
            self.missed.append(url)
            return
        await self._sleep(self.playback.buffer_s(self.now_s()) - self._max_buffer_s)
        try:
            init = None if item.map_uri is None else await self._map(urljoin(self._media_url, item.map_uri))
            fetched = await self._fetch(item, url)
        except GaveUpError as error:
            self._complain(error)
            self.missed.append(url)
            return
        self.playback.add(item.duration_s, self.now_s())
        self.played_count += 1
        if self._keeps_fetches:
            self.played.append(Played(fetched, init, item.duration_s))
        if self.played_count == 1 and self._on_start is not None:
            self._on_start(self)

    async def _fetch(self, item: Item, url: str) -> Fetched:
        """The media, from the request that a hint has caused if there is one."""
        if (hinted := self._hints.pop(url, None)) is not None:
            try:
                return await hinted
            except GaveUpError as error:
                self._complain(error)
            finally:
                hinted.cancel()
        return await self._fetcher.get(item.kind, self._reporting(url), keeps_body=self._keeps_bodies)

    def _reporting(self, url: str) -> str:
        """``url`` with what the viewer has lived through since the last request (CTA-5004)."""
        if not self._session_id:
            return url
        has_stalled = len(self.playback.stalls) > self._told_stalls
        self._told_stalls = len(self.playback.stalls)
        report = f'sid="{self._session_id}"{",bs" if has_stalled else ""}'
        return f"{url}{'&' if '?' in url else '?'}CMCD={quote(report, safe='')}"

    async def _map(self, url: str) -> Fetched:
        if url not in self._maps:
            self._maps[url] = await self._fetcher.get("map", url, keeps_body=self._keeps_bodies)
        return self._maps[url]

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.sleep(seconds / self._speed)


def _take_outcome(task: asyncio.Task[Fetched]) -> None:
    """A hint that nobody waits for any more may fail unseen."""
    if not task.cancelled():
        task.exception()


def _content(media: Media) -> tuple[object, ...]:
    return media.media_sequence, media.segments, media.trailing, media.is_ended


def media_of(client: HlsClient) -> bytes:
    """What the client has played as one file: each initialisation once where it changes, and the media in order."""
    found: list[bytes] = []
    current: Fetched | None = None
    for played in client.played:
        if played.map is not None and played.map is not current:
            current = played.map
            assert current.body is not None, "bodies are kept with keeps_bodies=True only"
            found.append(current.body)
        assert played.fetched.body is not None, "bodies are kept with keeps_bodies=True only"
        found.append(played.fetched.body)
    return b"".join(found)
