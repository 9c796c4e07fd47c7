"""Who is seen, case by case; orders of publishes over several nodes are in ``tests/faults``."""

from __future__ import annotations

import pytest

from edge.hub.config import HubConfig
from edge.hub.feed import Feed, is_younger
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, DATA, MEDIA, VIDEO, Epoch
from edge.media.metadata import encode_metadata
from edge.rtmp import amf0
from tests.hub.test_events import Ears

KEY = StreamKey("_", "live", "s")
NOW_MS = 50_000


def publisher(name: str, *, began_ms: int = NOW_MS, sent_ms: int = 0) -> Publisher:
    made = Publisher(Stream(KEY, HubConfig(), 0), name, began_ms, is_hop=True)
    made.last_media_ms = made.last_frame_ms = sent_ms
    made.epoch_id = name
    return made


def feed_of(current: Publisher | None, *muted: Publisher) -> Feed:
    """``current`` has been seen and sending for a while."""
    feed = Feed()
    if current is not None:
        feed.see(current, current.last_media_ms - 1)
        feed.begin(Epoch(current.epoch_id, began_ms=current.began_ms))
    for each in muted:
        feed.join(each)
    return feed


@pytest.mark.parametrize(
    ("difference_ms", "arrives_later", "wins"),
    [
        *((5000, False, True), (1001, False, True), (1000, False, False), (1000, True, True)),
        *((-1000, True, True), (-1001, True, False), (0, True, True), (0, False, False)),
    ],
)
def test_younger_wins_and_at_the_same_moment_the_later_arrival(
    difference_ms: int, arrives_later: bool, wins: bool
) -> None:
    one, other = publisher("one", began_ms=NOW_MS + difference_ms), publisher("other")
    feed = Feed()
    for each in (other, one) if arrives_later else (one, other):
        feed.arrive(each)
    assert is_younger(one, other) is wins


def test_older_publish_is_not_seen_while_the_younger_one_is_there_however_silent() -> None:
    young, old = publisher("young", sent_ms=NOW_MS), publisher("old", began_ms=10_000)
    feed = feed_of(young, old)
    assert not feed.yields_to(old, NOW_MS)
    assert not feed.yields_to(old, NOW_MS + 60_000)


def test_publish_that_has_not_begun_to_send_lets_the_older_one_be_seen_after_a_moment() -> None:
    old, young = publisher("old", began_ms=10_000, sent_ms=NOW_MS), publisher("young", began_ms=NOW_MS)
    feed = feed_of(old)
    feed.see(young, NOW_MS)
    assert not feed.yields_to(old, NOW_MS + 1400)
    assert feed.yields_to(old, NOW_MS + 1500)
    feed.see(old, NOW_MS + 1500)
    assert feed.yields_to(young, NOW_MS + 1600), "its first message"


def test_publish_that_is_lost_on_its_way_lets_the_older_one_be_seen_after_a_moment() -> None:
    young, old = publisher("young", sent_ms=NOW_MS), publisher("old", began_ms=10_000)
    feed = feed_of(young, old)
    young.is_lost, young.lost_ms = True, NOW_MS
    assert not feed.yields_to(old, NOW_MS + 1900)
    assert feed.yields_to(old, NOW_MS + 2000)


def test_empty_place_goes_to_the_youngest_that_sends() -> None:
    old = publisher("old", began_ms=10_000, sent_ms=NOW_MS)
    sending = publisher("sending", began_ms=20_000, sent_ms=NOW_MS - 900)
    silent = publisher("silent", began_ms=30_000, sent_ms=NOW_MS - 1100)
    feed = feed_of(None, old, sending, silent)
    assert not feed.yields_to(old, NOW_MS)
    assert feed.yields_to(sending, NOW_MS)
    assert feed.yields_to(old, NOW_MS + 200), "the younger ones have fallen silent"


def test_place_of_a_node_whose_connection_broke_is_kept_for_a_moment() -> None:
    lost, old = publisher("lost", began_ms=20_000, sent_ms=NOW_MS), publisher("old", began_ms=10_000)
    feed = feed_of(lost, old)
    feed.leave(lost, NOW_MS, is_held=True)
    back, new = publisher("lost", began_ms=20_000), publisher("new", began_ms=NOW_MS)
    feed.join(back)
    feed.join(new)
    assert [feed.yields_to(each, NOW_MS + 100) for each in (old, back, new)] == [False, True, True]
    assert feed.yields_to(old, NOW_MS + 2000)


