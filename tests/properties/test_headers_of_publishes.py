"""Headers of one publish after the other, and of codecs that come and go, as seen from every place of a tree.

A script of messages is published; a newcomer comes after each of its steps. It must be able to decode all that
it is given, and gets no header of a publish that is over, or of a codec that a track does not send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.hop import HopReceiver
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, DATA, MEDIA, VIDEO, Epoch
from edge.media.metadata import encode_metadata
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.stream_writer import StreamWriter
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import ChunkWriter
from edge.rtmp.events import ResumePoint
from tests.net.fakes import READER_CONFIG

CONFIG = HubConfig(max_metadata_per_s=10**6)
STEP_MS = 40


@dataclass(frozen=True)
class Codec:
    """How a codec looks on the wire: its header or none, and the first bytes of its frames."""

    type_id: int
    header: bytes | None
    frame: bytes
    inter: bytes = b""


def _tracks(type_id: int, first: int, fourcc: bytes, track: int, *, prefix: bytes = b"") -> Codec:
    """One track of a multitrack message, behind a ModEx ``prefix`` or not."""
    multitrack = 6 if type_id == VIDEO else 5

    def body(frame_type: int, packet_type: int) -> bytes:
        top = frame_type if type_id == VIDEO else first
        if prefix:
            return bytes([top | 7]) + prefix[:-1] + bytes([multitrack, packet_type]) + fourcc + bytes([track])
        return bytes([top | multitrack, packet_type]) + fourcc + bytes([track])

    return Codec(type_id, body(0x90, 0), body(0x90, 1), body(0xA0, 1))


CODECS = {
    "avc": Codec(VIDEO, b"\x17\x00\0\0\0", b"\x17\x01\0\0\0", b"\x27\x01\0\0\0"),
    "avc1": Codec(VIDEO, b"\x90avc1", b"\x91avc1\0\0\0", b"\xa1avc1\0\0\0"),
    "hvc1": Codec(VIDEO, b"\x90hvc1", b"\x91hvc1\0\0\0", b"\xa3hvc1"),
    "h263": Codec(VIDEO, None, b"\x12", b"\x22"),
    "hvc1@1": _tracks(VIDEO, 0x90, b"hvc1", 1),
    "av01@1": _tracks(VIDEO, 0x90, b"av01", 1),
    "hvc1@2": _tracks(VIDEO, 0x90, b"hvc1", 2, prefix=b"\x02\1\2\3\x00"),
    "aac": Codec(AUDIO, b"\xaf\x00", b"\xaf\x01"),
    "opus": Codec(AUDIO, b"\x90Opus", b"\x91Opus"),
    "mp3": Codec(AUDIO, None, b"\x2f"),
    "g711": Codec(AUDIO, None, b"\x82"),
    "opus@1": _tracks(AUDIO, 0x90, b"Opus", 1),
    "aac@1": _tracks(AUDIO, 0x90, b"mp4a", 1),
}


def track_of(codec: str) -> tuple[int, str]:
    """The track that a codec of the table is sent on."""
    return CODECS[codec].type_id if codec in CODECS else DATA, codec.partition("@")[2] or "0"


def kind_of(codec: str) -> str:
    """One codec may be sent in two forms, and one header serves both."""
    return "avc" if codec == "avc1" else codec


@dataclass
class Told:
    """What a message is: of which publishes, which codec, which header it needs or is."""

    publishes: set[int]
    codec: str
    header: bytes | None
    is_header: bool


@dataclass
class Script:
    """Publishes steps: ``|`` another publisher, ``+codec`` a header (``=codec`` the last one again), ``codec`` a frame.

    ``-codec`` is a picture that is no keyframe, ``M`` metadata.
    """

    feed: Callable[[int, int, bytes], None]
    begin: Callable[[int], None]
    publish: int = 0
    count: int = 0
    told: dict[bytes, Told] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    last: dict[str, bytes] = field(default_factory=dict)

    def run(self, step: str) -> None:
        self.count += 1
        if step == "|":
            self.publish += 1
            self.sent.clear()
            self.begin(self.publish)
        elif step == "M":
            body = encode_metadata({"n": float(self.count)})
            self.told[body] = Told({self.publish}, "metadata", body, True)
            self.feed(DATA, self.count * STEP_MS, body)
        elif step[0] in "+=":
            self._header(step[1:], is_again=step[0] == "=")
        else:
            self._frame(step.lstrip("-"), is_inter=step[0] == "-")

    def _header(self, codec: str, *, is_again: bool) -> None:
        first = CODECS[codec].header
        if first is None:
            return
        last = self.last.get(codec)
        body = last if is_again and last is not None else first + b"header %d" % self.count
        self.last[codec] = self.sent[kind_of(codec)] = body
        self.told.setdefault(body, Told(set(), codec, body, True)).publishes.add(self.publish)
        self.feed(CODECS[codec].type_id, 0, body)

    def _frame(self, codec: str, *, is_inter: bool) -> None:
        look = CODECS[codec]
        body = (look.inter if is_inter and look.inter else look.frame) + b"frame %d" % self.count
        self.told[body] = Told({self.publish}, codec, self.sent.get(kind_of(codec)), False)
        self.feed(look.type_id, self.count * STEP_MS, body)


class Tree:
    """An origin, an edge, an edge of that, and an edge that moves from one to the other."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.origin = Stream(StreamKey("_", "live", "s"), CONFIG, 0)
        self.script = Script(self._feed, self._begin)
        self._begin(0)
        self.first = Node(self, self.origin)
        self.second = Node(self, self.first.stream)
        self.moving = Node(self, self.first.stream)

    def _begin(self, publish: int) -> None:
        self.origin.begin_publish(Publisher(self.origin, "", 0), Epoch(f"e{publish}"), self.now_ms)

    def _feed(self, type_id: int, wire_ms: int, body: bytes) -> None:
        assert self.origin.publisher is not None
        self.origin.publisher.push(type_id, wire_ms, body, self.now_ms)
        self.origin.publisher.commit()

    def run(self, step: str) -> None:
        self.now_ms += STEP_MS
        self.script.run(step)
        for node in (self.first, self.second, self.moving):
            node.pump()

    @property
    def places(self) -> dict[str, Stream]:
        return {
            "origin": self.origin,
            "edge": self.first.stream,
            "edge of an edge": self.second.stream,
            "edge that moves": self.moving.stream,
        }


