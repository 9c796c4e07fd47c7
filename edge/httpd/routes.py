"""Which path is served by what, and on which kind of port."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from edge.errors import EdgeError

Handler = Callable[[web.BaseRequest, "Target"], Awaitable[web.StreamResponse]]

# More parameters than any of our paths has; parsing costs time per parameter.
MAX_QUERY_PARAMETERS = 100

# Thousands of viewers of HLS ask for the same few targets at the same time.
_REMEMBERED = 256

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ABSOLUTE_FORM = re.compile(r"(?i)https?://([^/?#]*)")
# brpc serves each page under the full name of its service too.
_PACKAGE_PREFIX = "brpc."


class BadTargetError(EdgeError):
    """A request target that cannot be a path; answer 400."""

    reason = "bad_target"


@dataclass(frozen=True, slots=True)
class Target:
    """A request target, RFC 9112 §3.2, taken apart.

    Attributes:
        path: begins with ``/``; decoded exactly once; no empty, ``.`` or ``..``
            segments, no trailing slash.
        query: decoded pairs in their order; blank values are kept.
        raw_query: the query as it was written.
        host: of the absolute form, with its port; "" in origin form.
    """

    path: str
    query: tuple[tuple[str, str], ...] = ()
    raw_query: str = ""
    host: str = ""

    def argument(self, name: str) -> str | None:
        """Return the last value of ``name`` in the query, or None."""
        return next((value for key, value in reversed(self.query) if key == name), None)


@lru_cache(maxsize=_REMEMBERED)
def parse_target(text: str) -> Target:
    """Take apart a request target in origin or absolute form.

    The host of the absolute form goes before the ``Host`` header (RFC 9112 §3.2.2); we are no proxy. Raises
    ``BadTargetError`` for bad escapes, bytes that are no UTF-8, control
    characters, more than ``MAX_QUERY_PARAMETERS``, and paths that climb above
    the root.
    """
    form = _ABSOLUTE_FORM.match(text)
    if form is not None:
        text = text[form.end() :] or "/"
    raw_path, _, raw_query = text.partition("#")[0].partition("?")
    if not raw_path.startswith("/") and not (form is not None and not raw_path):
        raise BadTargetError("the target is no path")
    if _BAD_ESCAPE.search(raw_path) or _BAD_ESCAPE.search(raw_query):
        raise BadTargetError("a percent sign without two hexadecimal digits")
    try:
        path = unquote(raw_path, errors="strict")
        pairs = parse_qsl(raw_query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_PARAMETERS)
    except UnicodeDecodeError as error:
        raise BadTargetError("escapes that are no UTF-8") from error
    except ValueError as error:
        raise BadTargetError(f"more than {MAX_QUERY_PARAMETERS} query parameters") from error
    if _CONTROL.search(path):
        raise BadTargetError("a control character in the path")
    host = form.group(1) if form is not None else ""
    return Target(_normalise(path), tuple(pairs), raw_query, host)


def _normalise(path: str) -> str:
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if not segments:
                raise BadTargetError("the path climbs above the root")
            segments.pop()
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    Attributes:
        path: which paths it answers, all normalised: ``/status`` that one alone; ``/players/*`` all
            whose first segment that is, and which go on; ``*.flv`` all that end in it.
        handler: called with the request and its target for each of ``methods``.
        is_guarded: refused on a merge port, and on the public port while an internal port is set.
        methods: those allowed; HEAD is sent without its body by aiohttp.
        is_cors: pages of any origin may read the answers.
    """

    path: str
    handler: Handler
    is_guarded: bool = True
    methods: tuple[str, ...] = ("GET", "HEAD")
    is_cors: bool = False


class RouteTable:
    """Finds a row by a path.

    An exact path wins; then the first segment, whether a row goes on from there or not: what bears
    the name of a page is no stream (media-server does the same); then the longest suffix. A page has
    further names: with brpc's prefix, and with parameters behind a ``;``.
    """

    __slots__ = ("_by_segment", "_exact", "_found", "_routes", "_suffixes")

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes: dict[str, Route] = {}
        self._exact: dict[str, Route] = {}
        self._by_segment: dict[str, Route | None] = {}
        suffixes: dict[str, Route] = {}
        for route in routes:
            if route.path in self._routes:
                raise ValueError(f"two routes for {route.path}")
            self._routes[route.path] = route
            first, _, rest = route.path.removeprefix("/").partition("/")
            if route.path.startswith("*"):
                suffixes[route.path[1:]] = route
            elif rest == "*":
                self._by_segment[first] = route
            else:
                self._exact[route.path] = route
                if not rest:
                    self._by_segment.setdefault(first, None)
        self._suffixes = sorted(suffixes.items(), key=lambda item: -len(item[0]))
        self._found: dict[str, Route | None] = {}

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def find(self, path: str) -> Route | None:
        """Return the row for a normalised ``path``, or None."""
        try:
            return self._found[path]
        except KeyError:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            found = self._found[path] = self._look_up(path)
            return found

    def _look_up(self, path: str) -> Route | None:
        named = path.removeprefix("/").removeprefix(_PACKAGE_PREFIX)
        folder, slash, last = named.rpartition("/")
        route = self._exact.get(f"/{folder}{slash}{last.partition(';')[0]}")
        if route is not None:
            return route
        first = named.partition("/")[0].partition(";")[0]
        if first in self._by_segment:
            return self._by_segment[first]
        return next((route for suffix, route in self._suffixes if path.endswith(suffix)), None)
