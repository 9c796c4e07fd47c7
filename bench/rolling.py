"""A fleet that is rolled node by node under viewers: ``python bench/rolling.py --help``.

An origin, two shields, two edges, each told to stop by SIGTERM and started again at once. Half of the viewers play RTMP
and follow ReconnectRequest; the others play FLV and come back when their connection has ended. Both go to the next edge
that takes them, as behind a balancer. Encoders come back to the origin. Each frame bears its number: see
``bench/numbered.py``.

A gap is the time in which a viewer has got no frame that is newer than all it had; the time between two frames, and the
delays of this one process, are in it. A frame is lost where a viewer lacks it, before and after has others, and the
origin took it: some viewer has it, or a later one of that connection of the encoder.
"""

from __future__ import annotations

import argparse
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.numbered import RECONNECT, SERVING, Publisher, Running, greeting, number_of, started, wait_for
from bench.scenarios import raise_descriptor_limit
from edge.media.flv import TagReader
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.config import RtmpConfig

_START_S, _END_S = 20.0, 30.0
_VIDEO, _COMMAND = 9, 20
_FRAME_BYTES = 500
#: As in the flagfiles under deploy/: whoever comes to a node that has just started waits for nothing.
_FLAGS = ("-http_preload",)
#: What a client waits before it tries again, where nobody took its connection.
_AGAIN_S = 0.05
#: For which a fleet goes on before the next node is told.
_BETWEEN_S = 3.0


class Connection:
    """One play of a viewer: the numbers of its frames, as they come."""

    def __init__(self, port: int, name: str, *, is_flv: bool) -> None:
        """Raises OSError: nobody listens there."""
        self.numbers: list[int] = []
        self.is_asked_to_leave = False
        self.has_ended = False
        self._tags = TagReader() if is_flv else None
        self._chunks = ChunkReader(RtmpConfig(max_message_bytes=1 << 24))
        self._head: bytes | None = b""
        self._at = 0
        self.sock = socket.create_connection(("127.0.0.1", port))
        asked = f"GET /live/{name}.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self.sock.sendall(asked if is_flv else greeting(port, name, "play", can_reconnect=True))
        self.sock.setblocking(False)

    def read(self) -> int:
        """How many frames have come."""
        try:
            data = self.sock.recv(262144)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self.has_ended = True
            return 0
        before = len(self.numbers)
        for body in self._bodies(data):
            number = number_of(body)
            if number is not None:
                self.numbers.append(number)
        return len(self.numbers) - before

    def _bodies(self, data: bytes) -> list[bytes]:
        if self._tags is None:
            messages: list[Message] = []
            self._chunks.feed(data, 0, messages)
            self.is_asked_to_leave |= any(RECONNECT in each.payload for each in messages if each.type_id == _COMMAND)
            return [each.payload for each in messages if each.type_id == _VIDEO]
        if self._head is not None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return []
            self._head = None
            if b" 200 " not in head.splitlines()[0]:
                self.has_ended = True
                return []
        return [tag.body for tag in self._tags.receive_data(data) if tag.type_id == _VIDEO]


