"""TLS over memory: every cut, every end, and clients that are none."""

from __future__ import annotations

import contextlib
import errno
import itertools
import random
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import TlsError
from edge.net import tls
from edge.net.byte_stream import SocketStream, stream_of
from edge.net.tls import TlsBrokenError, TlsServerStream
from tests.harness.clock import deadline, require_program
from tests.net.plain_pipes import PipeEnd, new_pipe
from tests.net.tls_pairs import Ends, hello_bytes, plain_context, read_all, send_all, store

DATA = random.Random(7).randbytes(300_000)


@pytest.mark.parametrize(
    ("client_takes", "server_takes", "gives"),
    [((), (), 1 << 30), ((1,), (1,), 1), ((0, 7, 100), (0, 0, 3000), 100), ((16389,), (16411, 0), 5)],
)
def test_bytes_arrive_whatever_the_kernel_takes(
    client_takes: tuple[int, ...], server_takes: tuple[int, ...], gives: int
) -> None:
    ends = Ends(client_takes=client_takes, server_takes=server_takes, gives=gives).shake()
    size = 3000 if gives == 1 else len(DATA)
    assert send_all(ends.server, ends.client, DATA[:size]) == DATA[:size]
    assert send_all(ends.client, ends.server, DATA[:size]) == DATA[:size]
    assert (ends.server.server_name, ends.server.version, ends.client.alpn) == ("localhost", "TLSv1.3", None)


@given(
    takes=st.lists(st.sampled_from([0, 1, 100, 5000, 16406, 16411, 40000, 1 << 30]), min_size=1, max_size=8),
    offers=st.lists(st.sampled_from([1, 50, 3000, 16384, 16385, 32768, 32769, 100_000]), min_size=1, max_size=12),
    gives=st.sampled_from([1000, 16384, 1 << 30]),
)
def test_what_arrives_is_what_send_said_it_took(takes: list[int], offers: list[int], gives: int) -> None:
    """After a refusal other bytes may be offered, as by a player that jumps."""
    ends = Ends(gives=gives).shake()
    ends.server_pipe.takes = itertools.cycle([*takes, 1 << 30])
    taken, arrived = bytearray(), bytearray()
    for number, size in enumerate(offers):
        offer = bytes([number]) * size
        try:
            count = ends.server.send(offer)
        except BlockingIOError:
            assert ends.server.has_unsent
            continue
        assert 0 < count <= size
        assert count == size or ends.server.has_unsent
        taken += offer[:count]
        arrived += read_all(ends.client, 777)
    while not ends.server.flush():
        arrived += read_all(ends.client, 777)
    arrived += read_all(ends.client, 777)
    assert arrived == taken


def test_one_call_moves_all_that_the_kernel_takes() -> None:
    ends = Ends().shake()
    assert ends.server.send(DATA) == len(DATA)
    assert not ends.server.has_unsent
    ends.server_pipe.takes = iter([1 << 30, 1 << 30, 100, 0])
    taken = ends.server.send(DATA)
    assert (taken, ends.server.has_unsent) == (3 * 32768, True)
    ends.server_pipe.takes = iter([0])
    with pytest.raises(BlockingIOError):
        ends.server.send(b"refused until the records are out")
    assert ends.server.send(b"x") == 1
    assert read_all(ends.client) == DATA + DATA[:taken] + b"x"


def test_nothing_is_sent_or_read_before_the_handshake() -> None:
    ends = Ends()
    for side in (ends.server, ends.client):
        with pytest.raises(BlockingIOError):
            side.send(b"early")
        with pytest.raises(BlockingIOError):
            side.recv_into(memoryview(bytearray(10)))
        assert not side.has_unread
    assert ends.server.version == ""
    ends.shake()
    assert ends.server.send(b"") == 0
    assert send_all(ends.server, ends.client, b"in time") == b"in time"


def test_what_was_looked_at_is_read_afterwards() -> None:
    ends = Ends().shake()
    with pytest.raises(BlockingIOError):
        ends.server.peek(8)
    ends.client.send(b"abc")
    assert (ends.server.peek(24), ends.server.has_unread) == (b"abc", True)
    assert ends.server.peek(24) == b"abc"
    ends.client.send(b"defgh")
    assert (ends.server.peek(2), ends.server.peek(6)) == (b"ab", b"abcdef")
    buffer = memoryview(bytearray(64))
    assert ends.server.recv_into(buffer, 4) == 4
    assert bytes(buffer[:4]) + read_all(ends.server) == b"abcdefgh"
    assert not ends.server.has_unread
    ends.client.end_sending()
    assert (ends.server.peek(24), ends.server.has_ended, ends.server.recv_into(buffer)) == (b"", True, 0)


