"""Which protocol a connection speaks, from its first bytes.

The bytes are looked at, never taken. Marks in the first byte come before
longer grammars; every protocol answers yes, no, or "more".
"""

from __future__ import annotations

from enum import Enum


class Protocol(Enum):
    """What a listener hands a connection to."""

    RTMP = "rtmp"
    HTTP = "http"
    TLS = "tls"
    HTTP2 = "h2"


#: Enough to decide on any signature below.
LOOK_BYTES = 24

_H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HTTP_TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")
_MAX_METHOD_BYTES = 16


def detect(head: bytes) -> Protocol | bool:
    """Return the protocol of ``head``, True for "more bytes needed", False for none we know.

    RTMP: first byte 3 claims the connection (brpc's rule). TLS: a handshake
    record of version 3. HTTP: a method token and a space; anything after
    that is the HTTP parser's to refuse.
    """
    if not head:
        return True
    first = head[0]
    if first == 0x03:
        return Protocol.RTMP
    if first == 0x16:
        if len(head) < 3:
            return head[1:2] in (b"", b"\x03")
        return Protocol.TLS if head[1] == 3 and head[2] <= 4 else False
    if _H2_PREFACE.startswith(head[: len(_H2_PREFACE)]) and len(head) > 3:
        return Protocol.HTTP2 if len(head) >= len(_H2_PREFACE) else True
    method, space, _ = head.partition(b" ")
    if not 0 < len(method) <= _MAX_METHOD_BYTES or not all(byte in _HTTP_TOKEN for byte in method):
        return False
    if method == b"PROXY" or method.startswith(b"SSH-"):
        return False
    return Protocol.HTTP if space else True


def unknown_reason(head: bytes) -> str:
    """The reason word for a head that ``detect`` refused."""
    return "rtmp_version" if head[:1] in (b"\x06", b"\x08") else "unknown_protocol"
