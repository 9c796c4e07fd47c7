from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.streams import (
    API_STREAMS,
    MAX_ROWS,
    STREAMS,
    collect,
    delay_text,
    level,
    quality_text,
    shown_state,
    text,
)
from edge.facts.records import StreamFacts
from tests.builtin import sample
from tests.harness.at_once import at_once


def test_most_watched_first() -> None:
    rows = [sample.stream("a", players=1), sample.stream("b", players=9), sample.stream("c", players=0)]
    data = at_once(collect(sample.context(streams=rows), Visit()))
    assert [row.stream for row in data.streams] == ["b", "a", "c"]
    assert data.stream_count == 3


def test_text_has_a_line_per_stream() -> None:
    lines = text(at_once(collect(sample.context(), Visit()))).splitlines()
    assert lines[0].split()[:4] == ["key", "state", "publisher", "players"]
    assert lines[1].split()[:4] == ["_/live/a", "live", "10.0.0.9:51234", "3"]
    assert text(at_once(collect(sample.context(streams=[]), Visit()))) == "no streams\n"


def test_service_is_shown_where_a_process_has_two() -> None:
    rows = [sample.stream("a", service="front"), sample.stream("a", service="merge")]
    data = at_once(collect(sample.context(streams=rows), Visit()))
    assert [line.split()[:2] for line in text(data).splitlines()] == [
        ["key", "service"],
        ["_/live/a", "front"],
        ["_/live/a", "merge"],
    ]
    html = render(STREAMS, PageFormat.HTML, data)
    assert "<th>service</th>" in html and "<td>merge</td>" in html
    alone = at_once(collect(sample.context(streams=[sample.stream("a", service="")]), Visit()))
    assert "service" not in text(alone) and "<th>service</th>" not in render(STREAMS, PageFormat.HTML, alone)


def test_X8_rows_beyond_the_limit_are_counted() -> None:
    rows = [sample.stream(str(number)) for number in range(MAX_ROWS + 5)]
    data = at_once(collect(sample.context(streams=rows), Visit()))
    assert text(data).splitlines()[-1] == "... and 5 more"
    assert len(data.streams) == MAX_ROWS + 5


def test_scripts_get_json() -> None:
    assert API_STREAMS.plain_format is PageFormat.JSON
    assert STREAMS.plain_format is PageFormat.TEXT


@pytest.mark.parametrize(
    ("hops", "flush", "is_whole", "words"),
    [
        ((), None, True, "first node here, ingest 3 ms"),
        ((0.4, 12.3), 9.5, True, "13 ms here, by hop 0.4 + 12 ms, ingest 3 ms, flush 9.5 ms"),
        ((12.0,), 9.0, True, "12 ms here, ingest 3 ms, flush 9 ms"),
        ((4.0, 8.0), 9.0, False, "12 ms here, by hop 4 + 8 ms, ingest 3 ms, flush 9 ms; not of the whole way"),
    ],
)
def test_delay_in_words(hops: tuple[float, ...], flush: float | None, is_whole: bool, words: str) -> None:
    timed = {"ingest_delay_ms": 3.0, "hop_delays_ms": hops, "delay_ms": sum(hops), "flush_delay_ms": flush}
    assert delay_text(sample.stream(**timed, is_delay_whole=is_whole)) == words
    assert delay_text(sample.stream()) == ""


def test_what_viewers_report_in_words() -> None:
    row = sample.stream(quality=sample.QUALITY)
    words = "2 of 5 report now, start 0.8 s, 3 stalls of 1.2 s, 7 frames dropped, buffer 2.1 s"
    assert quality_text(row.quality) == words
    silent = replace(sample.QUALITY, start_ms=None, stall_count=1, stall_ms=0, buffer_ms=None)
    assert quality_text(silent) == "2 of 5 report now, 1 stall, 7 frames dropped"
    data = at_once(collect(sample.context(streams=[row]), Visit()))
    assert words in text(data) and words in render(STREAMS, PageFormat.HTML, data)
    assert '"stall_ms": 1250' in render(STREAMS, PageFormat.JSON, data)
    alone = at_once(collect(sample.context(), Visit()))
    assert "viewers" not in text(alone) and "quality" not in render(STREAMS, PageFormat.JSON, alone)


def pushed(state: str = "retrying", **changes: Any) -> StreamFacts:
    """A publish on its way to an upstream."""
    push = {"push_state": state, "push_to": "10.0.0.1:1935", "push_state_s": 302, "push_error": "Connection refused"}
    return sample.stream("up", key="_/live/up.pubproxy", **{**push, **changes})


