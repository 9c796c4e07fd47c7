from __future__ import annotations

from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.streams import API_STREAMS, MAX_ROWS, STREAMS, collect, text
from tests.builtin import sample


def test_most_watched_first() -> None:
    rows = [sample.stream("a", players=1), sample.stream("b", players=9), sample.stream("c", players=None)]
    data = collect(sample.context(streams=lambda: rows), Visit())
    assert [row["stream"] for row in data["streams"]] == ["b", "a", "c"]
    assert data["stream_count"] == 3


def test_text_has_a_line_per_stream() -> None:
    lines = text(collect(sample.context(), Visit())).splitlines()
    assert lines[0].split()[:4] == ["key", "state", "publisher", "players"]
    assert lines[1].split()[:4] == ["_/live/a", "publishing", "10.0.0.9:51234", "3"]
    assert text(collect(sample.context(streams=list), Visit())) == "no streams\n"


def test_service_is_shown_where_a_process_has_two() -> None:
    rows = [sample.stream("a", service="front"), sample.stream("a", service="merge")]
    data = collect(sample.context(streams=lambda: rows), Visit())
    assert [line.split()[:2] for line in text(data).splitlines()] == [
        ["key", "service"],
        ["_/live/a", "front"],
        ["_/live/a", "merge"],
    ]
    html = render(STREAMS, PageFormat.HTML, data)
    assert "<th>service</th>" in html and "<td>merge</td>" in html
    alone = collect(sample.context(streams=lambda: [sample.stream("a", service="")]), Visit())
    assert "service" not in text(alone) and "<th>service</th>" not in render(STREAMS, PageFormat.HTML, alone)


def test_X8_rows_beyond_the_limit_are_counted() -> None:
    rows = [sample.stream(str(number)) for number in range(MAX_ROWS + 5)]
    data = collect(sample.context(streams=lambda: rows), Visit())
    assert text(data).splitlines()[-1] == "... and 5 more"
    assert len(data["streams"]) == MAX_ROWS + 5


def test_scripts_get_json() -> None:
    assert API_STREAMS.plain_format is PageFormat.JSON
    assert STREAMS.plain_format is PageFormat.TEXT
