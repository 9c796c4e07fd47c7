"""Streams between nodes of ours: nothing lost, nothing doubled, over cuts, gaps and new publishes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.frame_queue import FrameQueue
from edge.hub.hop import HopReceiver, find_resume
from edge.hub.publisher import Publisher
from edge.media.frame import AUDIO, DATA, MEDIA, VIDEO, VIDEO_HEADER, Epoch, Frame
from edge.media.mark import MARK, Mark
from edge.media.metadata import encode_metadata
from edge.rtmp import amf0
from tests.hub.receiving import NOW_MS, Receiver


def test_frames_get_the_origins_numbers_and_clock() -> None:
    node = Receiver()
    node.mark("e1", 100, 4000)
    for n in range(100, 105):
        node.media(n)
    assert node.indices == [100, 101, 102, 103, 104]
    assert [frame.dts_ms for frame in node.stream.queue.frames] == [0, 40, 80, 120, 160]
    epoch = node.stream.epoch
    assert epoch is not None
    assert (epoch.id, epoch.next_index, epoch.shift_ms) == ("e1", 105, -4000)


def test_nothing_is_taken_before_the_first_mark() -> None:
    node = Receiver()
    node.media(5)
    assert node.bodies == []


def test_repeat_after_a_reconnect_is_dropped_and_counted() -> None:
    node = Receiver()
    node.mark("e1", 0)
    for n in range(10):
        node.media(n)
    node.reconnect()
    node.mark("e1", 5, 200)
    for n in range(5, 15):
        node.media(n)
    assert node.numbers == list(range(15))
    assert node.stream.stats.duplicate_count == 5
    assert node.stream.stats.gap_count == 0


def test_U1_exact_resume_loses_and_doubles_nothing() -> None:
    node = Receiver()
    node.mark("e1", 0)
    for n in range(10):
        node.media(n, is_keyframe=n == 0)
    node.reconnect()
    node.mark("e1", 10, 400)
    for n in range(10, 20):
        node.media(n, is_keyframe=False)
    assert node.numbers == list(range(20))
    assert [f.dts_ms for f in node.stream.queue.frames] == [n * 40 for n in range(20)]


def test_gap_is_counted_and_video_goes_on_with_a_keyframe() -> None:
    node = Receiver()
    node.mark("e1", 0)
    node.media(0)
    node.mark("e1", 10, 400)
    node.media(10, is_keyframe=False)
    node.hop.push(AUDIO, 400, b"\xaf\x01" + b"11", 0)
    node.media(12)
    assert node.numbers == [0, 11, 12]
    assert node.indices == [0, 11, 12]
    assert node.stream.stats.gap_count == 1


def test_U2_new_epoch_goes_on_behind_the_last_frame() -> None:
    node = Receiver()
    node.mark("e1", 0, 50_000)
    for n in range(5):
        node.media(n, at_ms=50_000 + n * 40)
    node.reconnect()
    node.mark("e2", 0, 0)
    node.media(0, is_keyframe=False, at_ms=0)
    for n in range(1, 4):
        node.media(n, at_ms=n * 40)
    assert node.numbers == [0, 1, 2, 3, 4, 1, 2, 3]
    dts = [frame.dts_ms for frame in node.stream.queue.frames]
    assert dts == sorted(dts)
    assert dts[5] == 160 + 40 + 40
    epochs = [frame.epoch.id for frame in node.stream.queue.frames if frame.epoch is not None]
    assert epochs == ["e1"] * 5 + ["e2"] * 3


def test_frames_of_an_earlier_publisher_are_not_played_again() -> None:
    """A server that lost it still holds them, and a node that looks for the stream everywhere is given them."""
    node = Receiver()
    node.mark("e1", 0)
    for n in range(5):
        node.media(n)
    node.mark("e2", 0)
    for n in range(5):
        node.media(100 + n)
    node.reconnect()
    node.mark("e1", 2, 80)
    for n in range(2, 5):
        node.media(n)
    epoch = node.stream.epoch
    assert epoch is not None
    assert (epoch.id, node.stream.stats.duplicate_count) == ("e2", 3)
    assert node.numbers == [0, 1, 2, 3, 4, 100, 101, 102, 103, 104]


def test_publisher_that_was_replaced_and_is_back_goes_on_behind_what_it_sent() -> None:
    node = Receiver()
    node.mark("e1", 0)
    for n in range(5):
        node.media(n)
    node.mark("e2", 0)
    node.media(100, at_ms=0)
    node.reconnect()
    node.mark("e1", 3, 120)
    for n in range(3, 7):
        node.media(n)
    assert node.numbers == [0, 1, 2, 3, 4, 100, 5, 6]
    assert node.indices == [0, 1, 2, 3, 4, 0, 5, 6]
    dts = [frame.dts_ms for frame in node.stream.queue.frames]
    assert dts == sorted(dts)


def test_few_earlier_publishers_are_remembered() -> None:
    node = Receiver()
    for n in range(50):
        node.mark(f"e{n}", 0)
        node.media(n)
    assert list(node.stream.feed.past_epochs) == [f"e{n}" for n in range(41, 49)]


def test_sender_that_lost_its_publisher_does_not_bring_back_an_older_one() -> None:
    """A node that never saw the older one, and looks for the stream at a server that still holds it."""
    node = Receiver()
    node.mark("e2", 0, began_ms=20_000)
    for n in range(5):
        node.media(n)
    node.reconnect()
    node.hop.is_lost = True
    node.mark("e1", 40, began_ms=10_000)
    for n in range(40, 43):
        node.media(n)
    assert node.numbers == list(range(5))
    node.hop.is_lost = False
    node.media(43)
    assert node.numbers == [*range(5), 43], "it is back"
    assert node.indices == [*range(5), 43]


def test_sender_says_that_it_has_lost_its_publisher_until_it_has_news() -> None:
    node = Receiver()
    node.mark("e1", 0)
    for n in range(3):
        node.media(n)
    node.mark("e1", 3, 80, is_lost=True)
    assert (node.losses, node.publisher.is_lost, node.stream.has_lost_publisher) == ([node.stream], True, True)
    node.mark("e1", 1, 40)
    node.media(1)
    assert node.stream.has_lost_publisher, "a repeat is no news"
    node.media(2)
    node.media(3)
    assert not node.stream.has_lost_publisher
    assert (node.numbers, node.losses) == ([0, 1, 2, 3], [node.stream])


def test_loss_at_a_node_that_does_not_feed_the_stream_concerns_nobody() -> None:
    node = Receiver()
    node.mark("e1", 0)
    node.media(0)
    node.stream.feed.see(Publisher(node.stream, "another", 0, is_hop=True), 0)
    node.mark("e1", 1, 40, is_lost=True)
    assert (node.losses, node.stream.has_lost_publisher) == ([], False)


def test_sender_that_lost_its_publisher_may_hold_a_newer_one() -> None:
    node = Receiver()
    node.mark("e2", 0, began_ms=20_000)
    node.media(0)
    node.reconnect()
    node.hop.is_lost = True
    node.mark("e3", 0, began_ms=30_000)
    node.media(7)
    assert node.numbers == [0, 7]


@pytest.mark.parametrize(("wanted", "numbers"), [("", [7]), ("e1", [7]), ("e2", [])])
def test_node_without_frames_takes_from_a_loss_only_what_those_behind_it_play(wanted: str, numbers: list[int]) -> None:
    node = Receiver()
    node.hop = HopReceiver(node.publisher, wanted_epoch=wanted)
    node.hop.is_lost = True
    node.mark("e1", 0)
    node.media(7)
    assert node.numbers == numbers


class Rival:
    """Another node that pushes the stream of a receiver; claiming makes it the publisher, as on a server."""

    def __init__(self, node: Receiver, *, is_hop: bool = True) -> None:
        self.node = node
        self.publisher = Publisher(node.stream, "5.6.7.8:9", node.now_ms, is_hop=is_hop)
        node.stream.see(self.publisher, node.now_ms)
        self.hop = HopReceiver(self.publisher)

    def mark(self, epoch: str, index: int, *, began_ms: int = 0) -> None:
        mark = Mark(epoch, index, index * 40, 0, self.node.now_ms - began_ms)
        self.hop.push(DATA, 0, mark.encode(), self.node.now_ms)

    def media(self, number: int) -> None:
        self.hop.push(VIDEO, number * 40, b"\x17\x01" + b"%d" % number, self.node.now_ms)


def test_node_that_is_back_with_old_frames_does_not_stop_the_one_that_has_new_ones() -> None:
    """A shield that was cut off pushes again what it had; the one that stood in for it goes on."""
    node = Receiver()
    node.mark("e1", 0)
    for n in range(10):
        node.media(n)
    back = Rival(node)
    back.mark("e1", 5)
    for n in range(5, 8):
        back.media(n)
    for n in range(10, 15):
        node.media(n)
    assert node.numbers == node.indices == list(range(15))
    assert node.publisher.is_active and node.stream.stats.gap_count == 0


def test_frames_of_two_nodes_that_push_one_epoch_are_taken_once_each_from_whoever_is_first() -> None:
    node = Receiver()
    node.mark("e1", 0)
    for n in range(5):
        node.media(n)
    other = Rival(node)
    other.mark("e1", 5)
    for n in range(5, 60):
        first, second = (other, node) if n // 10 % 2 else (node, other)
        first.media(n)
        second.media(n)
    assert node.numbers == node.indices == list(range(60))
    assert [frame.dts_ms for frame in node.stream.queue.frames] == [n * 40 for n in range(60)]


def test_header_before_the_frame_with_which_a_node_takes_the_stream_back_is_kept() -> None:
    node = Receiver()
    node.mark("e1", 0)
    node.media(0)
    Rival(node).mark("e1", 1)
    header = b"\x17\x00new"
    node.hop.push(VIDEO, 0, header, 0)
    node.media(1)
    assert node.bodies == [b"\x17\x010", header, b"\x17\x011"]


def test_waiting_stream_goes_on_with_the_next_frame_of_another_node_of_its_epoch() -> None:
    node = Receiver()
    node.mark("e1", 0)
    node.media(0)
    node.stream.feed.leave(node.stream.publisher)
    node.stream.feed.grace_until_ms = 5000
    node.media(1)
    assert (node.numbers, node.stream.feed.grace_until_ms, node.publisher.is_active) == ([0, 1], 0, True)


@pytest.mark.parametrize(("is_hop", "epoch"), [(False, "e1"), (True, "e2")])
def test_new_publisher_is_not_replaced_by_what_a_node_still_brings_of_the_old_one(is_hop: bool, epoch: str) -> None:
    node = Receiver()
    node.mark("e1", 0)
    node.media(0)
    new = Rival(node, is_hop=is_hop)
    if is_hop:
        new.mark(epoch, 0)
        new.media(100)
    node.media(1)
    assert new.publisher.is_active
    assert 1 not in node.numbers


@pytest.mark.parametrize(("muted_count", "slide"), [(0, None), (1, b"0"), (3, b"0"), (4, b"9")])
def test_slide_of_a_node_that_is_seen_again_comes_first_with_a_number_that_nobody_was_given(
    muted_count: int, slide: bytes | None
) -> None:
    node = Receiver()
    node.mark("e1", 0)
    node.media(0)
    show = Rival(node)
    node.now_ms += 2000
    show.mark("e2", 0)
    show.media(50)
    for n in range(1, 1 + muted_count):
        if n == 4:
            node.media(9, at_ms=n * 40)
        else:
            node.hop.push(AUDIO, n * 40, b"\xaf\x01", node.now_ms)
    node.stream.feed.leave(show.publisher)
    for n in range(1 + muted_count, 3 + muted_count):
        node.hop.push(AUDIO, n * 40, b"\xaf\x01", node.now_ms)
    frames = [frame for frame in node.stream.queue.frames if frame.kind == MEDIA][2:]
    pictures = [b"\x17\x01" + slide] if slide is not None else []
    assert [frame.payload for frame in frames] == [*pictures, b"\xaf\x01", b"\xaf\x01"]
    first = 1 + muted_count
    assert [frame.index for frame in frames] == list(range(first - len(pictures), first + 2))
    assert [frame.dts_ms for frame in frames] == sorted(frame.dts_ms for frame in frames)
    assert {frame.epoch.id for frame in frames if frame.epoch is not None} == {"e1"}


def test_newer_publisher_behind_a_node_that_was_there_already_is_taken() -> None:
    """Two nodes push: one what a publisher sent that is gone, the other the new publish of the same encoder."""
    node = Receiver()
    Rival(node).mark("e1", 0, began_ms=10_000)
    node.mark("e2", 0, began_ms=20_000)
    node.media(7)
    assert (node.numbers, node.publisher.is_active) == ([7], True)
    epoch = node.stream.epoch
    assert epoch is not None
    assert epoch.id == "e2"
    old = Rival(node)
    node.stream.feed.see(node.publisher, 0)
    old.mark("e1", 0, began_ms=10_000)
    old.media(1)
    assert (node.numbers, node.publisher.is_active) == ([7], True)


def test_stream_that_has_ended_is_not_taken_back() -> None:
    node = Receiver()
    node.mark("e1", 0)
    node.media(0)
    node.stream.end("over")
    node.media(1)
    assert node.numbers == [0]


def test_headers_bear_no_number_and_repeats_are_left_out() -> None:
    node = Receiver()
    header = b"\x17\x00cfg"
    node.hop.push(VIDEO, 0, header, 0)
    node.mark("e1", 7)
    node.media(7)
    node.reconnect()
    node.hop.push(VIDEO, 0, header, 0)
    node.mark("e1", 8)
    node.media(8)
    assert node.bodies == [header, b"\x17\x017", b"\x17\x018"]
    assert node.indices == [7, 8]


def test_metadata_is_known_by_the_senders_rule() -> None:
    """Data that only resembles metadata is numbered by the sender, so it must be counted here too."""
    node = Receiver()
    node.mark("e1", 0)
    metadata = encode_metadata({"width": 16.0})
    lookalikes = [amf0.encode_all("onMetaData", None), amf0.encode_all("myonMetaData", {"a": 1.0})]
    for body in (metadata, *lookalikes):
        node.hop.push(DATA, 0, body, 0)
    node.media(2)
    assert node.stream.metadata == {"width": 16.0}
    assert [frame.index for frame in node.stream.queue.frames if frame.kind == MEDIA] == [0, 1, 2]


@pytest.mark.parametrize(
    "body", [amf0.encode_all(MARK), amf0.encode_all(MARK, {"epoch": ""}), b"\x02\x00\x0aonMetaData\x08\x00", b"\x02"]
)
def test_malformed_data_of_a_peer_is_no_fault_of_ours(body: bytes) -> None:
    node = Receiver()
    node.mark("e1", 0)
    node.hop.push(DATA, 0, body, 0)
    node.media(1)
    assert node.stream.queue.end


def test_clock_of_the_origin_may_wrap() -> None:
    node = Receiver()
    node.mark("e1", 0, 2**32 - 60)
    for n in range(4):
        node.media(n, at_ms=2**32 - 60 + n * 40)
    assert [frame.dts_ms for frame in node.stream.queue.frames] == [0, 40, 80, 120]


def test_replaced_feeder_is_refused_and_counted() -> None:
    node = Receiver()
    node.mark("e1", 0)
    Rival(node).mark("e2", 0, began_ms=10_000)
    node.media(0)
    assert node.bodies == []
    assert (node.publisher.refused_count, node.publisher.last_media_ms) == (1, NOW_MS)


# --- resuming ----------------------------------------------------------------


def queue_of(*epochs: tuple[Epoch, int, int], header_before: int | None = None) -> FrameQueue:
    """Frames of each ``(epoch, first, last)``; a header stands before index ``header_before``."""
    queue = FrameQueue()
    for epoch, first, last in epochs:
        for index in range(first, last + 1):
            if index == header_before:
                queue.push(Frame(VIDEO, index, b"\x17\x00h", VIDEO_HEADER))
            frame = Frame(VIDEO, index, b"\x27\x01")
            frame.epoch, frame.index = epoch, index
            queue.push(frame)
        epoch.next_index = last + 1
    return queue


@pytest.mark.parametrize(("index", "wanted"), [(10, 0), (11, 1), (19, 9), (20, 10), (9, None), (0, None), (21, None)])
def test_resume_finds_the_frame_or_says_that_it_is_gone(index: int, wanted: int | None) -> None:
    epoch = Epoch("e1")
    queue = queue_of((epoch, 10, 19))
    assert find_resume(queue, epoch, "e1", index) == wanted


def test_resume_of_an_unknown_epoch() -> None:
    epoch = Epoch("e1")
    assert find_resume(queue_of((epoch, 0, 5)), epoch, "e9", 3) is None
    assert find_resume(FrameQueue(), None, "e1", 0) is None
    assert find_resume(FrameQueue(), Epoch("e1"), "e1", 0) == 0


def test_resume_takes_the_headers_that_came_in_between() -> None:
    epoch = Epoch("e1")
    queue = queue_of((epoch, 10, 19), header_before=15)
    assert queue[5].kind == VIDEO_HEADER
    assert find_resume(queue, epoch, "e1", 15) == 5


def test_peer_that_has_all_of_an_epoch_goes_on_with_the_next() -> None:
    old, new = Epoch("e1"), Epoch("e2")
    queue = queue_of((old, 0, 4), (new, 0, 9))
    assert find_resume(queue, new, "e1", 5) == 5
    assert find_resume(queue, new, "e1", 2) == 2


def test_resume_at_a_frame_that_was_never_held_here() -> None:
    epoch = Epoch("e1")
    queue = queue_of((epoch, 0, 4), (epoch, 8, 9))
    assert find_resume(queue, epoch, "e1", 5) == 5
    assert find_resume(queue, epoch, "e1", 6) is None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    pieces=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=8),
    header_at=st.sets(st.integers(0, 60), max_size=4),
)
def test_any_pieces_of_an_epoch_are_joined_without_loss_doubling_or_disorder(pieces, header_at) -> None:
    node = Receiver(HubConfig(keyframe_wait_ms=0))
    seen: set[int] = set()
    newest = -1
    for first, count in pieces:
        node.reconnect()
        node.mark("e1", first, first * 40)
        for n in range(first, first + count):
            if n in header_at:
                node.hop.push(VIDEO, n * 40, b"\x17\x00" + b"%d" % n, 0)
            node.media(n)
            if n > newest:
                seen.add(n)
                newest = n
    assert node.numbers == node.indices == sorted(seen)
    assert [f.dts_ms - f.index * 40 for f in node.stream.queue.frames if f.kind == MEDIA] == [-pieces[0][0] * 40] * len(
        seen
    )


def test_headers_before_frames_that_were_not_taken_are_none_of_the_next_publish() -> None:
    node = Receiver()
    node.mark("e1", 0)
    for n in range(5):
        node.media(n)
    node.reconnect()
    node.hop.push(AUDIO, 0, b"\xaf\x00aac", 0)
    node.mark("e1", 2, 80)
    for n in range(2, 5):
        node.media(n)
    node.mark("e2", 0)
    node.hop.push(VIDEO, 0, b"\x17\x00avc", 0)
    node.media(0, at_ms=0)
    queue = node.stream.queue
    assert [frame.payload for frame in queue.headers_at(queue.end)] == [b"\x17\x00avc"]


def test_headers_before_frames_that_were_not_taken_are_those_of_the_frames_behind() -> None:
    node = Receiver()
    node.mark("e1", 0)
    for n in range(5):
        node.media(n)
    node.reconnect()
    node.hop.push(AUDIO, 0, b"\xaf\x00aac", 0)
    node.mark("e1", 2, 80)
    for n in range(2, 7):
        node.media(n)
    queue = node.stream.queue
    assert [frame.payload for frame in queue.headers_at(queue.end)] == [b"\xaf\x00aac"]


def test_picture_before_the_first_mark_is_shown_and_is_no_frame() -> None:
    node = Receiver()
    node.media(7)
    node.mark("e1", 100, 4000)
    node.hop.push(AUDIO, 4000, b"\xaf\x01a", 0)
    queue = node.stream.queue
    assert node.bodies == [b"\xaf\x01a"]
    assert node.stream.stats.gap_count == node.stream.stats.duplicate_count == 0
    assert [frame.payload for frame in queue.pictures_at(0)] == [b"\x17\x01" + b"7"]
    node.reconnect()
    node.media(8)
    node.mark("e1", 101, 4020)
    node.media(9, at_ms=4020)
    assert node.bodies[1:] == [b"\x17\x01" + b"9"]
    assert queue.pictures_at(1) == [], "it has been replaced"


def test_inter_frames_and_countless_pictures_before_the_first_mark_are_left_out() -> None:
    node = Receiver()
    node.media(1, is_keyframe=False)
    for n in range(1000):
        node.media(n)
    node.mark("e1", 0)
    node.hop.push(AUDIO, 0, b"\xaf\x01a", 0)
    assert len(node.stream.queue.pictures_at(0)) <= 64
    assert all(frame.is_keyframe for frame in node.stream.queue.pictures_at(0))


def test_data_keeps_its_time_over_a_hop_and_moves_nothing() -> None:
    node = Receiver()
    node.mark("e1", 0, 0)
    node.media(0)
    node.hop.push(DATA, 600, b"\x02\x00\x01c", 0)
    node.media(1, at_ms=1000)
    node.hop.push(DATA, 1600, b"\x02\x00\x01c", 0)
    assert [frame.dts_ms for frame in node.stream.queue.frames] == [0, 600, 1000, 1600]
    assert node.stream.timeline.last_dts_ms == 1000
    alone = Receiver()
    alone.mark("e1", 0, 0)
    for ms in (0, 500, 1000):
        alone.hop.push(DATA, ms, b"\x02\x00\x01c", 0)
    assert alone.stream.timeline.last_dts_ms == 1000


def test_pictures_before_the_first_mark_are_bounded_in_bytes() -> None:
    node = Receiver()
    for n in range(40):
        node.hop.push(VIDEO, n, b"\x17\x01" + bytes(1_000_000), 0)
    held = node.hop._pictures
    assert held is not None
    assert sum(len(frame.payload) for frame in held.take()) <= 8_388_608
