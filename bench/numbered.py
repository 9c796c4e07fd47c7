"""Players and publishers of numbered frames in one process: what is lost, what comes twice, how long nothing comes.

Half of the players take RTMP, half FLV. Each frame bears its number; the bytes of each player are kept, and judged
when all is over. A gap is the time between two reads of a player: the load is one Python process on the machine of the
server, so its own delays are in it.
"""

from __future__ import annotations

import itertools
import os
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

from edge.media.flv import TagReader
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import encode_message
from edge.rtmp.commands import encode_command
from edge.rtmp.config import RtmpConfig

ROOT = Path(__file__).resolve().parent.parent
#: So that programs that are started find this tree.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
#: The start line of a server.
SERVING = re.compile(r"is serving on port=(\d+)")
#: In the words of E-RTMP: the server will stop, so connect anew.
RECONNECT = b"NetConnection.Connect.ReconnectRequest"
_SIMPLIFIED = b"\x03BDMS"
_VIDEO = 9
_COMMAND = 20
_BODY_BYTES = 2000


class Running(Protocol):
    """A load that goes on while a log is waited for."""

    def run(self, seconds: float) -> None: ...


def greeting(app_port: int, name: str, command: str, *, can_reconnect: bool = False) -> bytes:
    """All that a client says before media, at once: the server answers in its order."""
    connect: dict[str, object] = {"app": "live", "tcUrl": f"rtmp://127.0.0.1:{app_port}/live", "flashVer": "bench"}
    if can_reconnect:
        connect["capsEx"] = 1

    def said(message_stream_id: int, *values: object) -> bytes:
        body = encode_command(*values)  # type: ignore[arg-type]
        return encode_message(3, _COMMAND, message_stream_id, 0, body, 128)

    asked = (said(0, "connect", 1, connect), said(0, "createStream", 2, None), said(1, command, 3, None, name))
    return _SIMPLIFIED + b"".join(asked)


def number_of(body: bytes) -> int | None:
    """Which picture it is; None for a header."""
    return int(body[5:15]) if body[1] == 1 else None


class Player:
    """One connection; keeps what comes, and when."""

    def __init__(self, port: int, name: str, *, is_flv: bool) -> None:
        self.is_flv = is_flv
        self.data: list[bytes] = []
        self.gap_s = 0.0
        self.last_at = 0.0
        self.has_ended = False
        self.sock = socket.create_connection(("127.0.0.1", port))
        head = f"GET /live/{name}.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self.sock.sendall(head if is_flv else greeting(port, name, "play"))
        self.sock.setblocking(False)

    def read(self, now: float) -> None:
        try:
            data = self.sock.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.has_ended = True
            return
        if self.last_at:
            self.gap_s = max(self.gap_s, now - self.last_at)
        self.last_at = now
        self.data.append(data)

    def numbers(self) -> list[int]:
        """Of the frames that have come, in their order."""
        data = b"".join(self.data)
        if self.is_flv:
            body = data.partition(b"\r\n\r\n")[2]
            tags = TagReader().receive_data(body)
            bodies = [tag.body for tag in tags if tag.type_id == _VIDEO]
        else:
            messages: list[Message] = []
            ChunkReader(RtmpConfig(max_message_bytes=1 << 24)).feed(data, 0, messages)
            bodies = [message.payload for message in messages if message.type_id == _VIDEO]
        return [number for body in bodies if (number := number_of(body)) is not None]


