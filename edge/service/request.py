"""Who asks, and for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edge.service.names import StreamName, TcUrl
from edge.service.trace_context import TraceContext

#: Longer ones are none of a page: what is too long is a page all the same, of no host.
MAX_PAGE_URL = 2048
NO_HOSTS_PAGE = "://"
#: Of a name of a program as much as is told to others, and kept.
MAX_WORDS = 512


class Said(NamedTuple):
    """What a client has said of itself, for those who are told of it; each "" where it has said nothing.

    Attributes:
        tc_url: the server's URL as the client has it.
        swf_url, flash_version: of its program, in a protocol that has words for them.
        user_agent: the same in others.
    """

    tc_url: str = ""
    swf_url: str = ""
    flash_version: str = ""
    user_agent: str = ""


#: Nothing at all.
SAID_NOTHING = Said()


class Opening(Protocol):
    """What a rule keeps of a request that it has let in, until the grant is over."""

    def export(self) -> bytes:
        """The same for another process, where it stands in its place until the rule there takes it."""
        ...


class Client(Protocol):
    """One connection of a client, as far as it matters for what it may do; it is the connection itself."""

    @property
    def number(self) -> int:
        """Of the connection in this process."""
        ...

    @property
    def peer(self) -> str:
        """``ip:port``."""
        ...

    @property
    def protocol(self) -> str:
        """What it speaks."""
        ...

    @property
    def server_url(self) -> TcUrl:
        """Where it went to."""
        ...

    @property
    def edge_id(self) -> str:
        """Service id of a node of ours, else ""."""
        ...

    @property
    def is_hop(self) -> bool:
        """It is a node of ours."""
        ...

    @property
    def is_proven(self) -> bool:
        """It is a node that has proved to be one of ours."""
        ...

    @property
    def page_url(self) -> str:
        """The page that it plays or publishes from, as it says; "" for none."""
        ...

    @property
    def authorization(self) -> str:
        """What it says of itself apart from the URL, ``Basic ...`` or ``Bearer ...``; "" for nothing."""
        ...

    @property
    def said(self) -> Said:
        """What it has said of itself besides."""
        ...

    @property
    def hears_errors_only(self) -> bool:
        """It ignores a status that is no error, the end of a stream, and silence, and is told the end at once.

        As media-server and all programs of brpc do.
        """
        ...


@dataclass(frozen=True, slots=True)
class HttpClient:
    """Who asks by HTTP: a :class:`Client` that is no connection, which may have many requests or be elsewhere."""

    number: int
    peer: str
    protocol: str
    server_url: TcUrl
    edge_id: str = ""
    is_hop: bool = False
    hears_errors_only: bool = False
    is_proven: bool = False
    page_url: str = ""
    authorization: str = ""
    said: Said = SAID_NOTHING


class Resume(Protocol):
    """Where a node of ours wants to go on: the next frame of a publish that it has not seen."""

    @property
    def epoch(self) -> str:
        """Id of the publish."""
        ...

    @property
    def next_index(self) -> int:
        """Index of the frame within it."""
        ...

    @property
    def is_fresh(self) -> bool:
        """It holds nothing of that publish itself."""
        ...


@dataclass(slots=True)
class ConnectRequest:
    """A client of a protocol that begins with the server alone wants to be let in.

    Attributes:
        vhost: as resolved.
        app: what it says, "" for nothing; a rule may give it another one.
    """

    client: Client
    vhost: str
    app: str


@dataclass(slots=True)
class PlayRequest:
    """Somebody wants to play a stream.

    Attributes:
        name: what the client said; a rule may give it another name, see ``Granted``.
        hops: ids of the services of ours that ask, the farthest first; empty for a viewer.
        resume: where a node of ours has stopped.
        trace: the span for whose sake it is asked; the service puts its own in its place, where it makes one.
        suffix: what stood behind the stream's name in the path of its URL, as ``.flv``; "" where there is no path.
        lifetime_s: how long it is let in for, 0.0 for as long as it likes; rules say so.
        max_kbps: most that it may send, 0 for no limit; rules say so.
        may_be_named: its name is no secret, see ``Admission.hides``.
        opening: what a rule keeps of it.
    """

    client: Client
    name: StreamName
    hops: tuple[str, ...] = ()
    resume: Resume | None = None
    trace: TraceContext | None = None
    suffix: str = ""
    lifetime_s: float = 0.0
    max_kbps: int = 0
    may_be_named: bool = False
    opening: Opening | bytes | None = None


@dataclass(slots=True)
class PublishRequest:
    """Somebody wants to feed a stream.

    Attributes:
        hops: ids of the services of ours that the stream has passed.
        is_lost: a node of ours brings it, whose own publisher is not there at present.
        trace, suffix, lifetime_s, max_kbps, may_be_named, opening: as those of a play.
    """

    client: Client
    name: StreamName
    hops: tuple[str, ...] = ()
    is_lost: bool = False
    trace: TraceContext | None = None
    suffix: str = ""
    lifetime_s: float = 0.0
    max_kbps: int = 0
    may_be_named: bool = False
    opening: Opening | bytes | None = None
