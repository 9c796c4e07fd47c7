"""What is refused before a route is looked for: heads that are ambiguous, unknown or too large.

aiohttp's parser refuses most malformed heads itself, but neither unknown methods and
versions nor a missing or doubtful Host or length, by which two servers may read one
request differently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from aiohttp import web
from aiohttp.http import HttpVersion10, HttpVersion11

from edge.httpd.config import HttpConfig

# RFC 9110 §9 and RFC 5789: known, though a route may not allow them.
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})

# RFC 9110 §7.2: a name, an IPv4 address or a bracketed IPv6 one, and perhaps a port.
_HOST = re.compile(r"(?P<name>[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")
_CONTENT_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)
_MAX_PORT = 65535
# A longer request line is of no path of ours.
MAX_TARGET_BYTES = 8190
MAX_HEADERS = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer ``status`` with ``text``, count ``reason``, close the connection."""

    status: int
    reason: str
    text: str


def host_name_of(request: web.BaseRequest) -> str | None:
    """Return the host part of the Host header, brackets kept, or None when absent or not well formed."""
    values = request.headers.getall("Host", ())
    return _name_in_host(values[0]) if len(values) == 1 else None


@lru_cache(maxsize=256)
def _name_in_host(value: str) -> str | None:
    found = _HOST.fullmatch(value)
    if found is None or int(found["port"] or 0) > _MAX_PORT:
        return None
    return found["name"]


def refusal_of(request: web.BaseRequest, config: HttpConfig) -> Refusal | None:
    """Return why a parsed head is refused, or None when it may go on to its route."""
    return (
        _version_refusal(request)
        or _host_refusal(request)
        or _target_refusal(request)
        or _size_refusal(request, config)
        or _body_refusal(request, config)
        or _method_refusal(request)
    )


def _version_refusal(request: web.BaseRequest) -> Refusal | None:
    if request.version in (HttpVersion10, HttpVersion11):
        return None
    return Refusal(505, "bad_version", "HTTP/1.0 and HTTP/1.1 are spoken here")


def _host_refusal(request: web.BaseRequest) -> Refusal | None:
    values = request.headers.getall("Host", ())
    if not values and request.version == HttpVersion10:
        return None
    if host_name_of(request) is None:
        return Refusal(400, "bad_host", f"{len(values)} Host headers, or one that names no host")
    return None


def _target_refusal(request: web.BaseRequest) -> Refusal | None:
    if len(request.raw_path) > MAX_TARGET_BYTES:
        return Refusal(414, "target_too_long", f"a target of more than {MAX_TARGET_BYTES} bytes")
    return None


def _size_refusal(request: web.BaseRequest, config: HttpConfig) -> Refusal | None:
    headers = request._message.raw_headers
    if len(headers) > MAX_HEADERS:
        return Refusal(431, "header_too_large", f"more than {MAX_HEADERS} headers")
    # Name, colon, blank, value, CR LF.
    size_bytes = sum(len(name) + len(value) + 4 for name, value in headers)
    if size_bytes > config.http_max_header_bytes:
        return Refusal(431, "header_too_large", f"headers of more than {config.http_max_header_bytes} bytes")
    return None


def _body_refusal(request: web.BaseRequest, config: HttpConfig) -> Refusal | None:
    lengths = request.headers.getall("Content-Length", ())
    is_chunked = "Transfer-Encoding" in request.headers
    if len(lengths) + is_chunked > 1 or (lengths and not _CONTENT_LENGTH.fullmatch(lengths[0])):
        return Refusal(400, "bad_framing", "the length of the body is ambiguous")
    # Of the few routes that read a body none needs one of unknown length.
    limit_bytes = min(config.http_max_body_bytes, config.max_body_size)
    if is_chunked or (lengths and int(lengths[0]) > limit_bytes):
        return Refusal(413, "body_too_large", f"a body of more than {limit_bytes} bytes")
    return None


def _method_refusal(request: web.BaseRequest) -> Refusal | None:
    if request.method == "CONNECT":  # its target is no path, and what follows is not HTTP
        return Refusal(405, "no_proxy", "this is no proxy")
    if request.method in KNOWN_METHODS:
        return None
    return Refusal(501, "unknown_method", "a method that is not known here")
