"""The two-level scheme over HTTP: what caches and players that come later may rely on."""

from __future__ import annotations

import asyncio

from tests.harness.clock import deadline, wait_until
from tests.harness.raw_http import raw_request, request_head
from tests.httpd.hls_asking import CLOSE, SCHEMES, asking, beside, hls_of, media_of, url_of, waits
from tests.httpd.test_hls_shelf import pushed, watching

TWO_LEVEL = SCHEMES["two-level"][1]


async def test_segment_that_grows_is_sent_whole_to_a_cache_that_knows_no_chunks() -> None:
    """By HTTP/1.0 the end of the connection is that of the segment: what was cut off would be kept for a year."""
    async with watching(TWO_LEVEL, count=30) as (node, source):
        media = await media_of(node, TWO_LEVEL)
        path = beside(TWO_LEVEL, media.segments[-4].uri)  # the one that is being written
        url = url_of(node, path)
        head = request_head(url, CLOSE).replace(b"HTTP/1.1", b"HTTP/1.0")
        old = asyncio.create_task(raw_request(url, head, deadline(6)))
        new = asking(node, path)
        await waits(old)
        await pushed(node, source, 60)
        answer = await old
        assert answer.status == 200 and int(answer.headers["content-length"]) == len(answer.body) > 188
        assert (await new).body == answer.body


async def test_segment_that_stops_growing_is_no_whole_one_for_a_cache_that_knows_no_chunks() -> None:
    async with watching(TWO_LEVEL, "-hls_segment_wait_ms=300", count=30) as (node, _source):
        media = await media_of(node, TWO_LEVEL)
        url = url_of(node, beside(TWO_LEVEL, media.segments[-4].uri))
        head = request_head(url, CLOSE).replace(b"HTTP/1.1", b"HTTP/1.0")
        answer = await raw_request(url, head, deadline(6))
        assert answer.status == 503 and answer.headers["cache-control"] == "no-store"


async def test_numbers_go_on_when_nobody_has_asked_for_a_while() -> None:
    """They began at 1 again, and players waited until the number where they were was passed."""
    async with watching(TWO_LEVEL, "-hls_viewer_timeout_ms=1000", count=60) as (node, source):
        before = await media_of(node, TWO_LEVEL)
        shelf = hls_of(node).shelf
        await wait_until(lambda: not len(shelf), deadline(4), "the end of the segmenter")
        task = asking(node, TWO_LEVEL)
        await pushed(node, source, 30)
        assert (await task).status == 200
        after = await media_of(node, TWO_LEVEL)
        assert after.media_sequence > before.media_sequence
