"""A foreign relay: it plays from one server what its own players want, and knows nothing of hop lists."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.harness.client import RtmpClient
from tests.harness.wire import AUDIO, COMMAND, DATA, VIDEO, RtmpPeer, WireError, decode_amf

_LOST = (OSError, asyncio.IncompleteReadError, WireError)


class ForeignRelay:
    """Pulls a stream with its first player and lets go of it with its last one.

    Attributes:
        source_url: ``rtmp://host:port/app`` to play from.
        player_count: players now, of all streams.
        pull_count: streams that it plays from the source now.
    """

    def __init__(self, source_url: str = "") -> None:
        self.source_url = source_url
        self.port = 0
        self.pull_count = 0
        self._players: dict[str, set[RtmpPeer]] = {}
        self._pulls: dict[str, asyncio.Task[None]] = {}
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None

    @property
    def player_count(self) -> int:
        return sum(map(len, self._players.values()))

    async def __aenter__(self) -> ForeignRelay:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [*self._tasks, *self._pulls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = writer
        peer, names = RtmpPeer(reader, writer), set[str]()
        try:
            await peer.handshake_as_server()
            while True:
                message = await peer.read_message()
                if message.type_id == COMMAND:
                    self._answer(peer, decode_amf(message.payload), names)
        except (*_LOST, asyncio.CancelledError):
            pass
        finally:
            for name in names:
                self._leave(peer, name)
            del self._tasks[task]
            writer.transport.abort()

    def _answer(self, peer: RtmpPeer, values: list[Any], names: set[str]) -> None:
        command, transaction, *rest = values
        if command == "connect":
            info = {"level": "status", "code": "NetConnection.Connect.Success", "description": ""}
            peer.send_command(0, "_result", transaction, {"fmsVer": "FMS/3,0,1,123"}, info)
        elif command == "createStream":
            peer.send_command(0, "_result", transaction, None, 1)
        elif command == "play":
            peer.send_command(1, "onStatus", 0, None, {"level": "status", "code": "NetStream.Play.Start"})
            names.add(rest[1])
            self._players.setdefault(rest[1], set()).add(peer)
            if rest[1] not in self._pulls:
                self._pulls[rest[1]] = asyncio.create_task(self._pull(rest[1]), name=f"relay {rest[1]}")

    def _leave(self, peer: RtmpPeer, name: str) -> None:
        players = self._players[name]
        players.discard(peer)
        if not players and name in self._pulls:
            self._pulls.pop(name).cancel()

    async def _pull(self, name: str) -> None:
        while True:
            client = None
            try:
                client, _ = await RtmpClient.open(f"{self.source_url}/{name}")
                self.pull_count += 1
                client.play(name)
                while True:
                    message = await client.next_message()
                    if message.type_id in (AUDIO, VIDEO, DATA):
                        for peer in self._players[name]:
                            peer.send(6, message.type_id, 1, message.timestamp, message.payload)
            except _LOST:
                pass
            finally:
                if client is not None:
                    self.pull_count -= 1
                    client.peer.abort()
            await asyncio.sleep(0.5)
