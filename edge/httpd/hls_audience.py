"""Who watches by HLS: one granted play for all who ask for the same, kept while somebody asks.

A viewer of HLS is no connection: it is known by the playlists that it asks for.
So the play of those who say the same (stream, query, tracks) is granted once,
whoever of them came first, and is given back when nobody has asked for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge.hls.config import HlsConfig
from edge.httpd.asking import WAITED_FOR, FirstData
from edge.httpd.config import HttpConfig
from edge.hub.reader import QuietReader
from edge.hub.stream import Stream
from edge.net.aio import TaskOwner, now_ms, spawn
from edge.service.grants import NOT_SERVED, Play, Served
from edge.service.names import StreamName
from edge.service.refusal import Reason, Refusal
from edge.service.request import Client, PlayRequest
from edge.service.service import Service
from edge.service.trace_context import TraceContext

#: Of the paths that are given out.
SUFFIX = ".m3u8"
TOO_MANY = "too many viewers of HLS"


class Viewers:
    """Those who say the same; the owner of their play.

    Attributes:
        play: None once it has been given back.
        asked_ms: when one of them last asked for a playlist.
    """

    def __init__(self, service: Service, play: Play, ending: Ending) -> None:
        self.play: Play | None = play
        self.asked_ms = now_ms()
        self._service = service
        self._ending = ending
        play.owner = self
        ending.viewers.add(self)

    def leave(self) -> None:
        """Give the play back; nothing the second time."""
        play, self.play = self.play, None
        if play is not None:
            self._ending.remove(self)
            play.owner = None
            self._service.end_play(play, now_ms())

    def served(self, play: Play) -> Served:
        """Nothing is sent by it: viewers are sent segments."""
        return NOT_SERVED

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        """Who asks again is judged anew."""
        self.leave()

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        """It had something, or it would not be here."""


class Ending(QuietReader):
    """Hears of the end of a stream for all its viewers, who may be many that say something different each."""

    def __init__(self, stream: Stream) -> None:
        self.viewers: set[Viewers] = set()
        self._stream = stream
        stream.readers.append(self)

    @property
    def is_over(self) -> bool:
        """It hears nothing any more."""
        return self not in self._stream.readers

    def remove(self, viewers: Viewers) -> None:
        """They have left; with the last ones it leaves too."""
        self.viewers.discard(viewers)
        if not self.viewers and not self.is_over:
            self._stream.readers.remove(self)

    def on_frames(self) -> None:
        """The segmenters take them."""

    def on_evict(self, base: int) -> None:
        """Viewers are sent segments."""

    def on_end(self, reason: str) -> None:
        """What was made of the stream goes on being served."""
        for viewers in list(self.viewers):
            viewers.leave()


class Audience:
    """The viewers of all streams."""

    def __init__(
        self,
        config: HlsConfig,
        *,
        count_refused: Callable[[Refusal], None],
        on_joined: Callable[[], None],
    ) -> None:
        """``on_joined`` is called when ``tick`` is needed."""
        self._on_joined = on_joined
        self._endings: dict[Stream, Ending] = {}
        self._config = config
        self._count_refused = count_refused
        self._viewers: dict[tuple[Service, StreamName], Viewers] = {}
        self._asking: dict[tuple[Service, StreamName], asyncio.Task[Stream | Refusal]] = {}
        self._tasks = TaskOwner("hls")

    def __len__(self) -> int:
        return len(self._viewers)

    def watched(self, service: Service, name: StreamName) -> Stream | None:
        """The stream of viewers who are there already; that they have asked again is noted."""
        viewers = self._viewers.get((service, name))
        if viewers is None or viewers.play is None:
            return None
        viewers.asked_ms = now_ms()
        return viewers.play.stream

    async def join(
        self,
        service: Service,
        name: StreamName,
        new_client: Callable[[], Client],
        *,
        trace: TraceContext | None = None,
        suffix: str = SUFFIX,
    ) -> Stream | Refusal:
        """The stream, once data of it are there; all who ask meanwhile wait for one answer.

        ``suffix``: what stands behind the stream's name in the URL that was given out.
        ``trace`` is the span for whose sake this one asks; that of whoever is first is the play's.
        A refusal of the reason ``SILENT`` means that it may come yet.
        """
        stream = self.watched(service, name)
        if stream is not None:
            return stream
        who = service, name
        asking = self._asking.get(who)
        if asking is None:
            if len(self._viewers) + len(self._asking) >= self._config.hls_max_users:
                refusal = Refusal(Reason.OVERLOAD, TOO_MANY)
                self._count_refused(refusal)
                return refusal
            request = PlayRequest(new_client(), name, trace=trace, suffix=suffix)
            asking = spawn(self._ask(request, service), name="hls-ask", owner=self._tasks)
            self._asking[who] = asking
            asking.add_done_callback(lambda _: self._asking.pop(who, None))
        wait_ms = self._config.hls_playlist_wait_ms
        await asyncio.wait({asking}, timeout=wait_ms / 1000 if wait_ms else None)
        if not asking.done():
            return Refusal(Reason.SILENT, f"nothing of key={name.key} has come yet")
        return asking.result()

    async def _ask(self, request: PlayRequest, service: Service) -> Stream | Refusal:
        name = request.name
        first = FirstData(service, request, is_patient=False)
        refusal = await first.ask(service.rules_of(name.key).of(HttpConfig).pull_nodata_timeout_ms)
        if refusal is None and first.play is not None:
            play = first.take()
            self._viewers[service, name] = Viewers(service, play, self._ending_of(play.stream))
            self._on_joined()
            return play.stream
        refusal = refusal or Refusal(Reason.NOT_FOUND, f"Fail to find key={name.key}")
        if refusal.reason in WAITED_FOR:
            service.chronicle.nothing_came(request.client, name, refusal)
        self._count_refused(refusal)
        return refusal

    def _ending_of(self, stream: Stream) -> Ending:
        ending = self._endings.get(stream)
        if ending is None or ending.is_over:
            ending = self._endings[stream] = Ending(stream)
        return ending

    def tick(self, at_ms: int) -> None:
        """Let go of those who have not asked for long."""
        limit_ms = at_ms - self._config.hls_viewer_timeout_ms
        for who, viewers in list(self._viewers.items()):
            if viewers.play is None or viewers.asked_ms < limit_ms:
                del self._viewers[who]
                viewers.leave()
        self._endings = {stream: ending for stream, ending in self._endings.items() if ending.viewers}

    async def close(self) -> None:
        """The server ends."""
        await self._tasks.close()
        for viewers in self._viewers.values():
            viewers.leave()
        self._viewers.clear()
