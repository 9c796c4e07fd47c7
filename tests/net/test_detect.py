"""Which protocol the first bytes speak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.detect import LOOK_BYTES, Protocol, detect, unknown_reason

H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (b"\x03", Protocol.RTMP),
        (b"\x03BDMS", Protocol.RTMP),
        (b"\x03\x00\x00\x00", Protocol.RTMP),
        (b"\x16\x03\x01\x02\x00\x01", Protocol.TLS),
        (b"\x16\x03\x03", Protocol.TLS),
        (b"GET / HTTP/1.1\r\n", Protocol.HTTP),
        (b"OPTIONS * HTTP/1.1\r\n", Protocol.HTTP),
        (b"M-SEARCH * ", Protocol.HTTP),
        (b"get / HTTP/1.0\r\n", Protocol.HTTP),
        (H2, Protocol.HTTP2),
        (b"PRI * HTTP/1.1\r\n", Protocol.HTTP),
    ],
)
def test_protocol_by_its_first_bytes(head: bytes, wanted: Protocol) -> None:
    assert detect(head[:LOOK_BYTES]) is wanted


@pytest.mark.parametrize(
    "head", [b"", b"\x16", b"\x16\x03", b"G", b"GET", b"P", b"PRI", b"PRI ", b"PRI * HTTP/2.0\r\n", b"PROX", b"SSH"]
)
def test_too_little_to_decide(head: bytes) -> None:
    assert detect(head) is True


@pytest.mark.parametrize(
    "head",
    [
        *(b"\x06", b"\x08", b"\x00", b"\xff\xff", b"\x16\x02", b"\x16\x03\x09", b"\x80\x2e\x01"),
        *(b"SSH-2.0-OpenSSH", b"PROXY TCP4 1.1.1.1", b" GET /", b"\r\nGET /", b"{}", b"A" * 17, b"\x05\x01\x00"),
    ],
)
def test_nothing_we_know(head: bytes) -> None:
    assert detect(head) is False


@pytest.mark.parametrize(
    ("head", "wanted"),
    [(b"\x06", "rtmp_version"), (b"\x08x", "rtmp_version"), (b"\x00", "unknown_protocol"), (b"", "unknown_protocol")],
)
def test_reason_of_a_refusal(head: bytes, wanted: str) -> None:
    assert unknown_reason(head) == wanted


@given(st.binary(max_size=LOOK_BYTES))
def test_more_bytes_never_change_a_decision(head: bytes) -> None:
    decided = None
    for size in range(len(head) + 1):
        answer = detect(head[:size])
        if decided is not None:
            assert answer is decided
        elif answer is not True:
            decided = answer
    if len(head) == LOOK_BYTES:
        assert decided is not None
