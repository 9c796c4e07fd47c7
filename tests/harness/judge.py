"""A foreign origin that judges each play and publish by its name and query, and notes what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from tests.harness.client import decode_command
from tests.harness.wire import COMMAND, RtmpPeer, WireError

NOT_FOUND = "NetStream.Play.StreamNotFound"
REFUSED = "NetStream.Play.Failed"
#: Other verdicts than the code of an error: media follow; none do; the connection is closed without a word.
GOOD, SILENT, CLOSE = "good", "silent", "close"
_PICTURE_S = 0.01


class DeafPeer(RtmpPeer):
    """Answers no ping, as the servers of brpc."""

    def send(self, chunk_stream_id: int, type_id: int, message_stream_id: int, timestamp: int, payload: bytes) -> None:
        if type_id != 4:  # what it would send of this type are pongs
            super().send(chunk_stream_id, type_id, message_stream_id, timestamp, payload)


class Judge:
    """An RTMP server in the loop of the test.

    Attributes:
        judge: the verdict on a name with its query; may be changed at any time.
        asked: the names of plays and publishes, in order.
        words: the description of errors.
        connection_count: connections so far.
        tc_urls: of the connects.
    """

    def __init__(self, judge: Callable[[str], str], *, is_multiplexing: bool = False, answers_pings: bool = True):
        self.judge = judge
        self.is_multiplexing, self.answers_pings = is_multiplexing, answers_pings
        self.asked: list[str] = []
        self.words = "the origin says no"
        self.connection_count = 0
        self.tc_urls: list[str] = []
        self.port = 0
        self.feeds: dict[tuple[RtmpPeer, int], asyncio.Task[None]] = {}
        self.names: dict[tuple[RtmpPeer, int], str] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def queries(self) -> list[str]:
        """What stood behind the names."""
        return [name.partition("?")[2] for name in self.asked]

    async def __aenter__(self) -> Judge:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [*self._tasks, *self.feeds.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connection_count += 1
        peer = RtmpPeer(reader, writer) if self.answers_pings else DeafPeer(reader, writer)
        try:
            await self._converse(peer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, WireError):
            pass
        finally:
            for mark in [mark for mark in self.feeds if mark[0] is peer]:
                self._stop(mark)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _converse(self, peer: RtmpPeer) -> None:
        await peer.handshake_as_server()
        next_id = 1
        while True:
            message = await peer.read_message()
            if message.type_id == COMMAND:
                values = decode_command(message)
                if values[0] == "createStream":
                    next_id = self._create(peer, values, next_id)
                else:
                    self._answer(peer, message.message_stream_id, values)

    def _create(self, peer: RtmpPeer, values: list[Any], number: int) -> int:
        peer.send_command(0, "_result", values[1], None, number)
        return number + 1 if self.is_multiplexing else number

    def _answer(self, peer: RtmpPeer, stream_id: int, values: list[Any]) -> None:
        if values[0] == "connect":
            self.tc_urls.append(values[2]["tcUrl"])
            more = {"create_stream_with_play_or_publish": True} if self.is_multiplexing else {}
            info = {"level": "status", "code": "NetConnection.Connect.Success", "description": ""}
            peer.send_command(0, "_result", values[1], {"fmsVer": "FMS/3,0,1,123", **more}, info)
        elif values[0] in ("play", "publish"):
            self.asked.append(values[3])
            self._judge(peer, stream_id, values[0], values[3])
        elif values[0] == "deleteStream":
            self._stop((peer, int(values[3])))

    def _judge(self, peer: RtmpPeer, stream_id: int, verb: str, name: str) -> None:
        verdict = self.judge(name)
        if verdict == CLOSE:
            peer.abort()
        elif verdict in (GOOD, SILENT):
            code = f"NetStream.{verb.capitalize()}.Start"
            peer.send_command(stream_id, "onStatus", 0, None, {"level": "status", "code": code, "description": ""})
            self.names[peer, stream_id] = name
            if verdict == GOOD and verb == "play":
                self.feeds[peer, stream_id] = asyncio.create_task(_feed(peer, stream_id), name=f"feed of {name}")
        else:
            self.end(peer, stream_id, verdict)

    def end(self, peer: RtmpPeer, stream_id: int, code: str) -> None:
        """End a stream with an error."""
        self._stop((peer, stream_id))
        info = {"level": "error", "code": code, "description": self.words}
        peer.send_command(stream_id, "onStatus", 0, None, info)

    def end_all(self, code: str) -> None:
        """End whatever runs."""
        for peer, stream_id in list(self.feeds):
            self.end(peer, stream_id, code)

    def silence(self, name: str) -> None:
        """Send no more of a stream."""
        for mark, feed in self.feeds.items():
            if self.names[mark].partition("?")[0] == name:
                feed.cancel()

    def _stop(self, mark: tuple[RtmpPeer, int]) -> None:
        feed = self.feeds.pop(mark, None)
        if feed is not None:
            feed.cancel()


async def _feed(peer: RtmpPeer, stream_id: int) -> None:
    """Numbered pictures, every tenth a keyframe."""
    with contextlib.suppress(OSError):
        for number in range(100_000):
            first = b"\x17\x01\0\0\0" if number % 10 == 0 else b"\x27\x01\0\0\0"
            peer.send(6, 9, stream_id, int(number * _PICTURE_S * 1000), first + b"%06d" % number)
            await peer.drain()
            await asyncio.sleep(_PICTURE_S)
