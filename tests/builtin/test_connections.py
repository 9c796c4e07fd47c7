from __future__ import annotations

from datetime import datetime, timedelta

from edge.builtin.connections import CLIENT_COLUMNS, SERVER_COLUMNS, ConnectionsData, collect, tables, text
from edge.builtin.page import Visit
from tests.builtin import sample
from tests.harness.at_once import at_once

NOW = "2026-11-30T12:00:00.000000+00:00"


def test_columns_are_those_that_operators_cut_out() -> None:
    data = ConnectionsData(NOW, 1, [sample.traffic()], 0, [])
    lines = text(data).splitlines()
    assert lines[0] == "server_connection_count: 1"
    assert [head.rstrip() for head in lines[1].split("|")] == [name for name, _ in SERVER_COLUMNS]
    created = (datetime.fromisoformat(NOW) - timedelta(seconds=3723)).strftime("%Y/%m/%d-%H:%M:%S")
    assert lines[2] == (
        f"{created}       |10.0.0.9:51234     |No |rtmp        |12   |1000     |-     |60000     |-       "
        "|-         |-     |-         |-       |1.5/0.2    |7"
    )
    assert lines[3:5] == ["", "channel_connection_count: 0"]
    widths = [len(head) for head in lines[1].split("|")][:-1]
    assert widths == [max(width, len(name)) for name, width in SERVER_COLUMNS][:-1]


def test_those_to_upstreams_have_three_columns_more() -> None:
    to = sample.traffic(is_upstream=True, is_encrypted=True, rtt_ms=None, rtt_var_ms=None)
    lines = text(ConnectionsData(NOW, 0, [], 1, [to])).splitlines()
    assert [head.rstrip() for head in lines[4].split("|")] == [name for name, _ in CLIENT_COLUMNS]
    cells = [cell.strip() for cell in lines[5].split("|")]
    assert cells[1:6] == ["10.0.0.9:51234", "1935", "-", "-", "Yes"]
    assert cells[-2:] == ["-", "7"]


def test_of_many_the_rest_is_told_unless_all_are_asked_for() -> None:
    context = sample.context(traffic=[sample.traffic(number) for number in range(5)])
    data = at_once(collect(context, Visit()))
    assert (len(data.server_connections), data.server_connection_count) == (2, 5)
    assert "... and 3 more: ?givemeall shows them\n" in text(data)
    assert "... and 3 more" in tables(data)[0].rest
    whole = at_once(collect(context, Visit(query="givemeall")))
    assert len(whole.server_connections) == 5
    assert "more" not in text(whole)
