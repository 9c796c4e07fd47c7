"""Bytes that our server holds for a connection, a player, a publisher and a frame, by ``tracemalloc``.

    python -m bench.held FLAGS

is the server with every allocation of Python noted; a line on its standard input is answered by the bytes held.
"""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.load import ROOT, BenchError
from bench.stepwise import AVC_HEADER, StepClient, inter_frame, keyframe

_START_LIMIT_S = 20.0
#: Units before those that are counted, so that what is made once is there.
_FIRST = 10
_UNITS = 50
_FRAMES = 400
_FRAME_BYTES = 100
#: A log is kept for 2 s and the next look after its last player has left.
_REST_S = 3
_FRAME_MS = 20
#: Held still: so many looks in a row that differ by less.
_LOOKS, _LOOK_S, _STILL_BYTES = 4, 0.1, 512


class HeldServer:
    """The server in a process that tells what it holds; a context manager."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        command = [sys.executable, "-m", "bench.held", f"-port={self.port}", "-bind=127.0.0.1"]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> HeldServer:
        end_s = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < end_s and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        self.__exit__()
        raise BenchError(f"the server does not listen: exit code {self._process.returncode}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _held_now(self) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise BenchError("the server ended") from error

    def held_bytes(self) -> int:
        """What it holds once that has come to rest."""
        looks: list[int] = []
        end_s = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < end_s:
            looks.append(self._held_now())
            last = looks[-_LOOKS:]
            if len(last) == _LOOKS and max(last) - min(last) < _STILL_BYTES:
                return last[-1]
            time.sleep(_LOOK_S)
        raise BenchError(f"what it holds does not come to rest: {looks[-_LOOKS:]}")


def _connected(port: int) -> StepClient:
    client = StepClient(port)
    client.connect()
    return client


def _player(port: int) -> StepClient:
    client = _connected(port)
    client.play("s")
    return client


def _publisher(port: int, name: str) -> StepClient:
    client = _connected(port)
    client.publish(name)
    client.send_video(0, AVC_HEADER)
    client.send_video(0, keyframe(_FRAME_BYTES))
    return client


@contextmanager
def _closing() -> Iterator[list[StepClient]]:
    clients: list[StepClient] = []
    try:
        yield clients
        for client in clients:
            client.leave()
    finally:
        for client in clients:
            client.close()


def _per_frame(server: HeldServer, publisher: StepClient, since_ms: int) -> float:
    """Bytes held for one more frame, beyond its payload."""
    before = server.held_bytes()
    for number in range(1, _FRAMES + 1):
        publisher.send_video(since_ms + number * _FRAME_MS, inter_frame(_FRAME_BYTES))
    return (server.held_bytes() - before) / _FRAMES - _FRAME_BYTES


def measure() -> dict[str, float]:
    """Bytes by what they are held for."""
    found: dict[str, float] = {}
    with HeldServer() as server:
        stream = _publisher(server.port, "s")
        kinds: dict[str, Callable[[int], StepClient]] = {
            "idle connection, nothing sent": lambda _: StepClient(server.port),
            "connection after createStream": lambda _: _connected(server.port),
            "player": lambda _: _player(server.port),
            "publisher, a header and a keyframe": lambda number: _publisher(server.port, f"p{number}"),
        }
        for name, dial in kinds.items():
            with _closing() as clients:
                clients += [dial(number) for number in range(_FIRST)]
                before = server.held_bytes()
                clients += [dial(_FIRST + number) for number in range(_UNITS)]
                found[name] = (server.held_bytes() - before) / _UNITS
        time.sleep(_REST_S)
        found["cached frame, nobody plays"] = _per_frame(server, stream, 0)
        with _closing() as clients:
            clients.append(_player(server.port))
            found["cached frame, one plays"] = _per_frame(server, stream, _FRAMES * _FRAME_MS)
        stream.leave()
    return found


def _answer() -> None:
    for _ in sys.stdin:
        gc.collect()
        print(tracemalloc.get_traced_memory()[0], flush=True)


def main() -> None:
    """Become the server."""
    tracemalloc.start()
    threading.Thread(target=_answer, name="held", daemon=True).start()
    from edge.__main__ import run

    run()


if __name__ == "__main__":
    main()