def test_bytes_that_the_poller_does_not_tell_of() -> None:
    ends = Ends().shake()
    ends.client.send(DATA[:20_000])
    ends.client.send(b"end")
    buffer = memoryview(bytearray(1000))
    assert ends.server.recv_into(buffer) == 1000
    got = 1000
    while ends.server.has_unread or ends.server_pipe.received:
        got += ends.server.recv_into(buffer)
    assert got == 20_003
    # A part of a record looks like bytes, once.
    ends.client.send(b"later")
    del ends.server_pipe.received[-1:]
    with pytest.raises(BlockingIOError):
        ends.server.recv_into(buffer)
    assert not ends.server.has_unread


def test_the_farewell_ends_what_one_side_sends() -> None:
    ends = Ends().shake()
    ends.server.send(DATA[:50_000])
    ends.client.end_sending()
    ends.client.end_sending()
    with pytest.raises(BrokenPipeError):
        ends.client.send(b"x")
    # What had come and what comes later is read on.
    assert read_all(ends.client) == DATA[:50_000]
    assert (read_all(ends.server), ends.server.has_ended) == (b"", True)
    assert send_all(ends.server, ends.client, b"and more") == b"and more"
    ends.server.end_sending()
    assert (read_all(ends.client), ends.client.has_ended, ends.server_pipe.is_ended) == (b"", True, True)
    ends.server.close()
    assert ends.server.fileno() == -1


@pytest.mark.parametrize("read_before", [0, 1, 16_384, 20_000])
def test_data_that_came_before_our_farewell_is_kept(read_before: int) -> None:
    """OpenSSL would take it for a fault."""
    ends = Ends(gives=17_000).shake()
    ends.client.send(DATA[:60_000])
    buffer = memoryview(bytearray(20_000))
    got = ends.server.recv_into(buffer, read_before) if read_before else 0
    ends.server.end_sending()
    assert bytes(buffer[:got]) + read_all(ends.server) == DATA[:60_000]


def test_the_farewell_waits_for_what_was_taken() -> None:
    ends = Ends().shake()
    ends.server_pipe.takes = iter([100, 0, 0, 50])
    assert ends.server.send(b"bye" * 100) == 300
    ends.server.end_sending()
    assert (ends.server.has_unsent, ends.server_pipe.is_ended) == (True, False)
    assert not ends.server.flush()
    assert not ends.server.flush()
    assert (ends.server.flush(), ends.server_pipe.is_ended) == (True, True)
    assert (read_all(ends.client), ends.client.has_ended) == (b"bye" * 100, True)


@pytest.mark.parametrize("cut", [0, 10])
def test_S8_an_end_without_farewell_is_ordinary(cut: int) -> None:
    ends = Ends().shake()
    ends.client.send(b"data")
    ends.client.send(b"more data")
    if cut:
        del ends.server_pipe.received[-cut:]
    ends.client_pipe.close()
    buffer = memoryview(bytearray(64))
    got = ends.server.recv_into(buffer)
    assert bytes(buffer[:got]) == (b"data" if cut else b"datamore data")
    assert [ends.server.recv_into(buffer), ends.server.recv_into(buffer)] == [0, 0]
    assert ends.server.has_ended


def test_the_end_behind_data_is_told() -> None:
    """Its farewell was read along with the data, and no FIN may ever come."""
    ends = Ends().shake()
    ends.client.send(b"data")
    ends.client.end_sending()
    ends.client_pipe.is_ended = False
    buffer = memoryview(bytearray(64))
    assert ends.server.recv_into(buffer) == 4
    assert ends.server.has_unread
    assert ends.server.recv_into(buffer) == 0
    assert not ends.server.has_unread


def test_S2_a_damaged_record_ends_an_established_connection() -> None:
    ends = Ends().shake()
    ends.client.send(b"good")
    ends.client.send(b"bad")
    ends.server_pipe.received[-1] ^= 1
    buffer = memoryview(bytearray(64))
    assert ends.server.recv_into(buffer) == 4
    assert ends.server.has_unread
    with pytest.raises(TlsBrokenError, match="tls_error: DECRYPTION_FAILED_OR_BAD_RECORD_MAC") as caught:
        ends.server.recv_into(buffer)
    assert (caught.value.reason, caught.value.errno) == ("tls_error", errno.EPROTO)
    assert not ends.server.has_unread
    with pytest.raises(TlsBrokenError, match="BAD_RECORD_MAC"):  # the alert came
        ends.client.recv_into(buffer)
    ends.server.end_sending()  # harmless


