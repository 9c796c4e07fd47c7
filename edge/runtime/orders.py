"""Carries orders out on the node of this process, and logs each with who asked for it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from edge.errors import HandoverError
from edge.facts.orders import Drain, EndStream, Kick, Order, Outcome, Reload, Result, SaveFlags, SetFlag, Upgrade
from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.net.context import NetContext
from edge.net.listed import ConnectionFacts
from edge.rtmp.commands import KICKED
from edge.runtime.reload import Reloader
from edge.runtime.unit import ServiceUnit
from edge.service.refusal import Reason, Refusal

logger = logging.getLogger(__name__)

#: What clients are told, by the word first (a client may look for it).
KICK_TEXT = f"{KICKED}: an operator ended this connection"
END_TEXT = f"{KICKED}: an operator ended this stream"
_DETAIL = "an operator ended this stream"
# Of a name that somebody made up, no more than this is quoted.
_MAX_KEY_CHARS = 256

# Of these there is a client at the other end that came by itself; links to upstreams are opened anew when they end.
_CLIENT_ROLES = frozenset({"publish", "play", "publish+play", "idle"})


class Ordered(Protocol):
    """The parts of a node that orders are about.

    Attributes:
        upgrade: hands all over to a new process; says what was done, and raises HandoverError where nothing was.
    """

    context: NetContext
    units: list[ServiceUnit]
    on_drain: Callable[[Drain], Outcome]
    upgrade: Callable[[], Awaitable[str]]


class OrderTaker:
    """Orders of one process (see ``edge.facts.orders.Orders``)."""

    def __init__(self, node: Ordered, reloader: Reloader) -> None:
        self._node = node
        self._reloader = reloader

    async def carry_out(self, order: Order, who: str) -> Outcome:
        """Do what ``order`` says; ``who`` is an address."""
        outcome = await self._done(order, who)
        what = _words_of(order)
        text = "order by %s: %s result=%s %s"
        logger.warning(text, who, what, outcome.result.value, outcome.text, extra={"cause": what})
        return outcome

    async def _done(self, order: Order, who: str) -> Outcome:
        match order:
            case Kick():
                return self._kick(order)
            case EndStream():
                return self._end_stream(order)
            case Drain():
                return self._node.on_drain(order)
            case SetFlag():
                return self._reloader.set_value(order, who)
            case SaveFlags():
                return await self._reloader.save(who)
            case Reload():
                return await self._reload(who)
            case Upgrade():
                return await self._upgrade()

    async def _reload(self, who: str) -> Outcome:
        if self._reloader.book.is_immutable:
            return Outcome(Result.REFUSED, "Nothing is read again for a page because -immutable_flags is on")
        report = await self._reloader.reload(who)
        if report.state == "refused":
            return Outcome(Result.BAD_VALUE, f"Nothing was changed: {report.error}")
        changed = ", ".join(report.changed) or "nothing"
        waiting = f" Needs a restart: {', '.join(report.needs_restart)}." if report.needs_restart else ""
        kept = f" Kept as set by hand: {', '.join(report.kept)}." if report.kept else ""
        return Outcome(Result.DONE, f"Changed: {changed}.{kept}{waiting}")

    async def _upgrade(self) -> Outcome:
        try:
            return Outcome(Result.DONE, await self._node.upgrade())
        except HandoverError as error:
            return Outcome(Result.REFUSED, error.detail)

    def _kick(self, order: Kick) -> Outcome:
        number = order.connection_id
        found = next((each for each in self._node.context.connections if each.number == number), None)
        if found is None:
            return Outcome(Result.NOT_FOUND, f"There is no connection {number} any more.")
        seen = found.describe()
        if seen.role not in _CLIENT_ROLES:
            return Outcome(
                Result.REFUSED, f"Connection {number} neither publishes nor plays ({seen.role}): it would come again."
            )
        unit, published, played = self._carried(seen)
        found.kick(KICK_TEXT)
        if played or not published:
            unit.service.chronicle.kicked(seen.peer, played)
        return Outcome(Result.DONE, f"{seen.peer} was disconnected.")

    def _carried(self, seen: ConnectionFacts) -> tuple[ServiceUnit, list[StreamKey], list[StreamKey]]:
        """The service that a connection reached, and the streams that it publishes and plays."""
        units = self._node.units
        unit = next((each for each in units if each.name == seen.service), units[0])
        publishes = unit.service.publishes.values()
        published = [publish.stream.key for publish in publishes if publish.client.peer == seen.peer]
        others = set(seen.keys).difference(str(key) for key in published)
        return unit, published, [key for key in unit.registry.streams if str(key) in others]

    def _end_stream(self, order: EndStream) -> Outcome:
        found = [
            (unit, stream)
            for unit in self._node.units
            if order.service in ("", unit.name)
            for stream in list(unit.registry.streams.values())
            if str(stream.key) == order.key
        ]
        if not found:
            return Outcome(Result.NOT_FOUND, f"There is no stream {order.key[:_MAX_KEY_CHARS]} any more.")
        for unit, stream in found:
            end_stream(unit, stream, END_TEXT, Refusal(Reason.KICKED, _DETAIL))
            unit.service.chronicle.ended(stream.key)
        return Outcome(Result.DONE, f"{order.key} was ended.")


def _words_of(order: Order) -> str:
    """What an order is, for the log; without values, which may be secrets."""
    match order:
        case Kick():
            return f"kick c{order.connection_id}"
        case EndStream():
            return f"end key={order.key[:_MAX_KEY_CHARS]}"
        case Drain():
            return f"drain within_s={'none' if order.within_s is None else order.within_s}"
        case SetFlag():
            return f"set name={order.name[:_MAX_KEY_CHARS]}"
        case SaveFlags():
            return "save flags"
        case Reload():
            return "reload"
        case Upgrade():
            return "upgrade"


def end_stream(unit: ServiceUnit, stream: Stream, text: str, refusal: Refusal) -> None:
    """Players first, who are to hear why; then those who feed it. A pull ends with its stream."""
    feed = stream.feed
    publishers = [*([feed.current] if feed.current is not None else []), *feed.muted]
    unit.registry.end_stream(stream, text)
    for publisher in publishers:
        unit.service.stop_publisher(publisher, refusal)
