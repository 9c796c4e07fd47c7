"""What an admin page is, and how it chooses between text, HTML and JSON.

A page is one data function, ``collect``, and views of what it returns. Each
page registers itself under its path; ``edge.builtin.site`` makes routes of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Data = dict[str, Any]

# Browsers name one of these; curl, wget, probes and scripts do not.
_BROWSER_MARK = "mozilla/"


class PageFormat(Enum):
    """How a page is shown."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class PageContext:
    """What the daemon tells its pages; each callable is asked anew for each request and must not block.

    Attributes:
        streams: one dict per live stream: ``key vhost app stream state publisher``
            (texts), ``service`` (text, "" in a process with one service),
            ``players`` (count), ``video_codec audio_codec`` (texts),
            ``video_bps audio_bps fps fluency_pct uptime_s`` (numbers), ``gop``
            (frames); for one that is pushed ``push_state push_to push_error`` (texts)
            and ``push_state_s``, for one that is pulled ``pull_error`` (text). A key that is
            absent is shown as ``-``, others appear in JSON only.
        counters: name to value, names as in ``error_<reason>_count``.
        health: ``is_ok`` (bool), ``is_draining`` (bool), ``loop_lag_ms``,
            ``uptime_s`` and whatever else tells of the process alone.
        readiness: whether traffic may be sent here, and else the reasons.
        version: of the program.
        server_urls: ``host`` (text), ``rtmp_port``, ``http_port`` (numbers), ``has_flv``, ``has_ts``: what HTTP plays,
            ``role`` (``origin`` or ``edge``), ``proxy_to`` (text), ``is_tls_forced`` (bool).
        services: one dict per service: ``service`` (its name, in a process with two),
            ``role``, ``id``, ``pulls_from``, ``pushes_to`` and counts.
        naming: one dict per target of a service: ``service``, ``use``, ``target``, ``state``, ages and counts.
        upstreams: one dict per upstream server: ``service``, ``use``, ``endpoint``, ``state`` and counts.
        connections: one dict per connection: ``id service peer protocol role key uptime_s`` and counts.
    """

    streams: Callable[[], list[Data]]
    counters: Callable[[], Mapping[str, int | float]]
    health: Callable[[], Data]
    readiness: Callable[[], tuple[bool, list[str]]]
    version: str
    server_urls: Callable[[], Data]
    services: Callable[[], list[Data]]
    naming: Callable[[], list[Data]]
    upstreams: Callable[[], list[Data]]
    connections: Callable[[], list[Data]]


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page may know of the request for it.

    Attributes:
        host: host part of a well-formed Host header, brackets kept, or "".
        is_encrypted: it came by https.
    """

    host: str = ""
    is_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One admin page.

    Attributes:
        path: where it is.
        title: shown in the tab and in the list of pages.
        collect: the data function; what it returns is the JSON answer.
        text: view for terminals.
        template: file in ``templates/`` for the HTML view, or "" when there is none.
        plain_format: what a client gets that is neither browser nor asks.
        status: HTTP status by the data.
        is_guarded: hidden from a merge port, and from the public port while an internal port is set.
        is_listed: whether it has a tab.
    """

    path: str
    title: str
    collect: Callable[[PageContext, Visit], Data]
    text: Callable[[Data], str]
    template: str = ""
    plain_format: PageFormat = PageFormat.TEXT
    status: Callable[[Data], int] = lambda _data: 200
    is_guarded: bool = True
    is_listed: bool = True


PAGES: dict[str, Page] = {}


def register(page: Page) -> Page:
    """Add ``page`` to the site; raises ``ValueError`` when its path is taken."""
    if page.path in PAGES:
        raise ValueError(f"two pages at {page.path}")
    PAGES[page.path] = page
    return page


def choose_format(page: Page, *, asked: str | None, accept: str, user_agent: str) -> PageFormat:
    """Choose the view: what ``?format=`` asks, else the Accept header, else by the kind of client.

    An unknown ``asked`` counts as not asked. A page without an HTML view gives
    browsers its plain format.
    """
    wanted = page.plain_format
    if asked in {view.value for view in PageFormat}:
        wanted = PageFormat(asked)
    elif "application/json" in accept:
        wanted = PageFormat.JSON
    elif page.template and ("text/html" in accept or user_agent.lower().startswith(_BROWSER_MARK)):
        wanted = PageFormat.HTML
    if wanted is PageFormat.HTML and not page.template:
        return page.plain_format
    return wanted
