"""Permits of HLS: the vectors, what is refused, and that a segment has one URL for life."""

from __future__ import annotations

import pytest

from edge.hls.permits import Opens, Permits, Permitted, StreamPermits, segment_minute, session_minute

KEY = b"0123456789abcdef0123456789abcdef"
STREAM = "media.example.com/live/cam1"
MINUTE = 31557600
PERMITS = Permits(KEY)
GOOD = "1e187e0.-Kf9UhgvBOmv7_D3"
BEFORE_MS = MINUTE * 60_000 - 1


@pytest.mark.parametrize(("minute", "permit"), [(MINUTE, GOOD), (MINUTE + 10, "1e187ea.1I-WJNYSZd4vEYKi")])
def test_vectors(minute: int, permit: str) -> None:
    assert PERMITS.make(STREAM, minute) == permit
    assert PERMITS.look_at(permit, STREAM, minute * 60_000 - 1) is Permitted.YES
    assert PERMITS.look_at(permit, STREAM, minute * 60_000) is Permitted.EXPIRED


@pytest.mark.parametrize(
    "permit",
    [
        GOOD[:-1],
        GOOD.upper(),
        "1E187E0" + GOOD[7:],
        "0" + GOOD,
        GOOD + "\n",
        " " + GOOD,
        GOOD + "=",
        "1f96880" + GOOD[7:],  # ten years later
        GOOD.partition(".")[2],
        "1e187e0.",
        "." + GOOD.partition(".")[2],
        "-1.-Kf9UhgvBOmv7_D3",
        "é" * 24,
        "f" * 400 + GOOD[7:],
    ],
)
def test_AU26_what_is_no_permit(permit: str) -> None:
    assert PERMITS.look_at(permit, STREAM, BEFORE_MS) is Permitted.INVALID


def test_AU26_of_another_stream_or_secret_or_none() -> None:
    assert PERMITS.look_at(GOOD, "media.example.com/live/cam2", BEFORE_MS) is Permitted.INVALID
    assert Permits(KEY[::-1]).look_at(GOOD, STREAM, BEFORE_MS) is Permitted.INVALID
    assert PERMITS.look_at("", STREAM, BEFORE_MS) is Permitted.MISSING


def test_who_enters_within_ten_minutes_has_one_playlist() -> None:
    found = {session_minute(ms, 43200) for ms in range(0, 599_999, 1000)} - {720}
    assert found == {730}
    assert session_minute(0, 43200) == 720


@pytest.mark.parametrize("late_ms", [0, 20_000, 70_000, 3_600_000, 86_400_000, -500_000])
def test_a_segment_is_there_for_the_window_whatever_its_origins_clock(late_ms: int) -> None:
    """An origin that is behind has segments that may be fetched, and one that is ahead too."""
    now_ms = 1_796_000_000_000
    minute = segment_minute(now_ms - late_ms, now_ms, 30_000)
    assert minute * 60_000 >= now_ms + 30_000 + 60_000
    assert minute * 60_000 <= now_ms + 30_000 + 780_000


def test_nodes_agree_and_a_segment_keeps_its_url() -> None:
    clocks = [1_796_000_000_000, 1_796_000_004_321]
    nodes = [
        StreamPermits(PERMITS, STREAM, lambda number=number: clocks[number], window_ms=30_000, session_s=43200)
        for number in range(2)
    ]
    first = [node.of_segment("a", 1_795_999_998_000) for node in nodes]
    assert first[0] == first[1]
    clocks[0] += 3_600_000
    assert nodes[0].of_segment("a", 1_795_999_998_000) == first[0]
    assert PERMITS.look_at(first[0], STREAM, clocks[0], Opens.MEDIA) is Permitted.EXPIRED
    assert nodes[0].of_segment("b", None) != first[0]


#: Vectors of the other classes, and the first lines that they hash.
OF_CLASS = {
    Opens.PLAYLIST: GOOD,
    Opens.MEDIA: "1e187e0.rt8ih4jvZAQoP64X",
    Opens.CONFIGURATION: "1e187e0.xogVHBq0Ds7UrUu3",
}


@pytest.mark.parametrize("made", Opens)
@pytest.mark.parametrize("asked", Opens)
def test_permit_opens_its_own_class_and_no_other(made: Opens, asked: Opens) -> None:
    permit = PERMITS.make(STREAM, MINUTE, made)
    assert permit == OF_CLASS[made]
    found = PERMITS.look_at(permit, STREAM, BEFORE_MS, asked)
    assert found is (Permitted.YES if made is asked else Permitted.INVALID)


@pytest.mark.parametrize("session_s", [0, 60, 3600, 43200])
def test_configuration_has_one_url_at_all_nodes_whenever_they_were_started(session_s: int) -> None:
    """It is good for half of a session, and for ten minutes at least, whenever it was named."""
    now_ms, half_ms = 1_796_000_000_000, max(session_s * 500, 600_000)
    seen = set()
    for later_ms in range(0, 4 * half_ms, half_ms // 7):
        clock = now_ms + later_ms
        nodes = [StreamPermits(PERMITS, STREAM, lambda: clock, window_ms=1, session_s=session_s) for _ in range(2)]  # noqa: B023
        (permit,) = {node.of_configuration() for node in nodes}
        assert PERMITS.look_at(permit, STREAM, clock + half_ms - 1, Opens.CONFIGURATION) is Permitted.YES
        assert PERMITS.look_at(permit, STREAM, clock + 2 * half_ms, Opens.CONFIGURATION) is Permitted.EXPIRED
        seen.add(permit)
    assert len(seen) == 5
