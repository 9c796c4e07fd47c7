"""What was granted: one play, or one publish, of one client."""

from __future__ import annotations

from typing import Protocol

from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.service.names import StreamName
from edge.service.refusal import Refusal
from edge.service.request import Client, PlayRequest, PublishRequest


class PlayOwner(Protocol):
    """Whoever serves a play, and can tell its client."""

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        """Tell the client, and give the play back; nothing when it has left."""
        ...

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        """There is nothing for its query so far; ``is_known``: somebody has said so. A node of ours is told."""
        ...


class PublishOwner(Protocol):
    """Whoever reads a publish, and can tell its client."""

    def publish_stopped(self, publish: Publish, refusal: Refusal) -> None:
        """Tell the client, and give the publish back; nothing when it has left."""
        ...


class Play:
    """The right to play ``stream``, until it is given back to the service.

    Attributes:
        owner: is told of what concerns the play; set by whoever gets it.
        since_ms: when it was granted.
    """

    __slots__ = ("client", "name", "owner", "since_ms", "stream")

    def __init__(self, request: PlayRequest, stream: Stream, now_ms: int) -> None:
        self.client: Client = request.client
        self.name: StreamName = request.name
        self.stream = stream
        self.since_ms = now_ms
        self.owner: PlayOwner | None = None

    @property
    def key(self) -> StreamKey:
        """What was asked for."""
        return self.name.key

    @property
    def query(self) -> str:
        """What its player said beside the stream's name."""
        return self.name.query

    @property
    def is_internal(self) -> bool:
        """Another node's hop, not a viewer."""
        return self.name.is_internal

    @property
    def hears_errors_only(self) -> bool:
        """Its client takes nothing but an error for the end of a stream, and silence for none."""
        return self.client.hears_errors_only

    def stop(self, refusal: Refusal) -> None:
        """It may not go on: its player is told."""
        if self.owner is not None:
            self.owner.play_stopped(self, refusal)

    def tell_nothing_yet(self, *, is_known: bool) -> None:
        """There is nothing for its query so far: a node of ours may have another one, others may not want to wait."""
        if self.owner is not None:
            self.owner.play_has_nothing_yet(self, is_known=is_known)


class Publish:
    """The right to feed a stream, until it is given back to the service.

    Attributes:
        owner: is told of what concerns the publish; set by whoever gets it.
        publisher: what takes the media.
    """

    __slots__ = ("client", "name", "owner", "publisher")

    def __init__(self, request: PublishRequest, publisher: Publisher[Stream]) -> None:
        self.client: Client = request.client
        self.name: StreamName = request.name
        self.publisher = publisher
        self.owner: PublishOwner | None = None

    @property
    def stream(self) -> Stream:
        """The stream that it feeds."""
        return self.publisher.stream

    @property
    def since_ms(self) -> int:
        """When it was granted."""
        return self.publisher.since_ms

    def stop(self, refusal: Refusal) -> None:
        """It may not go on: its publisher is told."""
        if self.owner is not None:
            self.owner.publish_stopped(self, refusal)
