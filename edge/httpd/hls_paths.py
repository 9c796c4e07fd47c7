"""What a path that ends in ``.m3u8`` asks for, and what its query means for the playlists."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from edge.net.track_filter import AUDIO_BIT, VIDEO_BIT, chosen_tracks
from edge.service.names import CACHED_NAMES, FILTER_NAMES, VHOST_NAMES, StreamName

CLASSIC, LOW_LATENCY = ".classic", ".ll"
_MEDIA = ".media.m3u8"
_TWO_LEVEL_MEDIA = ".dynamic.m3u8"
_MASTER = ".m3u8"
#: Behind the stream's name: segments end at keyframes (for players that need it), or the id of one viewer.
_KEYFRAMES = ".kf"
_SESSION = re.compile(r"(?P<path>.*[^/])\.lss(?P<id>[0-9]+)", re.DOTALL)
#: What may stand unquoted in a query of ours: all that is no danger in a playlist.
_SAFE = "=&%-._~!$'()*+,;:@/?"
#: Blocking reloads and delta updates (RFC 8216bis §6.2.5).
_MSN, _PART, _SKIP = "_HLS_msn", "_HLS_part", "_HLS_skip"
_NO_LIMIT_S = 86400.0
_NUMBER = re.compile(r"[0-9]{1,15}")


class Scheme(Enum):
    """A way to serve HLS, by the suffix of its playlists."""

    DEFAULT = ""
    TWO_LEVEL = "two-level"
    CLASSIC = CLASSIC
    LOW_LATENCY = LOW_LATENCY


class PlaylistPath(NamedTuple):
    """A playlist that is asked for.

    Attributes:
        path: of the stream.
        scheme: of the playlist.
        is_media: it is the one with the segments.
        at_keyframes: in the two-level scheme: segments end at keyframes.
        session: id of one viewer, "" for none.
    """

    path: str
    scheme: Scheme
    is_media: bool
    at_keyframes: bool = False
    session: str = ""


@lru_cache(maxsize=CACHED_NAMES)
def parse_playlist_path(path: str) -> PlaylistPath:
    """Read a decoded path that ends in ``.m3u8``; the longest suffix wins."""
    if path.endswith(_TWO_LEVEL_MEDIA):
        path = path.removesuffix(_TWO_LEVEL_MEDIA)
        if found := _SESSION.fullmatch(path):
            return PlaylistPath(found["path"], Scheme.TWO_LEVEL, True, session=found["id"])
        plain = path.removesuffix(_KEYFRAMES)
        return PlaylistPath(plain, Scheme.TWO_LEVEL, True, at_keyframes=plain != path)
    for scheme in (Scheme.CLASSIC, Scheme.LOW_LATENCY):
        for suffix, is_media in ((scheme.value + _MEDIA, True), (scheme.value + _MASTER, False)):
            if path.endswith(suffix):
                return PlaylistPath(path.removesuffix(suffix), scheme, is_media)
    return PlaylistPath(path.removesuffix(_MASTER), Scheme.DEFAULT, False)


def media_suffix(scheme: Scheme, *, at_keyframes: bool = False, session: str = "") -> str:
    """What the media playlist of a scheme is called behind the stream's name."""
    if scheme is Scheme.TWO_LEVEL:
        return (f".lss{session}" if session else _KEYFRAMES if at_keyframes else "") + _TWO_LEVEL_MEDIA
    return f"{scheme.value}{_MEDIA}"


@lru_cache(maxsize=CACHED_NAMES)
def shared_query(raw_query: str, name: StreamName) -> str:
    """Of a request's query what names the stream and its tracks: all URIs of its playlists bear it."""
    kept = []
    for part in raw_query.split("&"):
        field, _, value = part.partition("=")
        is_filter = field in FILTER_NAMES and value == "1" and (name.only_audio or name.only_video)
        if field in VHOST_NAMES or is_filter:
            kept.append(part)
    return quote("&".join(kept), safe=_SAFE)


def safe_query(query: str) -> str:
    """A query as it may stand in a playlist."""
    return quote(query, safe=_SAFE)


class Directives(NamedTuple):
    """What a player of low-latency HLS wants the answer to hold.

    Attributes:
        number, part: the answer waits for this segment, or this part of it (-1 for all of it); number -1: it does not.
        is_delta: without the oldest segments.
    """

    number: int = -1
    part: int = -1
    is_delta: bool = False


@lru_cache(maxsize=CACHED_NAMES)
def parse_directives(raw_query: str) -> Directives | None:
    """Delivery directives of a query; None for such as make no sense (§6.2.5.2: answer 400)."""
    values: dict[str, str] = {}
    for pair in raw_query.split("&"):
        field, _, value = pair.partition("=")
        if field in (_MSN, _PART, _SKIP):
            values[field] = value
    if not values:
        return Directives()
    numbers = [values.get(field, "") for field in (_MSN, _PART)]
    if any(number and not _NUMBER.fullmatch(number) for number in numbers):
        return None
    if (
        (_PART in values and not numbers[0])
        or (_MSN in values and not numbers[0])
        or (_PART in values and not numbers[1])
    ):
        return None
    return Directives(int(numbers[0] or -1), int(numbers[1] or -1), values.get(_SKIP, "") in ("YES", "v2"))


def segment_tracks(name: StreamName) -> int:
    """Bits of the tracks that go into segments; there is no place for data."""
    chosen = chosen_tracks(only_audio=name.only_audio, only_video=name.only_video)
    return chosen & (AUDIO_BIT | VIDEO_BIT)


def wait_seconds(wait_ms: int) -> float:
    """A flag's time in seconds; 0 is no limit."""
    return wait_ms / 1000 if wait_ms else _NO_LIMIT_S
