"""A server that gives out frames over HTTP as the daemon does, to prove the clients that judge the daemon.

Each request gets the whole broadcast from its beginning, at the pace of its
clock. It stands apart from the daemon's way of serving: nothing is shared, nobody is too slow.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from aiohttp import web

from edge.media.flv import encode_prologue, encode_tag
from edge.media.frame import AUDIO, VIDEO, Frame
from edge.media.mpegts import TsMuxer

#: What is due at once goes in blocks of about this size.
_BLOCK_BYTES = 65536
#: Who waits less than this is not worth a turn of the loop.
_LEAST_WAIT_S = 0.005
_FLV_TYPE, _TS_TYPE = "video/x-flv", "video/mp2t"

Harm = Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]


class StandIn:
    """``/live/x.flv`` over HTTP and WebSocket, ``/live/x.ts``; anything else is 404.

    Attributes:
        port: where it listens.
        harm: changes the ``(dts_ms, bytes)`` of what is served, the file header of FLV excepted.
        is_endless: the answer goes on without media when the last has been sent.
        request_count: requests for the stream so far.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        *,
        speed: float = 1.0,
        has_cors: bool = True,
        tls: ssl.SSLContext | None = None,
        harm: Harm | None = None,
        is_endless: bool = False,
    ) -> None:
        """``speed``: stream time over real time; ``has_cors``: pages of other origins may read the answers."""
        self.port = 0
        self.harm = harm
        self.is_endless = is_endless
        self.request_count = 0
        self._frames = list(frames)
        self._speed = speed
        self._headers = {"Access-Control-Allow-Origin": "*"} if has_cors else {}
        self._tls = tls
        self._runner: web.AppRunner | None = None

    def url(self, ending: str, *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """``ending`` is ``flv`` or ``ts``; TLS makes of http https, and of ws wss."""
        return f"{scheme}{'s' if self._tls else ''}://{host}:{self.port}/live/x.{ending}"

    async def __aenter__(self) -> StandIn:
        app = web.Application()
        app.router.add_get("/live/x.flv", self._flv)
        app.router.add_get("/live/x.ts", self._ts)
        app.router.add_get("/{other:.*}", self._refuse)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _refuse(self, _: web.Request) -> web.StreamResponse:
        """A page may see the status of an answer only if it may read the answer."""
        return web.Response(status=404, text="404: no such stream", headers=self._headers)

    async def _flv(self, request: web.Request) -> web.StreamResponse:
        types = {frame.type_id for frame in self._frames}
        prologue = encode_prologue(has_audio=AUDIO in types, has_video=VIDEO in types)
        pieces = [(frame.dts_ms, b"".join(encode_tag(frame, frame.dts_ms))) for frame in self._frames]
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._answer_socket(request, prologue, pieces)
        return await self._answer(request, _FLV_TYPE, prologue, pieces)

    async def _ts(self, request: web.Request) -> web.StreamResponse:
        muxer = TsMuxer()
        for frame in self._frames:
            if frame.kind:
                muxer.set_header(frame)
        pieces = [(frame.dts_ms, muxer.encode(frame)) for frame in self._frames]
        return await self._answer(request, _TS_TYPE, b"", pieces)

    async def _answer(
        self, request: web.Request, content_type: str, prologue: bytes, pieces: list[tuple[int, bytes]]
    ) -> web.StreamResponse:
        self.request_count += 1
        response = web.StreamResponse(headers={**self._headers, "Content-Type": content_type})
        response.force_close()
        await response.prepare(request)
        await response.write(prologue)
        async for block in self._paced(pieces):
            await response.write(block)
        return response

    async def _answer_socket(
        self, request: web.Request, prologue: bytes, pieces: list[tuple[int, bytes]]
    ) -> web.StreamResponse:
        self.request_count += 1
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.send_bytes(prologue)
        async for block in self._paced(pieces):
            await socket.send_bytes(block)
        await socket.close()
        return socket

    async def _paced(self, pieces: list[tuple[int, bytes]]) -> AsyncIterator[bytes]:
        if self.harm is not None:
            pieces = self.harm(pieces)
        loop = asyncio.get_running_loop()
        began, block = loop.time(), []
        for dts_ms, data in pieces:
            wait_s = began + dts_ms / 1000 / self._speed - loop.time()
            if block and (wait_s > _LEAST_WAIT_S or sum(map(len, block)) >= _BLOCK_BYTES):
                yield b"".join(block)
                block = []
                await asyncio.sleep(max(wait_s, 0))
            block.append(data)
        yield b"".join(block)
        if self.is_endless:
            await asyncio.Event().wait()
