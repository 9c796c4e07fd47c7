"""A service without any transport, and what stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.service.grants import Play, Publish
from edge.service.insight import NOTHING, Insight
from edge.service.names import StreamName, TcUrl, parse_tc_url
from edge.service.refusal import Reason, Refusal
from edge.service.request import SAID_NOTHING, Client, PlayRequest, PublishRequest, Said
from edge.service.service import Service
from edge.service.source import NodePlace, Standing

SERVER_URL = parse_tc_url("rtmp://10.0.0.1/live")


@dataclass(frozen=True)
class FakeClient:
    """Somebody who asks."""

    number: int
    peer: str
    protocol: str = "http"
    server_url: TcUrl = SERVER_URL
    edge_id: str = ""
    hears_errors_only: bool = False
    is_proven: bool = False
    page_url: str = ""
    authorization: str = ""
    said: Said = SAID_NOTHING

    @property
    def is_hop(self) -> bool:
        return bool(self.edge_id)


VIEWER = FakeClient(1, "10.9.9.9:5")
NODE = FakeClient(2, "10.9.9.8:5", edge_id="n")


class NoSource:
    """Refuses what it is told to, and begins nothing.

    Attributes:
        has_answer: it is known where to fetch from.
        is_fed: streams come from, and go to, somewhere else.
        begun: key and query of what was asked for.
        known: what it says of the way of any stream.
    """

    def __init__(self, refusal: Refusal | None = None, on_begin: Callable[[Stream], None] | None = None) -> None:
        self.refusal = refusal
        self.on_begin = on_begin
        self.has_answer = True
        self.is_fed = True
        self.now = Standing()
        self.known = NOTHING
        self.begun: list[tuple[object, str]] = []

    def feeds(self, key: StreamKey) -> bool:
        return self.is_fed

    def refuses(self, name: StreamName, *, is_fetched: bool) -> Refusal | None:
        return None if is_fetched else self.refusal

    def begin(self, stream: Stream, request: PlayRequest) -> Refusal | None:
        self.begun.append((stream.key, request.name.query))
        if self.on_begin is not None:
            self.on_begin(stream)
        return None

    def node_of(self, stream: Stream) -> NodePlace | None:
        return None

    def standing(self, stream: Stream) -> Standing:
        return self.now

    def insight(self, key: StreamKey) -> Insight:
        return self.known

    def why_nothing(self, stream: Stream, query: str) -> Refusal:
        return Refusal(Reason.SILENT, f"nothing of {stream.key}")


class Door:
    """A service, its clock, and clients who speak nothing in particular."""

    def __init__(self, **hub: Any) -> None:
        numbers, config = count(1), HubConfig(**hub)
        self.now_ms = 1000
        self.soon: list[Callable[[], None]] = []
        self.registry = Registry(
            lambda key: self.service.rules_of(key), new_id=lambda: f"e{next(numbers)}", wall_ms=lambda: 0
        )
        self.service = Service(
            self.registry,
            hub=config,
            service_id="me",
            hostname="h",
            now_ms=lambda: self.now_ms,
            soon=self.soon.append,
        )

    def name(self, name: str = "s", *, is_play: bool = True) -> StreamName:
        found = self.service.resolve(name, SERVER_URL, is_play=is_play)
        assert isinstance(found, StreamName), found
        return found

    def play(self, name: str = "s", client: Client = VIEWER, **options: Any) -> Play | Refusal:
        """What is answered at once."""
        answers: list[Play | Refusal] = []
        self.service.play(PlayRequest(client, self.name(name), **options), answers.append, self.now_ms)
        (answer,) = answers
        return answer

    def publish(self, name: str = "s", client: Client = VIEWER, **options: Any) -> Publish | Refusal:
        """What is answered at once."""
        answers: list[Publish | Refusal] = []
        request = PublishRequest(client, self.name(name, is_play=False), **options)
        self.service.publish(request, answers.append, self.now_ms)
        (answer,) = answers
        return answer
