"""What may change between two loads of a playlist, and how a delta update is filled in."""

from __future__ import annotations

import pytest

from tests.harness.m3u8 import Media, PlaylistError, apply_delta, check_follow, parse_media


def live(
    first: int,
    *lines: str,
    target_s: int = 2,
    discontinuities: int = 0,
    part_target: str = "0.5",
    skips: int = 0,
) -> Media:
    """A playlist from the number of its first segment on.

    Of ``lines``, ``3`` is a segment, ``4*2`` are two parts of a segment, ``4=2`` is a whole
    segment with two parts, and anything else stands as it is.
    """
    text = f"#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{target_s}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
    text += f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}\n#EXT-X-PART-INF:PART-TARGET={part_target}\n"
    text += "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=2.0,CAN-SKIP-UNTIL=18.0\n"
    if skips:
        text += f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skips}\n"
    for line in lines:
        if line.isdecimal():
            text += f"#EXTINF:2.0,\n{line}.ts\n"
        elif line[0].isdecimal():
            number, parts = line.replace("=", "*").split("*")
            text += "".join(f'#EXT-X-PART:DURATION=0.5,URI="{number}.{each}.ts"\n' for each in range(int(parts)))
            text += f"#EXTINF:{0.5 * int(parts)},\n{number}.ts\n" if "=" in line else ""
        else:
            text += f"{line}\n"
    return parse_media(text)


DISCONTINUITY, ENDED, GAP = "#EXT-X-DISCONTINUITY", "#EXT-X-ENDLIST", "#EXT-X-GAP"
DATE, LATER = "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05Z", "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:07Z"
MAP, OTHER_MAP = '#EXT-X-MAP:URI="a.mp4"', '#EXT-X-MAP:URI="b.mp4"'

GOOD = {
    "nothing changes": (live(1, "1", "2"), live(1, "1", "2")),
    "one goes and one comes": (live(1, "1", "2"), live(2, "2", "3")),
    "all go": (live(1, "1", "2"), live(7, "7", "8")),
    "an empty one fills": (live(1), live(1, "1")),
    "a discontinuity goes": (live(1, DISCONTINUITY, "1", "2"), live(2, "2", discontinuities=1)),
    "unseen discontinuities go": (live(1, "1"), live(9, "9", discontinuities=4)),
    "the end comes": (live(1, "1", "2"), live(1, "1", "2", ENDED)),
    "the end stays": (live(1, "1", ENDED), live(1, "1", ENDED)),
    "the first gains a date": (live(1, "1", "2"), live(2, LATER, "2")),
    "parts come": (live(1, "1", "2*1"), live(1, "1", "2*3")),
    "parts become a segment": (live(1, "1", "2*2"), live(1, "1", "2=4", "3*1")),
    "parts go": (live(1, "1=4", "2*1"), live(1, "1", "2=4", "3*1")),
    "parts go with their segment": (live(1, "1=4", "2*2"), live(3, "3=4")),
    "a discontinuity is announced": (live(1, "1", DISCONTINUITY), live(1, "1", DISCONTINUITY, "2")),
}


@pytest.mark.parametrize(("before", "after"), GOOD.values(), ids=GOOD)
def test_what_may_follow(before: Media, after: Media) -> None:
    check_follow(before, after)


