"""Texts of media playlists: made once for all who ask for the same, and kept as long as they last."""

from __future__ import annotations

from unittest.mock import patch

from edge.hls import playlist
from tests.harness.clock import deadline, wait_until
from tests.httpd.feeding import Source
from tests.httpd.hls_asking import ask, asking, media_of
from tests.httpd.test_hls_shelf import pushed
from tests.runtime.nodes import running


async def test_who_asks_for_the_same_gets_the_text_of_the_first() -> None:
    async with running("-hls_fragment_s=1") as node:
        source = await Source.at(node)
        await pushed(node, source, 75)
        tasks = [asking(node, path) for path in (".classic.media.m3u8", ".ll.media.m3u8")]
        (stream,) = node.node.units[0].registry.streams.values()
        await wait_until(lambda: len(stream.readers) > 2, deadline(3), "both segmenters")
        await pushed(node, source, 75)
        assert [(await task).status for task in tasks] == [200, 200]
        with (
            patch.object(playlist, "classic", wraps=playlist.classic) as classic,
            patch.object(playlist, "low_latency", wraps=playlist.low_latency) as low_latency,
        ):
            await pushed(node, source, 25)
            for token in "ab":
                answer = await ask(node, f".classic.media.m3u8?t={token}")
                assert answer.headers["cache-control"] == "public, max-age=1"
                await media_of(node, f".ll.media.m3u8?t={token}")
            assert (classic.call_count, low_latency.call_count) == (1, 1)
            await media_of(node, ".ll.media.m3u8?_HLS_skip=YES")
            await media_of(node, ".ll.media.m3u8?vhost=_")
            assert (classic.call_count, low_latency.call_count) == (1, 3)
