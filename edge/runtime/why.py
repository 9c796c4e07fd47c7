"""Answers why a stream plays or does not, and what was decided about a client, for the page and the tool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edge.net.context import NetContext
from edge.net.rtmp.why import WITHIN_MS
from edge.service.advice import EVENTS, advice_of
from edge.service.answers import AddressAnswer, Cause, Diagnosis, Happened, OpenConnection
from edge.service.diagnosis import cause_of, diagnose
from edge.service.refusal import Refusal
from edge.service.report import happened
from edge.service.spelling import is_known, key_meant, near_names
from edge.service.story import Entry, Kind, host_of

if TYPE_CHECKING:
    from edge.runtime.unit import ServiceUnit

#: Connections of one address that are shown.
_MAX_CONNECTIONS = 50
_MAX_KEYS = 3


class Why:
    """What the services of a process know, put together when somebody asks."""

    def __init__(self, units: Sequence[ServiceUnit], context: NetContext) -> None:
        self._units = units
        self._context = context
        context.counters.on_fault = units[0].service.chronicle.connection_failed

    def key_meant(self, text: str, host: str = "") -> str:
        """See ``edge.service.spelling.key_meant``; ``text`` itself where it can be no stream."""
        key = key_meant(self._units[0].service, text, host)
        return text if isinstance(key, Refusal) else key.text

    async def about_stream(self, text: str, host: str = "") -> Diagnosis:
        """See ``diagnose``; ``text`` is as in ``key_meant``, ``host`` where it was asked for.

        Asks the other nodes on the stream's way, within 1.5 s.
        """
        key = key_meant(self._units[0].service, text, host)
        if isinstance(key, Refusal):
            return _bad_name(text.partition("?")[0], key.detail)
        # A front pulls from its merge service, which is the next node; what only that one knows it tells itself.
        unit = next((each for each in self._units if is_known(each.service, key)), self._units[0])
        nodes = await unit.rtmp.why_desk.nodes(key, within_ms=WITHIN_MS)
        return diagnose(key, nodes, near_names(unit.service, key))

    async def about_address(self, address: str) -> AddressAnswer:
        """What was decided about the clients of an address, whatever its port."""
        host, wall_ms = host_of(address.strip()), self._units[0].registry.wall_ms()
        found: list[Entry] = []
        for unit in self._units:
            found += unit.service.chronicle.stories.of_address(host)
        found.sort(key=lambda entry: -entry.at_ms)
        story = tuple(happened(entry, wall_ms) for entry in found)
        kinds = (entry.kind for entry in found)
        causes = tuple(cause_of(row, kind) for row, kind in zip(story, kinds, strict=True) if kind not in EVENTS)
        connections = tuple(self._connections(host))
        return AddressAnswer(host, _verdict(causes, story, connections), causes, story, connections)

    def _connections(self, host: str) -> Iterator[OpenConnection]:
        now_ms = self._context.now_ms()
        found = [connection for connection in self._context.connections if connection.host == host]
        for connection in sorted(found, key=lambda item: item.number)[:_MAX_CONNECTIONS]:
            facts = connection.describe()
            keys, uptime_s = ", ".join(facts.keys[:_MAX_KEYS]), (now_ms - facts.created_ms) // 1000
            yield OpenConnection(facts.number, facts.protocol, facts.role, keys, uptime_s)


def _bad_name(text: str, detail: str) -> Diagnosis:
    said = f"the name may not be used: {detail}"
    cause = Cause(0, "", Kind.BAD_NAME.value, said, advice_of(Kind.BAD_NAME), is_now=True)
    return Diagnosis(text, False, f"it does not play: {said}", (cause,))


def _verdict(causes: Sequence[Cause], story: Sequence[Happened], connections: Sequence[OpenConnection]) -> str:
    if causes:
        newest = causes[0]
        about = f" ({newest.client})" if newest.client else ""
        return f"the newest cause, {newest.age_s} s ago{about}: {newest.text}"
    if connections:
        count = "1 connection" if len(connections) == 1 else f"{len(connections)} connections"
        return f"{count}, and nothing was refused; whether a stream plays, ask by its name"
    return "nothing went wrong" if story else "nothing is known of this address"
