from __future__ import annotations

import json

from prometheus_client.parser import text_string_to_metric_families

from edge.builtin.site import site_routes
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of


async def test_metrics_and_its_alias_are_what_prometheus_reads() -> None:
    async with serving(routes=site_routes(sample.context())) as server:
        for path in ("/metrics", "/brpc_metrics", "/metrics?format=text"):
            answer = await server.get(path)
            assert status_of(answer) == 200
            assert b"\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n" in answer
            names = {family.name for family in text_string_to_metric_families(body_of(answer).decode())}
            assert {"edge_errors", "edge_http_requests", "edge_first_frame_seconds"} <= names


async def test_openmetrics_is_negotiated() -> None:
    async with serving(routes=site_routes(sample.context())) as server:
        answer = await server.get("/metrics", headers="Accept: application/openmetrics-text;version=1.0.0\r\n")
        assert b"\r\nContent-Type: application/openmetrics-text; version=1.0.0" in answer
        assert body_of(answer).endswith(b"# EOF\n")


async def test_samples_in_json_are_as_declared() -> None:
    async with serving(routes=site_routes(sample.context())) as server:
        rows = json.loads(body_of(await server.get("/metrics.json")))["samples"]
    assert {"metric": "http_requests_count", "value": 7, "labels": []} in rows
    assert {"metric": "error_*_count", "value": 2, "labels": [sample.EVIL]} in rows
