"""What ``make run`` runs: an origin, and a moving test picture published into it."""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

STREAM = "live/demo"
START_WAIT_S = 20.0
STOP_WAIT_S = 10.0
POLL_INTERVAL_S = 0.1


def guide(port: int) -> str:
    """Say where to publish, play and watch on a server at ``port`` of this machine."""
    server = f"127.0.0.1:{port}"
    return f"""
  The origin is running, with a moving test picture in it.

    watch      http://{server}/
    play       ffplay rtmp://{server}/{STREAM}
    publish    ffmpeg -re -i file.mp4 -c copy -f flv rtmp://{server}/live/mine
               OBS: Settings, Stream, Custom: server rtmp://{server}/live, stream key mine
    relay      edge -port=18079 -proxy_to={server}
               then play rtmp://127.0.0.1:18079/{STREAM}

  From another machine put this one's address in place of 127.0.0.1. Ctrl-C ends both.
"""


def wait_until_listening(port: int, server: subprocess.Popen[bytes], *, timeout_s: float = START_WAIT_S) -> bool:
    """Return True once ``port`` accepts, False when ``server`` ended first or the time is over."""
    give_up_at = time.monotonic() + timeout_s
    while time.monotonic() < give_up_at and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_INTERVAL_S)
        else:
            return server.poll() is None
    return False


def stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask each child to end, the last started first, and insist after ``STOP_WAIT_S``."""
    for child in reversed(children):
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def run(server_command: Sequence[str], picture_command: Sequence[str], port: int) -> int:
    """Keep both processes running until one ends or we are interrupted; return the exit code."""
    children = [subprocess.Popen(server_command)]
    try:
        if not wait_until_listening(port, children[0]):
            print(f"the server did not start on port {port}: exit code {children[0].poll()}", file=sys.stderr)
            return children[0].poll() or 1
        children.append(subprocess.Popen(picture_command))
        print(guide(port), flush=True)
        while all(child.poll() is None for child in children):
            time.sleep(POLL_INTERVAL_S)
        return next((child.returncode for child in children if child.returncode), 0)
    except KeyboardInterrupt:
        return 0
    finally:
        stop(children)


def _interrupt(_signal_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Start an origin and publish a moving test picture into it, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="edge.tools.demo", description=main.__doc__)
    parser.add_argument("--port", type=int, default=8079, help="where the origin listens (default 8079)")
    port: int = parser.parse_args(arguments).port
    signal.signal(signal.SIGTERM, _interrupt)
    return run(
        [sys.executable, "-m", "edge", f"-port={port}"],
        [sys.executable, "-m", "edge.tools.picture", f"rtmp://127.0.0.1:{port}/{STREAM}"],
        port,
    )


if __name__ == "__main__":
    sys.exit(main())
