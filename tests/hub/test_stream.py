"""One live stream: headers, takeovers, metadata, and what its readers are told."""

from __future__ import annotations

from collections.abc import Sequence

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.reader import QuietReader
from edge.hub.stream import MAX_HEADER_BYTES, MAX_HEADERS, Stream
from edge.hub.wire_form import WireForm
from edge.media.frame import ALL_TRACKS, AUDIO, DATA, MEDIA, METADATA, VIDEO, Epoch, Frame
from edge.media.mark import Mark
from edge.media.metadata import decode_metadata, encode_metadata
from edge.rtmp import amf0

AVC, AVC2, AAC = b"\x17\x00\0\0\0one", b"\x17\x00\0\0\0two", b"\xaf\x00aac"
KEYFRAME, INTER, SOUND = b"\x17\x01\0\0\0k", b"\x27\x01\0\0\0i", b"\xaf\x01s"


class Feed:
    """A stream and its present publisher."""

    def __init__(self, vhost: str = "_", **config) -> None:
        self.stream = Stream(StreamKey(vhost, "live", "s"), HubConfig(**config), 0)
        self.now_ms = 0
        self.take_over("e1")

    def take_over(self, epoch: str) -> None:
        self.publisher = Publisher(self.stream, epoch, self.now_ms)
        self.stream.begin_publish(self.publisher, Epoch(epoch), self.now_ms)

    def push(self, *bodies: bytes, at_ms: int = 0) -> None:
        for body in bodies:
            type_id = VIDEO if body[0] in (0x17, 0x27) else AUDIO if body[0] == 0xAF else DATA
            self.publisher.push(type_id, at_ms, body, self.now_ms)
        self.publisher.commit()

    @property
    def bodies(self) -> list[bytes]:
        return [frame.payload for frame in self.stream.queue.frames]

    @property
    def headers(self) -> list[bytes]:
        """What a newcomer gets before the next frame."""
        return [frame.payload for frame in self.stream.queue.headers_at(self.stream.queue.end)]


class Watch(QuietReader):
    """A reader that writes down what it is told."""

    def __init__(self, stream: Stream) -> None:
        self.told: list[str] = []
        stream.readers.append(self)

    def on_frames(self) -> None:
        self.told.append("frames")

    def on_evict(self, base: int) -> None:
        self.told.append(f"evict {base}")

    def on_end(self, reason: str) -> None:
        self.told.append(f"end {reason}")

    def on_unpublished(self, reason: str) -> None:
        self.told.append(f"unpublished {reason}")


def test_headers_travel_with_the_next_media_frame_in_their_order() -> None:
    feed = Feed()
    feed.push(AAC, AVC, encode_metadata({"width": 16.0}))
    assert feed.bodies == []
    feed.push(SOUND, at_ms=500)
    assert [frame.kind for frame in feed.stream.queue.frames] == [METADATA, 2, 3, MEDIA]
    assert {frame.dts_ms for frame in feed.stream.queue.frames} == {0}
    assert [frame.index for frame in feed.stream.queue.frames if frame.kind == MEDIA] == [0]


def test_V11_identical_header_is_not_sent_again() -> None:
    feed = Feed()
    for n in range(5):
        feed.push(AVC, KEYFRAME, at_ms=n * 40)
    assert feed.bodies == [AVC, *[KEYFRAME] * 5]


def test_V2_changed_header_stands_before_the_first_frame_that_needs_it() -> None:
    feed = Feed()
    feed.push(AVC, KEYFRAME, AVC2, KEYFRAME)
    assert feed.bodies == [AVC, KEYFRAME, AVC2, KEYFRAME]
    assert feed.headers == [AVC2]


def test_V12_metadata_is_passed_on_ten_times_a_second_and_the_last_one_stays() -> None:
    feed = Feed()
    feed.stream.retention.claim()
    for n in range(1000):
        feed.now_ms = n
        feed.push(encode_metadata({"n": float(n)}), SOUND, at_ms=n)
    assert feed.bodies.count(SOUND) == 1000
    assert len(feed.bodies) == 1010
    assert feed.stream.metadata == {"n": 999.0}


