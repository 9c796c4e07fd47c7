"""Lists of pages: which hosts' pages may play or publish."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

#: Lets those through who come from no page, such as encoders and programs.
NO_PAGE = "none"
_MAX_URL = 2048
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
_UNUSABLE = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*+|\[[0-9a-f:.]+\]")


@lru_cache(maxsize=1024)
def host_of_page(url: str) -> str:
    """The host of a page in lower case, without user, port and last dot, other alphabets as A-labels (RFC 5890).

    "" for what is the URL of no host.
    """
    if len(url) > _MAX_URL or _UNUSABLE.search(url):
        return ""
    scheme = _SCHEME.match(url)
    place = re.split(r"[/?#]", url[scheme.end() :] if scheme is not None else url, maxsplit=1)[0]
    place = place.rpartition("@")[2]
    host = f"{place.partition(']')[0]}]" if place.startswith("[") else place.partition(":")[0].removesuffix(".")
    try:
        host = host.lower() if host.isascii() else host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
    return host if _NAME.fullmatch(host) else ""


class RefererList:
    """Hosts whose pages may; an entry takes the host itself and all below it, ``.host`` only those below."""

    __slots__ = ("_below", "_hosts", "_takes_none", "is_set")

    def __init__(self, entries: Iterable[str]) -> None:
        """Raises ValueError, naming the entry, for one that is no host."""
        entries = tuple(entries)
        self.is_set = bool(entries)
        self._takes_none = NO_PAGE in entries
        self._hosts: set[str] = set()
        below: list[str] = []
        for entry in entries:
            if entry == NO_PAGE:
                continue
            host = host_of_page(entry.removeprefix("."))
            if not host or "/" in entry:
                raise ValueError(f"{entry!r} is no host of a page")
            if not entry.startswith("."):
                self._hosts.add(host)
            below.append(f".{host}")
        self._below = tuple(below)

    def admits(self, page_url: str) -> bool:
        """Whether who comes from ``page_url``, "" for no page, may."""
        if not self.is_set:
            return True
        if not page_url:
            return self._takes_none
        host = host_of_page(page_url)
        return bool(host) and (host in self._hosts or host.endswith(self._below))
