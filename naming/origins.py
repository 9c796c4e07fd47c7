"""The servers of a registry or list, as the flags name them, and what may be asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from naming.base import NamingError
from naming.endpoint import parse_endpoint

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Origins:
    """The servers of one registry, each a URL without a path; the one that answered last is asked first.

    Attributes:
        urls: such as ``http://10.0.0.1:8500``; at least one.
    """

    urls: Sequence[str]
    first: int = field(default=0)


def parse_origins(text: str, flag: str) -> Origins:
    """Read ``http[s]://host[:port]``, ``list://a:1,b:2`` or ``host:port``, several with commas between.

    What stands behind the port is an error. Raises NamingError naming ``flag``.
    """
    urls = []
    for part in text.removeprefix("list://").split(","):
        scheme, separator, rest = part.strip().partition("://")
        scheme, rest = (scheme.lower(), rest) if separator else ("http", scheme)
        if not rest:
            continue
        if scheme not in _PORTS:
            raise NamingError(f'-{flag}: bad address "{part}": expected http://host:port or https://host:port')
        try:
            host, port = parse_endpoint(rest.removesuffix("/"), default_port=_PORTS[scheme])
        except NamingError as error:
            raise NamingError(f"-{flag}: {error}") from error
        urls.append(f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}")
    if not urls:
        raise NamingError(f"-{flag} is empty")
    return Origins(urls)


def check_query(name: str, what: str) -> None:
    """Raise NamingError unless ``name`` can stand in a request line as it is."""
    if not name:
        raise NamingError(f"{what} is missing")
    if not name.isascii() or not name.isprintable() or any(sign in name for sign in ' "<>#'):
        raise NamingError(f'bad {what} "{name}": write blanks and special characters as %xx')
