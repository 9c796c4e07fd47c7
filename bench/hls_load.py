"""Viewers of HLS for the measurements: one thread, epoll, requests made in advance; its own process.

Classic viewers ask for the playlist each two seconds, and then for its newest segment. Those of low latency ask
for the playlist with the next part, and when it is there for that part. Bodies of media are thrown away inside
the kernel. Prints a JSON object when it has connected, and one at the end. Linux only.
"""

from __future__ import annotations

import argparse
import heapq
import json
import re
import select
import socket
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

_PERIOD_S = 2.0
_RAMP_PER_S = 300
_BUFFER = memoryview(bytearray(1 << 20))
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_SEQUENCE = re.compile(rb"#EXT-X-MEDIA-SEQUENCE:([0-9]+)")
_SKIPPED = re.compile(rb"#EXT-X-SKIP:SKIPPED-SEGMENTS=([0-9]+)")
_PART = re.compile(rb'#EXT-X-PART:[^\n]*URI="([^"]+)"')
_MEMORY = 8


class Plan:
    """What a playlist makes viewers ask for; read once, since all get the same one.

    Attributes:
        media: path of the newest segment or part.
        following: path and query of the next playlist.
    """

    def __init__(self, path: str, body: bytes, *, is_low_latency: bool) -> None:
        folder = path.rpartition("/")[0]
        lines = [line for line in body.split(b"\n") if line and not line.startswith(b"#")]
        parts = _PART.findall(body)
        newest = parts[-1] if is_low_latency and parts else lines[-1] if lines else b""
        self.media = f"{folder}/{newest.decode()}" if newest else ""
        self.following = path
        if is_low_latency:
            sequence, skipped = _SEQUENCE.search(body), _SKIPPED.search(body)
            number = int(sequence[1]) if sequence else 0
            number += len(lines) + (int(skipped[1]) if skipped else 0)
            tail = body.rpartition(b"#EXTINF")[2]
            self.following = f"{path}?_HLS_msn={number}&_HLS_part={len(_PART.findall(tail))}&_HLS_skip=YES"


class Viewer:
    """One connection."""

    __slots__ = ("asked_s", "due_s", "head", "is_media", "last", "left", "plan", "sock")

    def __init__(self, sock: socket.socket, due_s: float) -> None:
        self.sock = sock
        self.due_s = due_s
        self.asked_s = 0.0
        self.head = b""
        self.left = -1  # bytes of a body that are still to come; -1: a head is
        self.is_media = False
        self.last = ""
        self.plan: Plan | None = None


