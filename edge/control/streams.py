"""``edge.v1.Streams``: which there are, what becomes of them, their end, and why they play or do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from edge.control.context import ControlContext
from edge.control.convert import message_of, messages_of
from edge.control.paging import page_size_of, page_token_after
from edge.control.watching import Became, Change, Looks, Watch
from edge.facts.orders import EndStream
from edge.net.aio import now_ms
from proto.edge.v1 import streams_pb2, streams_pb2_grpc, why_pb2

#: Milliseconds between two looks of one who watches.
MIN_INTERVAL_MS, DEFAULT_INTERVAL_MS, MAX_INTERVAL_MS = 500, 1000, 60000

_KINDS = {
    Became.PRESENT: streams_pb2.StreamEvent.KIND_PRESENT,
    Became.BEGUN: streams_pb2.StreamEvent.KIND_BEGUN,
    Became.CHANGED: streams_pb2.StreamEvent.KIND_CHANGED,
    Became.ENDED: streams_pb2.StreamEvent.KIND_ENDED,
}


class Streams(streams_pb2_grpc.StreamsServicer):
    """See ``proto/edge/v1/streams.proto``."""

    def __init__(self, control: ControlContext) -> None:
        self._control = control
        self._looks = Looks(control.facts, now_ms)

    async def List(self, request: Any, context: Any) -> Any:
        """A page of them."""
        found = await self._control.facts.streams()
        if request.key:
            key = await self._control.key_of(request.key)
            found = [stream for stream in found if stream.key == key]
        found.sort(key=lambda stream: (stream.key, stream.service))
        page, token = page_token_after(
            found, request.page_token, page_size_of(request.page_size), lambda stream: [stream.key, stream.service]
        )
        made = await messages_of(streams_pb2.Stream, page)
        return streams_pb2.ListStreamsResponse(streams=made, next_page_token=token, stream_count=len(found))

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """All, then what is new, as often as was asked for; an answer without events says that nothing is."""
        interval_ms = min(max(request.interval_ms or DEFAULT_INTERVAL_MS, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
        watch = Watch(*self._control.keys_of(request.key)) if request.key else Watch()
        while True:
            changes, left_out = watch.changes(await self._looks.streams())
            yield streams_pb2.WatchStreamsResponse(events=map(_event, changes), left_out=left_out)
            await asyncio.sleep(interval_ms / 1000)

    async def End(self, request: Any, context: Any) -> Any:
        """End one for all."""
        key = await self._control.key_of(request.key)
        text = await self._control.carry_out(EndStream(key, request.service))
        return streams_pb2.EndStreamResponse(text=text)

    async def Why(self, request: Any, context: Any) -> Any:
        """Ask this node and those up the way."""
        answer = await self._control.why.about_stream(request.stream)
        return streams_pb2.WhyStreamResponse(diagnosis=message_of(why_pb2.Diagnosis, answer))


def _event(change: Change) -> Any:
    return streams_pb2.StreamEvent(kind=_KINDS[change.became], stream=message_of(streams_pb2.Stream, change.stream))
