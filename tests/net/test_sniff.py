"""Which protocol the first bytes speak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.sniff import LOOK_BYTES, SNIFFERS, Answer, WireProtocol, sniff, unknown_reason

H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (b"\x03", WireProtocol.RTMP),
        (b"\x03BDMS", WireProtocol.RTMP),
        (b"\x03\x00\x00\x00", WireProtocol.RTMP),
        (b"\x16\x03\x01\x02\x00\x01", WireProtocol.TLS),
        (b"\x16\x03\x03", WireProtocol.TLS),
        (b"GET / HTTP/1.1\r\n", WireProtocol.HTTP),
        (b"OPTIONS * HTTP/1.1\r\n", WireProtocol.HTTP),
        (b"M-SEARCH * ", WireProtocol.HTTP),
        (b"get / HTTP/1.0\r\n", WireProtocol.HTTP),
        (H2, WireProtocol.HTTP2),
        (b"PRI * HTTP/1.1\r\n", WireProtocol.HTTP),
    ],
)
def test_protocol_by_its_first_bytes(head: bytes, wanted: WireProtocol) -> None:
    assert sniff(head[:LOOK_BYTES]) == (Answer.YES, wanted)


@pytest.mark.parametrize(
    "head", [b"", b"\x16", b"\x16\x03", b"G", b"GET", b"P", b"PRI", b"PRI ", b"PRI * HTTP/2.0\r\n", b"PROX", b"SSH"]
)
def test_too_little_to_decide(head: bytes) -> None:
    assert sniff(head)[0] is Answer.MORE


@pytest.mark.parametrize(
    "head",
    [
        *(b"\x06", b"\x08", b"\x00", b"\xff\xff", b"\x16\x02", b"\x16\x03\x09", b"\x80\x2e\x01"),
        *(b"SSH-2.0-OpenSSH", b"PROXY TCP4 1.1.1.1", b" GET /", b"\r\nGET /", b"{}", b"A" * 17, b"\x05\x01\x00"),
    ],
)
def test_nothing_we_know(head: bytes) -> None:
    assert sniff(head) == (Answer.NO, None)


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
        answer = sniff(head[:size])
        if decided is not None:
            assert answer == decided
        elif answer[0] is not Answer.MORE:
            decided = answer
    if len(head) == LOOK_BYTES:
        assert decided is not None


@given(st.binary(min_size=1, max_size=LOOK_BYTES))
def test_what_a_sniffer_has_said_stands(head: bytes) -> None:
    for sniffer in SNIFFERS:
        said = [sniffer.sniff(head[:size]) for size in range(1, len(head) + 1)]
        decided = [answer for answer in said if answer is not Answer.MORE]
        assert said == [Answer.MORE] * (len(said) - len(decided)) + decided
        assert len(set(decided)) < 2
        assert decided or len(head) < LOOK_BYTES


def test_one_sniffer_for_each_protocol() -> None:
    assert sorted(sniffer.protocol.value for sniffer in SNIFFERS) == sorted(each.value for each in WireProtocol)
