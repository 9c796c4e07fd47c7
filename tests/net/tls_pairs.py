"""A client and a server of TLS over a pipe, and what both need to begin."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from edge.net.certificates import CertificateStore, KeyPair
from edge.net.config import TlsConfig
from edge.net.tls import TlsServerStream, TlsStream
from edge.net.tls_client import TlsClientStream, client_context
from tests.naming.certificates import Authority, Pair
from tests.net.plain_pipes import new_pipe

_folder = tempfile.TemporaryDirectory(prefix="edge-tls-")
# Long enough for any exchange of a test, whatever the pipe takes.
_TURNS = 200_000


@cache
def authority() -> Authority:
    """Made once per process; its files go when that ends."""
    return Authority(Path(_folder.name), "authority")


@cache
def server_pair() -> Pair:
    return authority().sign("server")


@cache
def store() -> CertificateStore:
    pair = server_pair()
    return CertificateStore([KeyPair(str(pair.cert), str(pair.key))])


@cache
def believing() -> ssl.SSLContext:
    """A client that believes ``authority``."""
    return client_context(TlsConfig(upstream_ca_file=authority().ca_file))


def plain_context(maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
    """A client that believes anybody."""
    context = client_context(TlsConfig(upstream_tls_verify=False))
    context.maximum_version = maximum
    return context


def hello_bytes(context: ssl.SSLContext, host: str = "localhost") -> bytes:
    """The first bytes of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=host).do_handshake()
    return outgoing.read()


class Ends:
    """Both streams, and the pipe between them."""

    def __init__(
        self,
        *,
        client_takes: Iterable[int] = (),
        server_takes: Iterable[int] = (),
        gives: int = 1 << 30,
        context: ssl.SSLContext | None = None,
        host: str = "localhost",
    ) -> None:
        self.client_pipe, self.server_pipe = new_pipe(client_takes=client_takes, server_takes=server_takes, gives=gives)
        self.server = TlsServerStream(self.server_pipe, store())
        self.client = TlsClientStream(self.client_pipe, context or believing(), host)

    def shake(self) -> Ends:
        """Both sides until both are done."""
        for _ in range(_TURNS):
            done = [side.handshake() and side.flush() for side in (self.client, self.server)]
            if all(done):
                return self
        raise AssertionError("the handshake does not end")


def read_all(stream: TlsStream, size: int = 65536) -> bytes:
    """What can be had now; up to the end if that is there."""
    found = bytearray()
    buffer = memoryview(bytearray(size))
    while True:
        try:
            count = stream.recv_into(buffer)
        except BlockingIOError:
            return bytes(found)
        if not count:
            return bytes(found)
        found += buffer[:count]


def send_all(sender: TlsStream, receiver: TlsStream, data: bytes) -> bytes:
    """Send everything, reading at the other side; returns what came there."""
    arrived, offset = bytearray(), 0
    for _ in range(_TURNS):
        if offset < len(data):
            with contextlib.suppress(BlockingIOError):
                offset += sender.send(memoryview(data)[offset:])
        is_out = sender.flush()
        arrived += read_all(receiver)
        if offset == len(data) and is_out and len(arrived) == len(data):
            return bytes(arrived)
    raise AssertionError(f"{len(arrived)} of {len(data)} bytes came")
