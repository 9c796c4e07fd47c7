"""The RTMP handshake, both sides (RTMP 1.0 §5.2), in its three forms.

* simple: C0/S0 is the version 3, C1/S1 are 1536 bytes (time, zero, random),
  C2/S2 echo the other side's packet;
* complex: the same sizes, but C1 and S1 hide an HMAC-SHA256 digest that proves
  a Flash-like client and server, and C2/S2 end in a digest. C1/S1 are time (4),
  version (4) and two blocks of 764 bytes: a key block (its offset field is its
  last 4 bytes) and a digest block (its offset field is its first 4 bytes); key
  first is schema 0, digest first is schema 1. The keys serve encrypted RTMP
  only and are random here;
* simplified: the client sends version 3 and ``BDMS``, then chunks at once; no
  packet of the server exists.

C2 is counted and compared, never judged: widely used encoders get it wrong.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Literal

from edge.errors import HandshakeError

VERSION = 3
PACKET_BYTES = 1536
SIMPLIFIED_START = b"\x03BDMS"

Entropy = Callable[[int], bytes]

_SHARED_KEY = bytes.fromhex("F0EEC24A8068BEE82E00D0D1029E7E576EEC5D2D29806FAB93B8E636CFEB31AE")
_PLAYER_TEXT = b"Genuine Adobe Flash Player 001"
_SERVER_TEXT = b"Genuine Adobe Flash Media Server 001"
_PLAYER_KEY = _PLAYER_TEXT + _SHARED_KEY
_SERVER_KEY = _SERVER_TEXT + _SHARED_KEY

_DIGEST_BYTES = 32
_DIGEST_OFFSET_FIELD = (772, 8)  # by schema
_SERVER_VERSION = bytes.fromhex("01000504")
_CLIENT_VERSION = bytes.fromhex("80000702")
_MASK = 0xFFFFFFFF


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _digest_position(packet: bytes, schema: int) -> int:
    """Return where the 32-byte digest of a C1 or S1 lies: after the field, at the sum of its bytes mod 728."""
    field = _DIGEST_OFFSET_FIELD[schema]
    return field + 4 + sum(packet[field : field + 4]) % 728


def _digest_at(packet: bytes, position: int, key: bytes) -> bytes:
    """Return the digest over the 1504 bytes of ``packet`` around ``position``."""
    return _hmac(key, packet[:position] + packet[position + _DIGEST_BYTES :])


def find_digest(packet: bytes, key: bytes) -> tuple[int, bytes] | None:
    """Return ``(schema, digest)`` of a C1 or S1 that carries a valid one, else None."""
    if packet[4:8] == b"\0\0\0\0":  # the version of a simple packet: no need to compute
        return None
    for schema in (0, 1):
        position = _digest_position(packet, schema)
        digest = packet[position : position + _DIGEST_BYTES]
        if hmac.compare_digest(digest, _digest_at(packet, position, key)):
            return schema, digest
    return None


def _signed_packet(head: bytes, random: bytes, schema: int, key: bytes) -> bytes:
    """Return a C1 or S1 of ``head`` (8 bytes) and 1528 random bytes with its digest put in."""
    packet = head + random
    position = _digest_position(packet, schema)
    return packet[:position] + _digest_at(packet, position, key) + packet[position + _DIGEST_BYTES :]


def _answer_digest(answer: bytes, key: bytes, digest: bytes) -> bytes:
    """Return the last 32 bytes of a C2 or S2 that answers ``digest``."""
    return _hmac(_hmac(key, digest), answer[: PACKET_BYTES - _DIGEST_BYTES])


def _check_version(version: int, whose: str) -> None:
    if version != VERSION:
        raise HandshakeError(f"{whose} is {version}, not {VERSION}", reason="rtmp_version")


class ServerHandshake:
    """The server's side: wait for C0 C1, answer S0 S1 S2, read C2.

    Attributes:
        is_complete: every byte from now on belongs to the chunk stream.
        is_simplified: the client began with ``BDMS``; nothing is answered.
        is_complex: C1 carried a valid digest.
        c2_mismatch: C2 neither echoed S1 nor signed its digest.
    """

    __slots__ = (
        "_buffer",
        "_entropy",
        "_now_ms",
        "_output",
        "_s1",
        "_s1_digest",
        "c2_mismatch",
        "is_complete",
        "is_complex",
        "is_simplified",
    )

    def __init__(self, entropy: Entropy, now_ms: int) -> None:
        self._entropy = entropy
        self._now_ms = now_ms
        self._buffer = b""
        self._output = b""
        self._s1 = b""
        self._s1_digest = b""
        self.is_complete = False
        self.is_simplified = False
        self.is_complex = False
        self.c2_mismatch = False

    def take_output(self) -> bytes:
        """Return the bytes to send now, once."""
        output, self._output = self._output, b""
        return output

    def receive(self, data: bytes) -> bytes | None:
        """Take bytes of the client.

        Returns those after the handshake once it is complete (perhaps none;
        afterwards ``data`` comes back as it is), None while it is not.

        Raises:
            HandshakeError: C0 is not 3 (``rtmp_version``).
        """
        if self.is_complete:
            return data
        buffer = self._buffer + data
        if not self._s1:
            if not buffer:
                return None
            _check_version(buffer[0], "C0")
            if buffer.startswith(SIMPLIFIED_START):
                self.is_simplified = True
                return self._complete(buffer[len(SIMPLIFIED_START) :])
            if len(buffer) <= PACKET_BYTES:
                self._buffer = buffer
                return None
            self._answer(buffer[1 : 1 + PACKET_BYTES])
            buffer = buffer[1 + PACKET_BYTES :]
        if len(buffer) < PACKET_BYTES:
            self._buffer = buffer
            return None
        self._compare(buffer[:PACKET_BYTES])
        return self._complete(buffer[PACKET_BYTES:])

    def _answer(self, c1: bytes) -> None:
        """Make S0 S1 S2 for ``c1``; a signed C1 is answered in its own schema."""
        moment = (self._now_ms & _MASK).to_bytes(4, "big")
        found = find_digest(c1, _PLAYER_TEXT)
        if found is None:
            self._s1 = moment + b"\0\0\0\0" + self._entropy(PACKET_BYTES - 8)
            s2 = c1
        else:
            schema, c1_digest = found
            self.is_complex = True
            self._s1 = _signed_packet(moment + _SERVER_VERSION, self._entropy(PACKET_BYTES - 8), schema, _SERVER_TEXT)
            position = _digest_position(self._s1, schema)
            self._s1_digest = self._s1[position : position + _DIGEST_BYTES]
            s2 = self._entropy(PACKET_BYTES - _DIGEST_BYTES)
            s2 += _answer_digest(s2, _SERVER_KEY, c1_digest)
        self._output += bytes((VERSION,)) + self._s1 + s2

    def _compare(self, c2: bytes) -> None:
        # Bytes 0-7 are times that clients may set as they like.
        if c2[8:] == self._s1[8:]:
            return
        signed = self.is_complex and c2[-_DIGEST_BYTES:] == _answer_digest(c2, _PLAYER_KEY, self._s1_digest)
        self.c2_mismatch = not signed

    def _complete(self, surplus: bytes) -> bytes:
        self.is_complete = True
        self._buffer = self._s1 = self._s1_digest = b""
        return surplus


class ClientHandshake:
    """The client's side: send C0 C1, read S0 S1 S2, answer C2.

    C2 is ready as soon as S1 has come. S1 and S2 are not verified: servers in
    use sign wrongly; a signed S1 only decides how C2 is made.

    Attributes:
        is_complete: every byte from now on belongs to the chunk stream; at once
            in the simplified form, whose chunks follow ``take_output``.
        is_simplified: mode ``simplified``.
        is_complex: mode ``complex``, and S1 carried a valid digest.
    """

    __slots__ = ("_buffer", "_entropy", "_has_s1", "_mode", "_output", "is_complete", "is_complex", "is_simplified")

    def __init__(
        self, entropy: Entropy, now_ms: int, mode: Literal["simple", "complex", "simplified"] = "simple"
    ) -> None:
        self._entropy = entropy
        self._mode = mode
        self._buffer = b""
        self._has_s1 = False
        self.is_complex = False
        self.is_simplified = self.is_complete = mode == "simplified"
        if self.is_simplified:
            self._output = SIMPLIFIED_START
            return
        moment = (now_ms & _MASK).to_bytes(4, "big")
        random = entropy(PACKET_BYTES - 8)
        if mode == "complex":
            c1 = _signed_packet(moment + _CLIENT_VERSION, random, 1, _PLAYER_TEXT)  # FMS takes schema 1 only
        else:
            c1 = moment + b"\0\0\0\0" + random
        self._output = bytes((VERSION,)) + c1

    def take_output(self) -> bytes:
        """Return the bytes to send now, once."""
        output, self._output = self._output, b""
        return output

    def receive(self, data: bytes) -> bytes | None:
        """Take bytes of the server; result as ``ServerHandshake.receive``.

        Raises:
            HandshakeError: S0 is not 3 (``rtmp_version``).
        """
        if self.is_complete:
            return data
        buffer = self._buffer + data
        if not self._has_s1:
            if buffer:
                _check_version(buffer[0], "S0")
            if len(buffer) <= PACKET_BYTES:
                self._buffer = buffer
                return None
            self._answer(buffer[1 : 1 + PACKET_BYTES])
            buffer = buffer[1 + PACKET_BYTES :]
        if len(buffer) < PACKET_BYTES:
            self._buffer = buffer
            return None
        self.is_complete = True
        self._buffer = b""
        return buffer[PACKET_BYTES:]

    def _answer(self, s1: bytes) -> None:
        """Make C2: an echo of S1, or signed when both sides sign."""
        self._has_s1 = True
        found = find_digest(s1, _SERVER_TEXT) if self._mode == "complex" else None
        if found is None:
            self._output += s1
            return
        self.is_complex = True
        c2 = self._entropy(PACKET_BYTES - _DIGEST_BYTES)
        self._output += c2 + _answer_digest(c2, _PLAYER_KEY, found[1])
