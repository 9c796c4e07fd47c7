"""What players report, at a running node: with requests for HLS, in headers, and by POST."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness.clock import deadline
from tests.harness.raw_http import RawAnswer, raw_request, request_head
from tests.httpd.hls_asking import CLOSE, ask, beside, entry_of, media_of, url_of
from tests.httpd.hls_watching import watched
from tests.runtime.nodes import RunningNode, running

EVENT = b'cid="live/s",sid="viewer",e=ps,sta=p,ts=1796056580123,msd=640,bsa=(2),bsda=(900),dfa=4,bl=(1500),v=2\n'


async def post(node: RunningNode, body: bytes, *lines: str, path: str = "/-/cmcd") -> RawAnswer:
    """One POST on a connection of its own."""
    url = url_of(node, path)
    head = request_head(url, CLOSE, f"Content-Length: {len(body)}", *lines, method="POST")
    return await raw_request(url, head + body, deadline(5))


async def quality(node: RunningNode) -> dict[str, Any] | None:
    """What is told of the one stream."""
    (stream,) = await node.facts.streams()
    found = stream.quality
    return None if found is None else {name: getattr(found, name) for name in found.__slots__}


def said(path: str, text: str) -> str:
    """``path`` with a report in its query."""
    return f"{path}?CMCD={quote(text, safe='')}"


async def test_reports_with_requests_for_playlists_segments_and_in_headers() -> None:
    async with running() as node:
        await watched(node)
        assert await quality(node) is None

        entry = await entry_of(node, said(".classic.m3u8", 'sid="a",su,ot=m'))
        assert "CMCD" not in entry
        media = await media_of(node, said(beside(".classic.m3u8", entry), 'sid="a",bl=900,su'))
        segment = beside(".classic.m3u8", media.segments[-1].uri)
        assert (await ask(node, said(segment, 'sid="a",bl=1700,br=800,bs'))).status == 200
        headers = ('CMCD-Session: sid="b"', "CMCD-Request: bl=300", "CMCD-Object: br=700,ot=av", "CMCD-Status: bs")
        assert (await ask(node, segment, *headers)).status == 200
        part = (await media_of(node, said(".ll.media.m3u8", 'sid="c"'))).segments[-1].parts[-1]
        assert (await ask(node, said(beside(".ll.m3u8", part.uri), 'sid="c",bl=500'))).status == 200
        two_level = (await media_of(node, said(".dynamic.m3u8", 'sid="d",bl=100'))).segments[0]
        assert (await ask(node, said(beside(".m3u8", two_level.uri), 'sid="d",bl=500,bs'))).status == 200
        found = await quality(node)
        assert found is not None
        assert (found["reporting"], found["sessions"], found["stall_count"]) == (4, 4, 3)
        assert (found["buffer_ms"], found["bitrate_kbps"], found["start_ms"]) == (750, 750, None)
        # Whatever they say, viewers are one play, and it goes nowhere.
        ((stream,), (play,)) = await node.facts.streams(), await node.facts.players("_/live/s", 10)
        assert (stream.players, play.protocol) == (1, "hls")


async def test_reports_that_cannot_be_read_disturb_nobody() -> None:
    async with running("-cmcd_max_line_bytes=256") as node:
        await watched(node)
        bad = ("sid=%22open", "%00%01%02", "%3Cscript%3E", "a" * 1000, quote('sid="' + '\\"' * 100 + "\\"), "=%3D%2C")
        for text in bad:
            assert (await ask(node, f".classic.media.m3u8?CMCD={text}")).status == 200
        assert (await ask(node, ".classic.media.m3u8", 'CMCD-Session: sid="a', "CMCD-Object: ,")).status == 200
        counters = await node.facts.counters()
        assert counters["cmcd_bad_syntax_rejected_count"] + counters["cmcd_too_long_rejected_count"] == len(bad) + 1
        assert await quality(node) is None


async def test_events_are_of_the_stream_that_their_content_id_names() -> None:
    async with running() as node:
        await node.publisher()
        answer = await post(node, EVENT + EVENT.replace(b"viewer", b"other").replace(b"live/s", b"live/none"))
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
        assert await quality(node) == {
            **{"reporting": 1, "sessions": 1, "start_ms": 640, "stall_count": 2, "stall_ms": 900},
            **{"dropped_frames": 4, "buffer_ms": 1500, "bitrate_kbps": None},
        }
        counters = await node.facts.counters()
        names = ("cmcd_session_count", "viewer_stall_count", "viewer_stall_ms", "viewer_dropped_count")
        assert [counters[name] for name in names] == [2, 4, 1800, 8]
        for path, words in (
            ("/streams", "1 of 1 report now, start 0.6 s, 2 stalls of 0.9 s, 4 frames dropped, buffer 1.5 s"),
            ("/players/_/live/s", "viewers=1 of 1 report now, start 0.6 s, 2 stalls of 0.9 s"),
            ("/metrics", "edge_viewer_stall_seconds_total 1.8"),
            ("/metrics", "edge_viewer_start_seconds_count 2"),
            ("/console.json", '"quality_text": "1 of 1 report now'),
        ):
            assert words in (await node.get(path))[1], path


async def test_a_vhost_is_named_as_for_media() -> None:
    async with running() as node:
        client = await node.client()
        client.publish("s?vhost=media.example")
        await asyncio.sleep(0.05)
        await post(node, EVENT)
        assert await quality(node) is None
        await post(node, EVENT.replace(b"viewer", b"later"), path="/-/cmcd?vhost=media.example")
        found = await quality(node)
        assert found is not None and found["reporting"] == 1


@pytest.mark.parametrize(
    ("body", "flags", "status"),
    [
        (b"", (), 204),
        (b"\xff\xfe\x00", (), 400),
        (b"<html>", (), 400),
        (b"e=t\n<html>\n", (), 204),
        (b"a" * 70000, (), 413),
        (b"a,\n" * 400, ("-cmcd_max_lines=50",), 204),
        (EVENT, ("-nocmcd",), 410),
    ],
)
async def test_bodies_that_are_none(body: bytes, flags: tuple[str, ...], status: int) -> None:
    async with running(*flags) as node:
        answer = await post(node, body)
        assert answer.status == status, answer
        assert answer.headers["access-control-allow-origin"] == "*"
        assert (await node.facts.counters())["cmcd_session_count"] == 0


async def test_pages_of_any_origin_may_post() -> None:
    async with running() as node:
        url = url_of(node, "/-/cmcd")
        head = request_head(url, CLOSE, "Origin: http://a.example", method="OPTIONS")
        answer = await raw_request(url, head, deadline(5))
        assert (answer.status, answer.headers["access-control-allow-methods"]) == (204, "POST")
        assert answer.headers["access-control-allow-headers"] == "*"
        assert (await ask(node, "/-/cmcd")).status == 405


async def test_thousands_of_sessions_are_bounded_and_the_oldest_forgotten() -> None:
    async with running("-cmcd_max_sessions=50") as node:
        await node.publisher()
        for first in range(0, 2000, 100):
            lines = [EVENT.replace(b"viewer", f"{number}".encode()) for number in range(first, first + 100)]
            assert (await post(node, b"".join(lines))).status == 204
        counters = await node.facts.counters()
        assert (counters["cmcd_session_count"], counters["cmcd_forgotten_count"]) == (50, 1950)
        found = await quality(node)
        assert found is not None and (found["reporting"], found["sessions"]) == (50, 2000)