class Load:
    """All viewers of one stream.

    Attributes:
        statuses: of all answers in the window.
    """

    def __init__(self, port: int, path: str, *, is_low_latency: bool) -> None:
        self._port, self._path, self._is_low_latency = port, path, is_low_latency
        self._poll = select.epoll()
        self._viewers: dict[int, Viewer] = {}
        self._due: list[tuple[float, int]] = []
        self._plans: dict[bytes, Plan] = {}
        self._first_s: dict[str, float] = {}
        self._requests: dict[str, bytes] = {}
        self.statuses: Counter[str] = Counter()
        self.times: dict[str, array[float]] = {}
        self.media_count = self.playlist_count = self.body_bytes = self.skipped = 0
        self.reset()

    @staticmethod
    def now_s() -> float:
        """By the clock that ``run`` goes by."""
        return time.monotonic()

    def close(self) -> None:
        """End all connections."""
        for viewer in self._viewers.values():
            viewer.sock.close()
        self._poll.close()

    def reset(self) -> None:
        """The window begins."""
        self.statuses.clear()
        self.times = {name: array("d") for name in ("playlist", "media", "behind")}
        self.media_count = self.playlist_count = self.body_bytes = self.skipped = 0

    def connect(self, phase_s: float) -> None:
        """One viewer more, whose first request is due in a while."""
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        viewer = Viewer(sock, time.monotonic() + phase_s)
        self._viewers[sock.fileno()] = viewer
        self._poll.register(sock.fileno(), select.EPOLLIN)
        heapq.heappush(self._due, (viewer.due_s, sock.fileno()))

    def run(self, until_s: float) -> None:
        """Go on until then."""
        while (now_s := time.monotonic()) < until_s:
            while self._due and self._due[0][0] <= now_s:
                viewer = self._viewers[heapq.heappop(self._due)[1]]
                self._ask(viewer, self._path, is_media=False)
            wait_s = min(self._due[0][0], until_s) - now_s if self._due else until_s - now_s
            # At least a millisecond, which is the least that it can wait.
            for descriptor, _ in self._poll.poll(max(wait_s, 0.001)):
                self._read(self._viewers[descriptor])

    def _ask(self, viewer: Viewer, path: str, *, is_media: bool) -> None:
        request = self._requests.get(path)
        if request is None:
            if len(self._requests) > _MEMORY * 8:
                self._requests.clear()
            request = self._requests[path] = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        viewer.is_media, viewer.asked_s, viewer.left, viewer.head = is_media, time.monotonic(), -1, b""
        viewer.sock.send(request)

    def _read(self, viewer: Viewer) -> None:
        if viewer.left > 0 and viewer.is_media:
            try:
                count = viewer.sock.recv_into(_BUFFER, min(viewer.left, len(_BUFFER)), socket.MSG_TRUNC)
            except BlockingIOError:
                return
            if not count:
                raise SystemExit("the server has closed a connection")
            viewer.left -= count
            if viewer.left <= 0:
                self._answered(viewer, b"")
            return
        data = viewer.sock.recv(65536)
        if not data:
            raise SystemExit("the server has closed a connection")
        data = viewer.head + data if viewer.head else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            viewer.head = data
            return
        found = _LENGTH.search(data, 0, end)
        length, there = int(found[1]) if found else 0, len(data) - end - 4
        self.body_bytes += length if viewer.left < 0 else 0
        if viewer.is_media:
            viewer.left, viewer.head = length - there, b""
            if data[9:12] != b"200":
                self.statuses[data[9:12].decode()] += 1
        else:
            viewer.left, viewer.head = length - there, data
        if viewer.left <= 0:
            self._answered(viewer, data)

    def _answered(self, viewer: Viewer, data: bytes) -> None:
        now_s = time.monotonic()
        if viewer.is_media:
            self.times["media"].append(now_s - viewer.asked_s)
            self.media_count += 1
            self._follow(viewer)
            return
        self.playlist_count += 1
        self.times["playlist"].append(now_s - viewer.asked_s)
        status, (_, _, body) = data[9:12], data.partition(b"\r\n\r\n")
        if status != b"200":
            self.statuses[status.decode()] += 1
            viewer.plan = None
            self._later(viewer, now_s + 1)
            return
        plan = self._plans.get(body)
        if plan is None:
            if len(self._plans) >= _MEMORY:
                self._plans.clear()
            plan = self._plans[body] = Plan(self._path, body, is_low_latency=self._is_low_latency)
            if len(self._first_s) > 100:
                self._first_s.clear()
        viewer.plan = plan
        self.times["behind"].append(now_s - self._first_s.setdefault(plan.following + plan.media, now_s))
        if plan.media and plan.media != viewer.last:
            viewer.last = plan.media
            self._ask(viewer, plan.media, is_media=True)
        else:
            self.skipped += 1
            self._follow(viewer)

    def _follow(self, viewer: Viewer) -> None:
        if self._is_low_latency and viewer.plan is not None:
            self._ask(viewer, viewer.plan.following, is_media=False)
        else:
            self._later(viewer, max(viewer.due_s + _PERIOD_S, time.monotonic()))

    def _later(self, viewer: Viewer, due_s: float) -> None:
        viewer.due_s = due_s
        heapq.heappush(self._due, (due_s, viewer.sock.fileno()))

    def figures(self, passed_s: float) -> dict[str, Any]:
        """Of the window."""
        found: dict[str, Any] = {
            "statuses": dict(self.statuses),
            "media_per_s": self.media_count / passed_s,
            "playlists_per_s": self.playlist_count / passed_s,
            "mbps": self.body_bytes * 8 / passed_s / 1e6,
            "unchanged": self.skipped,
        }
        for name, times in self.times.items():
            ordered = sorted(times)
            for share, label in ((0.5, "p50"), (0.99, "p99"), (1.0, "max")):
                at = min(int(len(ordered) * share), len(ordered) - 1)
                found[f"{name}_{label}_ms"] = ordered[at] * 1000 if ordered else 0.0
        return found


def main(argv: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Run the viewers; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench/hls_load.py", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True, help="of the media playlist")
    parser.add_argument("--low-latency", action="store_true")
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--settle", type=float, default=4.0, help="seconds until the window")
    parser.add_argument("--window", type=float, default=20.0)
    arguments = parser.parse_args(argv)
    load = Load(arguments.port, arguments.path, is_low_latency=arguments.low_latency)
    for number in range(arguments.viewers):
        load.connect(_PERIOD_S * number / arguments.viewers)
        if number % 50 == 49:
            load.run(time.monotonic() + 50 / _RAMP_PER_S)
    load.run(time.monotonic() + arguments.settle)
    say(json.dumps({"event": "window", "viewers": arguments.viewers}))
    sys.stdout.flush()
    load.reset()
    began_s, cpu_s = time.monotonic(), time.process_time()
    load.run(began_s + arguments.window)
    passed_s = time.monotonic() - began_s
    own_pct = (time.process_time() - cpu_s) / passed_s * 100
    say(json.dumps({"event": "done", "own_cpu_pct": own_pct, **load.figures(passed_s)}))
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
