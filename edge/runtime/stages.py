"""The clients of each stage of a node, for ``-pithy_print_ms``."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge.hub.key import StreamKey
from edge.logbook.config import STAGES, LogbookConfig
from edge.logbook.pithy import Stage, StageClient
from edge.runtime.passing import HLS_PROTOCOLS, received_bytes
from edge.service.grants import Play, Publish
from edge.service.watch import GrantWatcher

if TYPE_CHECKING:
    from edge.runtime.unit import ServiceUnit
    from edge.upstream.link import UpstreamLink

logger = logging.getLogger(__name__)


class StageLog(GrantWatcher):
    """Writes the lines of all stages; hears of viewers of HLS, who are told from other plays by nobody else."""

    def __init__(self, units: Sequence[ServiceUnit], config: LogbookConfig, now_ms: int) -> None:
        self.config = config
        self._units = units
        self._stages = {name: Stage(name, now_ms) for name in STAGES}
        self._watching: dict[Play, None] = {}
        self._watched: Counter[StreamKey] = Counter()
        self._hls_bytes: dict[StreamKey, int] = {}

    def tick(self, now_ms: int) -> None:
        """Once a second."""
        for name, stage in self._stages.items():
            interval_ms = self.config.stage_interval_ms(name)
            members: Callable[[], Iterator[Any]] = getattr(self, f"_{name}_members")
            describe: Callable[[Any, int], StageClient | None] = getattr(self, f"_describe_{name}")
            line = stage.tick(
                now_ms, interval_ms, self._count(name), _nth(members, describe, now_ms), _at(describe, now_ms)
            )
            if line is not None:
                logger.info("%s", line)

    def _count(self, name: str) -> int:
        if name == "publish":
            return sum(len(unit.service.publishes) for unit in self._units)
        if name == "hls":
            return len(self._watching)
        if name == "play":
            streams = (stream for unit in self._units for stream in unit.registry.streams.values())
            return sum(stream.roster.play_count for stream in streams) - len(self._watching)
        return sum(1 for _ in getattr(self, f"_{name}_members")())

    # --- members, in an order that does not change ------------------------------

    def _publish_members(self) -> Iterator[Publish]:
        for unit in self._units:
            yield from unit.service.publishes.values()

    def _play_members(self) -> Iterator[Play]:
        for unit in self._units:
            for stream in unit.registry.streams.values():
                yield from (play for play in stream.roster.plays() if play not in self._watching)

    def _hls_members(self) -> Iterator[Play]:
        return iter(self._watching)

    def _pull_members(self) -> Iterator[UpstreamLink]:
        for unit in self._units:
            if unit.upstream is not None:
                yield from unit.upstream.pulls.values()

    def _push_members(self) -> Iterator[UpstreamLink]:
        for unit in self._units:
            if unit.upstream is not None:
                yield from unit.upstream.pushes.values()

    # --- what is said of each ---------------------------------------------------

    def _describe_publish(self, publish: Publish, now_ms: int) -> StageClient | None:
        if all(unit.service.publishes.get(publish.publisher) is not publish for unit in self._units):
            return None
        age_ms, stream = now_ms - publish.since_ms, publish.stream
        return StageClient(publish, str(publish.name.key), publish.client.peer, age_ms, received_bytes(stream))

    def _describe_play(self, play: Play, now_ms: int) -> StageClient | None:
        if play.owner is None:
            return None
        age_ms = now_ms - play.since_ms
        return StageClient(play, str(play.key), play.client.peer, age_ms, play.served.sent_bytes)

    def _describe_hls(self, play: Play, now_ms: int) -> StageClient | None:
        """Of the bytes nobody knows who took them: they are those of all viewers of the stream."""
        if play not in self._watching:
            return None
        sent_bytes = self._hls_bytes.get(play.key, 0)
        return StageClient(play, str(play.key), play.client.peer, now_ms - play.since_ms, sent_bytes)

    def _describe_pull(self, pull: Any, now_ms: int) -> StageClient | None:
        return None if pull.state == "closed" else _describe_link(pull, now_ms, received_bytes(pull.stream))

    def _describe_push(self, push: Any, now_ms: int) -> StageClient | None:
        return None if push.state == "closed" else _describe_link(push, now_ms, push.served.sent_bytes)

    # --- viewers of HLS ----------------------------------------------------------

    def on_play(self, play: Play) -> None:
        """Remember a viewer of HLS."""
        if play.client.protocol in HLS_PROTOCOLS:
            self._watching[play] = None
            self._watched[play.key] += 1

    def on_play_over(self, play: Play) -> None:
        """Forget it, and with the last one of a stream its bytes."""
        if self._watching.pop(play, self) is self:
            return
        self._watched[play.key] -= 1
        if not self._watched[play.key]:
            del self._watched[play.key]
            self._hls_bytes.pop(play.key, None)

    def on_segment(self, key: StreamKey, peer: str, size_bytes: int, *, is_internal: bool) -> None:
        """Somebody took a segment."""
        if key in self._watched:
            self._hls_bytes[key] = self._hls_bytes.get(key, 0) + size_bytes


def _describe_link(link: Any, now_ms: int, byte_count: int) -> StageClient:
    endpoint = link.server.endpoint if link.server is not None else "-"
    return StageClient(link, str(link.key), endpoint, now_ms - link.stream.created_ms, byte_count)


def _nth(
    members: Callable[[], Iterator[Any]], describe: Callable[[Any, int], StageClient | None], now_ms: int
) -> Callable[[int], StageClient]:
    def at(number: int) -> StageClient:
        member = next(islice(members(), number, None), None)
        found = describe(member, now_ms) if member is not None else None
        return found or StageClient(None, "-", "-", 0, 0)

    return at


def _at(describe: Callable[[Any, int], StageClient | None], now_ms: int) -> Callable[[Hashable], StageClient | None]:
    return lambda who: describe(who, now_ms) if who is not None else None
