"""Which stream a person means who asks about it, and which others are written much like it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.service.names import StreamName, parse_tc_url
from edge.service.refusal import Refusal
from edge.service.service import Service
from edge.service.story import Kind

_SUFFIXES = (".flv", ".ts", ".classic.m3u8", ".ll.m3u8", ".m3u8")
_WEB = ("http", "https", "ws", "wss")
#: Names that are compared, and shown: comparing takes time.
_COMPARED = 500
_SHOWN = 3
#: Letters in a row that may be others, missing or too many.
_FEW_LETTERS = 2
#: A name that was refused for these may be the one that is looked for.
_REFUSED = frozenset({Kind.BAD_NAME, Kind.FORBIDDEN, Kind.BUSY})


def key_meant(service: Service, text: str, host: str = "") -> StreamKey | Refusal:
    """The key of ``text``: the URL of a stream, ``app/stream``, or the key itself; why it can be none.

    ``host`` is where it is asked for, which may name the vhost; where nothing is known of that
    stream it is looked for in the default vhost too. Queries count as in a player's URL.
    """
    text = text.strip()
    scheme, mark, rest = text.partition("://")
    if mark:
        place, _, query = rest.partition("?")
        authority, _, path = place.partition("/")
        if scheme.lower() in _WEB:
            return _key_of(service.resolve_path(authority, f"/{_without_suffix(path)}", query))
        app, _, name = path.partition("/")
        behind = f"?{query}" if query else ""
        return _key_of(service.resolve(f"{name}{behind}", parse_tc_url(f"{authority}/{app}"), is_play=True))
    path, _, query = text.partition("?")
    whole = path.split("/", 2)
    if len(whole) == 3 and all(whole):
        key = StreamKey(*whole)
        if whole[0] == service.hub.default_vhost or is_known(service, key):
            return key
    found = _key_of(service.resolve_path(host, f"/{path}", query))
    if isinstance(found, Refusal) or is_known(service, found):
        return found
    default = found._replace(vhost=service.hub.default_vhost)
    return default if is_known(service, default) else found


def _key_of(found: StreamName | Refusal) -> StreamKey | Refusal:
    return found if isinstance(found, Refusal) else found.key


def _without_suffix(path: str) -> str:
    return next((path.removesuffix(suffix) for suffix in _SUFFIXES if path.endswith(suffix)), path)


def is_known(service: Service, key: StreamKey) -> bool:
    """Whether the stream is here, or something is told of it."""
    found = service.registry.find(key) or service.registry.find(service.publish_key(key))
    return found is not None or bool(service.chronicle.stories.of_stream(key))


def near_names(service: Service, key: StreamKey) -> list[str]:
    """Streams that are fed here and are written much like ``key``, then names much like it that were refused."""
    found = list(_fed_like(service, key))
    refused = [f"{name}, which was refused" for name, _ in _refused_like(service, key) if name not in found]
    return list(dict.fromkeys([*found, *refused]))[:_SHOWN]


def hint_of(service: Service, key: StreamKey) -> str:
    """How the name of a stream that is fed here differs from ``key``, without that name; "" where none is like it.

    Other nodes may be told this: it says what is wrong with the name, and not who else is here.
    """
    for name in _fed_like(service, key):
        return f"a stream is fed here {_difference(name, key)}"
    for _, text in _refused_like(service, key):
        return f"one written much like it was refused ({text})"
    return ""


def _fed_like(service: Service, key: StreamKey) -> Iterator[str]:
    fed = (stream.key.text for stream in service.registry.streams.values() if _is_fed(stream))
    wanted = _plain(key.text)
    return (name for name in islice(fed, _COMPARED) if name != key.text and _is_like(_plain(name), wanted))


def _is_fed(stream: Stream) -> bool:
    """Not one that is only pulled so far, as it may be a name that somebody else has got wrong."""
    return not stream.feed.is_vacant and (stream.pull is None or stream.has_begun)


def _refused_like(service: Service, key: StreamKey) -> Iterator[tuple[str, str]]:
    """Names that were refused lately, and why."""
    stories, wanted = service.chronicle.stories, _plain(key.text)
    for name in islice(stories.names(), _COMPARED):
        if name != key.text and _is_like(_plain(name), wanted):
            yield from ((name, entry.text) for entry in stories.of_stream(name)[:_SHOWN] if entry.kind in _REFUSED)


def _difference(name: str, key: StreamKey) -> str:
    _, app, stream = name.split("/", 2)
    if stream == key.stream_name:
        return "under that name in another app" if app != key.app else "under that name in another vhost"
    if name.casefold() == key.text.casefold():
        return "whose name differs in upper and lower case"
    if stream.rpartition("/")[2] == key.stream_name.rpartition("/")[2]:
        return "under that name with another path before it"
    return "whose name differs in a few letters"


def _plain(name: str) -> str:
    """Without what is no difference: case and empty parts."""
    return "/".join(part for part in name.casefold().split("/") if part)


def _is_like(one: str, other: str) -> bool:
    """The same but for vhost or app, or with few letters changed; both are plain."""
    if one == other or one.rpartition("/")[2] == other.rpartition("/")[2]:
        return True
    shorter = min(len(one), len(other))
    if max(len(one), len(other)) > shorter + _FEW_LETTERS:
        return False
    same = _beginning_of(one, other, shorter)
    behind = _beginning_of(one[::-1], other[::-1], shorter - same)
    return max(len(one), len(other)) - same - behind <= _FEW_LETTERS


def _beginning_of(one: str, other: str, most: int) -> int:
    """How many letters both begin with, ``most`` at most; halves are compared, as letter by letter is slow."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least
