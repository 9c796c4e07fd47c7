"""Where an upstream sends us to: the URL of an RTMP 302 answer.

Servers write the URL of the connect (``rtmp[s]://host[:port]/app[?query]``) or that of
the stream (``.../app/name[?query]``); some write the name twice if one appends it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.hub.key import StreamKey
from edge.service.names import add_to_query
from naming.base import NamingError
from naming.endpoint import parse_endpoint
from naming.url import RTMP_PORTS


@dataclass(frozen=True, slots=True)
class Redirect:
    """A place to ask instead.

    Attributes:
        host, port: name or numeric address (no brackets), and TCP port.
        tc_url, app: to connect with.
        name: of the stream there, with its query.
        is_tls: it is reached over TLS.
    """

    host: str
    port: int
    tc_url: str
    app: str
    name: str
    is_tls: bool = False


def parse_redirect(url: str, key: StreamKey, query: str, *, default_vhost: str) -> Redirect:
    """Read the URL that the answer to a request for ``key`` names.

    The URL's own query, ``vhost`` among it, goes along with both the connect and the name, and
    with the name also what the client's ``query`` has beside. A vhost of ours that the URL does not
    name is the host of the tcUrl, as in a connect that was not redirected.
    Raises NamingError for a URL that cannot be followed.
    """
    scheme, mark, rest = url.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in RTMP_PORTS:
        raise NamingError(f'redirect to "{url.partition("?")[0]}": only rtmp:// and rtmps:// are followed')
    head, _, own_query = rest.partition("?")
    authority, _, path = head.partition("/")
    host, port = parse_endpoint(authority.rpartition("@")[2], default_port=RTMP_PORTS[scheme])
    if port == 0:
        raise NamingError(f'redirect to "{url.partition("?")[0]}": port 0 cannot be connected to')
    app, name = _split(path.strip("/"), key)
    has_vhost = any(part.startswith("vhost=") for part in own_query.split("&"))
    is_named = has_vhost or key.vhost == default_vhost
    tc_url = f"{scheme}://{authority if is_named else key.vhost}/{app}"
    if own_query:
        tc_url = f"{tc_url}?{own_query}"
    name_query = add_to_query(own_query, query)
    name = f"{name}?{name_query}" if name_query else name
    return Redirect(host, port, tc_url, app, name, is_tls=scheme == "rtmps")


def _split(path: str, key: StreamKey) -> tuple[str, str]:
    """App and stream name of a path that may lack either."""
    tail = f"/{key.stream_name}"
    if path.endswith(tail):
        while path.endswith(tail):
            path = path.removesuffix(tail)
        return path or key.app, key.stream_name
    app, _, name = path.partition("/")
    return app or key.app, name or key.stream_name
