"""What is to be seen of a publish that is muted."""

from __future__ import annotations

import pytest

from edge.hub import shown as shown_module
from edge.hub.shown import Shown
from edge.media.frame import AUDIO, MEDIA, VIDEO, Frame
from tests.hub.frames import inter, key, picture
from tests.hub.receiving import NOW_MS, Hops, Receiver


def seen(*frames: Frame) -> list[Frame]:
    shown = Shown()
    for frame in frames:
        shown.note(frame)
    return shown.take()


def test_keyframes_that_nothing_has_followed_in_their_track() -> None:
    first, second = picture(0, 0, True), picture(1, 0, True)
    assert seen(first) == [first]
    assert seen(first, inter(40)) == []
    assert seen(first, second, picture(1, 40)) == [first]
    assert seen(first, Frame(VIDEO, 40, b"\x17\x02\0\0\0")) == [first], "an end of sequence is no picture"
    assert seen(inter(0)) == []


def test_a_newer_picture_replaces_the_one_before_but_for_slices_of_one_stamp() -> None:
    slices, newer = [key(0), key(0)], key(40)
    assert seen(*slices) == slices
    assert seen(*slices, newer) == [newer]
    assert seen(*slices, newer, inter(80)) == []


def test_it_is_taken_once_and_not_beside_a_keyframe_of_the_same_track() -> None:
    first, second = picture(0, 0, True), picture(1, 0, True)
    for type_id, payload, wanted in (
        (AUDIO, b"\xaf\x01", [first, second]),
        (VIDEO, key(40).payload, [second]),
        (VIDEO, picture(1, 40, True).payload, [first]),
        (VIDEO, picture(1, 40).payload, [first, second]),
        (VIDEO, b"\x17\x02\0\0\0", [first, second]),
    ):
        shown = Shown()
        shown.note(first)
        shown.note(second)
        assert shown.take(type_id, payload) == wanted
        assert shown.take() == []


def test_countless_and_huge_pictures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(seen(*(key(0) for _ in range(1000)))) <= 64
    monkeypatch.setattr(shown_module, "MAX_KEPT_BYTES", 1000)
    assert seen(key(0, 1001)) == []
    newest = key(0, 600)
    assert seen(key(0, 600), newest) == [newest]


def sound_of(node: Receiver, ms: int) -> None:
    node.hop.push(AUDIO, ms, b"\xaf\x01a", node.now_ms)


@pytest.mark.parametrize("when", ["before it was muted", "while it was muted", "before the first mark"])
def test_slide_of_a_muted_slate_comes_with_its_first_sound_over_a_hop(when: str) -> None:
    hops = Hops()
    if when == "before the first mark":
        show = hops.join()
        show.mark("show", 0, began_ms=NOW_MS - 1000)
        slate = hops.join()
        slate.media(7)
        slate.mark("slate", 10, 400, began_ms=NOW_MS - 50_000)
    else:
        slate = hops.join()
        slate.mark("slate", 10, 400, began_ms=NOW_MS - 50_000)
        slate.media(7, at_ms=400)
        show = hops.join()
        show.mark("show", 0, began_ms=NOW_MS - 1000)
    for n in range(20, 25):
        show.media(n - 20 + 90)
    assert show.publisher.is_active
    for ms in range(420, 480, 20):
        sound_of(slate, ms)
    if when == "while it was muted":
        slate.media(8, at_ms=480)
    sound_of(slate, 500)
    hops.stream.feed.leave(show.publisher)
    for ms in (520, 540):
        sound_of(slate, ms)
    frames = [frame for frame in hops.stream.queue.frames if frame.kind == MEDIA]
    back = frames[-3:]
    assert [frame.type_id for frame in back] == [VIDEO, AUDIO, AUDIO]
    assert back[0].payload == b"\x17\x01" + (b"8" if when == "while it was muted" else b"7")
    assert [frame.index - back[1].index for frame in back] == [-1, 0, 1], "no gap for the nodes behind"
    assert len({frame.dts_ms for frame in back[:2]}) == 1
    assert hops.stream.stats.gap_count == 0


def test_slide_of_the_publish_before_is_not_seen_with_the_next_one_of_a_muted_hop() -> None:
    hops = Hops()
    show = hops.join()
    show.mark("show", 0, began_ms=NOW_MS - 1000)
    show.media(90)
    slate = hops.join()
    slate.media(6)
    slate.mark("old", 10, 400, began_ms=NOW_MS - 60_000)
    slate.media(7, at_ms=400)
    slate.mark("slate", 0, 0, began_ms=NOW_MS - 50_000)
    sound_of(slate, 0)
    hops.stream.feed.leave(show.publisher)
    sound_of(slate, 20)
    assert [f.payload for f in hops.stream.queue.frames if f.type_id == VIDEO] == [b"\x17\x0190"]
