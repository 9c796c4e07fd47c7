"""The trace that a request belongs to, by its headers."""

from __future__ import annotations

from aiohttp import web

from edge.service.trace_context import TraceContext, parse_trace_context


def trace_of(request: web.BaseRequest) -> TraceContext | None:
    """The span for whose sake it comes; None without one, or where two are named.

    W3C Trace Context §3.2, §3.3: ``traceparent`` comes once, ``tracestate`` may come in parts.
    """
    parents = request.headers.getall("traceparent", ())
    if len(parents) != 1:
        return None
    return parse_trace_context(parents[0].strip(" \t"), ",".join(request.headers.getall("tracestate", ())))
