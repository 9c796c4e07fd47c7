"""The three handshakes, both sides, and what is refused as far as bytes decide it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest

from edge.errors import HandshakeError
from edge.rtmp.handshake import (
    PACKET_BYTES,
    ClientHandshake,
    ServerHandshake,
    find_digest,
)

SHARED = "F0EEC24A8068BEE82E00D0D1029E7E576EEC5D2D29806FAB93B8E636CFEB31AE"
PLAYER_KEY = b"Genuine Adobe Flash Player 001" + bytes.fromhex(SHARED)
SERVER_KEY = b"Genuine Adobe Flash Media Server 001" + bytes.fromhex(SHARED)


def entropy_from(seed: int) -> Callable[[int], bytes]:
    """Reproducible bytes that look random."""
    counter = seed

    def entropy(count: int) -> bytes:
        nonlocal counter
        counter += 1
        return hashlib.shake_128(counter.to_bytes(8, "big")).digest(count)

    return entropy


def new_server() -> ServerHandshake:
    return ServerHandshake(entropy_from(100), 0x01020304)


def signed_c1(schema: int, fill: int | None = None) -> bytes:
    """A C1 made from the specification alone, without the code under test."""
    packet = bytearray(entropy_from(7 + schema)(PACKET_BYTES))
    packet[4:8] = b"\x80\0\7\2"
    field = (772, 8)[schema]
    if fill is not None:
        packet[field : field + 4] = bytes((fill,)) * 4
    position = field + 4 + sum(packet[field : field + 4]) % 728
    digest = hmac.new(PLAYER_KEY[:30], packet[:position] + packet[position + 32 :], hashlib.sha256).digest()
    packet[position : position + 32] = digest
    return bytes(packet)


def feed(handshake: ServerHandshake | ClientHandshake, data: bytes, step: int) -> bytes | None:
    """Feed in pieces; return what followed the handshake, None when it is unfinished."""
    surplus = None
    for begin in range(0, len(data), step):
        piece = handshake.receive(data[begin : begin + step])
        if piece is not None:
            surplus = (surplus or b"") + piece
    return surplus


@pytest.mark.parametrize("step", [1, 100, 1536, 100000])
@pytest.mark.parametrize("tail", [b"", b"\x02chunks"])
def test_simple_server_echoes_c1(step: int, tail: bytes) -> None:
    c1 = bytes(8) + entropy_from(1)(1528)
    server = new_server()
    assert feed(server, b"\x03" + c1, step) is None
    answer = server.take_output()
    assert len(answer) == 3073
    assert answer[:9] == b"\x03\1\2\3\4\0\0\0\0"
    assert answer[1537:] == c1
    assert server.take_output() == b""
    assert feed(server, answer[1:1537] + tail, step) == tail
    assert server.is_complete
    assert not (server.is_complex or server.is_simplified or server.c2_mismatch)
    assert server.receive(b"more") == b"more"


def test_T14_everything_in_one_write() -> None:
    server = new_server()
    assert server.receive(b"\x03" + bytes(1536) + bytes(1536) + b"connect") == b"connect"
    assert len(server.take_output()) == 3073


@pytest.mark.parametrize("step", [1, 100000])
@pytest.mark.parametrize("schema", [0, 1])
@pytest.mark.parametrize("fill", [None, 0, 255])
def test_complex_server_signs_in_the_clients_schema(schema: int, fill: int | None, step: int) -> None:
    c1 = signed_c1(schema, fill)
    server = new_server()
    feed(server, b"\x03" + c1, step)
    answer = server.take_output()
    assert server.is_complex
    s1, s2 = answer[1:1537], answer[1537:]
    assert s1[:8] == b"\1\2\3\4\1\0\5\4"
    found = find_digest(s1, SERVER_KEY[:36])
    assert found is not None
    assert found[0] == schema
    field = (772, 8)[schema]
    position = field + 4 + sum(c1[field : field + 4]) % 728
    key = hmac.new(SERVER_KEY, c1[position : position + 32], hashlib.sha256).digest()
    assert s2[1504:] == hmac.new(key, s2[:1504], hashlib.sha256).digest()
    c2 = bytes(1504)
    key = hmac.new(PLAYER_KEY, found[1], hashlib.sha256).digest()
    assert feed(server, c2 + hmac.new(key, c2, hashlib.sha256).digest(), step) == b""
    assert not server.c2_mismatch


@pytest.mark.parametrize("step", [1, 3, 100000])
def test_simplified_server_answers_nothing(step: int) -> None:
    server = new_server()
    assert feed(server, b"\x03BDMS\x02\x00", step) == b"\x02\x00"
    assert server.is_simplified
    assert server.take_output() == b""


@pytest.mark.parametrize("first", [0, 2, 4, 6, 0x16, 0x47, 0xFF])
def test_other_versions_are_refused_at_the_first_byte(first: int) -> None:
    with pytest.raises(HandshakeError) as caught:
        new_server().receive(bytes((first,)))
    assert caught.value.reason == "rtmp_version"
    assert caught.value.is_quiet


def broken_digest(schema: int) -> bytes:
    c1 = bytearray(signed_c1(schema))
    c1[1000] ^= 1
    c1[300] ^= 1
    return bytes(c1)


@pytest.mark.parametrize(
    "c1", [broken_digest(0), broken_digest(1), bytes(1536), b"\xff" * 1536], ids=["schema0", "schema1", "zeros", "ones"]
)
def test_HS1_wrong_digest_falls_back_to_simple(c1: bytes) -> None:
    server = new_server()
    server.receive(b"\x03" + c1)
    assert not server.is_complex
    assert server.take_output()[1537:] == c1


@pytest.mark.parametrize("c1", [bytes(1536), signed_c1(0)], ids=["simple", "complex"])
@pytest.mark.parametrize("c2", [bytes(1536), b"\x55" * 1536], ids=["zeros", "unrelated"])
def test_HS2_unrelated_c2_is_accepted_and_noted(c1: bytes, c2: bytes) -> None:
    server = new_server()
    assert server.receive(b"\x03" + c1 + c2 + b"x") == b"x"
    assert server.c2_mismatch


def test_HS2_times_in_c2_may_differ() -> None:
    server = new_server()
    server.receive(b"\x03" + bytes(1536))
    s1 = server.take_output()[1:1537]
    server.receive(b"\xaa" * 8 + s1[8:])
    assert not server.c2_mismatch


def test_HS3_unfinished_handshake_stays_unfinished() -> None:
    for length in (0, 1, 1536, 1537, 3072):
        server = new_server()
        assert server.receive((b"\x03" + bytes(3072))[:length]) is None
        assert not server.is_complete


def test_HS4_surplus_byte_shifts_what_follows() -> None:
    server = new_server()
    assert server.receive(b"\x03" + bytes(1536) + b"\xee" + bytes(1536)) == b"\0"


def test_HS5_nothing_is_kept_after_completion() -> None:
    server = new_server()
    server.receive(b"\x03" + signed_c1(0) + bytes(1536))
    server.take_output()
    kept = [value for name in server.__slots__ if isinstance(value := getattr(server, name), bytes)]
    assert kept == [b""] * len(kept)


@pytest.mark.parametrize("mode", ["simple", "complex"])
@pytest.mark.parametrize("step", [1, 1000, 100000])
def test_client_and_server_agree(mode: str, step: int) -> None:
    client = ClientHandshake(entropy_from(1), 5, mode)  # type: ignore[arg-type]
    server = new_server()
    assert feed(server, client.take_output(), step) is None
    assert feed(client, server.take_output() + b"after", step) == b"after"
    assert feed(server, client.take_output() + b"connect", step) == b"connect"
    assert client.is_complete
    assert server.is_complete
    assert client.is_complex == server.is_complex == (mode == "complex")
    assert not server.c2_mismatch


def test_complex_client_is_schema_1() -> None:
    c1 = ClientHandshake(entropy_from(1), 5, "complex").take_output()[1:]
    assert c1[4:8].hex() == "80000702"
    found = find_digest(c1, PLAYER_KEY[:30])
    assert found is not None
    assert found[0] == 1


@pytest.mark.parametrize("mode", ["simple", "complex"])
def test_client_echoes_an_unsigned_s1(mode: str) -> None:
    client = ClientHandshake(entropy_from(1), 5, mode)  # type: ignore[arg-type]
    client.take_output()
    s1 = entropy_from(9)(1536)
    assert client.receive(b"\x03" + s1) is None
    assert client.take_output() == s1  # before S2: some servers wait for it
    assert client.receive(bytes(1536)) == b""
    assert not client.is_complex


def test_simplified_client_is_complete_at_once() -> None:
    client = ClientHandshake(entropy_from(1), 5, "simplified")
    assert client.take_output() == b"\x03BDMS"
    assert client.is_complete
    assert client.is_simplified
    assert client.receive(b"\x02") == b"\x02"


def test_HS7_wrong_s0_fails() -> None:
    with pytest.raises(HandshakeError) as caught:
        ClientHandshake(entropy_from(1), 5).receive(b"\x06")
    assert caught.value.reason == "rtmp_version"


def test_HS7_only_s0_s1_stays_unfinished() -> None:
    client = ClientHandshake(entropy_from(1), 5)
    assert client.receive(b"\x03" + bytes(1536 + 1535)) is None
    assert not client.is_complete
