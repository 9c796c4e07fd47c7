"""Streams whose frames a test chooses, nodes that get them from other nodes, and a judge of their playlists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

from edge.hls import playlist
from edge.hls.config import HlsConfig
from edge.hls.names import Uris
from edge.hls.segment import Segment
from edge.hls.segmenter import Segmenter
from edge.hub.config import HubConfig
from edge.hub.hop import HopReceiver
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO, Epoch
from edge.net.rtmp.stream_writer import StreamWriter
from edge.rtmp.chunk import ChunkReader, Message
from tests.harness import m3u8_rules
from tests.harness.m3u8 import Media, apply_delta, check_follow, parse_media
from tests.media.codecs.records import AAC_STEREO, AVC_HIGH, by_length
from tests.net.fakes import READER_CONFIG, Source
from tests.net.writing import CHUNK, open_writer, take

WALL_MS = 1_796_000_000_000
BOTH = 3
URIS = Uris("/live/cam")
AVC_BODY = b"\x17\x00\0\0\0" + AVC_HIGH
#: Another picture size.
AVC_OTHER_BODY = AVC_BODY.replace(bytes.fromhex("0aacd9447b01"), bytes.fromhex("0aacd9447b03"))
AAC_BODY = b"\xaf\x00" + AAC_STEREO
AAC_MONO_BODY = b"\xaf\x00\x12\x08"


def picture_body(number: int, *, is_keyframe: bool, size: int = 50) -> bytes:
    unit = bytes((0x65 if is_keyframe else 0x41,)) + b"%08d" % number + bytes(n % 255 + 1 for n in range(size))
    return (b"\x17\x01" if is_keyframe else b"\x27\x01") + bytes(3) + by_length(unit)


def sound_body(number: int, size: int = 20) -> bytes:
    return b"\xaf\x01" + b"%08d" % number + bytes(size)


class Origin:
    """A stream with a publisher of this node."""

    def __init__(self, config: HubConfig | None = None, *, wall_ms: int = WALL_MS) -> None:
        self.stream = Stream(StreamKey("_", "live", "cam"), config or HubConfig(), 0)
        self.number = 0
        self.begin("e1", wall_ms)

    def begin(self, epoch_id: str, wall_ms: int) -> None:
        """A publisher comes, in place of the one before."""
        self.publisher = Publisher(self.stream, "1.2.3.4:5", 0)
        self.stream.begin_publish(self.publisher, Epoch(epoch_id, started_wall_ms=wall_ms), 0)

    def push(self, type_id: int, ms: int, body: bytes) -> None:
        self.publisher.push(type_id, ms & 0xFFFFFFFF, body, ms)
        self.publisher.commit()

    def headers(self, avc: bytes = AVC_BODY, aac: bytes = AAC_BODY) -> None:
        for type_id, body in ((VIDEO, avc), (AUDIO, aac)):
            if body:
                self.push(type_id, 0, body)

    def picture(self, ms: int, *, is_keyframe: bool = False, size: int = 50) -> None:
        self.number += 1
        self.push(VIDEO, ms, picture_body(self.number, is_keyframe=is_keyframe, size=size))

    def sound(self, ms: int, size: int = 20) -> None:
        self.number += 1
        self.push(AUDIO, ms, sound_body(self.number, size))

    def run(
        self,
        from_ms: int,
        until_ms: int,
        *,
        fps: float = 25,
        gop_ms: int = 2000,
        lead_ms: int = 0,
        has_sound: bool = True,
        each: Callable[[], None] = lambda: None,
    ) -> None:
        """Pictures at a steady rate, and 44.1 kHz AAC whose stamps are ``lead_ms`` ahead when it comes."""
        arrivals: list[tuple[float, int, int, bool]] = []
        number, last_gop = 0, (from_ms - 1) // gop_ms
        while fps and (at := round(number * 1000 / fps)) < until_ms - from_ms:
            is_key = (from_ms + at) // gop_ms != last_gop
            last_gop = (from_ms + at) // gop_ms
            arrivals.append((at, VIDEO, from_ms + at, is_key))
            number += 1
        number = 0
        while has_sound and (sound_at := round(number * 1024 / 44.1)) < until_ms - from_ms:
            arrivals.append((sound_at - lead_ms + 0.5, AUDIO, from_ms + sound_at, False))
            number += 1
        for _, type_id, ms, is_key in sorted(arrivals):
            if type_id == VIDEO:
                self.picture(ms, is_keyframe=is_key)
            else:
                self.sound(ms)
            each()


class Hop:
    """A node that gets a stream from another one of ours, by the bytes of a connection."""

    def __init__(self, source: Origin | Hop, config: HubConfig | None = None) -> None:
        # What its own flags say of segments does not count.
        self.stream = Stream(StreamKey("_", "live", "cam"), config or HubConfig(hls_fragment_s=50), 0)
        self.publisher = Publisher(self.stream, "up", 0, is_hop=True)
        self.stream.feed.see(self.publisher, 0)
        self.connect(source)

    def connect(self, source: Origin | Hop) -> None:
        """Another connection; what was under way on the one before is lost, and what the peer does not hold."""
        as_source = Source.__new__(Source)
        as_source.stream = source.stream
        self._writer: StreamWriter = open_writer(as_source, is_hop=True)
        self._reader = ChunkReader(READER_CONFIG)
        self._reader.in_chunk_size = CHUNK
        self._hop = HopReceiver(self.publisher)

    def receive(self, *, commits_each: bool = True) -> None:
        """Take what there is."""
        found: list[Message] = []
        self._reader.feed(take(self._writer), 0, found)
        for message in found:
            self._hop.push(message.type_id, message.wire_timestamp, message.payload, 0)
            if commits_each:
                self._hop.commit()
        self._hop.commit()

    def lose(self) -> None:
        """What there is is lost on the way."""
        found: list[Message] = []
        self._reader.feed(take(self._writer), 0, found)


def follow(before: Media | None, after: Media, *, may_grow: bool = False) -> Media:
    """Check that a player may load the one after the other.

    ``may_grow``: durations that no one could foresee let the targets grow.
    """
    if before is not None:
        if may_grow:
            assert after.target_s >= before.target_s
            assert (after.part_target_s or 0) >= (before.part_target_s or 0)
            before = replace(before, target_s=after.target_s, part_target_s=after.part_target_s)
        check_follow(before, after)
    return after


class Watched:
    """A segmenter whose playlists are judged at each change.

    Attributes:
        classic, low_latency: as they are now.
    """

    def __init__(
        self,
        stream: Stream,
        kind: str,
        config: HlsConfig | None = None,
        *,
        tracks: int = BOTH,
        may_grow: bool = False,
        on_work: Callable[[Segmenter], None] | None = None,
    ) -> None:
        self.classic: Media | None = None
        self.low_latency: Media | None = None
        self.seen_count = 0
        self._may_grow = may_grow
        self.segmenter: Segmenter | None = None
        self.segmenter = Segmenter(stream, kind, tracks, config or HlsConfig(), self.see, on_work)
        self.see()

    @property
    def it(self) -> Segmenter:
        assert self.segmenter is not None
        return self.segmenter

    def see(self) -> None:
        segmenter = self.segmenter
        if segmenter is None:
            return
        if segmenter.listed():
            self.seen_count += 1
            self.classic = follow(self.classic, parse_media(playlist.classic(segmenter, URIS)), may_grow=self._may_grow)
        current = segmenter.current
        if segmenter.mp4 is not None and (segmenter.listed() or (current is not None and current.parts)):
            before = self.low_latency
            now = self._parse(playlist.low_latency(segmenter, URIS))
            self.low_latency = follow(before, now, may_grow=self._may_grow)
            delta = self._parse(playlist.low_latency(segmenter, URIS, is_delta=True))
            if before is not None and before.segments and before.media_sequence == now.media_sequence:
                whole = apply_delta(before, delta)
                assert [s.uri for s in whole.segments] == [s.uri for s in now.segments]

    def _parse(self, text: str) -> Media:
        if not self._may_grow:
            return parse_media(text)
        with patch.object(m3u8_rules, "LEAST_PART", 0.0):  # parts are as long as frames at no rate let them be
            return parse_media(text)

    def whole(self) -> dict[str, Segment]:
        """Complete segments that are here, by their names."""
        return {str(each.name): each for each in self.it.segments if each.data is not None}


def init_of(segmenter: Segmenter, segment: Segment) -> bytes:
    found = segmenter.init(segment.init)
    assert found
    return found


def entries(segmenter: Segmenter) -> dict[str, list[str]]:
    """Lines of each listed segment, parts left out, by its URI; the configuration in force among them."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    in_force = ""
    for line in playlist.classic(segmenter, URIS).splitlines():
        if line.startswith("#EXT-X-MAP"):
            in_force = line
        elif line.startswith(("#EXTINF", "#EXT-X-PROGRAM", "#EXT-X-DISCONTINUITY", "#EXT-X-GAP")):
            if not line.startswith("#EXT-X-DISCONTINUITY-SEQUENCE"):
                lines.append(line)
        elif not line.startswith("#"):
            found[line] = [in_force, *lines]
            lines = []
    return found


def assert_same(one: Watched, other: Watched) -> int:
    """All that both have is the same; how much that is."""
    texts = [entries(each.it) if each.it.listed() else {} for each in (one, other)]
    common = texts[0].keys() & texts[1].keys()
    mine, others = one.whole(), other.whole()
    for uri in common:
        assert texts[0][uri] == texts[1][uri]
    for name in mine.keys() & others.keys():
        first, second = mine[name], others[name]
        assert first.data == second.data, name
        assert (first.duration_ms, first.init, first.is_discontinuity, first.discontinuity) == (
            second.duration_ms,
            second.init,
            second.is_discontinuity,
            second.discontinuity,
        )
        for index, (part, same) in enumerate(zip(first.parts, second.parts, strict=True)):
            assert (part.duration_ms, part.is_independent) == (same.duration_ms, same.is_independent)
            assert first.part_bytes(index) == second.part_bytes(index)
        if first.init:
            assert one.it.init(first.init) == other.it.init(second.init)
    return len(mine.keys() & others.keys())
