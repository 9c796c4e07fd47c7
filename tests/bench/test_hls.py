"""The viewers of the HLS measurements, and the section that is written of them."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from bench import hls
from bench.hls_load import Load, Plan

_CLASSIC = b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2.0,\ns.e-7-0.ts\n#EXTINF:2.0,\ns.e-8-2000.ts\n"
_LOW_LATENCY = (
    b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n"
    b'#EXT-X-PART:DURATION=0.3,URI="s.e-10-0.0.m4s"\n#EXTINF:2.0,\ns.e-10-0.m4s\n'
    b'#EXT-X-PART:DURATION=0.3,URI="s.e-11-2000.0.m4s"\n#EXT-X-PART:DURATION=0.3,URI="s.e-11-2000.1.m4s"\n'
    b'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s.e-11-2000.2.m4s"\n'
)


def test_classic_viewers_want_the_newest_segment() -> None:
    plan = Plan("/live/s.classic.media.m3u8", _CLASSIC, is_low_latency=False)
    assert (plan.media, plan.following) == ("/live/s.e-8-2000.ts", "/live/s.classic.media.m3u8")


def test_viewers_of_low_latency_want_the_newest_part_and_wait_for_the_next() -> None:
    plan = Plan("/live/s.ll.media.m3u8", _LOW_LATENCY, is_low_latency=True)
    assert plan.media == "/live/s.e-11-2000.1.m4s"
    assert plan.following == "/live/s.ll.media.m3u8?_HLS_msn=11&_HLS_part=2&_HLS_skip=YES"


async def test_viewers_take_what_they_ask_for() -> None:
    """From a server that answers each playlist and segment with the same."""
    body = b"x" * 300_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                content = _CLASSIC if b".m3u8" in head else body
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    load = Load(port, "/live/s.classic.media.m3u8", is_low_latency=False)

    def view() -> None:
        for _ in range(5):
            load.connect(0.0)
        load.run(load.now_s() + 1.0)

    await asyncio.to_thread(view)
    found = load.figures(1.0)
    load.close()
    server.close()
    await asyncio.sleep(0.05)
    assert (found["playlists_per_s"], found["media_per_s"], found["statuses"]) == (5, 5, {})
    assert round(found["mbps"]) == round(5 * (len(body) + len(_CLASSIC)) * 8 / 1e6)


def test_what_people_wrote_below_the_tables_stays() -> None:
    page = "# P\n\n## HLS\n\nold\n\n### Where it goes\n\nby hand\n\n## TLS\n\nx\n"
    assert hls._kept(page) == "\n### Where it goes\n\nby hand\n"
    row = {"scenario": "viewers", "server": "edge", "form": "classic", "statuses": {"503": 2}}
    fields = (
        "cpu_pct media_per_s playlists_per_s mbps media_p50_ms media_p99_ms behind_p99_ms rss_mb own_cpu_pct other_pct"
    )
    row |= dict.fromkeys(fields.split(), 10.0)
    results = json.loads(json.dumps({"when": "now", "machine": {"kernel": "Linux"}, "runs": [row, row]}))
    text = hls.section(results, hls._kept(page))
    assert "| classic | edge | 20 |" in text and text.endswith("by hand\n")
