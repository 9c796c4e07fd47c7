"""Flags of the spans that go to a collector."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from edge.flags.registry import FlagValues, define_string, pick

_TOPIC = "tracing"
#: Where OTLP is taken at a collector whose address is all that is said (OTLP 1.x, "OTLP/HTTP Request").
_DEFAULT_PATH = "/v1/traces"


@dataclass(frozen=True, slots=True)
class OtlpConfig:
    """The fields bear the names of the flags that set them."""

    otlp_endpoint: str = ""
    otlp_service_name: str = "edge"


define_string(
    "otlp_endpoint",
    "",
    "Collector that spans are sent to by OTLP over HTTP, such as http://127.0.0.1:4318; without a path, /v1/traces."
    " Headers come from OTEL_EXPORTER_OTLP_HEADERS. Empty: off.",
    topic=_TOPIC,
)
define_string("otlp_service_name", "edge", "service.name of the spans that are sent.", topic=_TOPIC)


def otlp_config(flags: FlagValues) -> OtlpConfig:
    """Settings of the spans that are sent."""
    return pick(OtlpConfig, flags)


def endpoint_fault(endpoint: str) -> str:
    """What is wrong with ``-otlp_endpoint``, without quoting it; "" for nothing.

    Names, passwords and queries are refused: the log and errors of libraries show the address.
    """
    try:
        parts = urlsplit(endpoint)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        return "not of the form http://HOST:PORT or https://HOST:PORT"
    if "@" in parts.netloc or "?" in endpoint or "#" in endpoint:
        return "a name, password or query does not go here; set OTEL_EXPORTER_OTLP_HEADERS"
    return ""


def traces_url(endpoint: str) -> str:
    """Where spans are posted to."""
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + _DEFAULT_PATH
