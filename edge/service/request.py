"""Who asks, and for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.service.names import StreamName, TcUrl


@dataclass(frozen=True, slots=True)
class Client:
    """One connection of a client, as far as it matters for what it may do.

    Attributes:
        id: number of its connection in this process.
        address: ``ip:port``.
        protocol: what it speaks.
        server_url: where it went to.
        edge_id: service id of a node of ours, else "".
        hears_errors_only: it ignores a status that is no error, the end of a stream, and silence, and is told the
            end at once: as media-server and all programs of brpc.
    """

    id: int
    address: str
    protocol: str
    server_url: TcUrl
    edge_id: str = ""
    hears_errors_only: bool = False

    @property
    def is_hop(self) -> bool:
        """It is a node of ours."""
        return bool(self.edge_id)


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


@dataclass(frozen=True, slots=True)
class PlayRequest:
    """Somebody wants to play a stream.

    Attributes:
        hops: ids of the services of ours that ask, the farthest first; empty for a viewer.
        resume: where a node of ours has stopped.
    """

    client: Client
    name: StreamName
    hops: tuple[str, ...] = ()
    resume: Resume | None = None


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """Somebody wants to feed a stream.

    Attributes:
        hops: ids of the services of ours that the stream has passed.
        is_lost: a node of ours brings it, whose own publisher is not there at present.
    """

    client: Client
    name: StreamName
    hops: tuple[str, ...] = ()
    is_lost: bool = False
