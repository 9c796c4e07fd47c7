"""Who may change something by HTTP, where a GET is enough: the guard of every page that does more than show.

Three things are to be kept out: a browser that another site sends here (its requests say so, Fetch Metadata
§2.3, RFC 6454 §7), a name of somebody else's that is made to lead to this address (DNS rebinding), and, where
no internal port is set, everybody but this machine itself.
"""

from __future__ import annotations

import ipaddress
from typing import cast
from urllib.parse import urlsplit

from aiohttp import web

from edge.httpd.config import HttpConfig
from edge.httpd.connection import HttpConnection
from edge.httpd.screening import Refusal, host_name_of
from edge.net.address import host_of
from edge.net.trust import is_handed_on

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Typed by hand, opened from a bookmark, or from a page of ours.
_OWN_FETCH_SITES = frozenset({"", "none", "same-origin"})
_BROWSER_PREFIX = "sec-fetch-"
# All browsers begin so to say what they are, and no page can make them say another.
_BROWSER_MARK = "mozilla/"


def change_refusal_of(request: web.BaseRequest) -> Refusal | None:
    """``why_change_refused`` with what the connection of ``request`` tells."""
    connection = cast(HttpConnection, request.protocol)
    return why_change_refused(
        request,
        connection.config,
        is_internal=connection.is_internal,
        peer_host="" if connection.is_proxied or connection.is_forwarded else host_of(connection.peer),
    )


def why_change_refused(
    request: web.BaseRequest, config: HttpConfig, *, is_internal: bool, peer_host: str
) -> Refusal | None:
    """Say why a request may not change the state of the server, or None when it may.

    Args:
        config: ``is_internal_port_set``, ``hostname`` and ``admin_allowed_hosts`` are read.
        is_internal: whether the internal port accepted the connection.
        peer_host: numeric address of the other end, as the socket tells it; "" of one that only a proxy knows.

    Returns:
        A refusal with status 403; its reason is ``csrf``, ``bad_host`` or ``not_local``.
    """
    if config.is_internal_port_set and not is_internal:
        return Refusal(403, "not_local", "this port changes nothing")
    refusal = _csrf_refusal(request) or host_refusal(request, config)
    if refusal is not None or is_internal:
        return refusal
    return _locality_refusal(request, peer_host)


def host_refusal(request: web.BaseRequest, config: HttpConfig) -> Refusal | None:
    """Refuse a Host that does not mean this machine: no numeric address, ``localhost``, own name or allowed one."""
    host = (host_name_of(request) or "").lower().rstrip(".")
    known = {"localhost", config.hostname.lower(), *(name.lower() for name in config.admin_allowed_hosts)} - {""}
    if host in known or _address_in(host) is not None:
        return None
    return Refusal(403, "bad_host", "the Host is no name of this server: see -admin_allowed_hosts")


def is_of_browser(request: web.BaseRequest) -> bool:
    """Whether a request bears what only browsers send by themselves, so that its Host is to be looked at too."""
    headers = request.headers
    return (
        "Origin" in headers or "Cookie" in headers or any(name.lower().startswith(_BROWSER_PREFIX) for name in headers)
    )


def _csrf_refusal(request: web.BaseRequest) -> Refusal | None:
    """Refuse what a page of another site has made a browser send. Programs send none of these headers.

    Browsers send Fetch Metadata to encrypted servers and to this machine only, and a page may have them leave out
    its address: an image elsewhere can ask without a word of where it stands. So of browsers something is wanted.
    """
    refusal = Refusal(403, "csrf", "a page of another site asked for this")
    sites = request.headers.getall("Sec-Fetch-Site", ())
    if any(site.strip().lower() not in _OWN_FETCH_SITES for site in sites):
        return refusal
    sources = [*request.headers.getall("Origin", ()), *request.headers.getall("Referer", ())]
    if not all(_is_ours(source, request) for source in sources):
        return refusal
    if not sites and not sources and request.headers.get("User-Agent", "").lower().startswith(_BROWSER_MARK):
        return Refusal(403, "csrf", "the browser does not say which page asked for this: follow a link of this server")
    return None


def _is_ours(source: str, request: web.BaseRequest) -> bool:
    """Whether an origin or a URL is of the host and port that the request names."""
    try:
        parts = urlsplit(source.strip())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        own = urlsplit(f"//{request.headers.get('Host', '')}")
        own_port = own.port or _DEFAULT_PORTS["https" if request.secure else "http"]
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.hostname, port) == (own.hostname, own_port)


def _locality_refusal(request: web.BaseRequest, peer_host: str) -> Refusal | None:
    """Refuse all but this machine itself: not what a proxy on it hands on, nor what means another host."""
    refusal = Refusal(403, "not_local", "without -internal_port only this machine itself may do this")
    peer = _address_in(peer_host)
    if peer is None or not peer.is_loopback:
        return refusal
    if is_handed_on(request.headers):
        return refusal
    host = (host_name_of(request) or "").lower().rstrip(".")
    address = _address_in(host)
    is_loopback = host == "localhost" if address is None else address.is_loopback
    return None if is_loopback else refusal


def _address_in(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
