"""A server of made-up live HLS in a hurry, with faults on demand, for the tests of the client."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

SEGMENT_S = 2.0
PARTS = 4
PART_S = SEGMENT_S / PARTS
INIT = b"<init>"


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer in place of the right one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeHls:
    """Segments of 2 s with four parts each, which come ``speed`` times as fast as the wall clock would have them.

    Attributes:
        faults: by path, what is answered first instead, in order.
        stops_at: number of the segment that never comes; media before it do.
        has_end: ENDLIST stands behind the last segment once ``stops_at`` is reached.
        delay_s: before each answer with media, by the wall clock.
        requests: paths with their queries.
        hint: name of what is hinted at, of segment and part.
        head: how many segments there are at the start.
    """

    def __init__(self, *, has_parts: bool, speed: float = 10.0, window: int = 10, head: int = 12) -> None:
        self.faults: dict[str, list[Fault]] = {}
        self.stops_at = 1 << 30
        self.has_end = False
        self.hint = "{}.{}.m4s"
        self.delay_s = 0.0
        self.requests: list[str] = []
        self.head = head
        self._has_parts = has_parts
        self._speed = speed
        self._window = window
        self._began = time.monotonic()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> FakeHls:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/live/entry.m3u8?token=1"
        self._began = time.monotonic()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def part_count(self) -> int:
        """Parts that are there, from segment 0 on."""
        passed_s = (time.monotonic() - self._began) * self._speed
        return min(self.head * PARTS + int(passed_s / PART_S), self.stops_at * PARTS)

    async def _reach(self, count: int) -> None:
        """Wait for this many parts, or the end."""
        while (missing := count - self.part_count) > 0 and not self.is_at_end:
            is_to_come = count <= self.stops_at * PARTS
            await asyncio.sleep(max((missing - 1) * PART_S / self._speed, 0.005) if is_to_come else 0.02)

    @property
    def is_at_end(self) -> bool:
        return self.has_end and self.part_count == self.stops_at * PARTS

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(request.path_qs)
        name = request.path.rpartition("/")[2]
        if faults := self.faults.get(name):
            fault = faults.pop(0)
            return web.Response(status=fault.status, headers=fault.headers)
        if name == "entry.m3u8":
            text = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="avc1.64001f"\nmedia.m3u8?id=7\n'
            return web.Response(text=text, headers={"ETag": '"e"', "Age": "3"})
        if name == "media.m3u8":
            return await self._playlist(request)
        if name == "init.mp4":
            return web.Response(body=INIT)
        return await self._media(name)

    async def _media(self, name: str) -> web.Response:
        match = re.fullmatch(r"(\d+)(?:\.(\d))?\.(?:ts|m4s)", name)
        if match is None:
            return web.Response(status=404)
        await asyncio.sleep(self.delay_s)
        number, part = int(match[1]), match[2]
        if part is None:
            return web.Response(body=body_of(number)) if self.part_count >= (number + 1) * PARTS else _not_found()
        wanted = number * PARTS + int(part) + 1
        await self._reach(wanted)
        return _not_found() if self.part_count < wanted else web.Response(body=part_of(number, int(part)))

    async def _playlist(self, request: web.Request) -> web.Response:
        query = request.query
        if "_HLS_msn" in query:
            await self._reach(int(query["_HLS_msn"]) * PARTS + int(query.get("_HLS_part", PARTS - 1)) + 1)
        whole, parts = divmod(self.part_count, PARTS)
        first = max(whole - self._window, 0)
        skipped = 3 if query.get("_HLS_skip") == "YES" and whole - first == self._window else 0
        return web.Response(text=self._text(first, whole, parts, skipped))

    def _text(self, first: int, whole: int, parts: int, skipped: int) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:9", "#EXT-X-TARGETDURATION:2", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        if self._has_parts:
            lines.append(
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,CAN-SKIP-UNTIL=12.0\n"
                "#EXT-X-PART-INF:PART-TARGET=0.5"
            )
        if skipped:
            lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
        elif self._has_parts:
            lines.append('#EXT-X-MAP:URI="init.mp4"')
        ending = "m4s" if self._has_parts else "ts"
        for number in range(first + skipped, whole):
            if number >= whole - 3:
                lines += self._part_lines(number, PARTS)
            lines.append(f"#EXTINF:{SEGMENT_S},\n{number}.{ending}")
        if self.is_at_end:
            lines.append("#EXT-X-ENDLIST")
        else:
            lines += self._part_lines(whole, parts)
            if self._has_parts:
                lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{self.hint.format(whole, parts)}"')
        return "\n".join(lines) + "\n"

    def _part_lines(self, number: int, count: int) -> list[str]:
        if not self._has_parts:
            return []
        return [
            f'#EXT-X-PART:DURATION={PART_S},URI="{number}.{part}.m4s"{",INDEPENDENT=YES" if part == 0 else ""}'
            for part in range(count)
        ]


def part_of(number: int, part: int) -> bytes:
    """The body of a part."""
    return f"({number}.{part})".encode()


def body_of(number: int) -> bytes:
    """The body of a segment: those of its parts."""
    return b"".join(part_of(number, part) for part in range(PARTS))


def _not_found() -> web.Response:
    return web.Response(status=404)
