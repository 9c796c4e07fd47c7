"""Which protocol a connection speaks, from its first bytes.

The bytes are looked at, never taken. Each protocol answers for itself, in a
fixed order: marks in the first byte come before longer grammars.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class WireProtocol(Enum):
    """What a listener hands a connection to."""

    RTMP = "rtmp"
    HTTP = "http"
    TLS = "tls"
    HTTP2 = "h2"

    # By identity, without a call of Python's: it is asked for with each connection.
    __hash__ = object.__hash__


class Answer(Enum):
    """What a sniffer says of the first bytes; YES and NO stand, whatever follows."""

    YES = "yes"
    NO = "no"
    MORE = "more"


#: Enough for each sniffer to decide.
LOOK_BYTES = 24

_H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HTTP_TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")
_MAX_METHOD_BYTES = 16


class Sniffer(Protocol):
    """Knows one protocol by its first bytes."""

    protocol: WireProtocol

    def sniff(self, head: bytes) -> Answer:
        """Whether ``head``, at least one byte, begins a connection of it."""
        ...


class TlsSniffer:
    """A handshake record of version 3 (RFC 8446 §5.1)."""

    protocol = WireProtocol.TLS

    def sniff(self, head: bytes) -> Answer:
        """See ``Sniffer``."""
        if head[0] != 0x16 or head[1:2] not in (b"", b"\x03") or head[2:3] > b"\x04":
            return Answer.NO
        return Answer.YES if len(head) >= 3 else Answer.MORE


class RtmpSniffer:
    """First byte 3 claims the connection, whatever follows (brpc's rule)."""

    protocol = WireProtocol.RTMP

    def sniff(self, head: bytes) -> Answer:
        """See ``Sniffer``."""
        return Answer.YES if head[0] == 0x03 else Answer.NO


class Http2Sniffer:
    """The preface of RFC 9113 §3.4."""

    protocol = WireProtocol.HTTP2

    def sniff(self, head: bytes) -> Answer:
        """See ``Sniffer``."""
        if not _H2_PREFACE.startswith(head[: len(_H2_PREFACE)]):
            return Answer.NO
        return Answer.YES if len(head) >= len(_H2_PREFACE) else Answer.MORE


class HttpSniffer:
    """A method token and a space; anything after that is the HTTP parser's to refuse."""

    protocol = WireProtocol.HTTP

    def sniff(self, head: bytes) -> Answer:
        """See ``Sniffer``."""
        method, space, _ = head.partition(b" ")
        if not 0 < len(method) <= _MAX_METHOD_BYTES or not all(byte in _HTTP_TOKEN for byte in method):
            return Answer.NO
        if method == b"PROXY" or method.startswith(b"SSH-"):
            return Answer.NO
        return Answer.YES if space else Answer.MORE


SNIFFERS: tuple[Sniffer, ...] = (TlsSniffer(), RtmpSniffer(), Http2Sniffer(), HttpSniffer())


def sniff(head: bytes) -> tuple[Answer, WireProtocol | None]:
    """What the first sniffer says that does not say no, and whose it is; none of an empty ``head``: MORE."""
    if not head:
        return Answer.MORE, None
    for sniffer in SNIFFERS:
        answer = sniffer.sniff(head)
        if answer is not Answer.NO:
            return answer, sniffer.protocol
    return Answer.NO, None


def unknown_reason(head: bytes) -> str:
    """The reason word for a head that nobody knows."""
    return "rtmp_version" if head[:1] in (b"\x06", b"\x08") else "unknown_protocol"