class Node:
    """A node of ours that plays a stream of another one."""

    def __init__(self, tree: Tree, upstream: Stream) -> None:
        self.tree = tree
        self.stream = Stream(StreamKey("_", "live", "s"), CONFIG, 0)
        self.publisher = Publisher(self.stream, "up", 0, is_hop=True)
        self.stream.see(self.publisher, 0)
        self.writer: StreamWriter | None = None
        self.connect(upstream)

    def connect(self, upstream: Stream) -> None:
        """Play from ``upstream`` from now on, as a pull does that has lost its server or moves."""
        if self.writer is not None:
            self.writer.close()
        epoch, resume = self.stream.epoch, None
        if epoch is not None:
            resume = ResumePoint(epoch.id, epoch.next_index, is_fresh=not self.stream.has_begun)
        self.writer = StreamWriter(self, upstream, 1, ChunkWriter(4096), RtmpForm(4096), is_hop=True, resume=resume)
        self.receiver = HopReceiver(self.publisher)
        self.chunks = ChunkReader(READER_CONFIG)
        self.chunks.in_chunk_size = 4096

    def pump(self, messages: int | None = None) -> None:
        """Take what there is; ``messages``: the connection breaks after so many."""
        parts: list[bytes | memoryview] = []
        assert self.writer is not None
        self.writer.fill(parts, 10**9)
        arrived: list[Message] = []
        self.chunks.feed(b"".join(parts), 0, arrived)
        for message in arrived[:messages]:
            self.receiver.push(message.type_id, message.wire_timestamp, message.payload, self.tree.now_ms)
        self.receiver.commit()

    def writer_has_frames(self) -> None:
        """The pump is called after each step."""

    def now_ms(self) -> int:
        return self.tree.now_ms

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """Nobody falls behind here."""


@dataclass
class Viewer:
    """Plays at one place from a point of the script on; ``publish`` is the one whose frames came last by then."""

    place: str
    stream: Stream
    came_after: int
    publish: int
    start: int | None = None
    headers: list[bytes] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)
    after: list[bytes] = field(default_factory=list)

    def begin(self, publish: int, now_ms: int) -> None:
        if self.start is None:
            seq = self.stream.queue.start_seq(CONFIG, waited_ms=0)
            if seq is not None:
                self.start, self.publish = seq, publish
                queue = self.stream.queue
                self.headers = [frame.payload for frame in queue.headers_at(seq)]
                self.before = [queue[at].payload for at in range(queue.publish_seq, seq)]
                self.after = self.bodies()

    def bodies(self) -> list[bytes]:
        assert self.start is not None
        queue = self.stream.queue
        return [queue[seq].payload for seq in range(self.start, queue.end)]


