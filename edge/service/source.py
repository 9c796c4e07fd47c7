"""What stands behind the streams that nobody publishes here."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.service.insight import Insight
from edge.service.names import StreamName
from edge.service.refusal import Refusal
from edge.service.request import PlayRequest


class Standing(NamedTuple):
    """How a stream stands, for those who pass it on.

    Attributes:
        is_waiting: no data of it have come yet.
        is_missing: it has no publisher either, as far as the origin knows, and waits there.
        is_lost: the connection of its publisher broke, here or on the way.
        via: ids of the services of ours that it comes through, the nearest first.
    """

    is_waiting: bool = False
    is_missing: bool = False
    is_lost: bool = False
    via: tuple[str, ...] = ()


class NodePlace(NamedTuple):
    """Where a node of ours may be asked for more of a stream than the stream itself, by HTTP.

    Attributes:
        name: the host name in its certificate; "" for the address itself.
        tls: what a connection over TLS begins with, which whoever connects knows; None for a plain one.
    """

    host: str
    port: int
    name: str = ""
    tls: object | None = None


class Source(Protocol):
    """Fetches streams from elsewhere; a service without one is an origin."""

    @property
    def has_answer(self) -> bool:
        """Whether it is known where to fetch from, or that there is nowhere."""
        ...

    def feeds(self, key: StreamKey) -> bool:
        """Whether a stream is fetched from, and sent to, somewhere else; of others this node is the origin."""
        ...

    def refuses(self, name: StreamName, *, is_fetched: bool) -> Refusal | None:
        """What is known against a play: of what it says, and of a stream that is not fetched yet, of the stream."""
        ...

    def begin(self, stream: Stream, request: PlayRequest) -> Refusal | None:
        """Begin to fetch ``stream`` for a first play, unless it is fetched already; or why that has failed at once."""
        ...

    def standing(self, stream: Stream) -> Standing:
        """How a stream that is fetched stands; of one that is not, that nothing is amiss."""
        ...

    def node_of(self, stream: Stream) -> NodePlace | None:
        """The node of ours that a stream is fetched from at present; None for none, or another program."""
        ...

    def why_nothing(self, stream: Stream, query: str) -> Refusal:
        """Why no data have come for ``query`` yet, for a player who does not wait any longer."""
        ...

    def insight(self, key: StreamKey) -> Insight:
        """How a stream is fetched and sent on at present, in whichever realm, and what stands in its way."""
        ...