@dataclass(slots=True)
class Viewer:
    """Somebody who watches, on one connection after another.

    Attributes:
        newest: the greatest number so far, which came at ``newest_at``.
        gaps: the longest without a newer one, and when that was, by node that was being rolled.
    """

    name: str
    is_flv: bool
    edge: int
    connections: list[Connection] = field(default_factory=list)
    newest: int = -1
    newest_at: float = 0.0
    again_at: float = 0.0
    gaps: dict[str, float] = field(default_factory=dict)

    def took(self, connection: Connection, count: int, now: float, phase: str) -> None:
        newest = max(connection.numbers[-count:])
        if newest > self.newest:
            if self.newest_at:
                self.gaps[phase] = max(self.gaps.get(phase, 0.0), now - self.newest_at)
            self.newest, self.newest_at = newest, now


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of frames: of each viewer from its first one on."""

    lost: int
    doubled: int
    never_taken: int


class Fleet:
    """Encoders and viewers of five nodes, in one loop; ``phase`` names what happens meanwhile."""

    def __init__(self, origin: int, edges: Sequence[int], fps: int) -> None:
        self.phase = "before"
        self.encoders: list[list[Publisher]] = []
        self.viewers: list[Viewer] = []
        self._origin, self._edges, self.fps = origin, list(edges), fps
        self._began = time.monotonic()
        self._frames = 0
        self._poll = select.epoll()
        self._by_fd: dict[int, tuple[Viewer, Connection]] = {}

    def publish(self, count: int) -> None:
        """So many streams from now on."""
        for number in range(count):
            self.encoders.append([Publisher(self._origin, f"s{number}", can_reconnect=True)])

    def watch(self, count: int) -> None:
        """So many viewers more, at all edges and streams alike."""
        for number in range(count):
            name = f"s{number // 4 % len(self.encoders)}"
            viewer = Viewer(name, is_flv=number % 2 == 1, edge=number // 2)
            self.viewers.append(viewer)
            self._connect(viewer)
            self.turn(0)

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.turn(0.005)

    def turn(self, wait_s: float) -> None:
        """Send what is due, read what has come, and connect whoever has to anew."""
        while (time.monotonic() - self._began) * self.fps >= self._frames:
            for number, connections in enumerate(self.encoders):
                self._send(f"s{number}", connections)
            self._frames += 1
        for fd, _ in self._poll.poll(wait_s):
            if fd in self._by_fd:  # the newer connection of a viewer ends the older one
                self._read(*self._by_fd[fd])
        now = time.monotonic()
        for viewer in self.viewers:
            last = viewer.connections[-1] if viewer.connections else None
            if (last is None or last.has_ended or last.is_asked_to_leave) and now >= viewer.again_at:
                viewer.again_at = now + _AGAIN_S
                self._connect(viewer)

    def _send(self, name: str, connections: list[Publisher]) -> None:
        last = connections[-1]
        if last.has_ended:
            last.sock.close()
        if last.has_ended or last.is_asked_to_leave:
            try:
                connections.append(Publisher(self._origin, name, last.number, can_reconnect=True))
                last.sock.close()
                last = connections[-1]
            except OSError:
                if last.has_ended:
                    return
        last.send(self._frames * 1000 // self.fps, 2 * self.fps, _FRAME_BYTES)

    def _connect(self, viewer: Viewer) -> None:
        for _ in self._edges:
            viewer.edge += 1
            try:
                connection = Connection(self._edges[viewer.edge % len(self._edges)], viewer.name, is_flv=viewer.is_flv)
            except OSError:
                continue
            viewer.connections.append(connection)
            self._by_fd[connection.sock.fileno()] = viewer, connection
            self._poll.register(connection.sock.fileno(), select.EPOLLIN)
            return

    def _read(self, viewer: Viewer, connection: Connection) -> None:
        count = connection.read()
        if count:
            viewer.took(connection, count, time.monotonic(), self.phase)
            for older in viewer.connections[: viewer.connections.index(connection)]:
                self._leave(older)
        if connection.has_ended:
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        if connection.sock.fileno() >= 0:
            self._poll.unregister(connection.sock.fileno())
            del self._by_fd[connection.sock.fileno()]
            connection.sock.close()

    def judge(self) -> Judgement:
        """Of all frames; encoders and viewers are to have no more of them under way."""
        lost = doubled = never_taken = 0
        for number, connections in enumerate(self.encoders):
            viewers = [viewer for viewer in self.viewers if viewer.name == f"s{number}"]
            seen = [{each for one in viewer.connections for each in one.numbers} for viewer in viewers]
            anybody = set().union(*seen)
            taken: set[int] = set()
            for publisher in connections:
                of_it = range(publisher.first, publisher.number)
                last = max((each for each in of_it if each in anybody), default=publisher.first - 1)
                taken.update(range(publisher.first, last + 1))
                never_taken += publisher.number - 1 - last
            for numbers in seen:
                lost += len({each for each in taken if each > min(numbers, default=0)} - numbers)
            for viewer in viewers:
                for one in viewer.connections:
                    doubled += sum(after <= before for before, after in zip(one.numbers, one.numbers[1:], strict=False))
        return Judgement(lost, doubled, never_taken)

    def unserved_count(self) -> int:
        """Viewers that have no connection with frames now."""
        return sum(not (each.connections and each.connections[-1].numbers) for each in self.viewers)


class Node:
    """One server of the fleet, at the same port each time."""

    def __init__(self, name: str, folder: Path, *flags: str) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._flags = flags
        self._starts = 0
        self.port = 0
        self._start(None)

    def _start(self, load: Running | None) -> None:
        self._starts += 1
        self._process: subprocess.Popen[bytes] = started(self._log, f"-port={self.port}", *self._flags)
        self.port = int(wait_for(self._log, SERVING, self._starts, load, _START_S)[1])

    def roll(self, load: Fleet) -> tuple[float, float]:
        """Stop it by SIGTERM and start it again; seconds until it had gone, and until it served again."""
        load.phase = self.name
        began = time.monotonic()
        self._process.terminate()
        while self._process.poll() is None:
            load.turn(0.005)
            if time.monotonic() - began > _END_S:
                raise SystemExit(f"{self.name} does not end")
        if self._process.returncode:
            raise SystemExit(f"{self.name} has ended with {self._process.returncode}")
        went_s = time.monotonic() - began
        self._start(load)
        back_s = time.monotonic() - began
        load.run(_BETWEEN_S)
        return went_s, back_s

    def faults(self) -> list[str]:
        """Lines of its log that tell of faults."""
        return re.findall(r"^[EF]\d{4} .*$", self._log.read_text(errors="replace"), re.MULTILINE)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return 1 where anything was lost or came twice, or a gap is longer than a second."""
    parser = argparse.ArgumentParser(prog="bench/rolling.py", description=__doc__.splitlines()[0])
    parser.add_argument("--players", type=int, default=300)
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--logs", help="folder for the logs of the nodes, which is kept")
    asked = parser.parse_args(argv)
    raise_descriptor_limit()
    nodes: list[Node] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(asked.logs or temporary)
        try:
            origin = Node("origin", folder, "-publisher_grace_ms=5000", *_FLAGS)
            nodes.append(origin)
            for number in (1, 2):
                nodes.append(Node(f"shield{number}", folder, f"-proxy_to=127.0.0.1:{origin.port}", *_FLAGS))
            shields = ",".join(f"127.0.0.1:{node.port}" for node in nodes[1:])
            of_shields = (f"-proxy_to=list://{shields}", "-proxy_lb=c_murmurhash", *_FLAGS)
            nodes += [Node(f"edge{number}", folder, *of_shields) for number in (1, 2)]
            fleet = Fleet(origin.port, [node.port for node in nodes[3:]], asked.fps)
            fleet.publish(asked.streams)
            fleet.run(1.0)
            fleet.watch(asked.players)
            fleet.run(_BETWEEN_S)
            times = {node.name: node.roll(fleet) for node in reversed(nodes)}
            faults = [f"{node.name}: {line}" for node in nodes for line in node.faults()]
        finally:
            for node in nodes:
                node.end()
    return _report(fleet, times, faults)


