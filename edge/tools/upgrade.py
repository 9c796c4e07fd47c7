"""``python -m edge.tools.upgrade PATH``: has the server with that ``-upgrade_socket`` replaced by a new process.

Exit code 0: the new process serves. 1: it does not, and the old one goes on. 2: the server cannot be asked.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence

from edge.errors import HandoverError
from edge.handover.channel import Channel
from edge.handover.frames import Kind

DONE, FAILED, CANNOT_ASK = 0, 1, 2
_PATIENCE_MS = 660_000  # more than the longest -upgrade_timeout_ms


def main(argv: Sequence[str]) -> int:
    """Ask, wait, and print what came of it."""
    parser = argparse.ArgumentParser(
        prog="python -m edge.tools.upgrade",
        description="Replace a running server by a new process that takes its connections over.",
    )
    parser.add_argument("path", help="its -upgrade_socket")
    path = parser.parse_args(argv).path
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        sys.stderr.write(f"{path}: {error.strerror}\n")
        return CANNOT_ASK
    channel = Channel(sock)
    try:
        channel.set_deadline(_PATIENCE_MS)
        channel.send(Kind.ORDER)
        sys.stdout.write(f"{channel.expect(Kind.OUTCOME).body.decode()}\n")
        return DONE
    except HandoverError as error:
        sys.stderr.write(f"not upgraded, the server goes on: {error.detail}\n")
        return FAILED
    finally:
        channel.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
