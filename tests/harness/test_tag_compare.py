"""The comparison is judged first: every kind of harm must show in it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.media.flv import Tag
from edge.media.frame import AUDIO, DATA, VIDEO
from tests.harness.accounting import AAC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER
from tests.harness.tag_compare import Comparison, Place, compare_tags

_GOP = 5
_SILENCE = b"\xaf\x01\x21\x10"


def picture(number: int) -> Tag:
    return Tag(VIDEO, 40 * number, (b"\x17" if number % _GOP == 0 else b"\x27") + b"\x01\0\0\0" + b"%04d" % number)


def sound(number: int) -> Tag:
    return Tag(AUDIO, 40 * number + 7, _SILENCE if number % 2 else b"\xaf\x01%04d" % number)


def broadcast(count: int = 20) -> list[Tag]:
    """Headers and data, then pictures and sound in turn; half of the sound is silence, always the same."""
    headers = [Tag(DATA, 0, b"\x02\0\0"), Tag(VIDEO, 0, AVC_SEQUENCE_HEADER), Tag(AUDIO, 0, AAC_SEQUENCE_HEADER)]
    return headers + [tag for number in range(count) for tag in (picture(number), sound(number))]


def moved(tags: list[Tag], by_ms: int) -> list[Tag]:
    return [Tag(tag.type_id, (tag.timestamp_ms + by_ms) & 0xFFFFFFFF, tag.body) for tag in tags]


def test_same_is_the_same() -> None:
    found = compare_tags(broadcast(), broadcast())
    assert found == Comparison(40, {"video": 0, "audio": 0}, {"video": 0, "audio": 0}, shift_ms=0)
    found.assert_exact(from_first=True)


@pytest.mark.parametrize("by_ms", [-3, 5000, 0xFFFFFFFF - 200])
def test_clock_of_the_player_may_be_another_and_may_wrap(by_ms: int) -> None:
    found = compare_tags(broadcast(), moved(broadcast(), by_ms))
    assert (found.shift_ms or 0) & 0xFFFFFFFF == by_ms & 0xFFFFFFFF
    found.assert_exact(from_first=True)


def test_player_that_came_later_and_left_earlier() -> None:
    sent = broadcast()
    got = sent[:3] + sent[3 + 2 * _GOP : -4]
    found = compare_tags(sent, got)
    assert found.skipped == {"video": 5, "audio": 0}, "sound of before the first picture is not skipped"
    assert found.unsent == {"video": 2, "audio": 2}
    found.assert_exact(to_last=False)
    found.assert_exact(tail=2)
    with pytest.raises(AssertionError, match="wanting at the end"):
        found.assert_exact()
    with pytest.raises(AssertionError, match="skipped at the start"):
        found.assert_exact(from_first=True, to_last=False)


def test_sound_that_is_skipped_behind_the_first_picture_is_wanting() -> None:
    sent = broadcast()
    found = compare_tags(sent, [*sent[:4], sent[5], *sent[7:]])
    assert found.skipped["audio"] == 2
    with pytest.raises(AssertionError, match="skipped at the start"):
        found.assert_exact(from_first=True)


def test_missing_frames_are_named_with_the_bad_resume() -> None:
    sent = broadcast()
    found = compare_tags(sent, [tag for tag in sent if tag not in (picture(6), picture(7))])
    assert found.missing == [Place("video", 6), Place("video", 7)]
    assert found.bad_resumes == [Place("video", 6)] and not found.changed and not found.doubled
    with pytest.raises(AssertionError, match="bad_resumes"):
        found.assert_in_order()


def test_gap_up_to_a_keyframe_is_in_order_but_not_exact() -> None:
    sent = broadcast()
    found = compare_tags(sent, [tag for tag in sent if tag not in (picture(8), picture(9))])
    found.assert_in_order()
    with pytest.raises(AssertionError, match="missing 2"):
        found.assert_exact()


def test_play_that_begins_without_a_keyframe() -> None:
    sent = broadcast()
    assert compare_tags(sent, sent[:3] + sent[5:]).bad_resumes == [Place("video", 0)]


@pytest.mark.parametrize(
    ("harm", "kind", "place"),
    [
        (lambda tags: [*tags[:20], tags[19], *tags[20:]], "doubled", Place("video", 9)),
        (lambda tags: [*tags[:19], tags[21], tags[19], *tags[22:]], "doubled", Place("video", 9)),
        (lambda tags: [*tags[:19], Tag(VIDEO, 320, b"\x27\x01\0\0\0xxxx"), *tags[20:]], "changed", Place("video", 8)),
        (lambda tags: [*tags[:20], Tag(AUDIO, 327, b"\xaf\x01x"), *tags[21:]], "changed", Place("audio", 8)),
        (lambda tags: [*tags[:20], Tag(VIDEO, 321, tags[5].body[:-1]), *tags[20:]], "changed", Place("video", 9)),
    ],
)
def test_doubled_swapped_and_changed_frames(harm: Callable[[list[Tag]], list[Tag]], kind: str, place: Place) -> None:
    sent = broadcast()
    found = compare_tags(sent, harm(sent))
    assert place in getattr(found, kind)
    with pytest.raises(AssertionError, match=kind):
        found.assert_in_order()


def test_sound_out_of_step_is_retimed_and_the_shift_is_the_pictures() -> None:
    sent = broadcast()
    found = compare_tags(sent, [tag if tag.type_id != AUDIO else moved([tag], 23)[0] for tag in sent])
    assert found.shift_ms == 0 and len(found.retimed) == 20
    assert found.retimed[0] == (Place("audio", 0), 23)


def test_header_that_was_never_sent() -> None:
    sent = broadcast()
    got = [*sent[:2], Tag(AUDIO, 0, b"\xaf\x00\x11\x90"), *sent[3:]]
    assert compare_tags(sent, got).bad_headers == [2]
    assert compare_tags(sent, sent[:3] + sent[1:]).bad_headers == [], "they may come again"


@pytest.mark.parametrize("lost", [AUDIO, VIDEO])
def test_medium_that_does_not_come_at_all_or_was_never_sent(lost: int) -> None:
    sent = broadcast()
    rest = [tag for tag in sent if tag.type_id != lost]
    with pytest.raises(AssertionError, match="wanting at the end"):
        compare_tags(sent, rest).assert_exact()
    with pytest.raises(AssertionError, match="changed 20"):
        compare_tags(rest, sent).assert_exact()


def test_nothing_at_all() -> None:
    with pytest.raises(AssertionError, match="no frame arrived"):
        compare_tags(broadcast(), []).assert_in_order()


def test_bodies_without_a_picture_are_passed_over() -> None:
    sent = broadcast()
    compare_tags(sent, [*sent, Tag(VIDEO, 900, b"\x17\x02\0\0\0")]).assert_exact(from_first=True)
