"""Stream identity: ``vhost/app/stream``, and which names of a host mean the same vhost.

Keys are compared as triples, so no value that contains a slash can stand for
another stream. How they are made of what clients say is in ``service/names.py``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

PUBLISH_REALM = "publish"
LIVE_REALM = "live"

#: Thousands of clients of few hosts: what a name stands for is found once.
_REMEMBERED_HOSTS = 256


class StreamKey(NamedTuple):
    """What names a stream in this process.

    ``realm`` keeps the local copy of a publish that an edge forwards apart
    from the live stream of the same name.
    """

    vhost: str
    app: str
    stream_name: str
    realm: str = LIVE_REALM

    def __str__(self) -> str:
        text = f"{self.vhost}/{self.app}/{self.stream_name}"
        return text if self.realm == LIVE_REALM else f"{text}.pubproxy"

    @property
    def text(self) -> str:
        """``vhost/app/stream``: what balancers hash, the same for plays and publishes."""
        return f"{self.vhost}/{self.app}/{self.stream_name}"


@lru_cache(maxsize=_REMEMBERED_HOSTS)
def normalise_vhost(host: str, vhost: str, *, default_vhost: str, hostname: str) -> str:
    """Return the vhost that ``vhost``, or ``host`` without it, stands for.

    Addresses, localhost, this machine's name and ``__defaultVhost__`` all mean
    the default vhost; other names are lower-cased.
    """
    candidate = vhost or host
    lowered = _ascii_lower(candidate)
    is_numeric = all(c in "0123456789." for c in candidate)
    if is_numeric or ":" in candidate or candidate.startswith("["):
        return default_vhost
    if lowered in ("localhost", "__defaultvhost__", _ascii_lower(hostname)) or candidate == default_vhost:
        return default_vhost
    return lowered


def _ascii_lower(text: str) -> str:
    """``text`` with A-Z lowered only: ``str.lower`` also maps letters of other scripts, some onto ASCII."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def cut_port(host: str) -> str:
    """``host`` without its ``:port``; IPv6 literals lose their brackets."""
    if host.startswith("["):
        return host[1:].split("]", 1)[0]
    return host.split(":", 1)[0]
