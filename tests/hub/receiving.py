"""Nodes that get streams from other nodes of ours, without a connection."""

from __future__ import annotations

from edge.hub.config import HubConfig
from edge.hub.hop import HopReceiver
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import DATA, MEDIA, VIDEO
from edge.media.mark import Mark

NOW_MS = 100_000


class Receiver:
    """A node that gets a stream from another one of ours."""

    def __init__(self, config: HubConfig | None = None) -> None:
        self.stream = Stream(StreamKey("_", "live", "s"), config or HubConfig(), 0)
        self.publisher = Publisher(self.stream, "1.2.3.4:5", NOW_MS, is_hop=True)
        self.stream.feed.see(self.publisher, NOW_MS)
        self.now_ms = NOW_MS
        self.losses: list[Stream] = []
        self.reconnect()

    def reconnect(self) -> None:
        self.hop = HopReceiver(self.publisher, on_lost=self.losses.append)

    def mark(self, epoch: str, index: int, dts_ms: int = 0, *, began_ms: int = 0, is_lost: bool = False) -> None:
        mark = Mark(epoch, index, dts_ms, 0, self.now_ms - began_ms, is_lost)
        self.hop.push(DATA, 0, mark.encode(), self.now_ms)

    def media(self, number: int, *, is_keyframe: bool = True, at_ms: int | None = None) -> None:
        first = b"\x17\x01" if is_keyframe else b"\x27\x01"
        wire_ms = number * 40 if at_ms is None else at_ms
        self.hop.push(VIDEO, wire_ms & 0xFFFFFFFF, first + b"%d" % number, self.now_ms)

    @property
    def bodies(self) -> list[bytes]:
        return [frame.payload for frame in self.stream.queue.frames]

    @property
    def numbers(self) -> list[int]:
        return [int(frame.payload[2:]) for frame in self.stream.queue.frames if frame.kind == MEDIA]

    @property
    def indices(self) -> list[int]:
        return [frame.index for frame in self.stream.queue.frames if frame.kind == MEDIA]


class Hops:
    """Several nodes of ours push one stream here, each a publish of its own."""

    def __init__(self) -> None:
        self.stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
        self.now_ms = NOW_MS

    def join(self) -> Receiver:
        node = Receiver.__new__(Receiver)
        node.stream, node.now_ms, node.losses = self.stream, self.now_ms, []
        node.publisher = Publisher(self.stream, "1.2.3.4:5", self.now_ms, is_hop=True)
        if self.stream.feed.current is None:
            self.stream.see(node.publisher, self.now_ms)
        else:
            self.stream.feed.join(node.publisher)
        node.reconnect()
        return node
