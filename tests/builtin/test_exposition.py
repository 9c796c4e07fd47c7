from __future__ import annotations

import asyncio

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from edge.builtin.exposition import MAX_FAMILY_SERIES, MAX_SERIES, exposition
from edge.facts.declared import METRICS
from edge.facts.metrics import Distribution, Kind, Sample
from tests.builtin.sample import EVIL, SAMPLES

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def one_of_each() -> list[Sample]:
    """A sample of every declared figure."""
    spread = Distribution((1.0, 10.0), (1, 2, 3), 60.0)
    return [
        Sample(
            metric.name,
            spread if metric.kind is Kind.HISTOGRAM else 1,
            tuple(f"{label} {EVIL}" for label in metric.labels),
        )
        for metric in METRICS
        if metric.name != "metrics_left_out"
    ]


async def test_prometheus_reads_its_text() -> None:
    body, content_type = await exposition(SAMPLES, "")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    found = {family.name: family for family in parse_text(body.decode())}
    reasons = {sample.labels["reason"]: sample.value for sample in found["edge_errors"].samples}
    assert reasons == {"handshake": 1, EVIL: 2}
    assert found["edge_loop_lag_seconds"].samples[0].value == pytest.approx(0.002)
    assert found["edge_build_info"].samples[0].labels == {"version": "1.2.3", "python": "3.11.7", "role": "origin"}
    assert found["edge_metrics_left_out"].samples[0].value == 0


async def test_histograms_are_cumulative_and_in_seconds() -> None:
    body, _ = await exposition(SAMPLES, "")
    (family,) = (each for each in parse_text(body.decode()) if each.name == "edge_first_frame_seconds")
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert buckets == {"0.01": 3, "0.1": 4, "+Inf": 5}
    rest = {sample.name.rpartition("_")[2]: sample.value for sample in family.samples if "le" not in sample.labels}
    assert rest == {"count": 5, "sum": pytest.approx(0.7)}


@pytest.mark.parametrize("accept", [OPENMETRICS, "application/openmetrics-text"])
async def test_openmetrics_is_negotiated_and_parses(accept: str) -> None:
    body, content_type = await exposition(one_of_each(), accept)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.count(b"# EOF\n") == 1
    assert body.endswith(b"# EOF\n")
    families = list(parse_openmetrics(body.decode()))
    assert len(families) == len({metric.family for metric in METRICS})
    assert {family.name: family.unit for family in families}["edge_first_frame_seconds"] == "seconds"


async def test_every_declared_figure_is_shown_and_parses() -> None:
    body, _ = await exposition(one_of_each(), "text/plain")
    names = {sample.name for family in parse_text(body.decode()) for sample in family.samples}
    for metric in METRICS:
        shown = metric.shown_family + ("_sum" if metric.kind is Kind.HISTOGRAM else "")
        assert shown in names, metric.name


async def test_series_that_are_too_many_are_counted_only() -> None:
    many = [
        Sample(name, 1, (*(f"{number}" for _ in METRICS[name].labels[:1]), *METRICS[name].labels[1:]))
        for name in [metric.name for metric in METRICS if metric.labels and metric.kind is Kind.COUNTER]
        for number in range(MAX_FAMILY_SERIES + 7)
    ]
    body, _ = await exposition(many, "")
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    assert len(lines) <= MAX_SERIES
    left_out = len(many) - (len(lines) - 1)
    assert left_out >= 7
    assert lines[-1] == f"edge_metrics_left_out {float(left_out)}"


async def test_X8_others_have_their_turn_between_families() -> None:
    samples = [Sample("error_*_count", 1, (f"r{number}",)) for number in range(MAX_SERIES)] + one_of_each()
    turns, is_over = 0, False

    def turn() -> None:
        nonlocal turns
        turns += 1
        if not is_over:
            asyncio.get_running_loop().call_soon(turn)

    turn()
    body, _ = await exposition(samples, "")
    is_over = True
    assert turns >= body.count(b"# TYPE ") - 1
    assert MAX_FAMILY_SERIES * 10 <= MAX_SERIES, "a family is a small part of all"
