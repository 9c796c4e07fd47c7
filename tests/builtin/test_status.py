from __future__ import annotations

from typing import Any

from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.status import STATUS, collect, text
from edge.builtin.streams import MAX_ROWS
from edge.facts.records import ServerFacts
from tests.builtin import sample
from tests.harness.at_once import at_once


def test_totals_and_sections() -> None:
    rows = [sample.stream("a", players=2), sample.stream("b", players=5)]
    data = at_once(collect(sample.context(streams=rows), Visit()))
    assert (data.server["stream_count"], data.server["player_count"]) == (2, 7)
    held = {"bytes_held": 240_000, "bytes_held_per_stream": 120_000, "log_bytes": 60_000}
    assert data.server.items() >= held.items()
    shown = text(data)
    for line in (
        "bytes_held: 240000",
        "version: 1.2.3",
        "player_count: 7",
        "[counters]",
        "error_handshake_count: 1",
        "[upstreams]",
    ):
        assert line in shown.splitlines()


def test_without_streams_nothing_is_held() -> None:
    server = at_once(collect(sample.context(streams=[]), Visit())).server
    assert (server["bytes_held"], server["bytes_held_per_stream"], server["log_bytes"]) == (0, 0, 0)


def test_id_of_each_service_is_in_every_format() -> None:
    rows = [sample.service(service=name, role="edge", id=f"{name}5d") for name in ("front", "merge")]
    data = at_once(collect(sample.context(services=rows), Visit()))
    for view in PageFormat:
        shown = render(STATUS, view, data)
        assert "front5d" in shown and "merge5d" in shown, view
    assert "\n[services]\nservice  role  id       " in text(data) and "\nfront    edge  front5d  " in text(data)


def test_sources_of_servers_are_in_every_format() -> None:
    rows = [sample.source(target="consul://live", state="kept in outage", last_error="refused")]
    data = at_once(collect(sample.context(sources=rows), Visit()))
    for view in PageFormat:
        shown = render(STATUS, view, data)
        assert "consul://live" in shown and "kept in outage" in shown, view
    assert "\n[naming]\nuse        target         state           servers_count  " in text(data)
    assert "[naming]" not in text(at_once(collect(sample.context(sources=[]), Visit())))


def test_reasons_for_not_being_ready_are_shown() -> None:
    data = at_once(collect(sample.context(readiness={"is_ready": False, "reasons": ("draining",)}), Visit()))
    assert "not_ready_because: draining" in text(data)


def test_X8_connections_beyond_the_limit_are_counted() -> None:
    rows = [sample.connection(number) for number in range(MAX_ROWS + 3)]
    shown = text(at_once(collect(sample.context(connections=rows), Visit())))
    assert shown.splitlines()[-1] == "... and 3 more"
    assert "[upstreams]" not in text(at_once(collect(sample.context(servers=[]), Visit())))


def test_priorities_of_upstreams_are_shown_where_there_are_any() -> None:
    for priority, is_shown in ((0, False), (20, True)):
        rows = [sample.server(), sample.server("10.0.0.2:1935", priority=priority)]
        data = at_once(collect(sample.context(servers=rows), Visit()))
        assert ("priority" in text(data)) is is_shown
        assert '"priority":' in render(STATUS, PageFormat.JSON, data)


LONG = "list://" + ",".join(f"10.0.0.{number}:1935" for number in range(1, 11))


def server(number: int, **changes: Any) -> ServerFacts:
    failing = {"state": "checking", "last_error": "health check: Connection refused"}
    return sample.server(f"10.0.0.{number}:1935", **{"target": LONG, **failing, **changes})


def test_state_of_a_server_is_not_pushed_out_of_sight_by_a_long_list() -> None:
    rows = [server(1, state="up", last_error=""), server(2)]
    data = at_once(collect(sample.context(servers=rows), Visit()))
    section = text(data).partition("\n[upstreams]\n")[2].partition("\n\n")[0].splitlines()
    assert section[0] == f"use: pull+push  target: {LONG}"
    assert section[1].split()[:5] == ["endpoint", "state", "last_error", "last_error_age_s", "tag"]
    assert section[3].startswith("10.0.0.2:1935  checking  health check: Connection refused")
    html = render(STATUS, PageFormat.HTML, data)
    assert html.count(LONG) == 1
    assert '<td class="good"><span class="dot"></span>up</td>' in html
    assert '<td class="bad"><span class="dot"></span>checking</td>' in html


def test_each_list_of_servers_has_a_table_and_its_own_head() -> None:
    rows = [server(1, use="pull", service="front"), server(2, use="push", service="front", target="10.0.0.2:1935")]
    data = at_once(collect(sample.context(servers=rows), Visit()))
    shown = text(data)
    assert f"\n[upstreams]\nuse: pull  target: {LONG}".replace("use", "service: front  use") in shown
    assert "\n\nservice: front  use: push  target: 10.0.0.2:1935\nendpoint" in shown
    assert render(STATUS, PageFormat.HTML, data).count(">endpoint</th>") == 2


def test_servers_come_before_counters() -> None:
    data = at_once(collect(sample.context(), Visit()))
    for shown in (text(data), render(STATUS, PageFormat.JSON, data), render(STATUS, PageFormat.HTML, data)):
        assert 0 < shown.lower().index("upstreams") < shown.lower().index("counters")


def test_long_targets_of_a_service_leave_its_other_columns_in_sight() -> None:
    rows = [sample.service(role="edge", pulls_from=LONG, pushes_to=LONG)]
    data = at_once(collect(sample.context(services=rows), Visit()))
    lines = text(data).partition("[services]\n")[2].splitlines()
    assert len(lines[1]) < 145 and "list://10.0.0.1:1935" in lines[1] and "10.0.0.10:1935" in lines[1]
    html = render(STATUS, PageFormat.HTML, data)
    assert f'<span title="{LONG}">list://10.0.0.1:1935,' in html and f">{LONG}<" not in html


def test_internal_port_is_that_of_operators_alone() -> None:
    assert "internal_port: -" in text(at_once(collect(sample.context(), Visit()))).splitlines()
    context = sample.context(addresses={"internal_port": 8080})
    assert "internal_port: 8080" in text(at_once(collect(context, Visit()))).splitlines()


def test_streams_of_a_server_are_joined_by_blanks() -> None:
    data = at_once(collect(sample.context(servers=[sample.server(streams=("_/live/a", "_/live/b"))]), Visit()))
    for view in (PageFormat.TEXT, PageFormat.HTML):
        shown = render(STATUS, view, data)
        assert "_/live/a _/live/b" in shown and "[&#39;" not in shown and "['" not in shown


def test_text_begins_as_brpcs_page_does() -> None:
    context = sample.context(counters={"error_a_count": 2, "error_b_count": 3, "http_requests_count": 9})
    lines = text(at_once(collect(context, Visit()))).splitlines()
    assert lines[:4] == ["version: 1.2.3", "non_service_error: 5", "connection_count: 1", "max_concurrency: unlimited"]
