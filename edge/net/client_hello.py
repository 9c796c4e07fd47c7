"""The host that a TLS client asks for, read before TLS begins.

OpenSSL's own call for the choice of a certificate answers a name that is not ASCII with a
traceback on stderr, and wants the connection's whole state for each client that
never sends the rest of its hello. So the hello is gathered here, at the cost of its
bytes; OpenSSL is the judge of it: whatever cannot be read has no name.
"""

from __future__ import annotations

_HANDSHAKE_RECORD = 0x16
_CLIENT_HELLO = 0x01
_SERVER_NAME = 0  # extension, and the type of a host name in it (RFC 6066 §3)
_HOST_NAME = 0
# Twice the longest seen in the field, which carry keys against quantum computers; OpenSSL gets what is longer unread.
MAX_HELLO_BYTES = 32768
# OpenSSL takes no longer one either (TLSEXT_MAXLEN_host_name).
_MAX_NAME_BYTES = 255


class ClientHello:
    """The first bytes of a TLS client, up to the end of its hello (RFC 8446 §4.1.2).

    Attributes:
        data: everything given to ``receive``.
    """

    __slots__ = ("_message", "_next_record", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        self._next_record = 0
        self._message = bytearray()

    def receive(self, data: bytes | memoryview) -> bool:
        """True once the hello is whole, or is none; False while more is needed."""
        self.data += data
        while len(self.data) >= self._next_record + 5:
            at = self._next_record
            end = at + 5 + int.from_bytes(self.data[at + 3 : at + 5])
            if self.data[at] != _HANDSHAKE_RECORD or end == at + 5:
                return True
            if len(self.data) < end:
                break
            self._message += self.data[at + 5 : end]
            self._next_record = end
            if self._message[0] != _CLIENT_HELLO:
                return True
            if len(self._message) >= 4 and len(self._message) >= 4 + int.from_bytes(self._message[1:4]):
                return True
        return self.data[0] != _HANDSHAKE_RECORD or len(self.data) >= MAX_HELLO_BYTES

    @property
    def server_name(self) -> str | None:
        """The host asked for, in lower case; None when the client names none that could be one."""
        try:
            name = _server_name(_Reader(bytes(self._message)))
        except IndexError:
            return None
        text = name.decode("latin-1")
        is_name = len(text) <= _MAX_NAME_BYTES and text.isascii() and text.isprintable() and " " not in text
        return text.lower().rstrip(".") or None if is_name else None


class _Reader:
    """Takes pieces off the front; IndexError when there is less."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise IndexError(size)
        return self._data[start : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        """What a length of ``size`` bytes announces."""
        return self.take(self.number(size))


def _server_name(message: _Reader) -> bytes:
    message.take(4 + 2 + 32)  # type and length, version, random
    message.vector(1)  # session
    message.vector(2)  # ciphers
    message.vector(1)  # compressions
    extensions = _Reader(message.vector(2))
    while extensions:
        kind, body = extensions.number(2), extensions.vector(2)
        if kind != _SERVER_NAME:
            continue
        names = _Reader(_Reader(body).vector(2))
        while names:
            kind, name = names.number(1), names.vector(2)
            if kind == _HOST_NAME:
                return name
    return b""
