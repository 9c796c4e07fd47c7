from __future__ import annotations

from edge.builtin.page import PageFormat, Visit
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


def test_X8_rows_beyond_the_limit_are_counted() -> None:
    rows = [sample.stream(str(number)) for number in range(MAX_ROWS + 5)]
    data = collect(sample.context(streams=lambda: rows), Visit())
    assert text(data).splitlines()[-1] == "... and 5 more"
    assert len(data["streams"]) == MAX_ROWS + 5


def test_scripts_get_json() -> None:
    assert API_STREAMS.plain_format is PageFormat.JSON
    assert STREAMS.plain_format is PageFormat.TEXT
