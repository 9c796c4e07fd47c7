"""A plain socket as a stream of bytes."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from edge.net.byte_stream import ByteStream, stream_of


@pytest.fixture
def pair() -> Iterator[tuple[ByteStream, socket.socket]]:
    ours, theirs = socket.socketpair()
    stream = stream_of(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


def test_a_socket_becomes_a_stream_that_owns_its_descriptor() -> None:
    ours, theirs = socket.socketpair()
    fd = ours.fileno()
    stream = stream_of(ours)
    assert (stream.fileno(), ours.fileno()) == (fd, -1)
    assert stream.sock is stream
    stream.close()
    stream.close()
    assert stream.fileno() == -1
    assert theirs.recv(1) == b""
    theirs.close()


def test_what_was_looked_at_is_read_afterwards(pair: tuple[ByteStream, socket.socket]) -> None:
    stream, theirs = pair
    buffer = memoryview(bytearray(8))
    with pytest.raises(BlockingIOError):
        stream.peek(4)
    with pytest.raises(BlockingIOError):
        stream.recv_into(buffer)
    theirs.sendall(b"abcdef")
    assert stream.peek(4) == b"abcd"
    assert stream.recv_into(buffer, 3) == 3
    assert stream.recv_into(buffer[3:]) == 3
    assert bytes(buffer[:6]) == b"abcdef"
    theirs.close()
    assert (stream.peek(4), stream.recv_into(buffer)) == (b"", 0)


def test_a_full_socket_takes_no_more_and_keeps_nothing_back(pair: tuple[ByteStream, socket.socket]) -> None:
    stream, _ = pair
    with pytest.raises(BlockingIOError):
        while True:
            assert stream.send(bytes(100_000)) > 0
    assert not stream.has_unsent
    assert stream.flush()


def test_after_its_last_byte_a_stream_still_reads(pair: tuple[ByteStream, socket.socket]) -> None:
    stream, theirs = pair
    stream.send(b"bye")
    stream.end_sending()
    assert (theirs.recv(8), theirs.recv(8)) == (b"bye", b"")
    theirs.sendall(b"and you")
    assert stream.peek(16) == b"and you"
    theirs.close()
    stream.close()
    stream.end_sending()  # harmless on a broken one


def test_a_stream_costs_no_more_than_a_socket(pair: tuple[ByteStream, socket.socket]) -> None:
    stream, theirs = pair
    assert not hasattr(stream, "__dict__")
    assert sys.getsizeof(stream) == sys.getsizeof(theirs)
