"""What an admin page is, and how it chooses between text, HTML and JSON.

A page is one data function, ``collect``, and views of what it returns. Each
page registers itself under its path; ``edge.builtin.site`` makes routes of all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from edge.facts.facts import Facts
from edge.facts.orders import Orders
from edge.flags.book import FlagBook
from edge.service.answers import AddressAnswer, Diagnosis

if TYPE_CHECKING:
    from edge.builtin.debugging import Debugging

#: What a page shows: a frozen dataclass, its fields the names in JSON.
Data = TypeVar("Data")

# Browsers name one of these; curl, wget, probes and scripts do not.
_BROWSER_MARK = "mozilla/"

#: Of the tabs that are not put before the others.
LAST_PLACE = 100


class PageFormat(Enum):
    """How a page is shown."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"


class WhyAnswers(Protocol):
    """Answers about what somebody names; those that take a moment ask other nodes."""

    def key_meant(self, text: str, host: str = "") -> str:
        """The key of the stream that ``text`` means where it is asked for at ``host``; ``text`` if it can be none."""
        ...

    async def about_stream(self, text: str, host: str = "") -> Diagnosis:
        """Why it plays or does not, by what somebody calls it and the Host that it is asked for at."""
        ...

    async def about_address(self, address: str) -> AddressAnswer:
        """What was decided about the clients of an address."""
        ...


@dataclass(frozen=True, slots=True)
class PageContext:
    """What pages may ask.

    Attributes:
        facts: what the server tells of itself.
        debugging: what the pages for debugging work with.
        flags: with which values the server runs.
        orders: what the server may be told to do.
        why: who answers why a stream plays or does not.
    """

    facts: Facts
    debugging: Callable[[], Debugging]
    flags: FlagBook
    orders: Orders
    why: WhyAnswers


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page may know of the request for it.

    Attributes:
        host: host part of a well-formed Host header, brackets kept, or "".
        is_encrypted: it came by https.
        authority: the whole of that header, with its port.
        path: what follows the page's own path, decoded, without a slash before it.
        query: as it was written.
        peer: address of the other end of the connection, for the log.
        view: what will be made of the data.
        accept: the Accept header, for those who negotiate more.
        siblings: base URLs that a player on the page may be sent to; known to policies.
    """

    host: str = ""
    is_encrypted: bool = False
    authority: str = ""
    path: str = ""
    query: str = ""
    peer: str = ""
    view: PageFormat = PageFormat.TEXT
    accept: str = ""
    siblings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """An answer that is no view of a page: a file for a program, or one that is only passed on.

    Attributes:
        name: under which it is to be stored; "" for one to be looked at.
    """

    body: bytes
    content_type: str
    name: str = ""


def _ok(_data: object) -> int:
    return 200


def _never(_visit: Visit) -> bool:
    return False


def _none(_data: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Page(Generic[Data]):
    """One admin page.

    Attributes:
        path: where it is.
        title: shown as the heading and in the list of pages, and in the tab unless ``tab`` is.
        tab: what its tab is called in place of ``title``.
        place: where among the tabs it is; those of one place by their paths.
        collect: the data function; what comes of it, as a row, is the JSON answer.
        text: view for terminals.
        text_pieces: the same bit by bit, of a page that shows all there is however much it is.
        template: file in ``templates/`` for the HTML view, or "" when there is none.
        plain_format: what a client gets that is neither browser nor asks.
        status: HTTP status by the data.
        is_guarded: hidden from a merge port, and from the public port while an internal port is set.
        is_for_any_name: browsers may ask by whatever name leads here; others only by names that are this machine's,
            so that a site whose name is made to lead here reads nothing.
        is_listed: whether it has a tab.
        has_paths: what lies below ``path`` is the page too, and told by ``Visit.path``.
        policy: the Content-Security-Policy of the HTML view, or None for that of pages that load and run nothing.
        about: what it is there for, a line of the list of pages.
        methods: what it is asked by; a page that changes something whenever it is asked takes POST alone.
        changes: whether a request does more than look, so that ``edge.httpd.changes`` has a say.
        attachment: what is sent in place of a view, None for the view.
    """

    path: str
    title: str
    collect: Callable[[PageContext, Visit], Awaitable[Data]]
    text: Callable[[Data], str]
    template: str = ""
    tab: str = ""
    place: int = LAST_PLACE
    plain_format: PageFormat = PageFormat.TEXT
    status: Callable[[Data], int] = _ok
    is_guarded: bool = True
    is_for_any_name: bool = False
    is_listed: bool = True
    has_paths: bool = False
    policy: Callable[[Visit], str] | None = None
    about: str = ""
    methods: tuple[str, ...] = ("GET", "HEAD")
    changes: Callable[[Visit], bool] = _never
    attachment: Callable[[Data], Attachment | None] = _none
    text_pieces: Callable[[Data], Iterator[str]] | None = None


PAGES: dict[str, Page[Any]] = {}


def register(page: Page[Data]) -> Page[Data]:
    """Add ``page`` to the site; raises ``ValueError`` when its path is taken."""
    if page.path in PAGES:
        raise ValueError(f"two pages at {page.path}")
    PAGES[page.path] = page
    return page


def choose_format(
    page: Page[Any], *, asked: str | None, accept: str, user_agent: str, console: str | None = None
) -> PageFormat:
    """Choose the view: what ``?format=`` asks, else ``?console=``, else the Accept header, else by the kind of client.

    An unknown ``asked`` counts as not asked. ``console`` is brpc's: a number other than 0 for text, all else for
    HTML. A page without an HTML view gives browsers its plain format.
    """
    wanted = page.plain_format
    if asked in {view.value for view in PageFormat}:
        wanted = PageFormat(asked)
    elif console is not None:
        wanted = PageFormat.TEXT if _is_number_but_zero(console) else PageFormat.HTML
    elif "application/json" in accept:
        wanted = PageFormat.JSON
    elif page.template and ("text/html" in accept or user_agent.lower().startswith(_BROWSER_MARK)):
        wanted = PageFormat.HTML
    if wanted is PageFormat.HTML and not page.template:
        return page.plain_format
    return wanted


def _is_number_but_zero(text: str) -> bool:
    digits = text.strip().removeprefix("-").removeprefix("+")
    return digits.isascii() and digits.isdigit() and digits.strip("0") != ""
