"""From the request of a player to the first data of its stream: nothing is promised before they are there."""

from __future__ import annotations

import asyncio

from edge.hub.media_seen import SETTLED_MS, MediaSeen, media_seen
from edge.hub.reader import QuietReader
from edge.hub.stream import Stream
from edge.net.aio import now_ms
from edge.service.grants import NOT_SERVED, Play, Served
from edge.service.names import StreamName
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest
from edge.service.service import Service

_GONE = Refusal(Reason.NOT_FOUND, "the client has gone")
#: For those who come, or still wait, when the server is on its way out; another one may have the stream.
_STOPPING = Refusal(Reason.OVERLOAD, "this server is being stopped")

#: What is said to those who were let in and waited in vain; what others are told the service has decided.
WAITED_FOR = frozenset({Reason.SILENT, Reason.UNREACHABLE})


def refuses_newcomers(service: Service) -> Refusal | None:
    """Why nobody is served any more; players would take any other answer for one about their stream."""
    return _STOPPING if service.is_draining else None


def refuses_unready(service: Service, name: StreamName) -> Refusal | None:
    """Why nothing can be fetched yet, where it is not published here: another server can, which caches then ask."""
    stream = service.registry.find(name.key)
    source = service.source_of(name.key)
    if source is None or source.has_answer or (stream is not None and not stream.feed.is_vacant):
        return None
    return Refusal(Reason.OVERLOAD, "no first answer of the naming service yet")


def refuses_head(service: Service, name: StreamName) -> Refusal | None:
    """Why somebody who asks for the head alone is told no: what is known without asking anybody."""
    refusal = _STOPPING if service.lets_nobody_in else None
    stream = service.registry.find(name.key)
    if refusal is not None or (stream is not None and not stream.feed.is_vacant):
        return refusal
    source = service.source_of(name.key)
    if source is None:
        return Refusal(Reason.NOT_FOUND, f"Fail to find key={name.key}")
    return source.refuses(name, is_fetched=False)


async def refuses_entry(service: Service, request: PlayRequest) -> Refusal | None:
    """Why a viewer may not have what others play already; one that asks for the head alone is judged so too."""
    if not service.admission.entry_rules:
        return None
    answer: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
    asked = service.judge(request, answer.set_result)
    try:
        return await answer
    finally:
        asked.cancel()


class FirstData(QuietReader):
    """One request for a stream: asks, waits for data, and keeps the grant until somebody takes it.

    ``ask`` ends with why there is nothing, or with None; then ``take`` gives the play, to be
    called before the loop goes on.
    """

    def __init__(self, service: Service, request: PlayRequest, *, is_patient: bool) -> None:
        """``is_patient``: wait on although the upstream says that it has no such stream."""
        self._service = service
        self._request = request
        self._is_patient = is_patient
        self._play: Play | None = None
        self._refusal: Refusal | None = None
        self._loop = asyncio.get_running_loop()
        self._is_done: asyncio.Future[None] = self._loop.create_future()
        self._is_settling = False

    @property
    def play(self) -> Play | None:
        """What was granted and is still there."""
        return self._play

    async def ask(self, within_ms: int) -> Refusal | None:
        """Put the question and wait for the first data, or a no, at most ``within_ms``; 0: as long as it takes."""
        if self._service.lets_nobody_in:
            return _STOPPING
        asked = self._service.play(self._request, self._answered, now_ms())
        timer = self._loop.call_later(within_ms / 1000, self._is_late) if within_ms else None
        try:
            await self._is_done
        except asyncio.CancelledError:
            self.give_up()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            asked.cancel()
        if self._refusal is not None:
            self._give_back()
        return self._refusal

    def give_up(self) -> None:
        """The client has gone: the play is given back at once, whatever is being waited for."""
        self._end(_GONE)
        self._give_back()

    def take(self) -> Play:
        """The play, which is its taker's from now on."""
        play, self._play = self._play, None
        assert play is not None
        play.stream.readers.remove(self)
        play.owner = None
        return play

    def _give_back(self) -> None:
        if self._play is not None:
            self._service.end_play(self.take(), now_ms())

    def _answered(self, answer: Play | Refusal) -> None:
        if isinstance(answer, Refusal):
            self._end(answer)
            return
        self._play = answer
        answer.owner = self
        answer.stream.readers.append(self)
        if self._is_done.done():
            self._give_back()
        elif not self._is_patient and self._service.standing(answer.stream, has_run=True).is_missing:
            self.on_missing(f"Fail to find key={answer.key}")
        else:
            self.on_frames()

    def _end(self, refusal: Refusal | None) -> None:
        if self._refusal is None:
            self._refusal = refusal
        if not self._is_done.done():
            self._is_done.set_result(None)

    def _is_late(self) -> None:
        if self._play is None:
            self._end(Refusal(Reason.SILENT, "nobody has said in time whether it may be played"))
            return
        stream, source = self._play.stream, self._service.source_of(self._play.stream.key)
        if self._seen(stream):
            self._end(None)
        elif media_seen(stream):
            what = "is no sound" if self._request.name.only_audio else "are no pictures"
            self._end(Refusal(Reason.SILENT, f"there {what} in key={stream.key}"))
        elif source is None:
            self._end(Refusal(Reason.SILENT, f"the publisher of key={stream.key} has sent nothing"))
        else:
            self._end(source.why_nothing(stream, self._play.query))

    def _seen(self, stream: Stream) -> MediaSeen:
        """What has come of that which the player wants: what it leaves out is neither waited for nor enough."""
        seen, name = media_seen(stream), self._request.name
        if name.only_audio:
            return MediaSeen(seen.has_audio, False, seen.has_audio)
        if name.only_video:
            return MediaSeen(False, seen.has_video, seen.has_video)
        return seen

    # --- reader of the stream --------------------------------------------------

    def on_frames(self) -> None:
        """With the first ones, others may be on their way."""
        if self._play is None or self._is_done.done():
            return
        seen = self._seen(self._play.stream)
        if seen.is_settled:
            self._end(None)
        elif seen and not self._is_settling:
            self._is_settling = True
            self._loop.call_later(SETTLED_MS / 1000, self._settle)

    def _settle(self) -> None:
        if self._play is not None and self._seen(self._play.stream):
            self._end(None)

    def on_evict(self, base: int) -> None:
        """Nothing has been sent yet."""

    def on_end(self, reason: str) -> None:
        """There is none to wait for any more, unless it is us who end."""
        self._end(refuses_newcomers(self._service) or Refusal(Reason.NOT_FOUND, reason))

    def on_missing(self, reason: str) -> None:
        """The origin knows of no publisher."""
        if not self._is_patient and self._play is not None and not self._seen(self._play.stream):
            self._end(Refusal(Reason.NOT_FOUND, f"Fail to find key={self._play.key}"))

    # --- owner of the grant ----------------------------------------------------

    def served(self, play: Play) -> Served:
        """It waits."""
        return NOT_SERVED

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        """It may not go on."""
        self._end(refuses_newcomers(self._service) or refusal)
        self._give_back()

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        """An upstream has said that it has nothing for what this player said."""
        if is_known:
            self.on_missing("")
