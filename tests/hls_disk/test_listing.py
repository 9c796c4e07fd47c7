"""Which segments are listed under which numbers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hls_disk.listing import Listing, Made, Place, listing_of_json
from tests.harness.m3u8 import check_follow, parse_media
from tests.hls_disk.files import WALL_MS, made

WINDOW_MS = 6000


def add(listing: Listing, segment: Made, now_ms: int) -> Place | None:
    place = listing.place(segment, now_ms, WINDOW_MS)
    if place is not None:
        init = f"{segment.init}.mp4" if segment.init else ""
        listing.add(segment, place, f"cam-{place.seq}.ts", init, now_ms, WINDOW_MS, lambda: 8000)
    return place


def filled(count: int = 5, **options: str) -> Listing:
    listing = Listing()
    for number in range(100, 100 + count):
        add(listing, made(number, **options), WALL_MS + number * 2000)  # type: ignore[arg-type]
    return listing


NOW_MS = WALL_MS + 104 * 2000


def test_the_first_number_is_the_origins_and_later_ones_count_on() -> None:
    listing = filled()
    assert [entry.seq for entry in listing.entries] == [102, 103, 104]
    assert [entry.is_discontinuity for entry in listing.entries] == [False] * 3
    assert listing.behind == {f"cam-{n}.ts": WALL_MS + (n + 3) * 2000 + 8000 for n in (100, 101)}
    assert listing.expired(WALL_MS + 103 * 2000 + 8000) == ["cam-100.ts"]
    assert len(listing.files()) == 5


@pytest.mark.parametrize(
    ("what", "segment", "later_ms", "expected"),
    [
        ("the next one", made(105), 2000, Place(105, 1, False, False)),
        ("one after a lack", made(108), 8000, Place(105, 2, True, False)),
        ("of another publish", made(150, epoch="e2"), 3000, Place(105, 2, True, False)),
        ("with an earlier date", made(50, epoch="e2"), 3000, Place(105, 2, True, False)),
        ("of another publish too late", made(120, epoch="e2"), 30_000, Place(120, 2, False, True)),
        ("too late, with a lower number", made(50, epoch="e2"), 30_000, Place(106, 2, False, True)),
        ("too late, with the next number", made(105), 30_000, Place(106, 2, False, True)),
        ("the clock went back", made(105), -30_000, Place(106, 2, False, True)),
        ("in another container", made(105, kind="m4s"), 2000, Place(106, 2, False, True)),
        ("one that is there", made(104), 2000, None),
    ],
)
def test_where_a_segment_goes(what: str, segment: Made, later_ms: int, expected: Place | None) -> None:
    assert filled().place(segment, NOW_MS + later_ms, WINDOW_MS) == expected, what


def test_dates_never_go_back() -> None:
    listing = filled()
    for number in (50, 51):
        add(listing, made(number, epoch="e2"), NOW_MS + number * 10)
    last = list(listing.entries)
    assert [entry.wall_ms - last[0].wall_ms for entry in last] == [0, 2000, 4000]


def test_a_closed_playlist_is_not_gone_on_with() -> None:
    listing = filled()
    listing.is_closed = True
    assert listing.text(str).endswith("#EXT-X-ENDLIST\n")
    assert add(listing, made(105), NOW_MS + 2000) == Place(106, 2, False, is_anew=True)
    assert "ENDLIST" not in listing.text(str)
    assert [entry.seq for entry in listing.entries] == [106]


def test_a_configuration_stays_while_it_is_needed() -> None:
    listing = filled(3, kind="m4s", init="d1")
    assert "#EXT-X-VERSION:6" in listing.text(str)
    for number in range(103, 106):
        add(listing, made(number, kind="m4s", init="d2"), WALL_MS + number * 2000)
        assert ("d1.mp4" in listing.behind) == (number == 105)
    add(listing, made(106, kind="m4s", init="d1"), WALL_MS + 106 * 2000)
    assert "d1.mp4" not in listing.behind
    assert listing.text(str).count("EXT-X-MAP") == 2


def test_the_state_comes_back_as_it_was() -> None:
    listing = filled(kind="m4s", init="d1")
    assert listing_of_json(listing.to_json()) == listing
    assert listing.duration_ms == 6000
    assert listing.written_ms == NOW_MS
    assert Listing().written_ms == 0


@given(st.binary(max_size=50) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_other_text_is_none(data: bytes | str) -> None:
    assert listing_of_json(data.encode() if isinstance(data, str) else data) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("entries", [{}]), ("entries", 5), ("behind", {"a": "b"}), ("last_seq", "5"), ("target_s", 2**70), ("behind", [])],
)
def test_nor_is_a_state_with_something_wrong_in_it(field: str, value: object) -> None:
    state = json.loads(filled().to_json())
    assert listing_of_json(json.dumps({**state, field: value}).encode()) is None
    entry = state["entries"][0]
    for name in entry:
        wrong = {**entry, name: [entry[name]]}
        assert listing_of_json(json.dumps({**state, "entries": [wrong]}).encode()) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 40_000), st.integers(100, 3000), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_comes_each_playlist_follows_the_one_before(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    """Publishes, lacks, waits and restarts; no name is given twice."""
    listing, before, now_ms, number, epoch = Listing(), None, WALL_MS, 1000, 0
    names: set[str] = set()
    for skipped, wait_ms, duration_ms, is_new in steps:
        now_ms += wait_ms + duration_ms
        number += 1 + skipped
        if is_new:
            epoch += 1
            number = 1000
        add(listing, made(number, epoch=f"e{epoch}", duration_ms=duration_ms), now_ms)
        again = listing_of_json(listing.to_json())
        assert again is not None
        listing = again
        newest = listing.entries[-1].path
        assert newest not in names
        names.add(newest)
        listing.target_s = 3
        after = parse_media(listing.text(str))
        if before is not None:
            check_follow(before, after)
        before = after