class Publisher:
    """Sends numbered pictures, from ``number`` on, which is a keyframe."""

    def __init__(self, port: int, name: str, number: int = 0, *, can_reconnect: bool = False) -> None:
        self.number = self.first = number
        self.has_ended = False
        self.is_asked_to_leave = False
        self.sock = socket.create_connection(("127.0.0.1", port))
        header = encode_message(6, _VIDEO, 1, 0, b"\x17\x00\x00\x00\x00header", 128)
        self.sock.sendall(greeting(port, name, "publish", can_reconnect=can_reconnect) + header)

    def send(self, at_ms: int, gop: int, size: int = _BODY_BYTES) -> None:
        """A picture of ``size`` bytes and its number; each ``gop``-th is a keyframe."""
        first = b"\x17" if (self.number - self.first) % gop == 0 else b"\x27"
        body = first + b"\x01\x00\x00\x00" + b"%010d" % self.number + bytes(size)
        self.number += 1
        try:
            self.sock.sendall(encode_message(6, _VIDEO, 1, at_ms, body, 128))
            self.sock.setblocking(False)
            while answers := self.sock.recv(65536):
                self.is_asked_to_leave |= RECONNECT in answers
            self.has_ended = True
        except BlockingIOError:
            self.sock.setblocking(True)
        except OSError:
            self.has_ended = True


class Load:
    """Players and publishers in one loop."""

    def __init__(self, port: int, players: int, publishers: int, fps: int) -> None:
        self.fps = fps
        self.publishers = [Publisher(port, f"s{number}") for number in range(publishers)]
        self._began = time.monotonic()
        self._frames = 0
        self.players: list[Player] = []
        self._poll = select.epoll()
        self._by_fd: dict[int, Player] = {}
        self.run(1.0)
        for number in range(players):
            player = Player(port, f"s{number // 2 % publishers}", is_flv=number % 2 == 1)
            self.players.append(player)
            self._by_fd[player.sock.fileno()] = player
            self._poll.register(player.sock.fileno(), select.EPOLLIN)
            self.turn(0)

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.turn(0.005)

    def turn(self, wait_s: float) -> None:
        """Send what is due, and read what has come."""
        while (time.monotonic() - self._began) * self.fps >= self._frames:
            for publisher in self.publishers:
                if not publisher.has_ended:
                    publisher.send(self._frames * 1000 // self.fps, 2 * self.fps)
            self._frames += 1
        for fd, _ in self._poll.poll(wait_s):
            player = self._by_fd[fd]
            player.read(time.monotonic())
            if player.has_ended:
                self._poll.unregister(fd)

    def judge(self) -> tuple[int, int, int]:
        """Connections that have ended, frames lost, and those that came twice or out of order."""
        ended = sum(one.has_ended for one in (*self.players, *self.publishers))
        lost = doubled = 0
        for player in self.players:
            numbers = player.numbers()
            for before, after in itertools.pairwise(numbers):
                lost += max(after - before - 1, 0)
                doubled += after <= before
        return ended, lost, doubled

    def forget_gaps(self) -> None:
        """What has been so far does not count."""
        for player in self.players:
            player.gap_s = 0.0

    def gaps_ms(self) -> list[float]:
        """The longest of each player, the shortest first."""
        return sorted(player.gap_s * 1000 for player in self.players)

    def frame_count(self) -> int:
        """How many frames were published."""
        return sum(publisher.number for publisher in self.publishers)


def started(log: Path, *flags: str) -> subprocess.Popen[bytes]:
    """A server on a free port that writes to ``log``; the caller waits for ``SERVING``."""
    command = [sys.executable, "-m", "edge", "-port=0", "-bind=127.0.0.1", "-min_buffering_ms=0", *flags]
    with log.open("ab") as written:
        return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=written, stderr=written)


def wait_for(log: Path, pattern: re.Pattern[str], count: int, load: Running | None, within_s: float) -> re.Match[str]:
    """The ``count``-th place of a log that a pattern matches; the load goes on meanwhile."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = list(pattern.finditer(log.read_text(errors="replace")))
        if len(found) >= count:
            return found[count - 1]
        if load is None:
            time.sleep(0.02)
        else:
            load.run(0.05)
    raise SystemExit(f"no {pattern.pattern!r} within {within_s:.0f} s:\n{log.read_text(errors='replace')[-3000:]}")
