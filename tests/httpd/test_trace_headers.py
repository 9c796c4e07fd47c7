from __future__ import annotations

import asyncio

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from edge.httpd.trace_headers import trace_of
from edge.service.spans import FinishedSpan
from edge.service.trace_context import TraceContext
from tests.harness.clock import deadline
from tests.harness.raw_http import raw_request, request_head
from tests.net.live import eventually
from tests.runtime.nodes import running

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"
FOUND = int("a" * 32, 16), int("b" * 16, 16), True


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([("traceparent", PARENT)], TraceContext(*FOUND)),
        ([("Traceparent", f" {PARENT}\t"), ("TRACESTATE", "a=1")], TraceContext(*FOUND, "a=1")),
        ([("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")], TraceContext(*FOUND, "a=1,b=2")),
        ([("traceparent", PARENT), ("traceparent", PARENT)], None),
        ([("traceparent", "junk"), ("tracestate", "a=1")], None),
        ([("tracestate", "a=1")], None),
    ],
)
def test_headers_of_a_request(headers: list[tuple[str, str]], found: TraceContext | None) -> None:
    assert trace_of(make_mocked_request("GET", "/live/s.flv", headers=CIMultiDict(headers))) == found


@pytest.mark.parametrize("path", ["/live/s.flv", "/live/s.ts", "/live/s.m3u8"])
async def test_play_of_a_request_is_a_span_of_its_trace(path: str) -> None:
    async with running("-enable_rpcz") as node:
        await node.publisher(pictures=3)
        url = f"http://127.0.0.1:{node.port()}{path}"
        asking = asyncio.create_task(raw_request(url, request_head(url, f"traceparent: {PARENT}"), deadline(5)))

        def plays() -> list[FinishedSpan]:
            return [span for span in node.node.context.spans.newest_first() if span.method == "service.play"]

        await eventually(plays, "the play", 5)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        (play,) = plays()
    assert (play.trace_id, play.parent_id) == FOUND[:2]
