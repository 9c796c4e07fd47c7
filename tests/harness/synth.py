"""A publisher of frames that can be accounted for."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.harness.accounting import AAC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER, Frame, encode_frame
from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline, wait_until
from tests.harness.wire import AUDIO, COMMAND, DATA, VIDEO, WireError, encode_amf

_LOST = (OSError, asyncio.IncompleteReadError, WireError)


@dataclass(frozen=True, slots=True)
class Script:
    """What is published. Times in milliseconds of the stream, sizes in bytes.

    Attributes:
        speed: stream time over real time; 10 sends ten seconds of stream in one.
        audio_start_ms: when sound begins, counted from the first picture; None for no sound.
    """

    fps: int = 25
    gop: int = 25
    video_bytes: int = 1200
    audio_bytes: int = 160
    audio_interval_ms: int = 23
    audio_start_ms: int | None = 0
    start_timestamp: int = 0
    speed: float = 1.0
    stream_id: int = 1

    def frames(self) -> Iterator[tuple[int, bool, bool]]:
        """Yield ``(time from the start, is_video, is_keyframe)`` in order of time, without end."""
        audio_at = self.audio_start_ms
        for number in itertools.count():
            video_at = number * 1000 // self.fps
            while audio_at is not None and audio_at < video_at:
                yield audio_at, False, False
                audio_at += self.audio_interval_ms
            yield video_at, True, number % self.gop == 0


class SynthPublisher:
    """Publishes a :class:`Script` until stopped.

    With ``does_reconnect`` it comes back every 100 ms after a loss, as the next
    generation, counting frames from 0 again; without, the loss stays in ``error``.

    Attributes:
        sent: ``(frame, absolute timestamp)`` of every frame handed to the socket.
        first_sent_at: monotonic seconds at which each generation's first frame went.
        statuses: codes of the onStatus messages received.
    """

    def __init__(self, url: str, script: Script | None = None, *, does_reconnect: bool = False) -> None:
        self.url, self.script = url, script or Script()
        self._does_reconnect = does_reconnect
        self.generation = 0
        self.sent: list[tuple[Frame, int]] = []
        self.first_sent_at: dict[int, float] = {}
        self.statuses: list[str] = []
        self.error: BaseException | None = None
        self.is_connected = False
        self._client: RtmpClient | None = None
        self._name = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self, within_s: float = 5.0) -> None:
        """Connect, publish and return once frames flow; the rest goes on in a task."""
        self._task = asyncio.create_task(self._run(), name=f"publisher {self.url}")
        await wait_until(lambda: self.sent or self.error, deadline(within_s), f"publisher at {self.url}")
        if self.error is not None:
            raise AssertionError(f"publisher at {self.url}: {self.error!r}") from self.error

    async def stop(self, *, is_abrupt: bool = False) -> None:
        """End the broadcast: politely with FCUnpublish and deleteStream, or by closing the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            if is_abrupt:
                client.peer.abort()
            else:
                client.delete_stream(self._name)
            await client.peer.close()

    async def __aenter__(self) -> SynthPublisher:
        await self.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._publish_once()
            except _LOST as error:
                self.is_connected = False
                if self._client is not None:
                    self._client.peer.abort()
                    await self._client.peer.close()
                    self._client = None
                if not self._does_reconnect:
                    self.error = error
                    return
            await asyncio.sleep(0.1)

    async def _publish_once(self) -> None:
        self._client, self._name = client, name = await RtmpClient.open(self.url)
        client.publish(name)
        while "NetStream.Publish.Start" not in self._note_status(await client.next_message()):
            pass
        self.is_connected = True
        self.generation += 1
        listener = asyncio.create_task(self._listen(client), name=f"publisher's ear {self.url}")
        try:
            await self._send_frames(client, listener)
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    def _note_status(self, message: Any) -> str:
        if message.type_id == COMMAND:
            values = decode_command(message)
            if values[0] == "onStatus":
                self.statuses.append(str(values[3]["code"]))
                if values[3].get("level") == "error":
                    raise WireError(f"refused: {values[3]}")
                return self.statuses[-1]
        return ""

    async def _listen(self, client: RtmpClient) -> None:
        while True:
            self._note_status(await client.next_message())

    async def _send_frames(self, client: RtmpClient, listener: asyncio.Task[None]) -> None:
        script, peer, stream = self.script, client.peer, client.message_stream_id
        metadata = {"width": 320.0, "height": 180.0, "framerate": float(script.fps), "videocodecid": 7.0}
        if script.audio_start_ms is not None:
            metadata["audiocodecid"] = 10.0
        peer.send(5, DATA, stream, script.start_timestamp, encode_amf("@setDataFrame", "onMetaData", metadata))
        peer.send(6, VIDEO, stream, script.start_timestamp, AVC_SEQUENCE_HEADER)
        has_audio_header, began = False, time.monotonic()
        for sequence, (at_ms, is_video, is_keyframe) in enumerate(script.frames()):
            wait_s = began + at_ms / 1000 / script.speed - time.monotonic()
            if wait_s > 0.001:
                await peer.drain()
                await asyncio.sleep(wait_s)
            if listener.done():
                listener.result()
            timestamp = script.start_timestamp + at_ms
            if not is_video and not has_audio_header:
                has_audio_header = True
                peer.send(4, AUDIO, stream, timestamp, AAC_SEQUENCE_HEADER)
            now = time.monotonic()
            size = script.video_bytes if is_video else script.audio_bytes
            frame = Frame(script.stream_id, self.generation, sequence, now, size, is_video, is_keyframe)
            peer.send(6 if is_video else 4, VIDEO if is_video else AUDIO, stream, timestamp, encode_frame(frame))
            self.first_sent_at.setdefault(self.generation, now)
            self.sent.append((frame, timestamp))
