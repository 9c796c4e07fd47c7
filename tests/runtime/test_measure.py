from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.facts.metrics import Distribution, Sample
from edge.hub.delay import DelayHistograms
from edge.hub.histogram import Histogram
from edge.hub.key import StreamKey
from edge.runtime.measure import (
    MAX_UPSTREAMS,
    build_sample,
    counter_samples,
    histogram_samples,
    load_ratio,
    upstream_samples,
)
from tests.builtin.sample import server
from tests.net.live import eventually
from tests.runtime.nodes import running


def test_load_is_that_of_the_scarcest() -> None:
    assert load_ratio(busy_share=0.5, connection_share=0.1, mean_lag_ms=20) == 0.5
    assert load_ratio(busy_share=0.5, connection_share=0.9, mean_lag_ms=20) == 0.9
    assert load_ratio(busy_share=0.5, connection_share=0.9, mean_lag_ms=1500) == 1.5


def test_upstreams_beyond_the_bound_are_one() -> None:
    servers = [server(f"10.0.{number // 256}.{number % 256}:1935", state="up") for number in range(MAX_UPSTREAMS + 5)]
    samples = upstream_samples(servers)
    taken = {sample.labels[0]: sample.value for sample in samples if sample.metric == "upstream_ok_count"}
    assert len(taken) == MAX_UPSTREAMS + 1
    assert taken["other"] == 5 * servers[0].ok_count
    assert Sample("upstream_servers", MAX_UPSTREAMS + 5, ("up",)) in samples


def test_histograms_of_two_services_are_one() -> None:
    connects = [Histogram((1.0, 2.0)), Histogram((1.0, 2.0))]
    connects[0].observe(0.5)
    connects[1].observe(3.0)
    delays = [DelayHistograms(), DelayHistograms()]
    delays[1].hop(2).observe(0.5)
    found = {
        (sample.metric, *sample.labels): sample.value
        for sample in histogram_samples(Histogram(), connects, delays, Histogram())
    }
    assert found["upstream_connect_ms",] == Distribution((1.0, 2.0), (1, 0, 1), 3.5)
    second = found["hop_delay_ms", "2"]
    assert isinstance(second, Distribution)
    assert (sum(second.counts), second.total) == (1, 0.5)
    assert sum(found["hop_delay_ms", "1"].counts) == 0  # type: ignore[union-attr]
    found_without = {sample.metric for sample in histogram_samples(Histogram(), [], delays, Histogram())}
    assert "upstream_connect_ms" not in found_without


def test_srs_has_its_own_names() -> None:
    found = counter_samples({"stream_count": 2, "error_a_count": 3, "error_b_count": 4})
    assert Sample("srs_streams", 2) in found
    assert Sample("srs_clients_errs", 7) in found
    assert build_sample("", "edge").labels[0] == "unknown"


async def test_bytes_count_on_when_their_connection_is_over() -> None:
    async with running() as one:
        publisher = await one.publisher(pictures=3)

        async def received() -> float:
            found = [each for each in await one.facts.samples() if each.metric == "received_bytes_by_protocol"]
            return sum(float(each.value) for each in found if each.labels == ("rtmp",))  # type: ignore[arg-type]

        before = await received()
        assert before > 3000
        publisher.peer.abort()
        await eventually(lambda: not one.node.context.connections, "the end")
        assert await received() >= before


async def test_X8_ten_thousand_streams_make_no_series() -> None:
    async with running() as one:
        (unit,) = one.node.units
        few = len((await one.get("/metrics"))[1].splitlines())
        for number in range(10_000):
            unit.registry.find_or_create(StreamKey("_", "live", f"s{number}"), 0)
        status, body = await one.get("/metrics")
        unit.registry.streams.clear()
    assert status == 200
    found = {family.name: family for family in text_string_to_metric_families(body)}
    assert found["edge_streams"].samples[0].value == 10_000
    assert len(body.splitlines()) <= few + 20
    assert found["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert found["edge_load_ratio"].samples[0].value == pytest.approx(0, abs=20)
