"""Viewers of HLS behind a cache before two edges: one of them dies, and then the other is not ready for a while."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness.clients import ffmpeg_publish
from tests.harness.coded import encode
from tests.harness.hls_client import Fetched, HlsClient, open_session
from tests.harness.nginx_cache import CacheLine, NginxCache
from tests.harness.server import EdgeServer

#: Of the clip that is published; segments of 2 s are groups of pictures.
SEGMENT_S = 2.0
_FORMS = ("classic", "ll")
_DATE = re.compile(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)")
_DURATION = re.compile(r"#EXTINF:([0-9.]+)|#EXT-X-PART:DURATION=([0-9.]+)")
_MAX_AGE = re.compile(r"max-age=([0-9]+)")
# Caches count whole seconds; the rest is for a busy machine.
_SLACK_S = 2.0


@dataclass(slots=True)
class Findings:
    """What viewers saw, and what the edges were asked for.

    Attributes:
        statuses: of all answers to viewers; 0: none came.
        stalls: seconds of each, by form.
        media: segments and parts that were played, by form.
        failed: answers that were none, or not whole.
        stale: playlists that ended too long ago.
        differing: objects that were not the same for all, or not at both edges.
        errors: broken rules, lost media.
        edge_requests: by the number of times that the edges were asked for a segment, part or configuration and had
            it, how many objects there are.
        asked_twice: objects more than once, though the first edge that was asked had it.
        hits: of viewers' requests that the cache answered by itself, in percent.
        compared: objects that were taken from both edges.
        first_byte_ms: by form and kind of request.
        events: what happened to the edges, and when.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    stalls: dict[str, list[float]] = field(default_factory=lambda: {form: [] for form in _FORMS})
    media: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    differing: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    edge_requests: Counter[int] = field(default_factory=Counter)
    asked_twice: list[str] = field(default_factory=list)
    hits: float = 0.0
    compared: int = 0
    first_byte_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    events: list[str] = field(default_factory=list)

    def longest_stall_s(self) -> float:
        """Of all viewers."""
        return max((each for stalls in self.stalls.values() for each in stalls), default=0.0)

    def faults(self) -> list[str]:
        """What should not have been; empty where all went well."""
        found = [f"{count} answers {status}" for status, count in self.statuses.items() if status in (0, 404)]
        found += [each for each in self.failed if each.startswith(("0", "404"))][:10]
        found += [f"stale: {each}" for each in self.stale[:10]]
        found += [f"not the same bytes: {uri}" for uri in sorted(self.differing)[:10]]
        found += self.errors[:20]
        found += [f"edges were asked twice for {uri}" for uri in self.asked_twice[:10]]
        if self.longest_stall_s() > SEGMENT_S:
            found.append(f"a stall of {self.longest_stall_s():.1f} s")
        return found


def clip_of_even_groups(folder: Path, group_s: int = 2) -> Path:
    """A clip with a keyframe each so many seconds, whatever is to be seen."""
    group = ("-g", str(25 * group_s), "-sc_threshold", "0")
    options = ("-c:v", "libx264", "-preset", "ultrafast", *group, "-pix_fmt", "yuv420p")
    picture, sound = "testsrc2=size=320x180:rate=25:duration=10", "sine=frequency=440:sample_rate=44100:duration=10"
    return encode(folder / "even.flv", *options, "-c:a", "aac", picture=picture, sound=sound)


