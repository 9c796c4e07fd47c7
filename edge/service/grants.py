"""What was granted: one play, or one publish, of one client."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.service.names import StreamName
from edge.service.refusal import Refusal
from edge.service.request import Client, Opening, PlayRequest, PublishRequest
from edge.service.trace_context import TraceContext


class Served(NamedTuple):
    """How far a play has come.

    Attributes:
        sent_bytes: of the stream, as the wire carries it; 0 before it has begun.
        next_seq: place in the stream's queue of the frame that comes next; None while there is none.
        first_seq: of the frame that it has begun with, while it has left nothing out; None before that.
        has_video, has_audio: the media that it takes.
        jump_count: times that it fell too far behind and went to a keyframe, lately.
    """

    sent_bytes: int = 0
    next_seq: int | None = None
    has_video: bool = True
    has_audio: bool = True
    first_seq: int | None = None
    jump_count: int = 0


#: Of a play that has not begun, or is served by nobody in particular.
NOT_SERVED = Served()


def ends_ms_of(lifetime_s: float, now_ms: int) -> int:
    """When what is granted now for ``lifetime_s`` is over; 0 for never."""
    return now_ms + max(int(lifetime_s * 1000), 1) if lifetime_s else 0


class PlayOwner(Protocol):
    """Whoever serves a play, and can tell its client."""

    def served(self, play: Play) -> Served:
        """How far it has come."""
        ...

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
        stopped: why it may not go on, None while it may.
        since_ms: when it was granted.
        asked_ms: when it was asked for; a rule may have taken its time.
        passed_bytes: sent of the stream by what serves it no more.
        takes_place: it counts where players are limited; another node's does not.
        rules: of its stream as they were when it was granted.
        ends_ms: when it is over by itself, 0 for never.
        opening: what a rule keeps of it.
    """

    __slots__ = (
        "__weakref__",
        "asked_ms",
        "client",
        "ends_ms",
        "name",
        "opening",
        "owner",
        "passed_bytes",
        "rules",
        "since_ms",
        "stopped",
        "stream",
        "takes_place",
    )

    def __init__(self, request: PlayRequest, stream: Stream, now_ms: int, *, asked_ms: int = 0) -> None:
        self.client: Client = request.client
        self.name: StreamName = request.name
        self.stream = stream
        self.rules = stream.rules
        self.since_ms = now_ms
        self.asked_ms = asked_ms or now_ms
        self.passed_bytes = 0
        self.takes_place = True
        self.ends_ms = ends_ms_of(request.lifetime_s, now_ms)
        self.opening: Opening | bytes | None = request.opening
        self.owner: PlayOwner | None = None
        self.stopped: Refusal | None = None

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

    @property
    def served(self) -> Served:
        """How far it has come."""
        return self.owner.served(self) if self.owner is not None else NOT_SERVED

    def stop(self, refusal: Refusal) -> None:
        """It may not go on: its player is told."""
        self.stopped = refusal
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
        stopped: why it may not go on, None while it may.
        publisher: what takes the media.
        trace: the span of its having been asked for, or that for whose sake it was.
        ends_ms: when it is over by itself, 0 for never.
        max_kbps: most that it may send, 0 where nobody has said so.
        opening: what a rule keeps of it.
        rules: of its stream as they were when it was granted.
        used_ms: when its stream was last seen to be used, or first looked at; 0 where that is of no interest.
    """

    __slots__ = (
        "__weakref__",
        "client",
        "ends_ms",
        "max_kbps",
        "name",
        "opening",
        "owner",
        "publisher",
        "rules",
        "stopped",
        "trace",
        "used_ms",
    )

    def __init__(self, request: PublishRequest, publisher: Publisher[Stream]) -> None:
        self.client: Client = request.client
        self.name: StreamName = request.name
        self.publisher = publisher
        self.rules = publisher.stream.rules
        self.trace: TraceContext | None = request.trace
        self.ends_ms = ends_ms_of(request.lifetime_s, publisher.since_ms)
        self.max_kbps = request.max_kbps
        self.opening: Opening | bytes | None = request.opening
        self.used_ms = 0
        self.owner: PublishOwner | None = None
        self.stopped: Refusal | None = None

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
        self.stopped = refusal
        if self.owner is not None:
            self.owner.publish_stopped(self, refusal)
