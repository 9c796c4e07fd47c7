from __future__ import annotations

import pytest

from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.upstreams import MAX_SERVERS, UPSTREAMS, carried, collect, source_line, text, why
from edge.facts.records import ServerFacts
from tests.builtin import sample
from tests.harness.at_once import at_once


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (sample.server(), ""),
        (sample.server(last_error="connection refused", last_error_age_s=62), "connection refused 1 min 2 s ago"),
        (
            sample.server(last_error="timeout", isolated_for_ms=4000, check_in_ms=1500),
            "timeout; passed over for another 4 s; looked at again in 1 s",
        ),
        (sample.server(disabled_keys_count=3), "passed over for 3 streams that it had no data of"),
    ],
)
def test_why(server: ServerFacts, words: str) -> None:
    assert why(server) == words


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (sample.server(streams_count=0), "0"),
        (sample.server(streams_count=2), "2"),
        (sample.server(streams_count=2, streams=("_/live/a", "_/live/b")), "2: _/live/a, _/live/b"),
        (sample.server(streams_count=5, streams=("a", "b", "c", "d")), "5: a, b, c, ..."),
    ],
)
def test_what_runs_over_a_server(server: ServerFacts, words: str) -> None:
    assert carried(server) == words


def test_source_of_names() -> None:
    line = source_line(sample.source(state="kept in outage", failed_count=2, last_error="no answer"))
    assert line == (
        "server list: kept in outage, 1 server, last answer 3 s ago, 2 questions without an answer, "
        "last failure: no answer"
    )
    assert source_line(None) == ""


def test_each_list_has_its_table() -> None:
    servers = [
        sample.server(service="front", use="pull"),
        sample.server("10.0.0.2:1935", service="front", use="push", state="isolated", last_error="refused"),
    ]
    sources = [sample.source(service="front", use="pull", target="dns://m"), sample.source(service="front", use="push")]
    data = at_once(collect(sample.context(servers=servers, sources=sources), Visit()))
    assert [(each.use, len(each.servers)) for each in data.targets] == [("pull", 1), ("push", 1)]
    shown = text(data)
    assert shown.startswith("[ front pull: dns://m ]\nserver list: current, 1 server, last answer 3 s ago\nendpoint ")
    assert "10.0.0.2:1935  isolated  refused  1" in shown
    html = render(UPSTREAMS, PageFormat.HTML, data)
    assert html.count("<table>") == 2 and '<td class="bad">' in html


def test_an_origin_says_that_it_has_none() -> None:
    data = at_once(collect(sample.context(servers=[], sources=[]), Visit()))
    assert text(data) == "no upstreams: streams are published here, and go nowhere else\n"
    assert "This is an origin" in render(UPSTREAMS, PageFormat.HTML, data)


def test_many_servers_are_counted() -> None:
    many = [sample.server(f"10.0.0.1:{number}") for number in range(MAX_SERVERS + 5)]
    data = at_once(collect(sample.context(servers=many), Visit()))
    assert data.server_count == MAX_SERVERS + 5
    assert text(data).endswith("... and 5 more\n")
