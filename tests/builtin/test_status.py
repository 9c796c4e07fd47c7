from __future__ import annotations

from edge.builtin.page import PageFormat, Visit
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