BAD = {
    "the sequence goes back": (live(2, "2", "3"), live(1, "1", "2", "3"), "back to 1"),
    "the end goes back": (live(1, "1", "2"), live(1, "1"), "ends before segment 2"),
    "the target grows": (live(1, "1"), live(1, "1", target_s=3), "TARGETDURATION changes"),
    "the part target grows": (live(1, "1"), live(1, "1", part_target="0.6"), "PART-TARGET changes"),
    "a name changes": (live(1, "1", "2"), live(1, "1", "3"), "uri of segment 2"),
    "one in the middle goes": (live(1, "1", "2", "3"), live(2, "3", "4"), "uri of segment 2"),
    "the sequence is late": (live(1, "1", "2"), live(1, "2", "3"), "uri of segment 1"),
    "a duration changes": (live(1, "1=4", "2"), live(1, "1=3", "2"), "duration_s of segment 1"),
    "a discontinuity vanishes": (live(1, "1", DISCONTINUITY, "2"), live(1, "1", "2"), "is_discontinuity of segment 2"),
    "a gap vanishes": (live(1, GAP, "1"), live(1, "1"), "is_gap of segment 1"),
    "a map changes": (live(1, MAP, "1"), live(1, OTHER_MAP, "1"), "map_uri of segment 1"),
    "a date changes": (live(1, DATE, "1"), live(1, LATER, "1"), "program_date_time of segment 1"),
    "a date vanishes": (live(1, "1", DATE, "2"), live(2, "2"), "program_date_time of segment 2"),
    "a date comes late": (live(1, "1", "2"), live(1, "1", DATE, "2"), "program_date_time of segment 2"),
    "a discontinuity is not counted": (live(1, DISCONTINUITY, "1", "2"), live(2, "2"), "grows by 0, and 1"),
    "one too many is counted": (live(1, "1", "2"), live(2, "2", discontinuities=1), "grows by 1, and 0"),
    "the count goes back": (live(1, "1", discontinuities=2), live(9, "9", discontinuities=1), "grows by -1"),
    "more after the end": (live(1, "1", ENDED), live(1, "1", "2", ENDED), "changed after"),
    "the end is taken back": (live(1, "1", ENDED), live(1, "1"), "changed after"),
    "less after the end": (live(1, "1", "2", ENDED), live(2, "2", ENDED), "changed after"),
    "parts vanish": (live(1, "1", "2*2"), live(1, "1", "2*1"), "parts of segment 2 change"),
    "parts change in their segment": (live(1, "1", "2*4"), live(1, "1", "2=3"), "parts of segment 2 change"),
    "parts come late": (live(1, "1"), live(1, "1=4"), "parts of segment 1 change"),
    "parts change their segment": (live(1, "1", "2*2"), live(1, "1", "3=4"), "parts of segment 2 change"),
    "a discontinuity in between": (live(1, "2*1"), live(1, DISCONTINUITY, "2*2"), "comes or goes"),
    "a discontinuity in the end": (live(1, DISCONTINUITY, "1*1"), live(1, "1=4"), "comes or goes"),
}


@pytest.mark.parametrize(("before", "after", "what"), BAD.values(), ids=BAD)
def test_what_may_not_follow(before: Media, after: Media, what: str) -> None:
    with pytest.raises(PlaylistError) as caught:
        check_follow(before, after)
    assert what in caught.value.what


NUMBERS = [str(number) for number in range(1, 13)]


def test_delta_update_is_filled_in() -> None:
    before = live(1, MAP, *NUMBERS, "13*2")
    delta = live(2, "4", *NUMBERS[4:], "13=4", "14*1", skips=2)
    found = apply_delta(before, delta)
    whole = live(2, MAP, *NUMBERS[1:], "13=4", "14*1")
    assert found == whole
    assert found.trailing.map_uri == "a.mp4"
    check_follow(before, found)


def test_delta_update_keeps_tags_of_what_it_skips() -> None:
    before = live(1, "1", DISCONTINUITY, DATE, OTHER_MAP, *NUMBERS[1:])
    found = apply_delta(before, live(2, *NUMBERS[2:], skips=1))
    assert found.segments[0].is_discontinuity and found.segments[0].program_date_time is not None
    assert {segment.map_uri for segment in found.segments} == {"b.mp4"}


def test_whole_playlist_needs_no_filling_in() -> None:
    whole = live(1, *NUMBERS)
    assert apply_delta(live(1, "1"), whole) is whole


@pytest.mark.parametrize("first", [0, 3])
def test_delta_update_may_not_skip_what_is_not_known(first: int) -> None:
    known = live(1, "1", "2", "3")
    with pytest.raises(PlaylistError, match="not all are known"):
        apply_delta(known, live(first, *NUMBERS, skips=2))


def test_delta_updates_are_not_compared_before_they_are_filled_in() -> None:
    whole, delta = live(1, *NUMBERS), live(2, *NUMBERS[3:], skips=2)
    with pytest.raises(AssertionError, match="apply_delta"):
        check_follow(whole, delta)
