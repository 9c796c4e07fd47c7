"""What a certificate says of itself: for whom it is, and from when to when (RFC 5280 §4.1)."""

from __future__ import annotations

import binascii
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_PEM = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.+?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----", re.DOTALL
)
_UTC_TIME, _GENERALIZED_TIME, _VERSION, _EXTENSIONS = 0x17, 0x18, 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_OID_SUBJECT_ALT_NAME, _OID_COMMON_NAME = b"\x55\x1d\x11", b"\x55\x04\x03"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The first certificate of a file.

    Attributes:
        names: hosts and addresses, in lower case; ``*.`` may begin one. The common name where it has none else.
        not_before_s: seconds since 1970.
        not_after_s: seconds since 1970.
    """

    names: tuple[str, ...]
    not_before_s: int
    not_after_s: int


def read_certificate(pem: bytes) -> Certificate:
    """Raises ValueError when there is none, or it cannot be read."""
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("no certificate in PEM form")
    try:
        return _certificate(binascii.a2b_base64(found[1]))
    except (IndexError, OverflowError, ValueError) as error:
        raise ValueError(f"a certificate that cannot be read: {error}") from error


def date_text(wall_s: int) -> str:
    """A moment of a certificate for people."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _certificate(der: bytes) -> Certificate:
    (_, certificate), *_ = _elements(der)
    (_, signed), *_ = _elements(certificate)
    fields = _elements(signed)
    if fields[0][0] == _VERSION:
        del fields[0]
    _, _, _, (_, validity), (_, subject), _, *rest = fields
    not_before, not_after, *_ = _elements(validity)
    extensions = next((content for tag, content in rest if tag == _EXTENSIONS), b"")
    names = _alternative_names(extensions) or _common_names(subject)
    return Certificate(tuple(names), _time(*not_before), _time(*not_after))


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents that stand in a row, all of them with tags of one byte (X.690 §8.1)."""
    found = []
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size]), at + size
        if at + length > len(data):
            raise IndexError(f"{length} bytes at {at} of {len(data)}")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _time(tag: int, content: bytes) -> int:
    text = content.decode("ascii", "replace")
    if tag == _UTC_TIME:  # RFC 5280 §4.1.2.5.1
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"a time of type {tag}")
    return int(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp())


def _alternative_names(extensions: bytes) -> list[str]:
    if not extensions:
        return []
    (_, each), *_ = _elements(extensions)
    for _, extension in _elements(each):
        (_, oid), *rest = _elements(extension)
        if oid == _OID_SUBJECT_ALT_NAME:
            (_, names), *_ = _elements(rest[-1][1])
            return [text for tag, name in _elements(names) if (text := _name(tag, name))]
    return []


def _name(tag: int, content: bytes) -> str:
    if tag == _DNS_NAME:
        return content.decode("ascii", "replace").lower()
    if tag == _IP_ADDRESS and len(content) in (4, 16):
        return str(ipaddress.ip_address(content))
    return ""


def _common_names(subject: bytes) -> list[str]:
    found = []
    for _, relative in _elements(subject):
        for _, pair in _elements(relative):
            (_, oid), (_, value), *_ = _elements(pair)
            if oid == _OID_COMMON_NAME:
                found.append(value.decode("utf-8", "replace").lower())
    return found
