"""What HTTP paths call a stream: ``/app/stream`` and media-server's form for redirects.

The forms are those of media-server.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from edge.hub.key import StreamKey, cut_port, normalise_vhost
from edge.service.names import (
    CACHED_NAMES,
    FILTER_NAMES,
    VHOST_NAMES,
    BadNameError,
    StreamName,
    check_key,
)

#: ``/r/HOST[:PORT]/app/stream``: what was asked for at another host, whose redirect names that host.
_REDIRECTED = "r"
#: Behind a stream name it means the app, which here the path names: forwarded, it would mean another stream upstream.
_APP = "app"
#: No name of a host holds them, and what quotes it later might be read amiss.
_NO_VHOST = re.compile(r"""[\s<>"'&?#%@;,]""")


@lru_cache(maxsize=CACHED_NAMES)
def name_of_path(
    host: str,
    path: str,
    query: str,
    *,
    default_vhost: str = "_",
    hostname: str = "",
    max_name_bytes: int = 512,
) -> StreamName:
    """Resolve ``path``, which is decoded and without the suffix of its container, as asked for at ``host``.

    The first part of the path is the app, the rest the stream. Of ``vhost``,
    ``wshost``, ``wsHost`` and ``domain`` in ``query`` (as it came, undecoded) the
    first that is there names the vhost, unless it is empty; else the host does.
    They, the filters and ``app`` are taken out of the query; the rest is forwarded as it came.

    Raises:
        BadNameError: a part is missing, too long, or holds what it may not.
    """
    parts = path.strip("/").split("/")
    if parts[0] == _REDIRECTED and len(parts) > 3:
        host, parts = parts[1], parts[2:]
    if len(parts) < 2:
        raise BadNameError("the path has no app and stream")
    # One of ours comes from a header that was looked at; of a redirect, or an absolute URL, it may be anything.
    host = _cut_port_of(host)
    values: dict[str, str] = {}
    kept: list[str] = []
    for part in query.split("&"):
        field, _, value = part.partition("=")
        if field in VHOST_NAMES or (field in FILTER_NAMES and value == "1"):
            values[field] = unquote(value)
        elif part and field != _APP:
            kept.append(part)
    vhost = _cut_port_of(next((values[field] for field in VHOST_NAMES if field in values), ""))
    key = StreamKey(
        normalise_vhost(host, vhost, default_vhost=default_vhost, hostname=hostname),
        parts[0],
        "/".join(parts[1:]),
    )
    check_key(key, max_name_bytes)
    only_audio, only_video = "only-audio" in values, "only-video" in values
    if only_audio and only_video:
        only_audio = only_video = False
    is_internal = any(part.startswith("idcpassed=") and part != "idcpassed=" for part in kept)
    return StreamName(key, "&".join(kept), only_audio, only_video, is_internal)


def _cut_port_of(host: str) -> str:
    """``host`` without its port, if it may be a host at all."""
    if _NO_VHOST.search(host):
        raise BadNameError("the vhost is no name of a host")
    return cut_port(host)
