"""Permits: what the URLs of a guarded stream bear, so that who has its entry plays on, and a copied URL dies.

``p=`` the minute at which it ends (since 1970, in hex), a dot, and 12 bytes of
HMAC-SHA256 over what it opens, the stream and the minute, in base64url. To look
at one costs one sum and no memory, on any node with the same secret. What opens
a playlist opens nothing else, and what opens media no playlist, so that the one
that lives longest does not lengthen a viewer's time.

A segment has one URL for life, and all viewers share it: its minute follows from
when it began by the origin's clock. Where that is far from this node's the
difference is made up for, in steps of ten minutes so that nodes agree.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable
from enum import Enum

PARAMETER = "p"
_SUM_BYTES = 12
_MINUTE_MS = 60_000
#: Permits of playlists, and corrections of clocks, end at such minutes only: fewer different URLs.
_ROUND_MINUTES = 10
#: What a segment lasts, and two target durations (RFC 8216 §6.2.2), beyond the window.
_TAIL_MS = 120_000
#: An origin whose clock is further behind than this would have segments that nobody may fetch.
_CLOCK_MS = 60_000
_MAX_REMEMBERED = 4096
_PERMIT = re.compile(r"([1-9a-f][0-9a-f]{0,9})\.([A-Za-z0-9_-]{16})", re.ASCII)


class Permitted(Enum):
    """What is found of a permit."""

    YES = 0
    MISSING = 1
    EXPIRED = 2
    INVALID = 3


class Opens(Enum):
    """What a permit opens, by the first line of what is hashed."""

    PLAYLIST = "hls1"
    MEDIA = "hls1-media"
    CONFIGURATION = "hls1-init"


class Permits:
    """Makes permits of a secret, and looks at them."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, stream: str, minute: int, opens: Opens = Opens.PLAYLIST) -> str:
        """That of a stream (``vhost/app/name``), good until the minute since 1970 has come."""
        text = f"{opens.value}\n{stream}\n{minute}".encode("utf-8", "surrogatepass")
        found = hmac.digest(self._secret, text, "sha256")[:_SUM_BYTES]
        return f"{minute:x}.{base64.urlsafe_b64encode(found).decode()}"

    def look_at(self, permit: str, stream: str, wall_ms: int, opens: Opens = Opens.PLAYLIST) -> Permitted:
        """Whether ``permit`` is one of ``stream`` for what is asked for, and holds at ``wall_ms`` since 1970."""
        if not permit:
            return Permitted.MISSING
        found = _PERMIT.fullmatch(permit)
        if found is None:
            return Permitted.INVALID
        minute = int(found.group(1), 16)
        if not hmac.compare_digest(self.make(stream, minute, opens), permit):
            return Permitted.INVALID
        return Permitted.YES if wall_ms < minute * _MINUTE_MS else Permitted.EXPIRED


def session_minute(wall_ms: int, session_s: int) -> int:
    """When the permit of a playlist ends that is given at ``wall_ms``: not sooner than after ``session_s``."""
    step_ms = _ROUND_MINUTES * _MINUTE_MS
    return -(-(wall_ms + session_s * 1000) // step_ms) * _ROUND_MINUTES


def segment_minute(began_ms: int, wall_ms: int, window_ms: int) -> int:
    """When the permit of a segment ends.

    It began at ``began_ms`` by the origin's clock, and is first named at ``wall_ms`` of this node's.
    """
    behind_ms = wall_ms - began_ms
    if behind_ms > _CLOCK_MS:
        step_ms = _ROUND_MINUTES * _MINUTE_MS
        began_ms += -(-behind_ms // step_ms) * step_ms
    return -(-(began_ms + window_ms + _TAIL_MS) // _MINUTE_MS)


class StreamPermits:
    """The permits in the playlists of one stream: of what a playlist names each keeps the one that it got first."""

    __slots__ = ("_minutes", "_permits", "_session_s", "_stream", "_wall_ms", "_window_ms")

    def __init__(
        self, permits: Permits, stream: str, wall_ms: Callable[[], int], *, window_ms: int, session_s: int
    ) -> None:
        self._permits, self._stream, self._wall_ms = permits, stream, wall_ms
        self._window_ms, self._session_s = window_ms, session_s
        self._minutes: OrderedDict[Hashable, int] = OrderedDict()

    def of_session(self, lifetime_s: float = 0.0) -> str:
        """Of what lasts as long as a viewer may watch: playlists; ``lifetime_s``: how long he may, 0.0 for no limit."""
        now_ms = self._wall_ms()
        minute = session_minute(now_ms, self._session_s)
        if lifetime_s:
            minute = min(minute, -(-(now_ms + int(min(lifetime_s, self._session_s) * 1000)) // _MINUTE_MS))
        return self._permits.make(self._stream, minute)

    def of_segment(self, what: Hashable, began_ms: int | None) -> str:
        """Of a segment or its parts; ``began_ms`` since 1970 by the origin's clock, None where that is not known."""
        minute = self._minutes.get(what)
        if minute is None:
            now_ms = self._wall_ms()
            minute = segment_minute(now_ms if began_ms is None else began_ms, now_ms, self._window_ms)
            self._remember(what, minute)
        return self._permits.make(self._stream, minute, Opens.MEDIA)

    def of_configuration(self) -> str:
        """Of what segments of hours need: on all nodes the same for half of a session, and good for as long again."""
        half = max(self._session_s // 120, _ROUND_MINUTES)
        minute = (self._wall_ms() // (half * _MINUTE_MS) + 2) * half
        return self._permits.make(self._stream, minute, Opens.CONFIGURATION)

    def _remember(self, what: Hashable, minute: int) -> None:
        self._minutes[what] = minute
        if len(self._minutes) > _MAX_REMEMBERED:
            self._minutes.popitem(last=False)
