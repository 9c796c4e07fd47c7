"""Very many streams on one connection: a publisher and a player that keep an account of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from tests.harness.accounting import AVC_SEQUENCE_HEADER, Delivery, Frame, decode_frame, encode_frame
from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline, wait_until
from tests.harness.wire import COMMAND, VIDEO, Message, WireError

_FRAME_BYTES = 120
_SLICE_COUNT = 20


class _Multiplexed:
    """One connection with a message stream per name; numbers of streams are places in ``names``.

    Attributes:
        statuses: codes of the onStatus messages by number of the stream.
        error: what ended it, None while it stands.
    """

    def __init__(self, url: str, names: Sequence[str]) -> None:
        """``url`` is ``rtmp://host:port/app``."""
        self.url, self.names = url, names
        self.statuses: list[list[str]] = [[] for _ in names]
        self.error: BaseException | None = None
        self._ids: list[int] = []
        self._numbers: dict[int, int] = {}
        self._client: RtmpClient | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def _open(self, what: str) -> RtmpClient:
        """Connect and ask for ``what``, publish or play, of every name within createStream, as our own edges do."""
        self._client, _ = await RtmpClient.open(f"{self.url}/-")
        client, peer = self._client, self._client.peer
        first = 100
        for number, name in enumerate(self.names):
            command = {"CommandName": what, "StreamName": name, "PublishType": "live"}
            peer.send_command(0, "createStream", first + number, command)
        while len(self._numbers) < len(self.names):
            message = await client.next_message()
            values = decode_command(message) if message.type_id == COMMAND else []
            if values[:1] == ["_error"]:
                raise WireError(f"createStream refused: {values[2:]}")
            if values[:1] == ["_result"]:
                self._numbers[int(values[3])] = int(values[1]) - first
            else:
                self._take(message)
        self._ids = sorted(self._numbers, key=self._numbers.__getitem__)
        return client

    async def _listen(self, client: RtmpClient) -> None:
        try:
            while True:
                self._take(await client.next_message())
        except (OSError, asyncio.IncompleteReadError, WireError) as error:
            self.error = error

    def _take(self, message: Message) -> None:
        if message.type_id == COMMAND:
            values = decode_command(message)
            number = self._numbers.get(message.message_stream_id)
            if values[0] == "onStatus" and number is not None:
                self.statuses[number].append(str(values[3]["code"]))

    async def _wait_all(self, code: str, within_s: float) -> None:
        def is_there() -> bool:
            assert self.error is None, f"{self.url}: {self.error!r}"
            return all(code in statuses for statuses in self.statuses)

        await wait_until(is_there, deadline(within_s), f"{code} of all streams")

    async def stop(self) -> None:
        """Close the connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            self._client.peer.abort()
            await self._client.peer.close()

    async def __aexit__(self, *_: Any) -> None:
        await self.stop()


class MultiPublisher(_Multiplexed):
    """Publishes every name, each frame a keyframe, spread over the interval; the stream id of a frame is its number.

    Attributes:
        sent_counts: frames sent by number of the stream.
    """

    def __init__(self, url: str, names: Sequence[str], *, fps: float = 2.0) -> None:
        super().__init__(url, names)
        self._interval_s = 1 / fps
        self.sent_counts = [0] * len(names)

    async def __aenter__(self) -> MultiPublisher:
        try:
            client = await self._open("publish")
            self._tasks.append(asyncio.create_task(self._listen(client), name="ear of many publishes"))
            await self._wait_all("NetStream.Publish.Start", 10)
            for stream_id in self._ids:
                client.peer.send(6, VIDEO, stream_id, 0, AVC_SEQUENCE_HEADER)
            self._tasks.append(asyncio.create_task(self._send(client), name="many publishes"))
        except BaseException:
            await self.stop()
            raise
        return self

    async def _send(self, client: RtmpClient) -> None:
        began, count = time.monotonic(), len(self._ids)
        slice_size = -(-count // _SLICE_COUNT)
        for sequence in range(1_000_000):
            for part, begin in enumerate(range(0, count, slice_size)):
                at_s = (sequence + part / _SLICE_COUNT) * self._interval_s
                await asyncio.sleep(max(began + at_s - time.monotonic(), 0))
                now = time.monotonic()
                for number in range(begin, min(begin + slice_size, count)):
                    frame = Frame(number, 1, sequence, now, _FRAME_BYTES, True, True)
                    timestamp = int(sequence * self._interval_s * 1000)
                    client.peer.send(6, VIDEO, self._ids[number], timestamp, encode_frame(frame))
                    self.sent_counts[number] += 1
                await client.peer.drain()


class MultiPlayer(_Multiplexed):
    """Plays every name.

    Attributes:
        deliveries: the frames by number of the stream, in order of arrival.
    """

    def __init__(self, url: str, names: Sequence[str]) -> None:
        super().__init__(url, names)
        self.deliveries: list[list[Delivery]] = [[] for _ in names]

    async def __aenter__(self) -> MultiPlayer:
        try:
            client = await self._open("play")
            self._tasks.append(asyncio.create_task(self._listen(client), name="many plays"))
            await self._wait_all("NetStream.Play.Start", 10)
        except BaseException:
            await self.stop()
            raise
        return self

    def _take(self, message: Message) -> None:
        if message.type_id != VIDEO:
            super()._take(message)
        elif message.payload[1:2] == b"\x01":
            number = self._numbers[message.message_stream_id]
            self.deliveries[number].append(Delivery(time.monotonic(), message.timestamp, decode_frame(message.payload)))

    async def wait_each(self, since: float, within_s: float) -> float:
        """Wait until every stream has brought a frame that was sent after ``since``; return the seconds it took."""

        def has_come() -> bool:
            assert self.error is None, f"{self.url}: {self.error!r}"
            return all(frames and frames[-1].frame.sent_at > since for frames in self.deliveries)

        def behind() -> int:
            return sum(not frames or frames[-1].frame.sent_at <= since for frames in self.deliveries)

        try:
            return await wait_until(has_come, deadline(within_s), "a new frame of each stream")
        except AssertionError as error:
            raise AssertionError(f"{error}: {behind()} of {len(self.names)} have none") from None
