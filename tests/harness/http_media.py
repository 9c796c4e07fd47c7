"""Readers of live media over HTTP: FLV as a body and in WebSocket messages, and transport streams.

A reader records in a task all that comes, until the server or the test ends it;
it may also be walked through with ``async for``, item by item as they arrive.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiohttp

from edge.media.flv import HEADER_BYTES, TAG_HEADER_BYTES, Tag, TagReader
from edge.media.frame import AUDIO, AUDIO_HEADER, DATA, MEDIA, VIDEO, VIDEO_HEADER, Frame
from tests.harness.accounting import Account, CorruptFrameError, Delivery, audit, decode_frame, unwrap
from tests.harness.clock import deadline, wait_until
from tests.harness.flv_file import frame_of
from tests.harness.ts_demux import PACKET, Pes, TsDemuxer

Item = TypeVar("Item")

_BLOCK_BYTES = 65536
_SLOW_BLOCK_BYTES = 2048
_SLOW_BUFFER_BYTES = 8192


class MediaReader(Generic[Item]):
    """One request and what is answered.

    Attributes:
        status, headers: of the answer; 0 and empty before ``start`` has returned.
        refusal: the body of an answer that carries no media.
        data: all bytes of media so far, as they came.
        items: what they consist of.
        ended_at: monotonic seconds when the answer ended, None while it goes on.
        error: what ended it if that was no ordinary end, or what was wrong with the media.
        is_reading: while it is cleared, nothing is read.
    """

    def __init__(
        self,
        url: str,
        *,
        read_bps: int | None = None,
        receive_buffer: int | None = None,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe the request.

        Args:
            url: http, https, ws or wss.
            read_bps: read no faster, and with small buffers.
            receive_buffer: of the kernel, in bytes; by default small where ``read_bps`` is given.
            tls: how the server is checked; False takes any certificate.
            clock: what arrivals are stamped with.
        """
        self.url = url
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.refusal = b""
        self.data = bytearray()
        self.items: list[Item] = []
        self.ended_at: float | None = None
        self.error: BaseException | None = None
        self.is_reading = asyncio.Event()
        self.is_reading.set()
        self._clock = clock
        self._read_bps = read_bps
        self._buffer = receive_buffer if receive_buffer is not None or read_bps is None else _SLOW_BUFFER_BYTES
        self._asked_headers = headers or {}
        self._tls = tls
        self._news = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._answer: Any = None
        self._task: asyncio.Task[None] | None = None

    # --- the connection ----------------------------------------------------------

    async def start(self, within_s: float = 5.0) -> None:
        """Ask, and wait for the head of the answer; media are received in a task."""
        connector = aiohttp.TCPConnector(socket_factory=self._socket, force_close=True)
        limit = _BLOCK_BYTES if self._buffer is None else _SLOW_BLOCK_BYTES
        timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=limit, timeout=timeout)
        try:
            async with asyncio.timeout(deadline(within_s)):
                has_media = await self._ask(self._session)
        except BaseException:
            await self._session.close()
            raise
        if has_media:
            self._task = asyncio.create_task(self._run(), name=f"reader of {self.url}")
        else:
            self.ended_at = time.monotonic()

    def _socket(self, address: Any) -> socket.socket:
        sock = socket.socket(*address[:3])
        if self._buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        return sock

    async def stop(self) -> None:
        """Leave: close the connection and end the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            if self._answer is not None:
                getattr(self._answer, "_response", self._answer).close()  # of a WebSocket without the farewell
            await self._session.close()

    async def __aenter__(self) -> Any:
        await self.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.stop()

    async def _ask(self, session: aiohttp.ClientSession) -> bool:
        """Send the request; whether media follow."""
        self._answer = answer = await session.get(self.url, headers=self._asked_headers, ssl=self._tls)
        self.status, self.headers = answer.status, answer.headers
        if answer.status == 200:
            return True
        self.refusal = await answer.read()
        return False

    async def _run(self) -> None:
        try:
            while True:
                await self.is_reading.wait()
                data = await self._next_block()
                if data is None:
                    break
                self.data += data
                self._take(data)
                self._news.set()
                if self._read_bps is not None:
                    await asyncio.sleep(len(data) * 8 / self._read_bps)
            self._finish()
        except Exception as error:
            self.error = error
        finally:
            self.ended_at = time.monotonic()
            self._news.set()

    async def _next_block(self) -> bytes | None:
        """The next bytes of media, None at the end."""
        size = _BLOCK_BYTES if self._read_bps is None else _SLOW_BLOCK_BYTES
        return (
            await self._answer.content.read(size) if self._read_bps else await self._answer.content.readany()
        ) or None

    def _take(self, data: bytes) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        """The server has ended the stream in good order."""

    # --- what has come -----------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        return self.ended_at is not None

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Every item from the first on, as they come; raises what ended the stream, if that was a fault."""
        number = 0
        while True:
            while number < len(self.items):
                yield self.items[number]
                number += 1
            if self.has_ended:
                if self.error is not None:
                    raise self.error
                return
            self._news.clear()
            await self._news.wait()

    async def wait_for(self, condition: Callable[[], object], within_s: float, what: str) -> float:
        """Wait until ``condition()`` holds; fails at once when the stream has ended without."""

        def holds() -> object:
            found = condition()
            assert found or not self.has_ended, f"{self.url} ended before {what}: {self.status} {self.error!r}"
            return found

        return await wait_until(holds, deadline(within_s), f"{what} at {self.url}")

    async def wait_items(self, count: int, within_s: float) -> float:
        return await self.wait_for(lambda: len(self.items) >= count, within_s, f"{count} items")

    async def wait_end(self, within_s: float) -> float:
        """Wait until the server has ended the answer; return the seconds it took."""
        return await wait_until(lambda: self.has_ended, deadline(within_s), f"end of {self.url}")

    def assert_alive(self) -> None:
        assert not self.has_ended, f"{self.url} was ended: {self.status} {self.error!r}"

    def assert_ended_well(self) -> None:
        assert self.has_ended, f"{self.url} goes on"
        if self.error is not None:
            raise AssertionError(f"{self.url}: {self.error!r}") from self.error

    def save(self, path: Path) -> Path:
        """Write to a file what has come so far."""
        path.write_bytes(self.data)
        return path