class CacheTrial:
    """Origin, two edges, nginx, and viewers."""

    def __init__(self, clip: Path, viewers: int, duration_s: float, *, say: Callable[[str], None] = lambda _: None):
        """``viewers``: half of them of either form; ``duration_s``: from the first of them to the end."""
        self._clip, self._viewers, self._duration_s, self._say = clip, viewers, duration_s, say
        self.found = Findings()
        self._sha1: dict[str, str] = {}
        self._began = time.monotonic()

    async def run(self) -> Findings:
        """All of it; takes the duration and some 12 s."""
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-test-list-")))
            servers = folder / "servers"
            origin = stack.enter_context(EdgeServer())
            servers.write_text(f"{origin.address}\n")
            edges = [stack.enter_context(EdgeServer(f"-proxy_to=file://{servers}", "-proxy_lb=rr")) for _ in range(2)]
            stack.enter_context(ffmpeg_publish(self._clip, origin.rtmp_url("live", "clip"), loops=-1))
            async with NginxCache([edge.address for edge in edges]) as cache:
                await self._wait_for_segments(edges[0])
                trouble = asyncio.create_task(self._make_trouble(edges, servers), name="trouble")
                try:
                    await self._watch(cache)
                    await trouble
                finally:
                    trouble.cancel()
                    await asyncio.gather(trouble, return_exceptions=True)
                lines = cache.lines()
                await self._compare(edges)
                self._judge(lines)
        return self.found

    def _event(self, what: str) -> None:
        self.found.events.append(f"{time.monotonic() - self._began:.1f} s: {what}")
        self._say(self.found.events[-1])

    async def _wait_for_segments(self, edge: EdgeServer) -> None:
        """Until a player has as many as it wants to begin with."""
        async with HlsClient(f"http://{edge.address}/live/clip.classic.m3u8") as client:
            await client.wait_media(3, 8)

    async def _make_trouble(self, edges: list[EdgeServer], servers: Path) -> None:
        """One is killed and started again; then the other one leaves politely, and comes back without servers."""
        part_s = self._duration_s / 10
        self._began = time.monotonic()
        await asyncio.sleep(3 * part_s)
        self._event("first edge killed")
        await asyncio.to_thread(edges[0].kill)
        await asyncio.sleep(part_s)
        await asyncio.to_thread(edges[0].restart, 15)
        self._event("first edge is back")
        await asyncio.sleep(2 * part_s)
        self._event("second edge is being stopped")
        await asyncio.to_thread(edges[1].stop, 10)
        hidden = servers.with_suffix(".hidden")
        os.rename(servers, hidden)
        await asyncio.to_thread(edges[1].restart, 15)
        self._event("second edge is back, and not ready")
        await asyncio.sleep(part_s)
        os.rename(hidden, servers)
        self._event("second edge may become ready")

    async def _watch(self, cache: NginxCache) -> None:
        async with open_session() as session, asyncio.TaskGroup() as group:
            for number in range(self._viewers):
                form = _FORMS[number % 2]
                late_s = self._duration_s / 5 * number / self._viewers
                client = HlsClient(
                    f"http://{cache.address}/live/clip.{form}.m3u8",
                    session=session,
                    duration_s=self._duration_s - late_s,
                    keeps_fetches=False,
                    on_fetched=self._fetched,
                )
                group.create_task(self._view(client, form, late_s), name=f"viewer {number}")

    async def _view(self, client: HlsClient, form: str, late_s: float) -> None:
        await asyncio.sleep(late_s)
        await client.run()
        found = self.found
        found.statuses.update(client.statuses)
        found.stalls[form] += [stall.length_s for stall in client.playback.stalls]
        found.media[form] += client.played_count
        if client.playlist is not None and client.playlist.is_ended:
            found.errors.append(f"{form}: was told that the broadcast is over")
        found.errors += [f"{form}: {error}" for error in (*client.errors, *map("missed {}".format, client.missed))]

    def _fetched(self, client: HlsClient, fetched: Fetched) -> None:
        form = "ll" if ".ll.m3u8" in client.url else "classic"
        if not fetched.is_whole:
            self.found.failed.append(f"{fetched.status} {fetched.error} {fetched.kind} {fetched.uri}")
            return
        self.found.first_byte_ms[f"{form} {fetched.kind}"].append(fetched.first_byte_ms)
        if fetched.kind in ("playlist", "reload"):
            self._check_age(fetched)
        elif fetched.kind != "entry":
            path = urlsplit(fetched.uri).path
            if self._sha1.setdefault(path, fetched.sha1) != fetched.sha1:
                self.found.differing.add(path)

    def _check_age(self, fetched: Fetched) -> None:
        """How long ago the newest that is listed was over."""
        text = (fetched.body or b"").decode()
        date = next(reversed(list(_DATE.finditer(text))), None)
        if date is None:
            return
        tail = text[date.end() :]
        parts = [float(part) for _, part in _DURATION.findall(tail) if part]
        whole = [float(length) for length, _ in _DURATION.findall(tail) if length]
        end_s = datetime.fromisoformat(date[1]).timestamp() + (sum(whole) or sum(parts))
        age_s = time.time() - end_s - fetched.total_ms / 1000 * (fetched.kind == "playlist")
        kept = _MAX_AGE.search(fetched.headers.get("Cache-Control", ""))
        in_progress_s = SEGMENT_S if fetched.kind == "playlist" else 0.0
        if age_s > in_progress_s + (int(kept[1]) if kept else 0) + _SLACK_S:
            self.found.stale.append(f"{age_s:.1f} s: {fetched.kind} {fetched.uri}")

    async def _compare(self, edges: list[EdgeServer]) -> None:
        """What the viewers got is what both edges have, of all that is still in the window."""
        async with open_session() as session:
            urls = [path for path in self._sha1 if path.startswith("/live/")][-60:]
            for path in urls:
                for edge in edges:
                    client = HlsClient(f"http://{edge.address}{path}", session=session)
                    async with session.get(client.url) as answer:
                        body = await answer.read()
                        if answer.status != 200:
                            continue
                    self.found.compared += 1
                    if _sha1(body) != self._sha1[path]:
                        self.found.differing.add(f"{path} at {edge.address}")

    def _judge(self, lines: list[CacheLine]) -> None:
        asked, retried = Counter[str](), set[str]()
        by_cache = 0
        for line in lines:
            by_cache += line.cache == "HIT"
            if not line.uri.partition("?")[0].endswith(".m3u8") and line.upstreams:
                asked[line.uri] += line.upstream_statuses.count("200")
                # nginx 1.22 does not keep what came after a 503 with no-store.
                retried |= {line.uri} if len(line.upstreams) > 1 else set()
        self.found.hits = 100 * by_cache / max(len(lines), 1)
        self.found.edge_requests = Counter(asked.values())
        self.found.asked_twice = [uri for uri, count in asked.items() if count > 1 and uri not in retried]


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
