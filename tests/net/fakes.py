"""A loop, a clock and sockets under the hand of the test, and a stream to play."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from edge.hub.config import HubConfig
from edge.hub.delay import StreamDelay
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.rules import StreamRules
from edge.hub.stream import Stream
from edge.hub.wire_form import Opening, PlainForm, WireForm
from edge.media.frame import AUDIO, DATA, VIDEO, Epoch, Frame
from edge.net.config import NetConfig
from edge.net.fan.fanout import Fanout
from edge.net.fan.player import Player
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.opening import RtmpOpening
from edge.rtmp import amf0
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.config import RtmpConfig
from edge.service.rules import Rules

READER_CONFIG = RtmpConfig(min_in_chunk_size=1)


class Handle:
    """What ``call_later`` returns."""

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualLoop:
    """The part of an event loop that the fan-out uses; time moves by ``run_for`` only."""

    def __init__(self) -> None:
        self.now = 1000
        self._heap: list[tuple[float, int, Handle, Callable[..., Any], tuple[Any, ...]]] = []
        self._soon: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self._order = 0
        self.readers: dict[int, Callable[[], None]] = {}

    def now_ms(self) -> int:
        return self.now

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        self._soon.append((callback, args))

    def call_later(self, delay_s: float, callback: Callable[..., Any], *args: Any) -> Handle:
        handle = Handle()
        self._order += 1
        heapq.heappush(self._heap, (self.now + delay_s * 1000, self._order, handle, callback, args))
        return handle

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.readers[fd] = callback

    def remove_reader(self, fd: int) -> None:
        self.readers.pop(fd, None)

    def run_soon(self) -> None:
        """Run what is due now, and what that asks for."""
        while self._soon:
            soon, self._soon = self._soon, []
            for callback, args in soon:
                callback(*args)

    def run_for(self, ms: int) -> None:
        """Let ``ms`` milliseconds pass."""
        until = self.now + ms
        self.run_soon()
        while self._heap and self._heap[0][0] <= until:
            at, _, handle, callback, args = heapq.heappop(self._heap)
            self.now = max(self.now, int(at))
            if not handle.is_cancelled:
                callback(*args)
            self.run_soon()
        self.now = until


class FakePeer:
    """A player's connection: takes ``room`` bytes (None: all), then blocks."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.received = bytearray()
        self.is_write_wanted = False
        self.finished: str | None = None
        self.failed: OSError | None = None
        self.slow: str | None = None
        self.error: OSError | None = None
        self.calls = 0
        self.player: Player | None = None

    def send(self, data: bytes | memoryview) -> int:
        self.calls += 1
        if self.error is not None:
            raise self.error
        if self.room is None:
            self.received += data
            return len(data)
        if self.room == 0:
            raise BlockingIOError
        taken = min(len(data), self.room)
        self.received += data[:taken]
        self.room -= taken
        return taken

    def give_room(self, count: int | None) -> None:
        """The peer reads: the kernel takes bytes again."""
        self.room = count
        player = self.player
        if self.is_write_wanted and player is not None and player.fan is not None:
            player.fan.on_writable(player)

    def leave(self) -> None:
        """The connection closes."""
        if self.player is not None and self.player.fan is not None:
            self.player.fan.remove(self.player)

    def want_write(self, is_wanted: bool) -> None:
        self.is_write_wanted = is_wanted

    def play_finished(self, player: Player, reason: str) -> None:
        assert self.finished is None, "ended twice"
        self.finished = reason
        if player.fan is not None:
            rest = bytes(player.tail) if player.tail else player.fan.rest_of_message(player)
            player.fan.remove(player)
            self.received += rest  # the connection's own queue sends it

    def send_failed(self, error: OSError) -> None:
        self.failed = error
        self.leave()

    def close_slow(self, detail: str) -> None:
        self.slow = detail
        self.leave()

    def failed_internally(self) -> None:
        self.failed = OSError("internal")
        self.leave()

    def messages(self, chunk_size: int) -> list[Message]:
        """What has arrived whole; anything that is no RTMP fails."""
        return decode(bytes(self.received), chunk_size)


def decode(data: bytes, chunk_size: int) -> list[Message]:
    """All whole messages of one direction."""
    reader = ChunkReader(READER_CONFIG)
    reader.in_chunk_size = chunk_size
    found: list[Message] = []
    reader.feed(data, 0, found)
    return found


def video(number: int, *, is_keyframe: bool = False, size: int = 20) -> bytes:
    """A coded picture that bears its number."""
    return (b"\x17" if is_keyframe else b"\x27") + b"\x01\0\0\0" + b"%08d" % number + b"v" * size


def audio(number: int, size: int = 5) -> bytes:
    """A coded sound that bears its number."""
    return b"\xaf\x01" + b"%08d" % number + b"a" * size


VIDEO_HEADER_BODY = b"\x17\x00\0\0\0avc-header"
AUDIO_HEADER_BODY = b"\xaf\x00aac-header"


