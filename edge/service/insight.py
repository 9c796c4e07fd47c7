"""What stands behind a stream at this moment: how it is fetched and sent on, and which nodes of ours can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edge.hub.key import StreamKey
from edge.service.condition import Condition


@dataclass(frozen=True, slots=True)
class Way:
    """A stream on its way from or to a server.

    Attributes:
        use: ``pull`` or ``push``.
        state: ``connecting``, ``waiting``, ``live`` or ``retrying``.
        server: ``host:port``, "" where none was chosen.
        error: how the last attempt in vain ended, "" while it works.
        attempt_count: attempts so far.
    """

    use: str
    state: str
    server: str
    error: str
    attempt_count: int


class Question(NamedTuple):
    """Why a stream plays or does not, as one node asks another: nothing of who wants to know.

    Attributes:
        hops: ids of the services that have been asked on the way here; none is asked twice.
        within_ms: so long the answer may take.
    """

    key: StreamKey
    hops: tuple[str, ...] = ()
    within_ms: int = 0


class Neighbour(Protocol):
    """A connection to another node of ours that can be asked."""

    @property
    def edge_id(self) -> str:
        """Its service id."""
        ...

    def ask_why(self, question: Question, answered: Callable[[str | None], None]) -> bool:
        """Ask; ``answered`` gets its text, or None when the connection ends. False where it cannot be asked."""
        ...


class Insight(NamedTuple):
    """All of it.

    Attributes:
        conditions: what is wrong, the worst first.
        neighbours: the nodes next to this one on the stream's way, with where each is.
    """

    ways: tuple[Way, ...] = ()
    conditions: tuple[Condition, ...] = ()
    neighbours: tuple[tuple[str, Neighbour], ...] = ()


NOTHING = Insight()
