"""What a WebSocket client sends, in every cut, and what we send it."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.ws_frames import (
    NORMAL,
    PROTOCOL_ERROR,
    ClientFrames,
    Closing,
    Ping,
    binary_header,
    close_frame,
    pong_frame,
)


def frame(opcode: int, payload: bytes = b"", *, first: int = 0x80, is_masked: bool = True) -> bytes:
    """A frame as a client sends it."""
    size, mask = len(payload), os.urandom(4)
    if size < 126:
        length = bytes((size,))
    else:
        length = b"\x7e" + size.to_bytes(2, "big") if size <= 0xFFFF else b"\x7f" + size.to_bytes(8, "big")
    if not is_masked:
        return bytes((first | opcode,)) + length + payload
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes((first | opcode, length[0] | 0x80)) + length[1:] + mask + masked


PING, CLOSE, TEXT, BINARY = 0x9, 0x8, 0x1, 0x2
TALK = (
    frame(TEXT, b"hello"),
    frame(PING, b"are you there"),
    frame(BINARY, bytes(300)),
    frame(BINARY, bytes(70_000)),
    frame(TEXT, b"in two", first=0),
    frame(PING),
    frame(0x0, b"parts"),
    frame(0xA, b"a pong that nobody asked for"),
    frame(CLOSE, (1001).to_bytes(2, "big") + b"leaving"),
    frame(PING, b"after the end"),
)
EVENTS = [Ping(b"are you there"), Ping(b""), Closing(1001)]


def test_pings_and_the_close_are_told_and_all_else_is_passed_over() -> None:
    assert ClientFrames().receive_data(b"".join(TALK)) == EVENTS


def test_byte_by_byte() -> None:
    reader, events = ClientFrames(), []
    for byte in b"".join(TALK):
        events += reader.receive_data(bytes((byte,)))
    assert events == EVENTS


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_any_cut_gives_the_same(cuts: list[int]) -> None:
    talk, reader, events = b"".join(one for one in TALK if len(one) < 1000), ClientFrames(), []
    for size in cuts:
        events += reader.receive_data(talk[:size])
        talk = talk[size:]
    assert events + reader.receive_data(talk) == EVENTS


def test_data_are_not_kept() -> None:
    reader = ClientFrames()
    assert reader.receive_data(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4)) == []
    for _ in range(10):
        assert reader.receive_data(bytes(100_000)) == []
    assert reader._head == b""


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(frame(TEXT, b"x", is_masked=False), id="not masked"),
        pytest.param(frame(PING, b"x", first=0xC0), id="reserved bit"),
        pytest.param(frame(0x3), id="unknown data"),
        pytest.param(frame(0xB), id="unknown control"),
        pytest.param(frame(PING, b"x", first=0), id="ping in parts"),
        pytest.param(frame(PING, bytes(126)), id="long ping"),
        pytest.param(b"\x82\xff" + b"\xff" * 8, id="absurd length"),
        pytest.param(frame(CLOSE, b"\x03"), id="half a code"),
        pytest.param(frame(CLOSE, (1005).to_bytes(2, "big")), id="a code that is never sent"),
        pytest.param(frame(CLOSE, (999).to_bytes(2, "big")), id="a code that is none"),
        pytest.param(frame(CLOSE, (2999).to_bytes(2, "big")), id="a code that means nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="no frame at all"),
    ],
)
def test_a_broken_rule_closes(sent: bytes) -> None:
    assert ClientFrames().receive_data(sent) == [Closing(PROTOCOL_ERROR)]


@pytest.mark.parametrize(
    ("payload", "answer"), [(b"", NORMAL), (b"\x03\xe8", NORMAL), (b"\x0f\xa0x", 4000), (b"\x03\xf6", 1014)]
)
def test_a_close_is_answered_with_its_code(payload: bytes, answer: int) -> None:
    assert ClientFrames().receive_data(frame(CLOSE, payload)) == [Closing(answer)]


@given(st.binary(max_size=600))
def test_rubbish_is_survived(data: bytes) -> None:
    whole, split = ClientFrames(), ClientFrames()
    events = whole.receive_data(data)
    assert [event for byte in data for event in split.receive_data(bytes((byte,)))] == events


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, "8200"),
        (125, "827d"),
        (126, "827e007e"),
        (65535, "827effff"),
        (65536, "827f0000000000010000"),
        ((1 << 24) + 15, "827f000000000100000f"),
    ],
)
def test_header_of_a_message(size: int, header: str) -> None:
    assert binary_header(size).hex() == header


def test_control_frames_that_we_send() -> None:
    assert close_frame(NORMAL).hex() == "880203e8"
    assert pong_frame(b"ab").hex() == "8a026162"
    assert pong_frame(bytes(125))[:2].hex() == "8a7d"