def test_metadata_loses_what_is_true_of_a_file_only() -> None:
    fields = {"duration": 9.0, "width": 16.0}
    feed, kept = Feed(), Feed("films.example", keep_duration_domains=frozenset({"films.example"}))
    for one in (feed, kept):
        one.push(encode_metadata(fields), SOUND)
    assert decode_metadata(feed.bodies[0]) == {"width": 16.0}
    assert decode_metadata(kept.bodies[0]) == fields


def test_other_data_is_relayed_in_its_place() -> None:
    feed = Feed()
    cue = amf0.encode_all("onCuePoint", {"a": 1.0})
    feed.push(SOUND, cue, SOUND)
    assert feed.bodies == [SOUND, cue, SOUND]
    assert [frame.index for frame in feed.stream.queue.frames] == [0, 1, 2]


def test_malformed_data_and_marks_of_a_publisher_are_dropped() -> None:
    feed = Feed()
    feed.push(b"\x02\x00", Mark("evil", 5, 0, 0).encode(), SOUND)
    assert feed.bodies == [SOUND]


def test_M8_takeover_shows_new_headers_then_a_keyframe_on_a_continuous_clock() -> None:
    feed = Feed()
    feed.push(AVC, AAC, KEYFRAME, at_ms=9000)
    feed.push(INTER, at_ms=9040)
    feed.take_over("e2")
    feed.push(AVC2, AAC, at_ms=0)
    feed.push(INTER, SOUND, at_ms=0)
    feed.push(KEYFRAME, at_ms=40)
    feed.push(INTER, at_ms=80)
    assert feed.bodies == [AVC, AAC, KEYFRAME, INTER, AVC2, SOUND, KEYFRAME, INTER]
    assert [frame.dts_ms for frame in feed.stream.queue.frames][4:] == [80, 80, 120, 160]
    assert feed.stream.stats.dropped_count == 1
    assert [frame.index for frame in feed.stream.queue.frames if frame.epoch and frame.epoch.id == "e2"] == [0, 0, 1, 2]


def test_takeover_by_a_publisher_without_keyframes_is_not_held_back_for_ever() -> None:
    feed = Feed(keyframe_wait_ms=5000)
    feed.push(AVC, KEYFRAME)
    feed.take_over("e2")
    feed.push(INTER, at_ms=0)
    feed.now_ms = 5000
    feed.push(INTER, at_ms=5000)
    assert feed.bodies == [AVC, KEYFRAME, INTER]


def further(first: bytes, track: int) -> bytes:
    """The same picture of another track."""
    return bytes((0x96 if first == KEYFRAME else 0xA6, 1)) + b"avc1" + bytes((track,)) + b"x"


def test_takeover_holds_each_track_back_until_its_own_keyframe() -> None:
    feed = Feed()

    def push(body: bytes, at_ms: int) -> None:
        feed.publisher.push(VIDEO, at_ms, body, feed.now_ms)
        feed.publisher.commit()

    for body in (KEYFRAME, further(KEYFRAME, 1), INTER, further(INTER, 1)):
        push(body, 0)
    feed.take_over("e2")
    before = feed.stream.queue.end
    for at_ms in (0, 40):
        for body in (further(INTER, 1), KEYFRAME, INTER, further(INTER, 1)):
            push(body, at_ms)
    push(further(KEYFRAME, 1), 80)
    push(further(INTER, 1), 120)
    new = [frame.payload for frame in feed.stream.queue.frames[before:]]
    assert new == [KEYFRAME, INTER, KEYFRAME, INTER, further(KEYFRAME, 1), further(INTER, 1)]
    assert feed.stream.stats.dropped_count == 4


