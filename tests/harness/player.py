"""A player that keeps an account of every frame it gets."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

from tests.harness.accounting import Account, Delivery, audit, decode_frame, unwrap
from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline, wait_until
from tests.harness.wire import AUDIO, COMMAND, DATA, STREAM_EOF, USER_CONTROL, VIDEO, Message, WireError, decode_amf


class SynthPlayer:
    """Plays one stream and records what comes, until the server or the test ends it.

    Attributes:
        deliveries: the frames, in order of arrival.
        events: every audio, video and data message as ``(kind, timestamp)``; kinds are
            ``metadata``, ``avc_header``, ``aac_header``, ``keyframe``, ``video``, ``audio``, ``data``, ``empty``.
        statuses: codes of the onStatus messages, in order.
        status_infos: the whole info objects of those.
        ended_at: monotonic seconds when the connection ended, None while it stands.
        error: what ended it if that was no ordinary end.
    """

    def __init__(self, url: str, *, read_bps: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` is what deliveries are stamped with."""
        self.url = url
        self._clock = clock
        self._read_bps = read_bps
        self.deliveries: list[Delivery] = []
        self.events: list[tuple[str, int]] = []
        self.statuses: list[str] = []
        self.status_infos: list[dict[str, Any]] = []
        self.has_stream_eof = False
        self.ended_at: float | None = None
        self.error: BaseException | None = None
        self.is_reading = asyncio.Event()
        self.is_reading.set()
        self._client: RtmpClient | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, within_s: float = 5.0) -> None:
        """Connect and ask to play; what follows is received in a task."""
        buffer = 8192 if self._read_bps is not None else None
        async with asyncio.timeout(deadline(within_s)):
            self._client, name = await RtmpClient.open(self.url, receive_buffer=buffer)
        self._client.play(name)
        self._task = asyncio.create_task(self._run(self._client), name=f"player {self.url}")

    async def stop(self) -> None:
        """Leave: close the connection and end the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._client is not None:
            self._client.peer.abort()
            await self._client.peer.close()

    async def __aenter__(self) -> SynthPlayer:
        await self.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.stop()

    @property
    def has_ended(self) -> bool:
        return self.ended_at is not None

    async def _run(self, client: RtmpClient) -> None:
        try:
            while True:
                await self.is_reading.wait()
                before = client.peer.received_bytes
                self._take(await client.next_message())
                if self._read_bps is not None:
                    await asyncio.sleep((client.peer.received_bytes - before) * 8 / self._read_bps)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            if isinstance(error, ConnectionError) or error.partial:
                self.error = error
        except Exception as error:
            self.error = error
        finally:
            self.ended_at = time.monotonic()

    def _take(self, message: Message) -> None:
        payload = message.payload
        if message.type_id == COMMAND:
            values = decode_command(message)
            if values[0] == "onStatus":
                self.status_infos.append(values[3])
                self.statuses.append(str(values[3]["code"]))
        elif message.type_id == USER_CONTROL:
            self.has_stream_eof |= struct.unpack(">H", payload[:2])[0] == STREAM_EOF
        elif message.type_id == DATA:
            name = decode_amf(payload)[0]
            self.events.append(("metadata" if name == "onMetaData" else "data", message.timestamp))
        elif message.type_id in (AUDIO, VIDEO):
            self._take_media(message)
        else:
            raise WireError(f"message of type {message.type_id} sent to a player")

    def _take_media(self, message: Message) -> None:
        if "NetStream.Play.Start" not in self.statuses:
            raise WireError("media before NetStream.Play.Start: librtmp and GStreamer throw it away")
        is_video = message.type_id == VIDEO
        if not message.payload:
            self.events.append(("empty", message.timestamp))
            return
        if message.payload[1:2] == b"\x00":
            self.events.append(("avc_header" if is_video else "aac_header", message.timestamp))
            return
        if is_video and message.payload[1:2] == b"\x02":
            return
        frame = decode_frame(message.payload)
        kind = "keyframe" if frame.is_keyframe else "video" if is_video else "audio"
        self.events.append((kind, message.timestamp))
        self.deliveries.append(Delivery(self._clock(), message.timestamp, frame))

    async def wait_frames(self, count: int, within_s: float) -> float:
        """Wait until ``count`` frames have come in all; return the seconds it took."""

        def has_enough() -> bool:
            if self.has_ended and len(self.deliveries) < count:
                raise AssertionError(
                    f"player ended after {len(self.deliveries)} frames: {self.error!r} {self.statuses}"
                )
            return len(self.deliveries) >= count

        return await wait_until(has_enough, deadline(within_s), f"{count} frames at {self.url}")

    async def wait_more_frames(self, count: int, within_s: float) -> float:
        """Wait for ``count`` frames beyond those that are here now."""
        return await self.wait_frames(len(self.deliveries) + count, within_s)

    async def wait_generation(self, generation: int, within_s: float) -> Delivery:
        """Wait for the first frame of a publisher's generation."""
        found: list[Delivery] = []

        def has_come() -> bool:
            found[:] = [d for d in self.deliveries[-2000:] if d.frame.generation >= generation][:1]
            return bool(found) or self.has_ended

        await wait_until(has_come, deadline(within_s), f"generation {generation} at {self.url}")
        assert found, f"player ended before generation {generation}: {self.error!r} {self.statuses}"
        return found[0]

    async def wait_end(self, within_s: float) -> float:
        """Wait until the server has ended the connection; return the seconds it took."""
        return await wait_until(lambda: self.has_ended, deadline(within_s), f"end of {self.url}")

    async def wait_status(self, code: str, within_s: float) -> float:
        return await wait_until(lambda: code in self.statuses, deadline(within_s), f"{code} at {self.url}")

    @property
    def account(self) -> Account:
        return audit(self.deliveries)

    @property
    def timeline_ms(self) -> list[int]:
        """Times of the frames, unwrapped, in order of arrival."""
        return unwrap([delivery.timestamp for delivery in self.deliveries])

    def assert_alive(self) -> None:
        assert not self.has_ended, f"player at {self.url} was ended: {self.error!r} {self.statuses}"
        assert self.error is None, f"player at {self.url}: {self.error!r}"
