"""Who is asked for records: one process answers at once, several have to ask each other."""

from __future__ import annotations

from typing import Protocol

from edge.facts.metrics import Sample
from edge.facts.records import (
    AudienceFacts,
    ConnectionFacts,
    DetailFacts,
    FindingFacts,
    PlayerFacts,
    ProcessFacts,
    ReloadFacts,
    SampleFacts,
    ServerFacts,
    ServiceFacts,
    SourceFacts,
    StreamFacts,
    TotalFacts,
    TrafficTables,
    VhostFacts,
)
from edge.facts.variables import Value


class Facts(Protocol):
    """What a server tells of itself now."""

    async def process(self) -> ProcessFacts:
        """The server as a whole."""
        ...

    async def streams(self) -> list[StreamFacts]:
        """One per stream and service, by key."""
        ...

    async def services(self) -> list[ServiceFacts]:
        """One per service."""
        ...

    async def sources(self) -> list[SourceFacts]:
        """One per source of upstream servers."""
        ...

    async def servers(self) -> list[ServerFacts]:
        """One per upstream server and what it is there for."""
        ...

    async def connections(self) -> list[ConnectionFacts]:
        """One per open connection, by number."""
        ...

    async def traffic(self, *, shows_all: bool = False) -> TrafficTables:
        """Connections by who made them, of each as many as ``-max_shown_connections`` says."""
        ...

    async def samples(self) -> list[Sample]:
        """Everything that is measured, as declared in ``edge/facts/declared.py``."""
        ...

    async def variables(self) -> dict[str, Value]:
        """What brpc would show at ``/vars``, by name."""
        ...

    async def history(self, name: str) -> list[float] | None:
        """30 days, 24 hours, 60 minutes and 60 seconds of a variable; None of one without a history."""
        ...

    async def counters(self) -> dict[str, int | float]:
        """Everything that is counted, by name."""
        ...

    async def players(self, key: str, limit: int) -> list[PlayerFacts]:
        """One per play and push of the streams of ``key``, as far as ``limit``, those of each stream oldest first."""
        ...

    async def details(self, key: str) -> list[DetailFacts]:
        """One per stream of ``key``: none, one, or one of each of two services."""
        ...

    async def audience(self) -> list[AudienceFacts]:
        """One per protocol that somebody plays by."""
        ...

    async def totals(self) -> TotalFacts:
        """What has gone through so far; of two looks the difference is a rate."""
        ...

    async def reloads(self) -> list[ReloadFacts]:
        """Changes of flags, the newest first; the last few."""
        ...

    async def vhosts(self) -> list[VhostFacts]:
        """One per vhost of ``-vhost_config``, in the order of the files."""
        ...

    async def vhost_findings(self) -> list[FindingFacts]:
        """What is to be said of those files."""
        ...

    async def last_hour(self, since_s: int = 0) -> list[SampleFacts]:
        """A look each ten seconds, those after ``since_s``, the oldest first; at most an hour of them."""
        ...
