"""Publishes of one key over an origin and two edges, in virtual time: real registries, feeds, writers and receivers.

Only the connections are not real: a link carries the bytes of a ``StreamWriter`` to a
``HopReceiver`` with a delay. Each node has clocks of its own, which agree in nothing.

``O`` is the origin, ``A`` and ``B`` are edges that push to it, ``P`` is the edge that plays from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge.errors import StreamBusyError
from edge.hub.config import HubConfig
from edge.hub.hop import HopReceiver
from edge.hub.key import PUBLISH_REALM, StreamKey
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.media.frame import MEDIA, VIDEO
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.stream_writer import StreamWriter
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import ChunkWriter
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import ResumePoint

End = Literal["clean", "reset", "hang"]

STEP_MS = 20
FRAME_MS = 40
GOP = 5
#: How long the daemon waits for a publisher that has fallen silent, its ping included.
HANG_MS = 8000
#: What must come to be seen is seen within this.
SEEN_WITHIN_MS = 3000

_CHUNK = 4096
_LATENCY_MS = 20
_RETRY_MS = 500
_KEY = StreamKey("_", "live", "s")
_READER = RtmpConfig(min_in_chunk_size=1)


@dataclass(slots=True)
class Publish:
    """An encoder: where it publishes, from when to when, and how it ends.

    Attributes:
        granted_ms, released_ms: by the world's clock, None until then.
        sent: when each of its frames was sent.
    """

    node: str
    start_ms: int
    duration_ms: int
    end: End = "clean"
    number: int = 0
    granted_ms: int | None = None
    released_ms: int | None = None
    sent: list[int] = field(default_factory=list)
    publisher: Publisher | None = None
    asks_at_ms: int = 0

    @property
    def stop_ms(self) -> int:
        """When it sends no more."""
        return (self.granted_ms if self.granted_ms is not None else self.start_ms) + self.duration_ms

    def frame(self) -> bytes:
        """Its next picture, which bears its number and the frame's."""
        count = len(self.sent)
        return (b"\x17" if count % GOP == 0 else b"\x27") + b"\x01\0\0\0" + b"%04d%06d" % (self.number, count)

    def header(self) -> bytes:
        """Its sequence header, which bears its number."""
        return b"\x17\0\0\0\0" + b"%04d" % self.number


class Node:
    """A node with clocks of its own."""

    def __init__(self, world: World, name: str, offset_ms: int, wall_ms: int) -> None:
        self.world, self.name, self.offset_ms = world, name, offset_ms
        self.registry = Registry(
            HubConfig(), new_id=self._new_id, wall_ms=lambda: max(world.now_ms + wall_ms, 0), metadata_name=""
        )
        self.is_edge = name != "O"
        self.key = _KEY._replace(realm=PUBLISH_REALM) if self.is_edge else _KEY
        self._ids = 0

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self.name}{self._ids}"

    def now_ms(self) -> int:
        return self.world.now_ms + self.offset_ms