def test_publishers_replace_each_other_no_faster_than_the_interval() -> None:
    old, young = publisher("old", began_ms=10_000, sent_ms=NOW_MS), publisher("young")
    feed = feed_of(old, young)
    feed.replaced_ms = NOW_MS - 600
    assert not feed.yields_to(young, NOW_MS)
    assert feed.yields_to(young, NOW_MS + 400)


def test_nobody_is_seen_once_the_stream_is_over() -> None:
    old, young = publisher("old", began_ms=10_000, sent_ms=NOW_MS), publisher("young")
    feed = feed_of(old, young)
    feed.end()
    assert (feed.current, feed.muted, old.is_active) == (None, [], False)
    assert not feed.yields_to(young, NOW_MS)


# --- encoders at one node -----------------------------------------------------


class Encoder:
    """Publishes at a node of its own kind of picture and sound."""

    def __init__(self, hub: Registry, name: str, now_ms: int) -> None:
        self.name = name
        self.publisher = hub.claim_publisher(KEY, name, now_ms).publisher

    def headers(self, now_ms: int) -> None:
        self.publisher.push(DATA, 0, encode_metadata({"encoder": self.name}), now_ms)
        self.publisher.push(VIDEO, 0, b"\x17\0\0\0\0" + self.name.encode(), now_ms)
        self.publisher.push(AUDIO, 0, b"\xaf\0" + self.name.encode(), now_ms)

    def picture(self, now_ms: int) -> None:
        self.publisher.push(VIDEO, now_ms, b"\x17\x01\0\0\0" + self.name.encode(), now_ms)
        self.publisher.push(AUDIO, now_ms, b"\xaf\x01" + self.name.encode(), now_ms)
        self.publisher.commit()


def new_hub(seen: list[tuple[str, str]]) -> Registry:
    numbers = iter(range(100))
    hub = Registry(HubConfig(), new_id=lambda: f"e{next(numbers)}", wall_ms=lambda: 0)

    def on_seen(stream: Stream, old: Publisher | None, new: Publisher) -> None:
        seen.append((old.peer if old is not None else "", new.peer))

    hub.observers.append(Ears(on_seen=on_seen))
    return hub


def test_slate_that_a_show_replaced_is_back_when_the_show_ends_with_its_own_headers_and_numbers() -> None:
    seen: list[tuple[str, str]] = []
    hub = new_hub(seen)
    slate = Encoder(hub, "slate", 1000)
    slate.headers(1000)
    slate.picture(1040)
    show = Encoder(hub, "show", 5000)
    show.headers(5000)
    for now_ms in (5040, 5080):
        slate.picture(now_ms)
        show.picture(now_ms)
    stream = slate.publisher.stream
    hub.release_publisher(show.publisher, 6000, "over")
    assert not stream.is_ended
    slate.picture(6020)
    assert seen == [("", "slate")]
    frames = stream.queue.frames
    pictures = [frame for frame in frames if frame.kind == MEDIA and frame.type_id == VIDEO]
    sent = [(frame.payload[5:].decode(), frame.index) for frame in pictures]
    assert sent == [("slate", 0), ("show", 0), ("show", 2), ("slate", 2)]
    headers = stream.queue.headers_at(stream.queue.end)
    assert all(b"slate" in header.payload and b"show" not in header.payload for header in headers)
    assert len(headers) == 3
    assert stream.metadata == {"encoder": "slate"}


def test_headers_that_a_muted_encoder_changes_are_in_force_when_it_is_back() -> None:
    hub = new_hub([])
    slate = Encoder(hub, "slate", 1000)
    slate.headers(1000)
    slate.picture(1040)
    show = Encoder(hub, "show", 5000)
    show.headers(5000)
    show.picture(5040)
    slate.name = "slate 2"
    slate.headers(5100)
    hub.release_publisher(show.publisher, 6000, "over")
    slate.picture(6020)
    stream = slate.publisher.stream
    assert all(b"slate 2" in header.payload for header in stream.queue.headers_at(stream.queue.end))
    assert stream.metadata == {"encoder": "slate 2"}


def test_muted_encoder_counts_as_alive_and_its_leaving_changes_nothing() -> None:
    hub = new_hub([])
    slate, show = Encoder(hub, "slate", 1000), Encoder(hub, "show", 5000)
    slate.picture(5500)
    assert (slate.publisher.last_media_ms, slate.publisher.is_active) == (5500, False)
    hub.release_publisher(slate.publisher, 6000, "over")
    stream = show.publisher.stream
    assert (stream.feed.muted, show.publisher.is_active, stream.is_ended) == ([], True, False)
    hub.release_publisher(show.publisher, 6100, "over")
    assert stream.is_ended


