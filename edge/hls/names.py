"""Names of segments, parts and decoder configurations: what a playlist says and a request asks for.

A name is never used twice: it bears the publish, the number and the stamp of
the first frame, all of them the origin's, so that every node of a tree gives
the same name to the same bytes. It stands behind the stream's name, after a
dot: ``cam.5f0c-890123-34000.ts``, part 2 of a segment
``cam.5f0c-890123-34000.2.m4s``, a configuration ``cam.0123456789abcdef.init.mp4``,
a segment of the two-level scheme ``cam.5f0c.seq17.ts``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

_EPOCH = "[0-9A-Za-z]{1,64}"
#: As it is written: with zeros before it, it would be a second name of the same.
_NUMBER = "(?:0|[1-9][0-9]{0,15})"
_SEGMENT = re.compile(
    rf"(?P<path>.*[^/])\.(?P<epoch>{_EPOCH})-(?P<number>{_NUMBER})-(?P<dts>{_NUMBER})"
    r"(?:\.(?P<part>0|[1-9][0-9]{0,4}))?\.(?P<kind>ts|m4s)",
    re.DOTALL,
)
_INIT = re.compile(r"(?P<path>.*[^/])\.(?P<digest>[0-9a-f]{16})\.init\.mp4", re.DOTALL)
_TWO_LEVEL = re.compile(rf"(?P<path>.*[^/])\.(?P<epoch>{_EPOCH})\.seq(?P<number>{_NUMBER})\.ts", re.DOTALL)
#: Thousands of viewers ask for the same names.
_REMEMBERED = 256
_PLAIN_EPOCH = re.compile(_EPOCH)


class SegmentName(NamedTuple):
    """A segment of the tree.

    Attributes:
        epoch: the publish, as it stands in names (``epoch_word``).
        number: what EXT-X-MEDIA-SEQUENCE counts.
        dts_ms: of its first frame, by the origin's clock.
    """

    epoch: str
    number: int
    dts_ms: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.number}-{self.dts_ms}"


def epoch_word(epoch_id: str) -> str:
    """An epoch's id as it may stand in a URL; other nodes choose ids, so that they might hold anything."""
    if _PLAIN_EPOCH.fullmatch(epoch_id):
        return epoch_id
    return hashlib.sha256(epoch_id.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def init_digest(data: bytes) -> str:
    """What a decoder configuration is called by: its content."""
    return hashlib.sha256(data).hexdigest()[:16]


class Asked(NamedTuple):
    """What a path asks for.

    Attributes:
        path: of the stream.
        segment: or None for a configuration.
        part: index of a part, -1 for the whole segment.
        kind: ``ts``, ``m4s`` or ``mp4``.
        digest: of a configuration.
    """

    path: str
    segment: SegmentName | None
    part: int
    kind: str
    digest: str = ""


@lru_cache(maxsize=_REMEMBERED)
def parse_path(path: str) -> Asked | None:
    """Read a decoded path that ends in ``.ts``, ``.m4s`` or ``.init.mp4``; None where it names no segment."""
    if found := _SEGMENT.fullmatch(path):
        name = SegmentName(found["epoch"], int(found["number"]), int(found["dts"]))
        part = found["part"]
        if part is not None and found["kind"] == "ts":
            return None
        return Asked(found["path"], name, -1 if part is None else int(part), found["kind"])
    if found := _INIT.fullmatch(path):
        return Asked(found["path"], None, -1, "mp4", found["digest"])
    return None


class TwoLevelName(NamedTuple):
    """A segment of the two-level scheme, which the node that made it has numbered."""

    path: str
    epoch: str
    number: int


@lru_cache(maxsize=_REMEMBERED)
def parse_two_level_path(path: str) -> TwoLevelName | None:
    """Read a decoded path that ends in ``.ts``; None where it names no segment of the two-level scheme."""
    found = _TWO_LEVEL.fullmatch(path)
    return TwoLevelName(found["path"], found["epoch"], int(found["number"])) if found else None


PermitOf = Callable[[SegmentName | tuple[str, int] | str], str]
"""The permit of a segment, of epoch and number of one of the two-level scheme, or of a configuration by its digest."""


class Uris:
    """Makes the URIs of one stream's playlists.

    They are relative to the playlist, whose last path component begins with the stream's name.
    """

    __slots__ = ("_base", "_permit_of", "_query")

    def __init__(self, path: str, query: str = "", prefix: str = "", *, permit_of: PermitOf | None = None) -> None:
        """Take the decoded path of the stream, a query for all of them, and what goes before each instead of nothing.

        ``prefix``: of absolute URIs, with what stands before the path; ``permit_of``: what the URIs of media bear
        besides, of a guarded stream.
        """
        last = path.rpartition("/")[2]
        self._base = f"{prefix.rstrip('/')}{quote(path)}" if prefix else quote(last, safe="")
        self._query = f"?{query}" if query else ""
        self._permit_of = permit_of

    def _query_of(self, what: SegmentName | tuple[str, int] | str) -> str:
        if self._permit_of is None:
            return self._query
        return f"{self._query}&p={self._permit_of(what)}" if self._query else f"?p={self._permit_of(what)}"

    def segment(self, name: SegmentName, kind: str) -> str:
        """Of a whole segment; ``kind`` is ``ts`` or ``m4s``."""
        return f"{self._base}.{name}.{kind}{self._query_of(name)}"

    def part(self, name: SegmentName, part: int) -> str:
        """Of a part."""
        return f"{self._base}.{name}.{part}.m4s{self._query_of(name)}"

    def init(self, digest: str) -> str:
        """Of a decoder configuration."""
        return f"{self._base}.{digest}.init.mp4{self._query_of(digest)}"

    def two_level(self, epoch: str, number: int) -> str:
        """Of a segment of the two-level scheme."""
        return f"{self._base}.{epoch}.seq{number}.ts{self._query_of((epoch, number))}"

    def playlist(self, suffix: str, query: str = "") -> str:
        """Of a playlist beside this one; ``query`` goes before that of all."""
        both = "&".join(part for part in (query, self._query.removeprefix("?")) if part)
        return f"{self._base}{suffix}{f'?{both}' if both else ''}"
