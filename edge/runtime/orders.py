"""Carries orders out on the node of this process, and logs each with who asked for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from edge.facts.orders import Drain, EndStream, Kick, Order, Outcome, Result
from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.net.context import NetContext
from edge.net.listed import ConnectionFacts
from edge.rtmp.commands import KICKED
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
    """The parts of a node that orders are about."""

    context: NetContext
    units: list[ServiceUnit]
    on_drain: Callable[[Drain], Outcome]


class OrderTaker:
    """Orders of one process (see ``edge.facts.orders.Orders``)."""

    def __init__(self, node: Ordered) -> None:
        self._node = node

    async def carry_out(self, order: Order, who: str) -> Outcome:
        """Do what ``order`` says; ``who`` is an address."""
        match order:
            case Kick():
                what, outcome = f"kick c{order.connection_id}", self._kick(order)
            case EndStream():
                what, outcome = f"end key={order.key[:_MAX_KEY_CHARS]}", self._end_stream(order)
            case Drain():
                limit = "none" if order.within_s is None else f"{order.within_s}"
                what, outcome = f"drain within_s={limit}", self._node.on_drain(order)
        text = "order by %s: %s result=%s %s"
        logger.warning(text, who, what, outcome.result.value, outcome.text, extra={"cause": what})
        return outcome

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
            _end(unit, stream)
            unit.service.chronicle.ended(stream.key)
        return Outcome(Result.DONE, f"{order.key} was ended.")


def _end(unit: ServiceUnit, stream: Stream) -> None:
    """Players first, who are to hear why; then those who feed it. A pull ends with its stream."""
    feed = stream.feed
    publishers = [*([feed.current] if feed.current is not None else []), *feed.muted]
    unit.registry.end_stream(stream, END_TEXT)
    for publisher in publishers:
        unit.service.stop_publisher(publisher, Refusal(Reason.KICKED, _DETAIL))
