"""The handshake."""

from __future__ import annotations

import hmac
import os
import socket
import struct

import pytest

from tests.hostile._arena import Row
from tests.hostile._wire import RawPeer, chunk

_KEY = bytes.fromhex("F0EEC24A8068BEE82E00D0D1029E7E576EEC5D2D29806FAB93B8E636CFEB31AE")
_PLAYER = b"Genuine Adobe Flash Player 001"
_SERVER = b"Genuine Adobe Flash Media Server 001" + _KEY


def digest_c1(version: int = 0x80000702) -> tuple[bytes, bytes]:
    """A C1 signed in the second layout (digest first), and its digest."""
    packet = bytearray(struct.pack(">II", 0, version) + os.urandom(1528))
    at = 12 + sum(packet[8:12]) % 728
    digest = hmac.digest(_PLAYER, bytes(packet[:at] + packet[at + 32 :]), "sha256")
    packet[at : at + 32] = digest
    return bytes(packet), digest


def is_signed(s2: bytes, digest: bytes) -> bool:
    return s2[-32:] == hmac.digest(hmac.digest(_SERVER, digest, "sha256"), s2[:-32], "sha256")


@pytest.mark.parametrize(
    "c1",
    [
        pytest.param(struct.pack(">II", 1, 0x80000702) + b"\x5a" * 1528, id="wrong-digest"),
        pytest.param(bytes(1536), id="zeros"),
        pytest.param(b"\xff" * 1536, id="ones"),
    ],
)
def test_HS1_c1_without_a_valid_digest_gets_the_simple_form(row: Row, c1: bytes) -> None:
    peer = row.raw()
    peer.shake(c1)
    assert peer.s2 == c1
    peer.connect()


@pytest.mark.parametrize("c2", [pytest.param(b"\x31" * 1536, id="unrelated"), pytest.param(bytes(1536), id="zeros")])
def test_HS2_wrong_c2_is_accepted_and_counted(row: Row, c2: bytes) -> None:
    peer = row.raw()
    peer.shake(c2=c2)
    peer.connect()
    row.notes("rtmp_c2_mismatch")


@pytest.mark.parametrize("count", [0, 1, 8, 1535, 1536])
def test_HS3_end_within_c1_is_quiet(row: Row, count: int) -> None:
    peer = row.raw()
    peer.send(b"\x03" + bytes(count))
    if count == 1536:
        peer.receive_exactly(3073)
    peer.sock.shutdown(socket.SHUT_WR)
    row.closes(peer, "handshake_truncated", is_quiet=True)


@pytest.mark.parametrize("count", [1, 1535])
def test_HS3_end_within_c2_is_quiet(row: Row, count: int) -> None:
    peer = row.raw()
    peer.send(b"\x03" + bytes(1536))
    peer.receive_exactly(3073)
    peer.send(bytes(count))
    peer.sock.shutdown(socket.SHUT_WR)
    row.closes(peer, "handshake_truncated", is_quiet=True)


def test_HS4_surplus_byte_before_c2_shifts_the_chunk_stream(row: Row) -> None:
    peer = row.raw()
    peer.send(b"\x03" + bytes(1536))
    peer.receive_exactly(3073)
    peer.send(b"\x00" + b"\x83" * 1536)  # the last byte opens chunk stream 3 with a type-2 header
    row.notes("rtmp_c2_mismatch")
    row.closes(peer, "chunk_no_header")


def test_HS4_handshake_sent_twice_is_judged_as_chunks(row: Row) -> None:
    peer = row.raw()
    packet = bytes(8) + b"\xc5" * 1528  # after C0 as a type-0 header of an empty message: type 3 on chunk stream 5
    peer.send((b"\x03" + packet + packet) * 2)
    peer.receive_exactly(3073)
    row.notes("rtmp_c2_mismatch")
    row.closes(peer, "chunk_no_header")


def test_HS5_peer_that_never_reads_the_answer_times_out(hasty: Row) -> None:
    peer = hasty.raw(receive_buffer=2048)
    peer.send(b"\x03" + bytes(1536))
    hasty.fails("handshake_timeout")
    hasty.logs_within(2.0, "handshake_timeout", peer, "I")
    hasty.wait_gone()


@pytest.mark.once
def test_HS6_five_hundred_digest_handshakes_at_once(row: Row) -> None:
    c1, digest = digest_c1()
    peers = [row.raw() for _ in range(500)]
    for peer in peers:
        peer.send(b"\x03" + c1)
    for peer in peers:
        answer = peer.receive_exactly(3073, 5.0)
        assert answer[5:9] != bytes(4), "S1 is not signed"
        assert is_signed(answer[1537:], digest)
        peer.close()
    row.fails("handshake_truncated", 500)
    row.assert_loop_was_free()


def test_handshake_of_the_tools_reaches_connect(row: Row) -> None:
    peer: RawPeer = row.connected()
    peer.send(chunk(0, 2, bytes(4), type_id=3))
    row.stays_open(peer)