def test_cue_keeps_its_own_time() -> None:
    feed = Feed()
    feed.push(KEYFRAME, at_ms=5000)
    feed.push(amf0.encode_all("onCuePoint", {"a": 1.0}), at_ms=5600)
    feed.push(KEYFRAME, at_ms=6000)
    feed.push(amf0.encode_all("onCuePoint", {"a": 2.0}), at_ms=0)
    assert [frame.dts_ms for frame in feed.stream.queue.frames] == [0, 600, 1000, 1000]


def test_header_of_the_publisher_before_does_not_reach_new_players() -> None:
    feed = Feed()
    feed.push(AVC, AAC, KEYFRAME, SOUND)
    feed.take_over("e2")
    feed.push(b"\x2fmp3", at_ms=0)
    feed.push(b"\x12h263", at_ms=0)
    feed.publisher.push(AUDIO, 0, b"\x2fmp3", 0)
    feed.publisher.push(VIDEO, 40, b"\x12h263", 0)
    feed.publisher.commit()
    assert feed.headers == []


def test_U2_takeover_with_the_same_headers_keeps_them() -> None:
    feed = Feed()
    feed.push(AVC, AAC, KEYFRAME, SOUND)
    feed.take_over("e2")
    feed.push(AVC, AAC, KEYFRAME, SOUND)
    assert feed.bodies.count(AVC) == feed.bodies.count(AAC) == 1
    assert feed.headers == [AVC, AAC]


def test_hop_frame_of_data_leaves_the_sound_header_alone() -> None:
    feed = Feed()
    feed.push(AAC, SOUND)
    feed.take_over("e2")
    cue = Frame(DATA, 40, amf0.encode_all("onCuePoint", {"a": 1.0}))
    feed.stream.push_hop(cue, 0)
    assert feed.headers == [AAC]


def test_readers_hear_of_frames_evictions_and_the_end_once() -> None:
    feed = Feed(max_cached_frames=20)
    watch = Watch(feed.stream)
    for n in range(60):
        feed.push(KEYFRAME, at_ms=n * 40)
    assert watch.told.count("frames") == 60
    assert any(text.startswith("evict") for text in watch.told)
    feed.stream.announce_unpublished("left")
    feed.stream.end("over")
    feed.stream.end("again")
    assert watch.told[-2:] == ["unpublished left", "end over"]
    assert feed.stream.publisher is None


def test_reader_may_leave_while_it_is_told() -> None:
    feed = Feed()
    watches = [Watch(feed.stream) for _ in range(3)]
    leaving = watches[0]
    leaving.on_frames = lambda: feed.stream.readers.remove(leaving)  # type: ignore[method-assign]
    feed.push(SOUND)
    assert [watch.told for watch in watches[1:]] == [["frames"], ["frames"]]


def test_log_is_shared_and_follows_the_queue() -> None:
    class Form:
        tracks = ALL_TRACKS

        def new_encoder(self, headers: Sequence[Frame]) -> Form:
            return self

        def accepts(self, frame: Frame) -> bool:
            return True

        def encode(self, frame: Frame, delta_ms: int) -> tuple[bytes, ...]:
            return (frame.payload,)

    feed, form = Feed(max_cached_frames=20), Form()
    wire: WireForm = form
    log = feed.stream.open_log(wire)
    assert feed.stream.open_log(wire) is log
    for n in range(60):
        feed.push(KEYFRAME, at_ms=n * 40)
    assert log.end == 60 * len(KEYFRAME)
    assert log.start == feed.stream.queue.base * len(KEYFRAME)
    feed.stream.close_log(wire)
    feed.stream.close_log(wire)
    assert feed.stream.logs == {}


def test_V1_frames_without_any_header_are_relayed() -> None:
    feed = Feed()
    feed.push(KEYFRAME, INTER, SOUND)
    assert feed.bodies == [KEYFRAME, INTER, SOUND]


