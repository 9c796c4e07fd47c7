from __future__ import annotations

from typing import Any

from edge.builtin.page import Data, PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.status import STATUS, collect, text
from edge.builtin.streams import MAX_ROWS
from tests.builtin import sample


def test_totals_and_sections() -> None:
    rows = [sample.stream("a", players=2), sample.stream("b", players=5)]
    data = collect(sample.context(streams=lambda: rows), Visit())
    assert (data["server"]["stream_count"], data["server"]["player_count"]) == (2, 7)
    shown = text(data)
    for line in ("version: 1.2.3", "player_count: 7", "[counters]", "error_handshake_count: 1", "[upstreams]"):
        assert line in shown.splitlines()


def test_id_of_each_service_is_in_every_format() -> None:
    rows = [{"service": name, "role": "edge", "id": f"{name}5d"} for name in ("front", "merge")]
    data = collect(sample.context(services=lambda: rows), Visit())
    for view in PageFormat:
        shown = render(STATUS, view, data)
        assert "front5d" in shown and "merge5d" in shown, view
    assert "\n[services]\nservice  role  id\nfront    edge  front5d\nmerge    edge  merge5d\n" in text(data)


def test_sources_of_servers_are_in_every_format() -> None:
    rows = [{"use": "pull+push", "target": "consul://live", "state": "kept in outage", "last_error": "refused"}]
    data = collect(sample.context(naming=lambda: rows), Visit())
    for view in PageFormat:
        shown = render(STATUS, view, data)
        assert "consul://live" in shown and "kept in outage" in shown, view
    assert "\n[naming]\nuse        target         state           last_error\npull+push  consul://live  " in text(data)
    assert "[naming]" not in text(collect(sample.context(naming=list), Visit()))


def test_reasons_for_not_being_ready_are_shown() -> None:
    data = collect(sample.context(readiness=lambda: (False, ["draining"])), Visit())
    assert "not_ready_because: draining" in text(data)


def test_X8_connections_beyond_the_limit_are_counted() -> None:
    rows = [{"id": number} for number in range(MAX_ROWS + 3)]
    shown = text(collect(sample.context(connections=lambda: rows), Visit()))
    assert shown.splitlines()[-1] == "... and 3 more"
    assert "[upstreams]" not in text(collect(sample.context(upstreams=list), Visit()))


def test_priorities_of_upstreams_are_shown_where_there_are_any() -> None:
    for priority, is_shown in ((0, False), (20, True)):
        rows = [{"endpoint": "10.0.0.1:1935", "priority": 0}, {"endpoint": "10.0.0.2:1935", "priority": priority}]
        data = collect(sample.context(upstreams=lambda rows=rows: rows), Visit())
        assert ("priority" in text(data)) is is_shown
        assert '"priority":' in render(STATUS, PageFormat.JSON, data)


LONG = "list://" + ",".join(f"10.0.0.{number}:1935" for number in range(1, 11))


def server(number: int, **changes: Any) -> Data:
    row = {"use": "pull+push", "target": LONG, "endpoint": f"10.0.0.{number}:1935", "tag": "", "streams_count": 1}
    return {**row, "state": "checking", "last_error": "health check: Connection refused", **changes}


def test_state_of_a_server_is_not_pushed_out_of_sight_by_a_long_list() -> None:
    rows = [server(1, state="up", last_error=""), server(2)]
    data = collect(sample.context(upstreams=lambda: rows), Visit())
    section = text(data).partition("\n[upstreams]\n")[2].partition("\n\n")[0].splitlines()
    assert section[0] == f"use: pull+push  target: {LONG}"
    assert section[1].split() == ["endpoint", "state", "last_error", "tag", "streams_count"]
    assert section[3].startswith("10.0.0.2:1935  checking  health check: Connection refused")
    html = render(STATUS, PageFormat.HTML, data)
    assert html.count(LONG) == 1
    assert '<td class="good"><span class="dot"></span>up</td>' in html
    assert '<td class="bad"><span class="dot"></span>checking</td>' in html


def test_each_list_of_servers_has_a_table_and_its_own_head() -> None:
    rows = [server(1, use="pull", service="front"), server(2, use="push", service="front", target="10.0.0.2:1935")]
    data = collect(sample.context(upstreams=lambda: rows), Visit())
    shown = text(data)
    assert f"\n[upstreams]\nuse: pull  target: {LONG}".replace("use", "service: front  use") in shown
    assert "\n\nservice: front  use: push  target: 10.0.0.2:1935\nendpoint" in shown
    assert render(STATUS, PageFormat.HTML, data).count(">endpoint</th>") == 2


def test_servers_come_before_counters() -> None:
    data = collect(sample.context(), Visit())
    for shown in (text(data), render(STATUS, PageFormat.JSON, data), render(STATUS, PageFormat.HTML, data)):
        assert 0 < shown.lower().index("upstreams") < shown.lower().index("counters")


def test_long_targets_of_a_service_leave_its_other_columns_in_sight() -> None:
    rows = [{"role": "edge", "pulls_from": LONG, "pushes_to": LONG, "stream_count": 1}]
    data = collect(sample.context(services=lambda: rows), Visit())
    lines = text(data).partition("[services]\n")[2].splitlines()
    assert len(lines[1]) < 130 and "list://10.0.0.1:1935" in lines[1] and "10.0.0.10:1935" in lines[1]
    html = render(STATUS, PageFormat.HTML, data)
    assert f'<span title="{LONG}">list://10.0.0.1:1935,' in html and f">{LONG}<" not in html