def faults_of(viewer: Viewer, told: dict[bytes, Told]) -> Iterator[str]:
    """What is wrong with what a viewer was given."""
    if viewer.start is None:
        return
    place, bodies = f"{viewer.place}, newcomer after step {viewer.came_after}", viewer.bodies()
    has: dict[tuple[tuple[int, str], str], bytes] = {}
    for body in viewer.headers:
        header = told[body]
        if header.codec == "metadata":
            if viewer.publish not in header.publishes:
                yield f"{place}: metadata of publishes {header.publishes} in {viewer.publish}"
            continue
        ahead = [told[each] for each in viewer.after if not told[each].is_header]
        near = [*ahead, *(told[each] for each in reversed(viewer.before))]
        codec = next((one.codec for one in near if track_of(one.codec) == track_of(header.codec)), header.codec)
        if kind_of(codec) != kind_of(header.codec):
            yield f"{place}: a header of {header.codec} where {codec} is sent"
        if viewer.publish not in header.publishes:
            yield f"{place}: a header of publishes {header.publishes} in {viewer.publish}"
    for body in (*viewer.headers, *bodies):
        message = told[body]
        if message.codec == "metadata":
            continue
        at = track_of(message.codec), kind_of(message.codec)
        if message.is_header:
            has[at] = body
        elif message.header is not None and has.get(at) != message.header:
            yield f"{place}: {message.codec} with {has.get(at)!r} in place of {message.header!r}"


def faults_of_jumps(viewer: Viewer, told: dict[bytes, Told]) -> Iterator[str]:
    """What a viewer lacks that falls behind at any frame and goes on where a newcomer begins now."""
    queue = viewer.stream.queue
    target = queue.start_seq(CONFIG)
    for seen in range(viewer.start or 0, target if viewer.start is not None and target is not None else 0):
        has: dict[tuple[tuple[int, str], str], bytes] = {}
        seen_before = [queue[seq].payload for seq in range(viewer.start or 0, seen)]
        missed = [frame.payload for frame in queue.headers_between(seen, target or 0)]
        after = [queue[seq].payload for seq in range(target or 0, queue.end)]
        for count, body in enumerate((*viewer.headers, *seen_before, *missed, *after)):
            message = told[body]
            at = track_of(message.codec), kind_of(message.codec)
            is_after = count >= len(viewer.headers) + len(seen_before) + len(missed)
            if message.is_header:
                has[at] = body
            elif is_after and message.header is not None and has.get(at) != message.header:
                yield f"{viewer.place}, jump from {seen} to {target}: {message.codec} with {has.get(at)!r}"


def watch(steps: list[str], *, move_at: int | None = None, cut: int | None = None) -> list[str]:
    """Run a script; return what was wrong with what viewers of all places and moments were given.

    After step ``move_at`` an edge plays from another server; its first answer is cut after ``cut`` messages.
    """
    tree = Tree()
    viewers: list[Viewer] = []
    seen = 0  # the publish whose sound or picture came last
    for count, step in enumerate(steps):
        tree.run(step)
        if step not in ("|", "M") and step[0] not in "+=":
            newest = tree.origin.queue.newest()
            if newest is not None and newest.kind == MEDIA and newest.epoch is tree.origin.epoch:
                seen = tree.script.publish
        if count == move_at:
            tree.moving.connect(tree.origin)
            if cut is not None:
                tree.moving.pump(cut)
                tree.moving.connect(tree.first.stream)
            tree.moving.pump()
        viewers += [Viewer(place, stream, count, seen) for place, stream in tree.places.items()]
        for viewer in viewers:
            if viewer.start is None:
                viewer.begin(seen, tree.now_ms)
    found = [fault for viewer in viewers for fault in faults_of(viewer, tree.script.told)]
    found += [fault for viewer in viewers for fault in faults_of_jumps(viewer, tree.script.told)]
    for place, stream in tree.places.items():
        frames = [frame.payload for frame in stream.queue.frames if frame.kind == MEDIA]
        wanted = [frame.payload for frame in tree.origin.queue.frames if frame.kind == MEDIA]
        if frames != wanted:
            found.append(f"{place}: frames are lost, doubled or out of order")
    kept = {place: [f.payload for f in s.queue.headers_at(s.queue.end)] for place, s in tree.places.items()}
    found += [f"{one} and {two} differ" for one, two in pairwise(kept) if sorted(kept[one]) != sorted(kept[two])]
    return found


AV = ["M", "+avc", "+aac", "avc", "aac", "-avc", "aac"]