def test_a_broken_socket_breaks_the_stream() -> None:
    ends = Ends().shake()
    ends.client.send(b"last words")
    ends.server_pipe.error = ConnectionResetError(errno.ECONNRESET, "reset")
    for call in (lambda: ends.server.send(b"x"), lambda: ends.server.recv_into(memoryview(bytearray(9)))):
        with pytest.raises(ConnectionResetError):
            call()
    ends.server.end_sending()


def lonely_server() -> tuple[PipeEnd, TlsServerStream]:
    """A server, and the end of the pipe at which its client would be."""
    client, server = new_pipe()
    return client, TlsServerStream(server, store())


ALERT = b"\x15\x03"


@pytest.mark.parametrize(
    ("first", "reason", "is_answered"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP_REQUEST", False),
        (b"\x03" + bytes(1536), "WRONG_VERSION_NUMBER", False),
        (b"\x16\x03\x01\x00\x20" + bytes(range(100, 132)), "[A-Z]", True),
        (b"\x16\x03\x01\x00\x00" + bytes(100), "[A-Z]", True),
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", "LENGTH", True),
        (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80" + bytes(60), "[A-Z]", False),
    ],
    ids=["http", "rtmp", "garbage in a handshake record", "empty record", "empty hello", "SSLv2"],
)
def test_S2_clients_that_are_none(first: bytes, reason: str, is_answered: bool) -> None:
    client, server = lonely_server()
    client.send(first)
    with pytest.raises(TlsError, match=reason) as caught:
        server.handshake()
    assert (caught.value.reason, caught.value.is_quiet) == ("tls_error", True)
    assert client.received.startswith(ALERT) or not is_answered


@pytest.mark.parametrize("version", [b"\x03\x00", b"\x03\x01", b"\x03\x02"], ids=["SSLv3", "TLS 1.0", "TLS 1.1"])
def test_S2_old_versions_are_refused(version: bytes) -> None:
    hello = bytearray(hello_bytes(plain_context(ssl.TLSVersion.TLSv1_2)))
    hello[9:11] = version
    client, server = lonely_server()
    client.send(hello)
    with pytest.raises(TlsError, match=r"UNSUPPORTED_PROTOCOL|VERSION"):
        server.handshake()
    assert client.received.startswith(ALERT)


def test_S3_a_hello_of_16_KiB_in_segments_of_a_byte_with_unknown_alpn() -> None:
    context = plain_context()
    context.set_alpn_protocols([f"{number:0250}" for number in range(63)])
    assert len(hello_bytes(context)) > 16_000
    ends = Ends(context=context, gives=1).shake()
    assert ends.server.alpn is None
    assert send_all(ends.client, ends.server, b"GET / ") == b"GET / "


def test_a_hello_without_end_is_given_to_openssl() -> None:
    client, server = lonely_server()
    client.send(b"\x16\x03\x01\x40\x00\x01\x10\x00\x00" + bytes(16380) + (b"\x16\x03\x01\x40\x00" + bytes(16384)) * 70)
    with pytest.raises(TlsError):
        server.handshake()


@pytest.mark.parametrize("sent", [0, 1, 5, 100])
def test_a_client_that_goes_in_its_hello(sent: int) -> None:
    client, server = lonely_server()
    client.send(hello_bytes(plain_context())[:sent])
    assert not server.handshake()
    assert not server.has_unsent
    client.close()
    with pytest.raises(TlsError, match="closed in the handshake"):
        server.handshake()


def test_S4_a_refused_name_gets_its_alert() -> None:
    class Nobody:
        def context_for(self, server_name: str | None) -> None:
            return None

    client, pipe = new_pipe()
    client.send(hello_bytes(plain_context(), "other.test"))
    with pytest.raises(TlsError, match=r"unrecognized_name other\.test"):
        TlsServerStream(pipe, Nobody()).handshake()
    assert client.received == b"\x15\x03\x03\x00\x02\x02\x70"


@pytest.mark.parametrize("name", [b"aa\xffa.test", "bücher.t".encode(), b"aa aa.test", b"A" * 9, b"xn--4.test"])
def test_S4_names_that_are_none_get_the_default(name: bytes) -> None:
    client, server = lonely_server()
    hello = hello_bytes(plain_context(), "x" * len(name))
    client.send(hello.replace(b"x" * len(name), name))
    assert not server.handshake()
    assert client.received.startswith(b"\x16\x03\x03")  # the server's hello


def renamed(hello: bytes, old: bytes, new: bytes) -> bytes:
    """The hello of a client that asks for ``new``, which no client of Python's would do."""
    at, more = hello.index(old), len(new) - len(old)
    changed = bytearray(hello)
    after_session = 44 + hello[43]
    after_ciphers = after_session + 2 + int.from_bytes(hello[after_session : after_session + 2])
    extensions = after_ciphers + 1 + hello[after_ciphers]
    # Of the record, the message, all extensions, this one, its list and the name.
    for place, size in ((3, 2), (6, 3), (extensions, 2), (at - 7, 2), (at - 5, 2), (at - 2, 2)):
        length = int.from_bytes(changed[place : place + size]) + more
        changed[place : place + size] = length.to_bytes(size)
    changed[at : at + len(old)] = new
    return bytes(changed)


@pytest.mark.parametrize(("name", "is_served"), [(b"a\x00b.test", False), (b"a." * 150, False), (b"a." * 127, True)])
def test_S4_names_that_openssl_refuses(name: bytes, is_served: bool) -> None:
    client, server = lonely_server()
    client.send(renamed(hello_bytes(plain_context(), "short.test"), b"short.test", name))
    if is_served:
        assert not server.handshake()
        assert server.server_name == name.decode().rstrip(".")
    else:
        with pytest.raises(TlsError, match="BAD_EXTENSION"):
            server.handshake()
        assert client.received.startswith(ALERT)


class Commanded:
    """openssl's client at the other end of a socket, told by letters what to do."""

    def __init__(self, *options: str) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        command = [require_program("openssl"), "s_client", "-connect", address, *options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        listener.settimeout(deadline(5))
        sock, _ = listener.accept()
        listener.close()
        self.stream = TlsServerStream(stream_of(sock), store())
        while not self.stream.handshake():
            assert select.select([self.stream], [], [], deadline(5))[0]
        self._thread: threading.Thread | None = None

    def say(self, letter: bytes, times: int, answer: bytes) -> None:
        """Give a command so often, each after the one before is carried out; then a line of data."""

        def run() -> None:
            assert self._process.stdin is not None and self._process.stderr is not None
            with contextlib.suppress(OSError):
                for _ in range(times):
                    self._process.stdin.write(letter + b"\n")
                    self._process.stdin.flush()
                    while (line := self._process.stderr.readline()) and answer not in line:
                        pass
                self._process.stdin.write(b"hello\n")
                self._process.stdin.flush()

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def next_line(self) -> bytes:
        buffer = memoryview(bytearray(100))
        while True:
            assert select.select([self.stream], [], [], deadline(5))[0]
            with contextlib.suppress(BlockingIOError):
                return bytes(buffer[: self.stream.recv_into(buffer)])

    def close(self) -> None:
        self.stream.close()
        self._process.kill()
        if self._thread is not None:
            self._thread.join()
        self._process.communicate()


@contextlib.contextmanager
def commanded(*options: str) -> Iterator[Commanded]:
    peer = Commanded(*options)
    try:
        yield peer
    finally:
        peer.close()


def test_S7_a_thousand_key_updates_are_answered() -> None:
    with commanded() as peer:
        peer.say(b"K", 1000, b"KEYUPDATE")
        assert peer.next_line() == b"hello\n"
        assert peer.stream.send(b"still here") == 10
        assert not peer.stream.has_unsent


def test_S7_key_updates_without_end_end_the_connection() -> None:
    with commanded() as peer:
        peer.say(b"k", 4000, b"KEYUPDATE")
        with pytest.raises(TlsBrokenError, match="too many records without data"):
            peer.next_line()


def test_S7_key_updates_of_a_peer_that_reads_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_MAX_ANSWER_BYTES", 2000)
    with commanded() as peer:
        monkeypatch.setattr(SocketStream, "send", lambda self, data: 0, raising=False)
        peer.say(b"K", 200, b"KEYUPDATE")
        with pytest.raises(TlsBrokenError, match="asks for keys"):
            peer.next_line()


def test_S7_renegotiation_is_refused() -> None:
    with commanded("-tls1_2") as peer:
        assert peer.stream.version == "TLSv1.2"
        peer.say(b"R", 1, b"RENEGOTIATING")
        with contextlib.suppress(TlsBrokenError):
            assert peer.next_line() in (b"", b"hello\n")
