"""What the services work with, and how they say no."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

import grpc

from edge.facts.facts import Facts
from edge.facts.orders import Order, Orders, Result
from edge.flags.book import FlagBook
from edge.net.splice import Peer
from edge.service.answers import AddressAnswer, Diagnosis

#: Who makes the call that is being answered.
CALLER: ContextVar[Peer] = ContextVar("CALLER")

_CODES = {
    Result.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Result.REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Result.BAD_VALUE: grpc.StatusCode.INVALID_ARGUMENT,
}


class ControlError(Exception):
    """A call is answered with a status.

    Attributes:
        code: of gRPC.
        text: for people.
    """

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Why(Protocol):
    """Who answers why a stream plays or does not, and what a client was told."""

    def key_meant(self, text: str, host: str = "") -> str:
        """The key of the stream that ``text`` means; ``text`` if it can be none."""
        ...

    async def about_stream(self, text: str, host: str = "") -> Diagnosis:
        """See ``edge.service.answers``."""
        ...

    async def about_address(self, address: str) -> AddressAnswer:
        """Likewise."""
        ...


@dataclass(frozen=True, slots=True)
class ControlContext:
    """The parts of a server that the services tell of and give orders to."""

    facts: Facts
    orders: Orders
    flags: FlagBook
    why: Why

    def keys_of(self, text: str) -> tuple[str, str]:
        """What ``text`` may be: a key, or in short, as a URL has it, that of another stream; the key counts first."""
        return text, self.why.key_meant(text)

    async def key_of(self, text: str) -> str:
        """The key among those that is one of a stream which is on; ``text`` where there is none."""
        if not text:
            return text
        there = {stream.key for stream in await self.facts.streams()}
        return next((key for key in self.keys_of(text) if key in there), text)

    async def carry_out(self, order: Order) -> str:
        """Have ``order`` done for who calls; returns what was done. Raises ControlError when it was not."""
        outcome = await self.orders.carry_out(order, str(CALLER.get().address))
        if outcome.result is not Result.DONE:
            raise ControlError(_CODES[outcome.result], outcome.text)
        return outcome.text