TRANSITIONS = {
    "aac_to_g711": [*AV, "g711", "avc", "g711", "-avc", "g711"],
    "aac_to_g711_and_back": [*AV, "g711", "avc", "g711", "aac", "avc", "aac"],
    "aac_to_mp3_and_back_again_and_again": [*AV, *["mp3", "aac", "avc"] * 4],
    "h264_to_h263": [*AV, "h263", "aac", "-h263", "h263", "aac"],
    "h264_to_h263_and_back": [*AV, "h263", "aac", "-h263", "avc", "-avc", "aac"],
    "classic_to_fourcc": [*AV, "+hvc1", "hvc1", "aac", "-hvc1"],
    "classic_to_fourcc_without_header": [*AV, "hvc1", "aac", "-hvc1"],
    "fourcc_to_classic_and_back": [*AV, "+hvc1", "hvc1", "aac", "avc", "-avc", "hvc1", "-hvc1"],
    "same_codec_in_another_form": [*AV, "avc1", "-avc1", "aac", "avc", "+avc1", "avc1"],
    "aac_to_opus_and_back": [*AV, "+opus", "opus", "avc", "aac", "avc", "opus"],
    "camera_off": [*AV, *["aac"] * 6, "-avc", "avc"],
    "new_header_of_the_same_codec": [*AV, "+avc", "avc", "-avc", "+aac", "aac", "avc"],
    "tracks": ["+avc", "+hvc1@1", "+opus@1", "+aac", "avc", "hvc1@1", "opus@1", "+hvc1@1", "avc", "hvc1@1", "aac"],
    "a_track_changes_its_codec": [
        *["+avc", "+hvc1@1", "+hvc1@2", "avc", "hvc1@1", "hvc1@2", "+av01@1", "avc", "av01@1", "hvc1@2"],
        *["avc", "hvc1@1", "hvc1@2", "avc", "av01@1"],
    ],
    "publish_with_the_same_headers": [*AV, "|", "=avc", "=aac", "avc", "aac", "-avc", "aac"],
    "publish_with_other_headers": [*AV, "|", "M", "+avc", "+aac", "avc", "aac", "-avc"],
    "publish_of_sound_only": [*AV, "|", "+aac", "aac", "aac", "aac"],
    "publish_of_sound_only_with_the_same_header": [*AV, "|", "=aac", "aac", "aac", "aac"],
    "publish_of_pictures_only": [*AV, "|", "=avc", "avc", "-avc", "avc"],
    "publish_without_any_header": [*AV, "|", "avc", "aac", "-avc", "aac"],
    "publish_with_other_codecs": [*AV, "|", "+hvc1", "+opus", "hvc1", "opus", "-hvc1"],
    "publish_with_codecs_without_headers": [*AV, "|", "h263", "g711", "-h263", "g711"],
    "publish_that_sends_its_headers_late": [*AV, "|", "=aac", "aac", "aac", "=avc", "avc", "aac", "-avc"],
    "publish_that_sends_other_headers_late": [*AV, "|", "+aac", "aac", "M", "aac", "+avc", "avc", "aac"],
    "publish_that_begins_with_inter_pictures": [*AV, "|", "+avc", "-avc", "-avc", "+aac", "aac", "avc", "-avc"],
    "publish_after_a_codec_that_is_withheld": [*AV, "g711", "|", "=avc", "avc", "g711", "aac", "avc"],
    "publish_with_one_track_less": [
        *["+avc", "+hvc1@1", "+opus@1", "+aac", "avc", "hvc1@1", "opus@1", "aac"],
        *["|", "=avc", "=aac", "=opus@1", "avc", "aac", "opus@1", "avc", "aac"],
    ],
    "three_publishes": [*AV, "|", "+aac", "aac", "|", "+avc", "avc", "aac", "|", "=avc", "+aac", "avc", "aac"],
    "publish_that_sends_nothing_between_two": [*AV, "|", "+hvc1", "|", "=avc", "=aac", "avc", "aac"],
}


@pytest.mark.parametrize("name", TRANSITIONS)
def test_newcomers_of_any_moment_and_place_get_the_headers_of_the_present_publish(name: str) -> None:
    assert watch(TRANSITIONS[name]) == []


@pytest.mark.parametrize("name", TRANSITIONS)
def test_so_do_those_of_an_edge_that_moves_at_any_moment(name: str) -> None:
    steps = TRANSITIONS[name]
    found = {f"move {at}: {fault}" for at in range(len(steps)) for fault in watch(steps, move_at=at)}
    assert sorted(found) == []


_STEPS = st.lists(
    st.one_of(
        st.sampled_from(["|", "M", "avc", "aac", "+avc", "+aac", "=avc", "=aac"]),
        st.sampled_from([sign + codec for codec in CODECS for sign in ("", "", "-", "+", "=")]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=_STEPS, move_at=st.integers(0, 40), cut=st.one_of(st.none(), st.integers(0, 6)))
def test_any_order_of_publishes_codecs_and_headers(steps: list[str], move_at: int, cut: int | None) -> None:
    assert watch([*AV, *steps], move_at=move_at, cut=cut) == []
