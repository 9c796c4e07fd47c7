"""What a server may be told to do: orders as values, and what came of them (``edge.runtime.orders`` does them)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Kick:
    """End the connection of one client, publisher or player, and tell it why.

    Attributes:
        connection_id: its number, ``ConnectionFacts.id``.
    """

    connection_id: int


@dataclass(frozen=True, slots=True)
class EndStream:
    """End a stream for all who play it, and the publishes that feed it.

    Attributes:
        key: as ``StreamFacts.key`` has it.
        service: whose it is, in a process with two services; "" for each that has it.
    """

    key: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class Drain:
    """See everybody off and exit with 0: not ready any more, then nobody new, then whoever is left is ended.

    Attributes:
        within_s: the longest that it may take; 0 ends all at once, None has no limit but ``-grace_max_wait_s``.
    """

    within_s: int | None = None


@dataclass(frozen=True, slots=True)
class SetFlag:
    """Give a flag a value while the program runs.

    Attributes:
        value: as it would be typed behind ``=``.
        way: how it came: ``page`` or ``control``.
    """

    name: str
    value: str
    way: str = "page"


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the command line and its flagfiles again, and apply what is another now, or nothing."""


@dataclass(frozen=True, slots=True)
class SaveFlags:
    """Write what was set while the program ran into ``-save_flagfile``."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Start a new process of the program as it is installed now, and hand all over to it; this one ends then."""


Order = Kick | EndStream | Drain | SetFlag | Reload | SaveFlags | Upgrade


class Result(Enum):
    """What became of an order; the values are words for logs and JSON."""

    DONE = "done"
    #: There is no such connection, stream or flag, or not any more.
    NOT_FOUND = "not_found"
    #: It is there, and nothing that may be ended or changed so.
    REFUSED = "refused"
    #: A flag, or what its files say, is not that.
    BAD_VALUE = "bad_value"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order.

    Attributes:
        text: the same in words for people.
    """

    result: Result
    text: str


class Orders(Protocol):
    """Who carries orders out."""

    async def carry_out(self, order: Order, who: str) -> Outcome:
        """Do what ``order`` says and log it with ``who`` asked for it, an address."""
        ...


def outcome_of(outcomes: list[Outcome]) -> Outcome:
    """Make one outcome of those of several processes, which were all told: where it was done, or refused, counts."""
    for result in (Result.DONE, Result.REFUSED, Result.BAD_VALUE):
        for outcome in outcomes:
            if outcome.result is result:
                return outcome
    return outcomes[0]
