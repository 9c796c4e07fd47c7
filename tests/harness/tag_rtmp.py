"""RTMP peers for media of any codec: a publisher of given tags, and a player that writes down what it gets as tags."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

from edge.media.flv import Tag
from edge.media.frame import Frame
from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline, wait_until
from tests.harness.wire import AUDIO, COMMAND, DATA, VIDEO, WireError, encode_amf

_CHUNK_STREAMS = {AUDIO: 4, DATA: 5, VIDEO: 6}
_LEAST_WAIT_S = 0.002
#: What an encoder of new codecs says of itself in its connect (E-RTMP v2): it can do all.
ENHANCED_CONNECT: dict[str, Any] = {"videoFourCcInfoMap": {"*": 7}, "audioFourCcInfoMap": {"*": 7}, "capsEx": 0}


def tags_of(frames: Iterable[Frame]) -> list[Tag]:
    """Frames as a publisher sends them."""
    return [Tag(frame.type_id, frame.dts_ms, frame.payload) for frame in frames]


class TagPublisher:
    """Publishes tags as they are, at the pace of their clock, and then stays until it is stopped.

    Attributes:
        sent: those that were handed to the socket so far.
        is_done: all were.
        error: what ended it before.
    """

    def __init__(self, url: str, tags: Sequence[Tag], *, speed: float = 1.0, **connect: Any) -> None:
        """``speed``: stream time over real time; ``connect``: more fields of its object."""
        self.url = url
        self.sent: list[Tag] = []
        self.is_done = False
        self.error: BaseException | None = None
        self._tags, self._speed, self._connect = tags, speed, connect
        self._client: RtmpClient | None = None
        self._name = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> TagPublisher:
        async with asyncio.timeout(deadline(5)):
            self._client, self._name = client, name = await RtmpClient.open(self.url, **self._connect)
            client.publish(name)
            await _started(client, "NetStream.Publish.Start")
        self._tasks = [
            asyncio.create_task(self._send(client), name=f"publisher {self.url}"),
            asyncio.create_task(self._listen(client), name=f"publisher's ear {self.url}"),
        ]
        return self

    async def __aexit__(self, *_: Any) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            self._client.delete_stream(self._name)
            await self._client.peer.close()

    async def _send(self, client: RtmpClient) -> None:
        peer, stream, began = client.peer, client.message_stream_id, time.monotonic()
        first_ms = self._tags[0].timestamp_ms if self._tags else 0
        try:
            for tag in self._tags:
                wait_s = began + (tag.timestamp_ms - first_ms) / 1000 / self._speed - time.monotonic()
                if wait_s > _LEAST_WAIT_S:
                    await peer.drain()
                    await asyncio.sleep(wait_s)
                body = encode_amf("@setDataFrame") + tag.body if tag.type_id == DATA else tag.body
                peer.send(_CHUNK_STREAMS[tag.type_id], tag.type_id, stream, tag.timestamp_ms, body)
                self.sent.append(tag)
            await peer.drain()
            self.is_done = True
        except OSError as error:
            self.error = error

    async def _listen(self, client: RtmpClient) -> None:
        try:
            while True:
                _status(await client.next_message())
        except (OSError, asyncio.IncompleteReadError, WireError) as error:
            self.error = error

    async def wait_done(self, within_s: float) -> float:
        """Wait until all tags have been sent; return the seconds it took."""

        def is_done() -> bool:
            assert self.error is None, f"publisher at {self.url}: {self.error!r}"
            return self.is_done

        return await wait_until(is_done, deadline(within_s), f"all tags of {self.url}")


class TagPlayer:
    """Plays a stream over RTMP until the server or the test ends it.

    Attributes:
        items: audio, video and data as tags, in order of arrival.
        has_ended: the server has ended the connection.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.items: list[Tag] = []
        self.statuses: list[str] = []
        self.has_ended = False
        self._client: RtmpClient | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> TagPlayer:
        async with asyncio.timeout(deadline(5)):
            self._client, name = await RtmpClient.open(self.url)
        self._client.play(name)
        self._task = asyncio.create_task(self._run(self._client), name=f"player {self.url}")
        return self

    async def __aexit__(self, *_: Any) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._client is not None:
            self._client.peer.abort()
            await self._client.peer.close()

    async def _run(self, client: RtmpClient) -> None:
        try:
            while True:
                message = await client.next_message()
                if message.type_id in _CHUNK_STREAMS:
                    self.items.append(Tag(message.type_id, message.timestamp, message.payload))
                elif status := _status(message):
                    self.statuses.append(status)
        except (OSError, asyncio.IncompleteReadError, WireError):
            self.has_ended = True

    async def wait_items(self, count: int, within_s: float) -> float:
        return await wait_until(lambda: len(self.items) >= count, deadline(within_s), f"{count} tags at {self.url}")

    async def wait_end(self, within_s: float) -> float:
        """Wait until the server has ended the connection, or said that the broadcast is over."""
        return await wait_until(
            lambda: self.has_ended or "NetStream.Play.UnpublishNotify" in self.statuses,
            deadline(within_s),
            f"end of {self.url}",
        )


def _status(message: Any) -> str:
    """The code of an onStatus; "" of any other message. Raises ``WireError`` where it is an error."""
    values = decode_command(message) if message.type_id == COMMAND else [""]
    if values[0] != "onStatus":
        return ""
    if values[3].get("level") == "error":
        raise WireError(f"refused: {values[3]}")
    return str(values[3]["code"])


async def _started(client: RtmpClient, code: str) -> None:
    while _status(await client.next_message()) != code:
        pass
