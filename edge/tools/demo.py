"""What ``make run`` runs: an origin, and a moving test picture published into it."""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

STREAM = "live/demo"
START_WAIT_S = 20.0
STOP_WAIT_S = 10.0
POLL_INTERVAL_S = 0.1
EXIT_PORT_BUSY = 75
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def edge_command() -> str:
    """How to run ``edge`` from the directory we were started in: the script beside this Python, or else the module."""
    script = Path(sys.executable).with_name("edge")
    if not script.is_file():
        return f"{sys.executable} -m edge"
    return str(script.relative_to(Path.cwd())) if script.is_relative_to(Path.cwd()) else str(script)


def guide(port: int) -> str:
    """Say where to publish, play and look on a server at ``port`` of this machine."""
    server = f"127.0.0.1:{port}"
    edge_port = 18079 if port != 18079 else 18080
    return f"""
  The origin is running, with a moving test picture in it.

    look at    http://{server}/          streams and addresses, in a browser
    play       http://{server}/play/{STREAM}, in a browser
               ffplay rtmp://{server}/{STREAM}
               ffplay http://{server}/{STREAM}.flv, or .ts
    publish    ffmpeg -re -i file.mp4 -c copy -f flv rtmp://{server}/live/mine
               OBS: Settings, Stream, Custom: server rtmp://{server}/live, stream key mine
    relay      {edge_command()} -port={edge_port} -proxy_to={server}
               in a second shell, then: ffplay rtmp://127.0.0.1:{edge_port}/{STREAM}

  From another machine put this one's address in place of 127.0.0.1. Ctrl-C ends it all.
"""


def is_taken(port: int) -> bool:
    """Whether another program listens on ``port`` of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Ending:
    """Whether we are to end. A signal says so and interrupts nothing: no child is left behind, however many come."""

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, *_signal: object) -> None:
        """End soon."""
        self.is_asked = True

    def take_signals(self) -> None:
        """From now on Ctrl-C and its like ask."""
        for number in STOP_SIGNALS:
            signal.signal(number, self.ask)


def wait_until_listening(port: int, server: subprocess.Popen[bytes], ending: Ending) -> bool:
    """Return True once ``port`` accepts, False when ``server`` or we end first, or the time is over."""
    give_up_at = time.monotonic() + START_WAIT_S
    while time.monotonic() < give_up_at and server.poll() is None and not ending.is_asked:
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


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # In a group of its own: Ctrl-C reaches us alone, and the picture ends before the server that it publishes to.
    return subprocess.Popen(command, process_group=0)


def run(server_command: Sequence[str], picture_command: Sequence[str], port: int, ending: Ending) -> int:
    """Keep both processes running until one ends or we are to end; return the exit code."""
    if is_taken(port):
        print(f"port {port} is taken by another program; choose one: make run PORT={port + 1}", file=sys.stderr)
        return EXIT_PORT_BUSY
    children = [_start(server_command)]
    try:
        if not wait_until_listening(port, children[0], ending):
            if ending.is_asked:
                return 0
            print(f"the server did not start on port {port}: exit code {children[0].poll()}", file=sys.stderr)
            return children[0].poll() or 1
        children.append(_start(picture_command))
        print(guide(port), flush=True)
        while all(child.poll() is None for child in children):
            if ending.is_asked:
                return 0
            time.sleep(POLL_INTERVAL_S)
        return next((child.returncode for child in children if child.returncode), 0)
    finally:
        stop(children)


def main(arguments: list[str] | None = None) -> int:
    """Start an origin and publish a moving test picture into it, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="edge.tools.demo", description=main.__doc__)
    parser.add_argument("--port", type=int, default=8079, help="where the origin listens (default 8079)")
    port: int = parser.parse_args(arguments).port
    ending = Ending()
    ending.take_signals()
    return run(
        [sys.executable, "-m", "edge", f"-port={port}"],
        [sys.executable, "-m", "edge.tools.picture", f"rtmp://127.0.0.1:{port}/{STREAM}"],
        port,
        ending,
    )


if __name__ == "__main__":
    sys.exit(main())
