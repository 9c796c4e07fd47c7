"""Whether what ``-otlp_endpoint`` asks for can be done here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from edge.flags.gflags import Parsed
from edge.flags.problem import Problem
from edge.flags.registry import value_of
from edge.flags.tracing import endpoint_fault

MODULES = ("opentelemetry.sdk.trace.export", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


def check_otlp(parsed: Parsed) -> Iterator[Problem]:
    """An endpoint that is none, a name that is empty, and libraries that are not there; nothing without the flag."""
    endpoint = value_of(parsed.flags, "otlp_endpoint")
    if not endpoint:
        if "otlp_service_name" in parsed.origins:
            message = "-otlp_service_name has no effect without -otlp_endpoint: no spans are sent"
            yield Problem(parsed.where("otlp_service_name"), message, is_warning=True)
        return
    where = parsed.where("otlp_endpoint")
    if fault := endpoint_fault(endpoint):
        yield Problem(where, f"-otlp_endpoint: {fault}")
        return
    if not value_of(parsed.flags, "otlp_service_name"):
        yield Problem(parsed.where("otlp_service_name"), '-otlp_service_name="": a service needs a name')
    try:
        for name in MODULES:
            importlib.import_module(name)
    except ImportError as error:
        message = f"-otlp_endpoint needs the extra otel, which is not installed (pip install edge-media[otel]): {error}"
        yield Problem(where, message)
