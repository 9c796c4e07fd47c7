"""Frames and descriptors over a real socket pair."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from edge.errors import HandoverError
from edge.handover.channel import Channel
from edge.handover.frames import MAX_BODY_BYTES, MAX_DESCRIPTORS, Kind

WITHIN_MS = 30_000


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    channels = [Channel(sock) for sock in socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)]
    for channel in channels:
        channel.set_deadline(WITHIN_MS)
        channel.reader.max_body_bytes = MAX_BODY_BYTES
    yield channels[0], channels[1]
    for channel in channels:
        channel.close()


def aside(action: Callable[..., Any], *args: Any) -> threading.Thread:
    thread = threading.Thread(target=action, args=args)
    thread.start()
    return thread


def test_descriptors_arrive_and_are_acknowledged(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    read, write = os.pipe()
    body = bytes(3_000_000)
    sending = aside(one.send, Kind.CONNECTIONS, body, [write] * MAX_DESCRIPTORS)
    frame = other.expect(Kind.CONNECTIONS)
    sending.join()
    assert frame.body == body
    assert len(set(frame.descriptors)) == MAX_DESCRIPTORS
    os.close(write)
    os.write(frame.descriptors[-1], b"x")
    for descriptor in frame.descriptors:
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)
    assert os.read(read, 2) == b"x"
    assert os.read(read, 2) == b""  # nobody else has it any more
    os.close(read)


def test_an_end_a_refusal_and_anything_else_are_told_apart(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    one.send(Kind.READY)
    with pytest.raises(HandoverError, match="READY instead of COMMIT"):
        other.expect(Kind.COMMIT)
    one.send(Kind.REFUSED, b"no room")
    with pytest.raises(HandoverError, match="no room") as refused:
        other.receive()
    assert refused.value.reason == "handover_refused"
    one.close()
    with pytest.raises(HandoverError, match="has gone") as refused:
        other.receive()
    assert refused.value.reason == "handover_broken"
    with pytest.raises(HandoverError):
        other.send(Kind.STREAM, bytes(10_000_000))


def test_silence_ends_in_time(pair: tuple[Channel, Channel]) -> None:
    one, _ = pair
    one.set_deadline(50)
    with pytest.raises(HandoverError, match="too long"):
        one.receive()
    one.set_deadline(50)
    with pytest.raises(HandoverError, match="too long"):
        one.send(Kind.STREAM, bytes(10_000_000))  # nobody takes it


def test_what_nobody_has_taken_is_closed_with_the_channel(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    read, write = os.pipe()

    def send() -> None:
        with suppress(HandoverError):
            one.send(Kind.LISTENERS, b"", [write])

    sending = aside(send)
    while not other.reader._descriptors:
        other.read_ready()
        time.sleep(0.001)
    os.close(write)
    other.close()
    sending.join()
    assert os.read(read, 1) == b""
    os.close(read)


def test_the_kernel_says_who_is_there(pair: tuple[Channel, Channel]) -> None:
    assert pair[0].peer_ids() in ((os.getpid(), os.geteuid()), (0, -1))