class FlvReader(MediaReader[Tag]):
    """FLV as the body of an answer; the items are its tags.

    Attributes:
        frames: the tags as the hub would see them, with their kind; as long as ``items``.
        deliveries: of the frames that say who they are (``accounting``), in order of arrival.
        arrived_at: when each tag came.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.frames: list[Frame] = []
        self.deliveries: list[Delivery] = []
        self.arrived_at: list[float] = []
        self._reader = TagReader()
        self._parsed_bytes = HEADER_BYTES + 4

    def _take(self, data: bytes) -> None:
        for tag in self._reader.receive_data(data):
            frame, now = frame_of(tag.type_id, tag.timestamp_ms, tag.body), self._clock()
            self._parsed_bytes += TAG_HEADER_BYTES + len(tag.body) + 4
            self.items.append(tag)
            self.frames.append(frame)
            self.arrived_at.append(now)
            if frame.kind == MEDIA and tag.type_id != DATA:
                try:
                    self.deliveries.append(Delivery(now, tag.timestamp_ms, decode_frame(tag.body)))
                except CorruptFrameError:
                    assert not self.deliveries, f"a changed frame at {tag.timestamp_ms} ms"

    def _finish(self) -> None:
        assert not self.cut_bytes, f"{self.cut_bytes} bytes behind the last whole tag"

    @property
    def cut_bytes(self) -> int:
        """Bytes of a tag that is not whole yet."""
        return max(len(self.data) - self._parsed_bytes, 0)

    @property
    def names_tracks(self) -> tuple[bool | None, bool | None]:
        """Whether the file header names sound, and pictures; None before it is there."""
        return self._reader.has_audio, self._reader.has_video

    @property
    def events(self) -> list[tuple[str, int]]:
        """Every tag as ``(kind, timestamp)``: ``data``, ``video_header``, ``audio_header``, ``keyframe``, ``video``
        or ``audio``."""
        return [(_kind(frame), frame.dts_ms) for frame in self.frames]

    @property
    def keyframe_count(self) -> int:
        return sum(frame.is_keyframe for frame in self.frames)

    def timeline_ms(self, type_id: int | None = None) -> list[int]:
        """Times of the media of one type or all, unwrapped, in order of arrival."""
        return unwrap(
            [
                frame.dts_ms
                for frame in self.frames
                if frame.kind == MEDIA and frame.type_id != DATA and type_id in (None, frame.type_id)
            ]
        )

    @property
    def account(self) -> Account:
        return audit(self.deliveries)

    async def wait_frames(self, count: int, within_s: float) -> float:
        """Wait for ``count`` frames that say who they are."""
        return await self.wait_for(lambda: len(self.deliveries) >= count, within_s, f"{count} frames")

    async def wait_more_frames(self, count: int, within_s: float) -> float:
        """Wait for ``count`` frames beyond those that are here now."""
        return await self.wait_frames(len(self.deliveries) + count, within_s)

    async def wait_keyframes(self, count: int, within_s: float) -> float:
        return await self.wait_for(lambda: self.keyframe_count >= count, within_s, f"{count} keyframes")


def _kind(frame: Frame) -> str:
    if frame.type_id == DATA:
        return "data"
    if frame.kind != MEDIA:
        return {VIDEO_HEADER: "video_header", AUDIO_HEADER: "audio_header"}[frame.kind]
    return "keyframe" if frame.is_keyframe else {VIDEO: "video", AUDIO: "audio"}[frame.type_id]


class WsFlvReader(FlvReader):
    """FLV in binary WebSocket messages, whatever their cut. Pings are answered.

    Attributes:
        message_sizes: of the messages that carried media, in order.
        cut_message_count: messages that ended within a tag.
        close_code: 1006 where no close frame came; None while the connection stands.
    """

    def __init__(self, url: str, *, protocols: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(url, **options)
        self._protocols = protocols
        self.message_sizes: list[int] = []
        self.cut_message_count = 0
        self.close_code: int | None = None

    async def _ask(self, session: aiohttp.ClientSession) -> bool:
        try:
            self._answer = answer = await session.ws_connect(
                self.url, headers=self._asked_headers, ssl=self._tls, max_msg_size=0, protocols=self._protocols
            )
        except aiohttp.WSServerHandshakeError as error:
            self.status, self.headers = error.status, error.headers or {}
            return False
        self.status, self.headers = 101, answer._response.headers
        return True

    async def _next_block(self) -> bytes | None:
        message = await self._answer.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            self.message_sizes.append(len(message.data))
            return bytes(message.data)
        self.close_code = self._answer.close_code
        if message.type is aiohttp.WSMsgType.ERROR:
            raise message.data
        closed = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)
        assert message.type in closed, f"a {message.type.name} message: {message.data!r}"
        return None

    def _take(self, data: bytes) -> None:
        super()._take(data)
        self.cut_message_count += bool(self.cut_bytes)


class TsReader(MediaReader[bytes]):
    """A transport stream as the body of an answer; the items are its packets of 188 bytes.

    Whatever ``TsDemuxer`` finds doubtful, a jump of a continuity counter say, ends the reading with ``error``.

    Attributes:
        demuxer: with PES packets, clocks and tables so far.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.demuxer = TsDemuxer()
        self._parsed_bytes = 0

    def _take(self, data: bytes) -> None:
        self.demuxer.receive_data(data)
        while len(self.data) - self._parsed_bytes >= PACKET:
            self.items.append(bytes(self.data[self._parsed_bytes : self._parsed_bytes + PACKET]))
            self._parsed_bytes += PACKET

    def _finish(self) -> None:
        self.demuxer.close()

    def of(self, pid: int) -> list[Pes]:
        """The PES packets of a PID."""
        return self.demuxer.of(pid)

    @property
    def keyframe_count(self) -> int:
        return sum(pes.is_random_access for pes in self.demuxer.found if pes.stream_id >> 4 == 0xE)

    async def wait_pes(self, pid: int, count: int, within_s: float) -> float:
        return await self.wait_for(lambda: len(self.of(pid)) >= count, within_s, f"{count} PES packets of PID {pid}")


def reader_of(url: str, **options: Any) -> FlvReader | TsReader:
    """The reader that fits a URL: WebSocket by its scheme, TS by its ending, else FLV."""
    if url.startswith("ws"):
        return WsFlvReader(url, **options)
    path = url.partition("?")[0]
    return TsReader(url, **options) if path.endswith(".ts") else FlvReader(url, **options)
