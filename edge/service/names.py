"""What clients call a stream: from server URL, stream name and query to its key.

The forms and their precedence are those of media-server; see
``docs/streams.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from edge.hub.key import StreamKey, cut_port, normalise_vhost

#: Thousands of players of a stream come with the same names: they share what was made of them.
CACHED_NAMES = 1024

_SCHEMES = ("rtmp", "rtmps", "rtmpt", "rtmpe", "rtmpte")
VHOST_NAMES = ("vhost", "wshost", "wsHost", "domain")
FILTER_NAMES = ("only-audio", "only-video")
#: Parameters of a server URL that stay here: they name the stream, or are of one player's view of it.
_OWN_OF_URL = frozenset((*VHOST_NAMES, *FILTER_NAMES, "app", "idcpassed"))


class BadNameError(ValueError):
    """A vhost, app or stream name that may not be used; the text says why."""


@dataclass(frozen=True, slots=True)
class TcUrl:
    """The parts of a tcUrl: ``rtmp://host[:port]/app[?vhost=v][/prefix]``.

    Attributes:
        host, vhost, app: of the identity; "" where the URL does not say.
        prefix: what follows the app; it goes in front of stream names.
        query: what the client said behind a ``?``, in the URL and then in the ``app`` field.
    """

    host: str
    vhost: str
    app: str
    prefix: str
    query: str = ""


@dataclass(frozen=True, slots=True)
class StreamName:
    """A publish or play name after its own parameters have been taken out.

    Attributes:
        key: identity.
        query: what is forwarded upstream, "" if nothing: what is left of the name's own query, verbatim, and
            behind it what the server URL's has beside.
        only_audio, only_video: the player wants one medium only.
        is_internal: another node's hop (``idcpassed``), which does not count as a viewer.
    """

    key: StreamKey
    query: str = ""
    only_audio: bool = False
    only_video: bool = False
    is_internal: bool = False


@lru_cache(maxsize=CACHED_NAMES)
def parse_tc_url(tc_url: str, app: str = "") -> TcUrl:
    """Split a tcUrl; ``app`` is used when the URL has none (only tcUrl names the app otherwise).

    All behind the first ``?`` is query, whatever signs a signature may hold: slashes,
    question marks, ``#``. One form is none: a vhost holds no slash, so in
    ``app?vhost=v/prefix`` what follows it is a prefix, up to the next ``?`` or ``&``.
    """
    rest = tc_url
    scheme, separator, after = rest.partition("://")
    if separator and scheme.lower() in _SCHEMES:
        rest = after
    place, _, query = rest.lstrip("/").partition("?")
    host, _, path = place.partition("/")
    app_name, _, prefix = path.lstrip("/").partition("/")
    query, more = _take_out_prefix(query)
    prefix = "/".join(part for part in (prefix.strip("/"), more) if part)
    values = _last_values(query)
    vhost = next((cut_port(values[name]) for name in VHOST_NAMES if values.get(name)), "")
    field_name, _, field_query = app.partition("?")
    if not app_name:
        app_name = field_name.strip("/")
    field_query, _ = _take_out_prefix(field_query)
    return TcUrl(cut_port(host), vhost, values.get("app") or app_name, prefix, add_to_query(query, field_query))


def moved_to(base: str, url: TcUrl, *, default_vhost: str, hostname: str) -> str:
    """The tcUrl that means at another server what ``url`` means here; ``base``: ``rtmp[s]://host[:port]``.

    Where the host names the vhost the new one would name another, so the query does.
    """
    query = url.query
    if not url.vhost:
        vhost = normalise_vhost(url.host, "", default_vhost=default_vhost, hostname=hostname)
        query = add_to_query(query, f"vhost={'__defaultVhost__' if vhost == default_vhost else vhost}")
    place = "/".join(part for part in (base, url.app, url.prefix) if part)
    return f"{place}?{query}" if query else place


def _take_out_prefix(query: str) -> tuple[str, str]:
    """The query and the prefix of ``vhost=v/prefix[?query]``, "" for none."""
    parts: list[str] = []
    prefix = ""
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name in VHOST_NAMES and "/" in value:
            vhost, _, found = value.partition("/")
            found, _, more = found.partition("?")
            prefix = found.strip("/") or prefix
            parts.append(f"{name}={vhost}")
            parts.append(more)
        else:
            parts.append(part)
    return "&".join(part for part in parts if part), prefix


def add_to_query(query: str, other: str) -> str:
    """``query``, and behind it each parameter of ``other`` once whose name it does not have."""
    names = {part.partition("=")[0] for part in query.split("&")} if query else set()
    more = dict.fromkeys(part for part in other.split("&") if part and part.partition("=")[0] not in names)
    return "&".join((query, *more) if query else more)


def _last_values(query: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return {name: value for name, _, value in pairs}


@lru_cache(maxsize=CACHED_NAMES)
def parse_stream_name(
    name: str,
    tc_url: TcUrl,
    *,
    is_play: bool,
    default_vhost: str = "_",
    default_app: str = "live",
    hostname: str = "",
    max_name_bytes: int = 512,
) -> StreamName:
    """Resolve the name of a ``publish`` or ``play`` command.

    ``vhost`` beats ``wshost``/``wsHost``, which beat ``domain``; of a repeated
    parameter the last one wins; recognised ones are taken out of the query. What
    the server URL's query has beside them, and beside names that the name's own
    query has, is forwarded too. A URL that was cut within its query is put together first.

    Raises:
        BadNameError: a part is empty, too long or holds a slash, a question mark or a control byte.
    """
    if _is_cut_in_the_query(name, tc_url):
        name, tc_url = f"{tc_url.prefix}?{tc_url.query}/{name}", replace(tc_url, prefix="", query="")
    path, _, query = name.partition("?")
    if tc_url.prefix:
        path = f"{tc_url.prefix}/{path}"
    values: dict[str, str] = {}
    kept: list[str] = []
    own = (*VHOST_NAMES, "app", *(FILTER_NAMES if is_play else ()))
    said: set[str] = set()
    for part in query.split("&"):
        field, _, value = part.partition("=")
        said.add(field)
        if field in own and not (field.startswith("only-") and value != "1"):
            values[field] = value
        elif part:
            kept.append(part)
    vhost = next((cut_port(values[f]) for f in VHOST_NAMES if values.get(f)), tc_url.vhost)
    app = values.get("app") or tc_url.app or default_app
    key = StreamKey(
        normalise_vhost(tc_url.host, vhost, default_vhost=default_vhost, hostname=hostname),
        app,
        path,
    )
    check_key(key, max_name_bytes)
    only_audio, only_video = "only-audio" in values, "only-video" in values
    if only_audio and only_video:
        only_audio = only_video = False
    is_internal = bool(_last_values("&".join(kept)).get("idcpassed"))
    of_url = (part for part in tc_url.query.split("&") if part and part.partition("=")[0] not in said | _OWN_OF_URL)
    return StreamName(key, "&".join((*kept, *dict.fromkeys(of_url))), only_audio, only_video, is_internal)


def _is_cut_in_the_query(name: str, tc_url: TcUrl) -> bool:
    """Whether the server URL and ``name`` are one URL, cut at a slash of its query.

    Programs that take one URL count its slashes (ffmpeg, librtmp) or take the last (GStreamer),
    wherever it is: of ``live/cam?sign=a/b==`` the server gets ``live/cam?sign=a``, and the name is
    ``b==``. The rest of a query shows by its ``=``; without one it may as well be a stream's name.
    """
    return bool(tc_url.prefix and tc_url.query) and "=" in name.partition("?")[0]


def check_key(key: StreamKey, max_name_bytes: int) -> None:
    """Raise BadNameError unless vhost, app and stream name are such as may be used.

    None holds a question mark: what stands behind it an upstream would read as a query, which
    may name another stream.
    """
    _check_part("vhost", key.vhost, max_name_bytes, allows_slash=False)
    _check_part("app", key.app, max_name_bytes, allows_slash=False)
    _check_part("stream name", key.stream_name, max_name_bytes, allows_slash=True)


def _check_part(what: str, text: str, max_bytes: int, *, allows_slash: bool) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    if not raw:
        raise BadNameError(f"empty {what}")
    if len(raw) > max_bytes:
        raise BadNameError(f"{what} of {len(raw)} bytes exceeds {max_bytes}")
    if any(byte < 0x20 or byte == 0x7F for byte in raw) or "\\" in text:
        raise BadNameError(f"{what} holds a control byte or backslash")
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise BadNameError(f"{what} is not UTF-8")
    if "?" in text:
        raise BadNameError(f"{what} holds a question mark")
    parts = text.split("/")
    if not allows_slash and len(parts) > 1:
        raise BadNameError(f"{what} holds a slash")
    if any(part in ("", ".", "..") for part in parts):
        raise BadNameError(f"{what} has an empty or relative component")