class Wire:
    """One stream on a connection from one node to another; a writer's owner."""

    def __init__(self, world: World, source: Node, sink: Callable[[Message], None], commit: Callable[[], None]) -> None:
        self.world, self.source, self._sink, self._commit = world, source, sink, commit
        self.writer: StreamWriter | None = None
        self._reader = ChunkReader(_READER)
        self._reader.in_chunk_size = _CHUNK
        self._under_way: list[tuple[int, bytes]] = []

    def open(self, stream: Stream, resume: ResumePoint | None) -> StreamWriter:
        form = RtmpForm(_CHUNK)
        self.writer = StreamWriter(self, stream, 1, ChunkWriter(_CHUNK), form, is_hop=True, resume=resume)
        return self.writer

    def writer_has_frames(self) -> None:
        """All is asked at each step."""

    def now_ms(self) -> int:
        return self.source.now_ms()

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        assert not jump_count, "nobody is slow here"

    def step(self) -> None:
        """Write what there is, and deliver what has been under way for long enough."""
        assert self.writer is not None
        parts: list[bytes | memoryview] = []
        if self.writer.fill(parts, 10**9):
            self._under_way.append((self.world.now_ms + _LATENCY_MS, b"".join(parts)))
        while self._under_way and self._under_way[0][0] <= self.world.now_ms:
            found: list[Message] = []
            self._reader.feed(self._under_way.pop(0)[1], 0, found)
            for message in found:
                self._sink(message)
        self._commit()

    @property
    def is_through(self) -> bool:
        """The stream has ended and all of it has been delivered."""
        return self.writer is not None and self.writer.is_finished and not self._under_way

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class Push:
    """An edge forwards what is published there, as ``upstream/push.py`` does."""

    def __init__(self, world: World, edge: Node, origin: Node, stream: Stream) -> None:
        self.world, self.edge, self.origin, self.stream = world, edge, origin, stream
        self.publisher: Publisher | None = None
        self.wire: Wire | None = None
        self.down_until_ms = 0
        self.is_over = False

    def step(self) -> None:
        if self.world.now_ms < self.down_until_ms:
            return
        if self.wire is None:
            self._connect()
        assert self.wire is not None
        self.wire.step()
        if self.wire.is_through:
            self.is_over = True
            self._drop(is_loss=False)

    def _connect(self) -> None:
        registry, now = self.origin.registry, self.origin.now_ms()
        is_lost = self.stream.publisher is None or self.stream.has_lost_publisher
        publisher = registry.claim_publisher(_KEY, self.edge.name, now, is_hop=True, is_lost=is_lost).publisher
        receiver = HopReceiver(publisher)
        self.publisher = publisher
        self.wire = Wire(
            self.world,
            self.edge,
            lambda message: receiver.push(
                message.type_id, message.wire_timestamp, message.payload, self.origin.now_ms()
            ),
            receiver.commit,
        )
        known = publisher.stream.epoch
        resume = ResumePoint(known.id, known.next_index) if known is not None else self._oldest_held()
        writer = self.wire.open(self.stream, resume)
        writer.pass_loss = writer.tell_lost
        if is_lost:
            writer.tell_lost()
        if self.stream.is_ended:
            writer.on_end("ended")

    def _oldest_held(self) -> ResumePoint | None:
        queue, epoch = self.stream.queue, self.stream.epoch
        for seq in (*queue.keyframes, *range(queue.base, queue.end)):
            if queue[seq].kind == MEDIA and queue[seq].epoch is epoch and epoch is not None:
                return ResumePoint(epoch.id, queue[seq].index, is_fresh=True)
        return None

    def cut(self, down_ms: int) -> None:
        """The connection breaks, and is back ``down_ms`` later."""
        if self.wire is not None:
            self._drop(is_loss=True)
        self.down_until_ms = self.world.now_ms + down_ms

    def _drop(self, *, is_loss: bool) -> None:
        wire, self.wire = self.wire, None
        publisher, self.publisher = self.publisher, None
        if wire is not None and publisher is not None:
            wire.close()
            self.origin.registry.release_publisher(publisher, self.origin.now_ms(), "gone", is_loss=is_loss)


class Pull:
    """``P`` plays from the origin; asks again soon where there is nothing.

    Attributes:
        ended_ms: when it was told an end.
    """

    def __init__(self, world: World, edge: Node, origin: Node) -> None:
        self.world, self.edge, self.origin = world, edge, origin
        self.stream = Stream(_KEY, HubConfig(), edge.now_ms())
        self.publisher = Publisher(self.stream, "O", edge.now_ms())
        self.stream.see(self.publisher, edge.now_ms())
        self.wire: Wire | None = None
        self.ended_ms: list[int] = []

    def step(self) -> None:
        if self.wire is None:
            found = self.origin.registry.find(_KEY)
            if found is None or found.feed.is_vacant:
                return
            receiver = HopReceiver(self.publisher)
            self.wire = Wire(
                self.world,
                self.origin,
                lambda message: receiver.push(
                    message.type_id, message.wire_timestamp, message.payload, self.edge.now_ms()
                ),
                receiver.commit,
            )
            epoch = self.stream.epoch
            self.wire.open(found, ResumePoint(epoch.id, epoch.next_index) if epoch is not None else None)
        self.wire.step()
        if self.wire.is_through:
            self.wire.close()
            self.wire = None
            self.ended_ms.append(self.world.now_ms)