def _report(fleet: Fleet, times: dict[str, tuple[float, float]], faults: Sequence[str]) -> int:
    found = fleet.judge()
    unserved = fleet.unserved_count()
    sent = sum(each.number - each.first for connections in fleet.encoders for each in connections)
    print(f"{len(fleet.viewers)} viewers, {len(fleet.encoders)} streams, {sent} frames published")
    print(
        f"viewers that are not served at the end {unserved}; lost {found.lost}, twice or out of order {found.doubled}"
    )
    print(f"frames that encoders sent to an origin that had ended: {found.never_taken}")
    worst = 0.0
    for phase in ("before", *times):
        gaps = sorted(viewer.gaps.get(phase, 0.0) * 1000 for viewer in fleet.viewers)
        went_s, back_s = times.get(phase, (0.0, 0.0))
        told = f"; gone after {went_s:.1f} s, back after {back_s:.1f} s" if phase in times else ""
        print(f"{phase}: longest gap ms {gaps[-1]:.0f}, median {gaps[len(gaps) // 2]:.0f}{told}")
        worst = max(worst, gaps[-1] if phase in times else 0.0)
    print(f"longest gap ms {worst:.0f}; a frame each {1000 // fleet.fps} ms")
    for line in faults:
        print(line)
    return 1 if unserved or found.lost or found.doubled or worst > 1000 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
