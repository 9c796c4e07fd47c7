from __future__ import annotations

import pytest

from edge.flags.gflags import parse
from edge.flags.registry import new_flags
from edge.flags.tracing import OtlpConfig, endpoint_fault, otlp_config, traces_url


def test_defaults_and_values() -> None:
    assert otlp_config(new_flags()) == OtlpConfig("", "edge")
    parsed = parse(["-otlp_endpoint=http://c:4318", "-otlp_service_name=origin"])
    assert otlp_config(parsed.flags) == OtlpConfig("http://c:4318", "origin")


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://[::1]:4318/", "http://[::1]:4318/v1/traces"),
        ("https://collector", "https://collector/v1/traces"),
        ("https://collector/otlp/v1/traces", "https://collector/otlp/v1/traces"),
    ],
)
def test_where_spans_are_posted(endpoint: str, url: str) -> None:
    assert (endpoint_fault(endpoint), traces_url(endpoint)) == ("", url)


@pytest.mark.parametrize(
    "endpoint",
    [
        *("127.0.0.1:4318", "collector", "grpc://c:4317", "http://", "http:///v1/traces", "http://:4318"),
        *("http://c:x", "http://c:99999", "http://c:0", "http://[::1", "http://c /", "http://c\n", "http://ü"),
    ],
)
def test_what_is_no_endpoint(endpoint: str) -> None:
    assert endpoint_fault(endpoint) == "not of the form http://HOST:PORT or https://HOST:PORT"


@pytest.mark.parametrize("endpoint", ["http://u:hush@c", "http://hush@c", "http://c/?key=hush", "http://c/#hush"])
def test_secrets_go_elsewhere_and_are_not_quoted(endpoint: str) -> None:
    fault = endpoint_fault(endpoint)
    assert "OTEL_EXPORTER_OTLP_HEADERS" in fault and "hush" not in fault