def test_stream_waits_for_muted_encoders_that_are_silent_and_ends_with_the_last() -> None:
    hub = new_hub([])
    slate, show = Encoder(hub, "slate", 1000), Encoder(hub, "show", 5000)
    hub.release_publisher(show.publisher, 6000, "over")
    hub.tick(20_000)
    stream = slate.publisher.stream
    assert (stream.publisher, stream.is_ended) == (None, False)
    hub.release_publisher(slate.publisher, 21_000, "timeout")
    assert stream.is_ended and not hub.streams


@pytest.mark.parametrize("sent_while_muted", [True, False])
def test_slide_of_a_muted_slate_is_seen_with_its_first_sound(sent_while_muted: bool) -> None:
    """It sends the next one in ten seconds; meanwhile the last picture of the show would stay."""
    hub = new_hub([])
    slate = Encoder(hub, "slate", 1000)
    slate.headers(1000)
    slate.picture(1040)
    show = Encoder(hub, "show", 5000)
    show.headers(5000)
    show.picture(5040)
    if sent_while_muted:
        slate.name = "slide"
        slate.picture(5100)
    hub.release_publisher(show.publisher, 6000, "over")
    stream = slate.publisher.stream
    begin = stream.queue.end
    for now_ms in (6020, 6040):
        slate.publisher.push(AUDIO, now_ms, b"\xaf\x01x", now_ms)
    back = [frame for frame in stream.queue.frames if frame.kind == MEDIA][-3:]
    assert [(frame.type_id, frame.index) for frame in back] == [(VIDEO, 2), (AUDIO, 3), (AUDIO, 4)]
    assert back[0].payload.endswith(slate.name.encode())
    assert back[0].is_keyframe and back[0].dts_ms == back[1].dts_ms
    start = stream.queue.start_seq(HubConfig())
    assert start is not None and start >= begin


def test_picture_of_a_muted_slate_that_went_on_is_not_seen_without_what_followed() -> None:
    hub = new_hub([])
    slate = Encoder(hub, "slate", 1000)
    slate.picture(1040)
    show = Encoder(hub, "show", 5000)
    show.picture(5040)
    slate.publisher.push(VIDEO, 5100, b"\x27\x01\0\0\0inter", 5100)
    hub.release_publisher(show.publisher, 6000, "over")
    slate.publisher.push(AUDIO, 6020, b"\xaf\x01x", 6020)
    assert slate.publisher.stream.queue.newest().type_id == AUDIO
    assert [f.payload[5:] for f in slate.publisher.stream.queue.frames if f.type_id == VIDEO] == [b"slate", b"show"]


def test_encoder_that_sends_only_headers_and_metadata_keeps_nobody_off_the_air() -> None:
    """They were taken for media: the older one was never seen again, however long the younger sent no frame."""
    seen: list[tuple[str, str]] = []
    hub = new_hub(seen)
    slate = Encoder(hub, "slate", 1000)
    slate.headers(1000)
    slate.picture(1040)
    show = Encoder(hub, "show", 5000)
    for now_ms in range(5000, 9000, 100):
        show.headers(now_ms)
        slate.picture(now_ms + 50)
    assert seen == [("show", "slate")], "no turn and turn about"
    assert slate.publisher.is_active
    stream = slate.publisher.stream
    assert all(b"slate" in header.payload for header in stream.queue.headers_at(stream.queue.end))
    show.picture(9000)
    assert seen[1:] == [("slate", "show")]
    assert all(b"show" in header.payload for header in stream.queue.headers_at(stream.queue.end))
    assert stream.metadata == {"encoder": "show"}


def test_encoder_of_metadata_alone_does_not_outrank_an_older_muted_one_that_sends() -> None:
    hub = new_hub([])
    slate, caption, show = (Encoder(hub, name, at) for name, at in (("slate", 1000), ("caption", 3000), ("show", 5000)))
    show.picture(5040)
    hub.release_publisher(show.publisher, 6000, "over")
    for now_ms in range(6000, 7000, 100):
        caption.headers(now_ms)
        slate.picture(now_ms + 50)
    assert slate.publisher.is_active


def test_encoder_of_cue_points_alone_is_one_that_sends() -> None:
    hub = new_hub([])
    slate = Encoder(hub, "slate", 1000)
    slate.picture(1040)
    clock = Encoder(hub, "clock", 5000)
    for now_ms in range(5000, 9000, 100):
        clock.publisher.push(DATA, now_ms, amf0.encode_all("onCuePoint", 1.0), now_ms)
        slate.picture(now_ms + 50)
    assert clock.publisher.is_active
