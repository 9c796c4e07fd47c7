"""A TCP relay whose manners change at run time: the network's faults without a network."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from typing import Any

_LINGER_ZERO = struct.pack("ii", 1, 0)
_SLICE_BYTES = 65536


class Direction:
    """Switches of one direction; read before each piece is passed on.

    Attributes:
        delay_s: how late each piece goes on.
        rate_bps: bits per second of each connection at most, None for no limit.
        total_bps: likewise of all connections together.
        passed_bytes: all that has been passed on.
        is_flowing: nothing is read or passed on while it is cleared.
        slice_bytes: largest piece passed on in one write.
        cut_after_bytes: per connection, close after so many bytes; None for never.
        corrupt_at: per connection, the byte to invert; None for none.
    """

    __slots__ = (
        *("_free_at_s", "corrupt_at", "cut_after_bytes", "delay_s", "is_flowing", "passed_bytes", "rate_bps"),
        *("slice_bytes", "total_bps"),
    )

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.rate_bps: int | None = None
        self.total_bps: int | None = None
        self.passed_bytes = 0
        self._free_at_s = 0.0
        self.is_flowing = asyncio.Event()
        self.is_flowing.set()
        self.slice_bytes = _SLICE_BYTES
        self.cut_after_bytes: int | None = None
        self.corrupt_at: int | None = None

    async def pace(self, size: int) -> None:
        """Wait until so many bytes more have had their time on the line that all share."""
        self.passed_bytes += size
        if self.total_bps is not None:
            now_s = time.monotonic()
            self._free_at_s = max(self._free_at_s, now_s) + size * 8 / self.total_bps
            await asyncio.sleep(self._free_at_s - now_s)


class FaultProxy:
    """Listens on the loopback and relays to a target, which knows nothing of the TLS that clients may have to speak.

    Attributes:
        up: switches from the client to the target.
        down: switches from the target to the client.
        mode: ``relay``; ``refuse`` (nobody listens); ``black_hole`` (accepted, never read);
            ``reset`` (accepted, then RST).
        cuts_with_reset: whether ``cut_after_bytes`` ends with RST rather than FIN.
        accepted_count: connections accepted so far.
    """

    def __init__(
        self,
        target_port: int,
        target_host: str = "127.0.0.1",
        *,
        tls: ssl.SSLContext | None = None,
        holds_bytes: int | None = None,
    ) -> None:
        """``holds_bytes``: about what it takes from the target before that has been passed on; None for what fits."""
        self._target = (target_host, target_port)
        self._tls = tls
        self._holds_bytes = holds_bytes
        self.up, self.down = Direction(), Direction()
        self.mode = "relay"
        self.cuts_with_reset = True
        self.accepted_count = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def link_count(self) -> int:
        return len(self._links)

    def retarget(self, port: int) -> None:
        """New connections go there from now on."""
        self._target = (self._target[0], port)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stop listening: connects are refused until :meth:`start` is called again. Standing links stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def stop(self) -> None:
        await self.refuse()
        await self.reset_all()

    async def __aenter__(self) -> FaultProxy:
        await self.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.stop()

    async def reset_all(self) -> int:
        """End every link with RST in both directions; return how many there were."""
        links = list(self._links)
        for task in links:
            for writer in self._links.get(task, ()):
                reset(writer)
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        return len(links)

    async def close_all(self) -> int:
        """End every link with FIN in both directions."""
        links = list(self._links)
        for task in links:
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        return len(links)

    def reset_clients(self) -> int:
        """End the client's half of every link with RST; the target hears of it only when ``up`` flows (again)."""
        for ends in self._links.values():
            reset(ends[0])
        return len(self._links)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted_count += 1
        task = asyncio.current_task()
        assert task is not None
        self._links[task] = [writer]
        try:
            if self.mode == "reset":
                reset(writer)
            elif self.mode == "black_hole":
                await asyncio.Event().wait()
            else:
                if self._tls is not None:
                    await writer.start_tls(self._tls)
                await self._relay(reader, writer, self._links[task])
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in self._links.pop(task):
                end.close()

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: list[asyncio.StreamWriter]
    ) -> None:
        target_reader, target_writer = await self._connect()
        ends.append(target_writer)
        ways = (self._pass_on(reader, target_writer, self.up), self._pass_on(target_reader, writer, self.down))
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if any(task.exception() is not None or task.result() for task in done):
                for end in ends:
                    reset(end)
            else:
                await asyncio.sleep(0)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._holds_bytes is None:
            return await asyncio.open_connection(*self._target)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._holds_bytes)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, self._target)
        except BaseException:
            sock.close()
            raise
        return await asyncio.open_connection(sock=sock, limit=self._holds_bytes // 2)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction) -> bool:
        """Relay one direction to its end; return whether the link is to be reset."""
        passed = 0
        while True:
            await way.is_flowing.wait()
            data = await reader.read(way.slice_bytes)
            if not data:
                await writer.drain()
                return False
            if way.delay_s:
                await asyncio.sleep(way.delay_s)
            if way.corrupt_at is not None and passed <= way.corrupt_at < passed + len(data):
                at = way.corrupt_at - passed
                data = data[:at] + bytes((data[at] ^ 0xFF,)) + data[at + 1 :]
            if way.cut_after_bytes is not None and passed + len(data) >= way.cut_after_bytes:
                writer.write(data[: way.cut_after_bytes - passed])
                await writer.drain()
                return self.cuts_with_reset
            writer.write(data)
            passed += len(data)
            if way.slice_bytes < _SLICE_BYTES:
                await asyncio.sleep(0)
            if way.rate_bps is not None:
                await asyncio.sleep(len(data) * 8 / way.rate_bps)
            await way.pace(len(data))
            await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST and throw away what is queued (SO_LINGER 0)."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    writer.transport.abort()