def test_headers_for_countless_tracks_are_bounded() -> None:
    feed = Feed()
    feed.push(AVC, KEYFRAME)
    for track in range(1, 256):
        feed.publisher.push(AUDIO, 0, b"\x95\x00Opus" + bytes([track]) + b"header", 0)
        if track % 50 == 0:
            feed.push(INTER, at_ms=track)
    feed.push(SOUND, at_ms=2000)
    assert len(feed.headers) == MAX_HEADERS
    assert feed.stream.stats.dropped_count == 256 - MAX_HEADERS
    feed.push(AVC2, INTER, at_ms=2040)
    assert feed.bodies[-2:] == [AVC2, INTER]
    feed.take_over("e2")
    for track in range(100, 100 + MAX_HEADERS):
        feed.publisher.push(AUDIO, 0, b"\x95\x00Opus" + bytes([track]) + b"header", 0)
    feed.push(SOUND, at_ms=0)
    assert len(feed.headers) == MAX_HEADERS, "the tracks of the publish before take no room"
    assert all(body[6] >= 100 for body in feed.headers)


def test_headers_of_countless_codecs_are_bounded_and_the_newest_one_counts() -> None:
    feed = Feed()
    for n in range(1000):
        codec = n.to_bytes(4, "big")
        feed.publisher.push(VIDEO, n, b"\x90" + codec + b"header", 0)
        feed.publisher.push(VIDEO, n, b"\x91" + codec + b"frame", 0)
    assert feed.headers == [b"\x90" + (999).to_bytes(4, "big") + b"header"]
    assert feed.stream.stats.dropped_count == 0
    assert len(feed.stream.queue.headers._known) <= MAX_HEADERS


def test_metadata_of_the_publish_before_does_not_reach_new_players() -> None:
    feed = Feed()
    first, second = encode_metadata({"n": 1.0}), encode_metadata({"n": 2.0})
    feed.push(first, SOUND)
    feed.take_over("e2")
    feed.push(SOUND, at_ms=40)
    assert (feed.headers, feed.stream.metadata) == ([], {})
    feed.take_over("e3")
    feed.push(second, SOUND, at_ms=40)
    assert (feed.headers, feed.stream.metadata) == ([second], {"n": 2.0})


def test_codec_for_people_is_that_of_what_is_sent() -> None:
    feed = Feed()
    feed.push(AVC, AAC, KEYFRAME, SOUND)
    assert (feed.stream.codec_of(VIDEO), feed.stream.codec_of(AUDIO)) == ("H264", "AAC")
    feed.publisher.push(AUDIO, 40, b"\x82g711", 0)
    assert feed.stream.codec_of(AUDIO) == "G711U"
    feed.take_over("e2")
    feed.push(SOUND, at_ms=0)
    assert (feed.stream.codec_of(VIDEO), feed.stream.codec_of(AUDIO)) == ("", "AAC")


def test_huge_header_is_dropped() -> None:
    feed = Feed()
    feed.push(AVC + bytes(MAX_HEADER_BYTES), KEYFRAME)
    assert feed.bodies == [KEYFRAME]
    assert feed.stream.stats.dropped_count == 1


def test_headers_that_came_before_the_takeover_go_with_its_first_frame() -> None:
    feed = Feed()
    feed.push(AVC, AAC, KEYFRAME, SOUND)
    feed.push(AVC2, AAC)
    feed.stream.begin_publish(feed.publisher, Epoch("e2"), 0, are_headers_there=True)
    feed.push(KEYFRAME, SOUND)
    assert feed.bodies == [AVC, AAC, KEYFRAME, SOUND, AVC2, KEYFRAME, SOUND]
    assert feed.headers == [AVC2, AAC]


def test_headers_of_an_attempt_that_brought_no_frame_are_forgotten() -> None:
    feed = Feed()
    feed.push(AVC, KEYFRAME)
    feed.push(AVC2)
    feed.stream.drop_pending_headers()
    feed.push(KEYFRAME)
    assert feed.bodies == [AVC, KEYFRAME, KEYFRAME]
