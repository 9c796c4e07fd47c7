"""``/play_hls?fileUrl=``: the player for a playlist anywhere, as media-server has it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from edge.builtin.page import Page, PageContext, PageFormat, Visit
from edge.builtin.player import Address, OutputRow, PlayerData, content_security_policy, page_data, text

_PARAMETER = "fileUrl"
_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why nothing is played."""

    error: str


def fault_of(url: str) -> str:
    """Why ``url`` is not played, or ""."""
    if not url:
        return f"query `{_PARAMETER}' must be specified"
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in _SCHEMES and bool(parts.hostname)
    except ValueError:
        is_known = False
    # Browsers pass over blanks and control characters in a scheme, and read a backslash as a slash.
    if not is_known or not url.isprintable() or " " in url or "\\" in url:
        return f"query `{_PARAMETER}' must be a URL of http or https"
    return ""


async def collect(_context: PageContext, visit: Visit) -> PlayerData | Fault:
    """Return the one output, or the ``error``."""
    url = (parse_qs(visit.query).get(_PARAMETER) or [""])[0]
    fault = fault_of(url)
    if fault:
        return Fault(fault)
    output = OutputRow("hls", "HLS", "hls", url, url)
    return page_data(visit, name=url, outputs=[output], addresses=[Address("HLS", url)])


def _text(data: PlayerData | Fault) -> str:
    return f"{data.error}\n" if isinstance(data, Fault) else text(data)


def _policy(_visit: Visit) -> str:
    """A playlist may name segments on any host."""
    return content_security_policy(connect="http: https:", media="http: https:")


PLAY_HLS = Page(
    "/play_hls",
    "HLS",
    collect,
    _text,
    template="player.html",
    plain_format=PageFormat.HTML,
    status=lambda data: 400 if data.error else 200,
    is_listed=False,
    policy=_policy,
    is_for_any_name=True,
)
