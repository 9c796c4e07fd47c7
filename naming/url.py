"""The text of a target: one server, or the URL of a naming service."""

from __future__ import annotations

import re
from dataclasses import dataclass

from naming import registry
from naming.base import NamingContext, NamingError, NamingOptions
from naming.endpoint import parse_endpoint
from naming.masking import without_secrets as without_secrets
from naming.resolver import Resolver

# A scheme is 1-31 characters, none of them a colon.
_URL = re.compile(r"([^:]{1,31})://(.*)", re.DOTALL)
#: Schemes of one server, with their ports.
RTMP_PORTS = {"rtmp": 1935, "rtmps": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A target as configured.

    Attributes:
        text: what was written.
        scheme: lower-case scheme of the naming URL, or "" for one plain server.
        name: what stands behind ``scheme://``, verbatim; "" for a plain server.
        host: name or numeric address (no brackets) of the plain server, else "".
        port: port of the plain server, else 0.
        is_tls: the plain server was written as ``rtmps://``.
    """

    text: str
    scheme: str = ""
    name: str = ""
    host: str = ""
    port: int = 0
    is_tls: bool = False

    @property
    def shown(self) -> str:
        """``text`` for logs and pages, see ``without_secrets``."""
        return without_secrets(self.text)

    @property
    def is_plain(self) -> bool:
        """Whether this is one server rather than a naming URL."""
        return not self.scheme


def parse_address(text: str) -> Address:
    """Read ``host:port``, ``[v6]:port``, ``rtmp[s]://host[:port]`` or ``scheme://name``.

    Schemes are told in any case. Nothing is looked up. Raises NamingError that
    names the wrong part, and the valid schemes where the scheme is unknown. A
    scheme that is known but not built is no error here.
    """
    if "://" not in text:
        return _plain(text, text, None, is_tls=False)
    match = _URL.fullmatch(text.strip())
    if match is None:
        raise NamingError(f'bad address "{text}": expected host:port or scheme://name')
    scheme, name = match[1].lower(), match[2]
    if scheme in RTMP_PORTS:
        return _plain(text, name.removesuffix("/"), RTMP_PORTS[scheme], is_tls=scheme == "rtmps")
    if not registry.is_known(scheme):
        valid = ", ".join(registry.known())
        raise NamingError(
            f'unknown naming scheme "{match[1]}" in "{text}" (valid: {valid}; or rtmp://host[:port] or host:port '
            "for one server)"
        )
    if registry.is_built(scheme):
        context = NamingContext(NamingOptions(), Resolver(), _ignore)
        registry.create(scheme, context).check_name(name)
    return Address(text, scheme, name)


def _plain(text: str, endpoint: str, default_port: int | None, *, is_tls: bool) -> Address:
    if endpoint.startswith("unix:"):
        raise NamingError(f'bad address "{text}": unix sockets are not supported')
    server, slash, path = endpoint.partition("/")
    if server and slash:
        raise NamingError(
            f'bad address "{text}": leave "/{path}" out, app and stream are those of the player\'s or publisher\'s URL'
        )
    host, port = parse_endpoint(endpoint, default_port=default_port)
    if port == 0:
        raise NamingError(f'bad address "{text}": port 0 cannot be connected to')
    return Address(text, host=host, port=port, is_tls=is_tls)


def _ignore(detail: str) -> None:
    """Nothing is asked while a name is only checked, so nothing fails."""