class World:
    """Runs publishes; ``seen`` tells which frame of which publish ``P`` has got, and when.

    Attributes:
        offsets: by node, how far its monotonic clock and its wall clock are off.
        cuts: of the pushes of an edge: when, and for how long.
        seen: (moment, publish number, frame number), in the order of ``P``'s stream.
    """

    def __init__(
        self,
        publishes: Iterable[Publish],
        *,
        offsets: Mapping[str, tuple[int, int]] | None = None,
        cuts: Iterable[tuple[str, int, int]] = (),
    ) -> None:
        self.now_ms = 1_000_000
        self.began_ms = self.now_ms
        self.publishes = sorted(publishes, key=lambda publish: publish.start_ms)
        offsets = offsets or {}
        self.nodes = {name: Node(self, name, *offsets.get(name, (0, 0))) for name in "OABP"}
        self.cuts = sorted(cuts, key=lambda cut: cut[1])
        self.pushes: list[Push] = []
        self.pull = Pull(self, self.nodes["P"], self.nodes["O"])
        self.seen: list[tuple[int, int, int]] = []
        self.faults: list[str] = []
        self._next_seq = 0
        self._header = -1
        self._last_ms = 0
        for number, publish in enumerate(self.publishes):
            publish.number = number
            publish.start_ms += self.now_ms
            publish.asks_at_ms = publish.start_ms

    def run(self) -> None:
        """Until all has ended, and what follows from that has happened."""
        while any(publish.released_ms is None for publish in self.publishes):
            self._step()
        for _ in range(2000 // STEP_MS):
            self._step()

    def _step(self) -> None:
        for publish in self.publishes:
            self._step_publish(publish)
        while self.cuts and self.began_ms + self.cuts[0][1] <= self.now_ms:
            name, _, down_ms = self.cuts.pop(0)
            for push in self.pushes:
                if push.edge.name == name:
                    push.cut(down_ms)
        for push in list(self.pushes):
            push.step()
            if push.is_over:
                self.pushes.remove(push)
        self.pull.step()
        self._look()
        self.now_ms += STEP_MS
        if self.now_ms % 1000 == 0:
            for node in self.nodes.values():
                node.registry.tick(node.now_ms())

    def _step_publish(self, publish: Publish) -> None:
        node, now = self.nodes[publish.node], self.now_ms
        publisher = publish.publisher
        if publisher is None:
            if publish.released_ms is None and now >= publish.asks_at_ms:
                self._claim(publish, node)
            return
        if now < publish.stop_ms:
            if (now - (publish.granted_ms or 0)) % FRAME_MS == 0:
                wire_ms = len(publish.sent) * FRAME_MS
                publisher.push(VIDEO, wire_ms, publish.frame(), node.now_ms())
                publisher.commit()
                publish.sent.append(now)
        elif now >= publish.stop_ms + (HANG_MS if publish.end == "hang" else 0):
            publish.publisher, publish.released_ms = None, now
            is_loss = publish.end == "reset"
            node.registry.release_publisher(publisher, node.now_ms(), "gone", is_loss=is_loss)

    def _claim(self, publish: Publish, node: Node) -> None:
        try:
            publisher = node.registry.claim_publisher(node.key, f"p{publish.number}", node.now_ms()).publisher
        except StreamBusyError:
            publish.asks_at_ms = self.now_ms + _RETRY_MS
            return
        publish.publisher, publish.granted_ms = publisher, self.now_ms
        publisher.push(VIDEO, 0, publish.header(), node.now_ms())
        stream = publisher.stream
        if node.is_edge and not any(push.stream is stream for push in self.pushes):
            self.pushes.append(Push(self, node, self.nodes["O"], stream))

    # --- what P sees -----------------------------------------------------------

    def _look(self) -> None:
        queue = self.pull.stream.queue
        if self._next_seq < queue.base:  # a header that has gone already, of which a player is told all the same
            for header in queue.headers_between(self._next_seq, queue.base):
                self._header = int(header.payload[5:9])
        for seq in range(max(self._next_seq, queue.base), queue.end):
            frame = queue[seq]
            if frame.dts_ms < self._last_ms:
                self.faults.append(f"{self.now_ms}: clock goes back from {self._last_ms} to {frame.dts_ms}")
            self._last_ms = frame.dts_ms
            if frame.kind != MEDIA:
                self._header = int(frame.payload[5:9])
                continue
            number, count = int(frame.payload[5:9]), int(frame.payload[9:15])
            if number != self._header:
                self.faults.append(f"{self.now_ms}: frame of {number} behind the header of {self._header}")
            self.seen.append((self.now_ms, number, count))
        self._next_seq = queue.end