def test_broadcast_that_reaches_nobody_does_not_look_healthy() -> None:
    data = at_once(collect(sample.context(streams=[pushed()]), Visit()))
    assert (data.stream_count, data.live_count) == (1, 0)
    head, row = text(data).splitlines()
    assert head.split()[:5] == ["key", "state", "push_state", "push_to", "push_state_s"]
    assert row.split()[:5] == ["_/live/up.pubproxy", "live", "retrying", "10.0.0.1:1935", "302"]
    assert head.split()[-1] == "push_error" and row.endswith("Connection refused")
    html = render(STREAMS, PageFormat.HTML, data)
    assert '<td class="bad"><span class="dot"></span>push retrying</td>' in html
    assert "push to 10.0.0.1:1935 retrying for 5 min 2 s" in html and "Connection refused" in html
    assert "Live streams <small>0 of 1</small>" in html and 'class="good"' not in html


def test_error_of_before_is_not_shown_as_one_of_a_push_that_works_again() -> None:
    html = render(STREAMS, PageFormat.HTML, at_once(collect(sample.context(streams=[pushed("live")]), Visit())))
    assert "push to 10.0.0.1:1935 live for 5 min 2 s" in html and "Connection refused" not in html


@pytest.mark.parametrize(
    ("state", "push_state", "shown", "wanted"),
    [
        ("live", "", "live", "good"),
        ("live", "live", "live", "good"),
        ("live", "retrying", "push retrying", "bad"),
        ("live", "connecting", "push connecting", "wait"),
        ("retrying", "", "retrying", "bad"),
        ("waiting", "", "waiting", "wait"),
        ("grace", "live", "grace", "wait"),
        ("grace", "retrying", "grace", "wait"),
    ],
)
def test_only_what_is_live_has_the_sign_and_the_count_of_it(
    state: str, push_state: str, shown: str, wanted: str
) -> None:
    row = sample.stream(state=state, **({"push_state": push_state} if push_state else {}))
    data = at_once(collect(sample.context(streams=[row, sample.stream("b")]), Visit()))
    assert (shown_state(row), level(row)) == (shown, wanted)
    assert data.live_count == 1 + (wanted == "good")
    html = render(STREAMS, PageFormat.HTML, data)
    assert f'<td class="{wanted}"><span class="dot"></span>{shown}</td>' in html


def test_nothing_of_pushes_where_there_are_none() -> None:
    data = at_once(collect(sample.context(), Visit()))
    assert "push" not in text(data) and "push" not in render(STREAMS, PageFormat.HTML, data)


@pytest.mark.parametrize(
    ("drift_ms", "wanted"), [(28_400, "28.4 s ahead of"), (-5000, "5.0 s behind"), (900, ""), (0, "")]
)
def test_clocks_that_drift_apart_are_told_from_a_second_on(drift_ms: int, wanted: str) -> None:
    data = at_once(collect(sample.context(streams=[sample.stream("a", clock_drift_ms=drift_ms)]), Visit()))
    html = render(STREAMS, PageFormat.HTML, data)
    assert ("sound's clock" in html or "sound&#39;s clock" in html) is bool(wanted)
    assert wanted in html
    assert "clock_drift_ms" in text(data)


def test_muted_publishers_are_shown_where_there_are_any() -> None:
    rows = [sample.stream("a", muted_publishers=tuple(f"10.0.0.{n}:5000" for n in range(1, 6))), sample.stream("b")]
    data = at_once(collect(sample.context(streams=rows), Visit()))
    shown = "10.0.0.1:5000, 10.0.0.2:5000, 10.0.0.3:5000 and 2 more"
    head, first, second = text(data).splitlines()
    assert head.split()[-1] == "muted_publishers" and first.endswith(shown) and second.endswith("-")
    assert render(STREAMS, PageFormat.HTML, data).count(f'<div class="soft">muted: {shown}</div>') == 1
    nobody = at_once(collect(sample.context(streams=[sample.stream("a", muted_publishers=())]), Visit()))
    assert "muted" not in text(nobody) and "muted" not in render(STREAMS, PageFormat.HTML, nobody)


def test_pull_in_vain_says_why() -> None:
    rows = [sample.stream("a", state="retrying", pull_error="closed by the peer"), sample.stream("b", pull_error="")]
    data = at_once(collect(sample.context(streams=rows), Visit()))
    head, first, _ = text(data).splitlines()
    assert head.split()[-1] == "pull_error" and first.endswith("closed by the peer")
    html = render(STREAMS, PageFormat.HTML, data)
    assert html.count('<div class="soft">pull: <span class="bad">closed by the peer</span></div>') == 1
    works = at_once(collect(sample.context(streams=rows[1:]), Visit()))
    assert "pull" not in text(works) and "pull:" not in render(STREAMS, PageFormat.HTML, works)
