"""Clients of TLS, well-behaved and not, for the rows about it."""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from tests.harness.clock import deadline, require_program
from tests.hostile._arena import Row
from tests.hostile._wire import RawPeer
from tests.naming.certificates import Authority, Pair
from tests.net.tls_pairs import plain_context

GET = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
HANDSHAKE, ALERT = 0x16, 0x15
UNRECOGNIZED_NAME = 112

_folder = tempfile.TemporaryDirectory(prefix="edge-tls-")


@functools.cache
def authority() -> Authority:
    """Made once per process; its files go when that ends."""
    return Authority(Path(_folder.name), "authority")


@functools.cache
def pair() -> Pair:
    return authority().sign("server")


def flags_of(*pairs: Pair) -> tuple[str, ...]:
    """Flags of a server that shows these."""
    names = [
        ",".join(str(path) for path in paths) for paths in zip(*((one.cert, one.key) for one in pairs), strict=True)
    ]
    return "-https", f"-certificate={names[0]}", f"-private_key={names[1]}"


class Said:
    """Takes the place of the messages of RTMP: what a server says, as it comes."""

    def __init__(self) -> None:
        self.data = b""
        self.messages: list[object] = []

    def feed(self, data: bytes) -> None:
        self.data += data


class TlsPeer:
    """A connection that speaks TLS, or tries.

    Attributes:
        raw: the connection below.
    """

    def __init__(self, row: Row) -> None:
        self.raw: RawPeer = row.raw()
        self._said = Said()
        self.raw.inbox = self._said  # type: ignore[assignment]

    @property
    def said(self) -> bytes:
        """What the server has said, as far as it was waited for."""
        return self._said.data

    def send(self, data: bytes) -> TlsPeer:
        self.raw.send(data)
        return self

    def shake(self, context: ssl.SSLContext | None = None, host: str | None = "localhost") -> TlsPeer:
        """Shake hands; from then on ``send`` encrypts."""
        self.raw.sock.settimeout(deadline(5))
        self.raw.sock = (context or plain_context()).wrap_socket(self.raw.sock, server_hostname=host)
        return self

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.raw.sock, ssl.SSLSocket)
        return self.raw.sock

    def send_below(self, data: bytes) -> TlsPeer:
        """Past TLS."""
        socket.socket.send(self.raw.sock, data)
        return self

    def wait_said(self, count: int = 1) -> bytes:
        """At least so many bytes of the server."""
        while len(self.said) < count:
            piece = self.raw.receive(deadline(3))
            assert piece, f"nothing more after {self.said!r}"
            self._said.feed(piece)
        return self.said

    def gets_an_answer(self) -> None:
        """What is inside is served."""
        self.send(GET)
        while not self.said.endswith(b"OK\n"):
            self.wait_said(len(self.said) + 1)


class OpensslClient:
    """``openssl s_client``, told by letters what to do."""

    def __init__(self, port: int, *options: str) -> None:
        command = [require_program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", *options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def command(self, letter: bytes, answer: bytes) -> bool:
        """Give a command and wait until it says so; False when it has ended instead."""
        with contextlib.suppress(BrokenPipeError):
            self.say(letter + b"\n")
        return self._until(self._process.stderr, answer)

    def wait_said(self, text: bytes) -> bool:
        """Wait for what the server says; False when the connection ends before."""
        return self._until(self._process.stdout, text)

    def _until(self, stream: object, text: bytes) -> bool:
        while line := stream.readline():  # type: ignore[attr-defined]
            if text in line:
                return True
        return False

    def __enter__(self) -> OpensslClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