class Source:
    """A publisher, and all frames that the stream ever held, by seq."""

    def __init__(self, rules: StreamRules | HubConfig | None = None) -> None:
        self.clock_us = 1_000_000_000
        delay = StreamDelay(lambda: self.clock_us)
        self.stream = Stream(StreamKey("_", "live", "s"), rules or HubConfig(), 0, delay=delay)
        self.publisher = Publisher(self.stream, "1.2.3.4:5", 0)
        self.epoch = Epoch("e1")
        self.stream.begin_publish(self.publisher, self.epoch, 0)
        self.frames: list[Frame] = []
        self.number = 0
        self.now_ms = 0

    def push(self, type_id: int, wire_ms: int, payload: bytes, *, commit: bool = True) -> None:
        before = self.stream.queue.end
        self.publisher.push(type_id, wire_ms & 0xFFFFFFFF, payload, self.now_ms)
        queue = self.stream.queue
        self.frames += [queue[seq] for seq in range(before, queue.end)]
        if commit:
            self.publisher.commit()

    def video(self, wire_ms: int, *, is_keyframe: bool = False, size: int = 20, commit: bool = True) -> None:
        self.number += 1
        self.push(VIDEO, wire_ms, video(self.number, is_keyframe=is_keyframe, size=size), commit=commit)

    def audio(self, wire_ms: int, *, size: int = 5, commit: bool = True) -> None:
        self.number += 1
        self.push(AUDIO, wire_ms, audio(self.number, size), commit=commit)

    def data(self, wire_ms: int, *, commit: bool = True) -> None:
        self.number += 1
        self.push(DATA, wire_ms, amf0.encode_all("onCuePoint", {"n": self.number}), commit=commit)

    def headers(self) -> None:
        self.push(DATA, 0, amf0.encode_all("onMetaData", {"width": 16.0, "stereo": True}))
        self.push(VIDEO, 0, VIDEO_HEADER_BODY)
        self.push(AUDIO, 0, AUDIO_HEADER_BODY)

    def run(self, count: int, *, from_ms: int = 0, gop: int = 10, step_ms: int = 40, size: int = 20) -> None:
        """``count`` pictures with a sound after each; a keyframe first and every ``gop``."""
        for index in range(count):
            at_ms = from_ms + index * step_ms
            self.video(at_ms, is_keyframe=index % gop == 0, size=size)
            self.audio(at_ms + step_ms // 2)


class Rig:
    """A source, a fan-out and players on it: of RTMP, or of a ``plain`` form."""

    def __init__(
        self,
        *,
        hub: HubConfig | None = None,
        chunk_size: int = 64,
        interval_ms: int = 0,
        timestamp_offset: int = 0,
        track_mask: int = 7,
        original: bool = False,
        plain: PlainForm | None = None,
        **net: Any,
    ) -> None:
        self.loop = ManualLoop()
        config = NetConfig(flush_interval_ms=interval_ms, **net)
        self.source = Source(Rules((hub or HubConfig(), config)))
        self.chunk_size = chunk_size
        self.form = RtmpForm(chunk_size, track_mask)
        self.plain = plain
        self.offset = timestamp_offset
        self.fanout = Fanout(
            self.loop,  # type: ignore[arg-type]
            config,
            now_ms=self.loop.now_ms,
        )
        self.original = self.source.stream.timeline if original else None

    def play(self, room: int | None = None, prologue: bytes = b"", *, asked_ms: int = 0) -> FakePeer:
        peer = FakePeer(room)
        form: WireForm = self.plain or self.form
        opening: Opening = RtmpOpening(self.form, 1, offset_ms=self.offset, original=self.original)
        if self.plain is not None:
            opening = self.plain.opening()
        peer.player = Player(peer, peer.send, opening)
        peer.player.tail = prologue or None
        peer.player.asked_ms = asked_ms
        self.fanout.attach(peer.player, self.source.stream, form)
        return peer

    def tick(self) -> None:
        """What the daemon does four times a second."""
        self.loop.run_for(250)
        self.fanout.tick(self.loop.now)

    def media_of(self, peer: FakePeer) -> list[Message]:
        return [m for m in peer.messages(self.chunk_size) if m.type_id in (AUDIO, VIDEO, DATA)]

    def seqs_of(self, peer: FakePeer) -> list[int]:
        """Seqs of the media frames that arrived, headers left out; every byte and timestamp is checked."""
        by_body = {self.form.payload_of(f): (seq, f) for seq, f in enumerate(self.source.frames) if f.kind == 0}
        header_bodies = {self.form.payload_of(f) for f in self.source.frames if f.kind != 0}
        found: list[int] = []
        player = peer.player
        assert player is not None
        base_ms = getattr(player.opening, "base_ms", 0) or 0
        for message in self.media_of(peer):
            assert message.message_stream_id == 1
            if message.payload in header_bodies:
                continue
            seq, frame = by_body[message.payload]
            assert message.type_id == frame.type_id
            wanted = (max(frame.dts_ms - base_ms, 0) + self.offset) & 0xFFFFFFFF
            assert message.wire_timestamp == wanted, (seq, frame, base_ms)
            found.append(seq)
        return found

    def wanted(self, first: int, last: int | None = None) -> list[int]:
        """Seqs of the media frames of this form from ``first`` on."""
        frames = self.source.frames[: len(self.source.frames) if last is None else last]
        return [s for s, f in enumerate(frames) if s >= first and f.kind == 0 and self.form.accepts(f)]


def check(rig: Rig, peers: list[FakePeer]) -> None:
    """All are up to date, and have got every frame since they came."""
    for peer in peers:
        seqs = rig.seqs_of(peer)
        assert seqs == rig.wanted(seqs[0])
        assert peer.player.position >= 0
