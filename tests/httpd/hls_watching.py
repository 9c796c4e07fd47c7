"""Streams that are watched by HLS, as far as a test has pushed them."""

from __future__ import annotations

from urllib.parse import quote

from tests.harness.clock import deadline, wait_until
from tests.httpd.feeding import Source
from tests.httpd.hls_asking import SCHEMES, asking
from tests.runtime.nodes import RunningNode

ALL_MEDIA = [media_suffix for _, media_suffix, _ in SCHEMES.values()]


async def started(node: RunningNode, count: int = 110, name: str = "s") -> Source:
    """A publisher of so many pictures, 25 a second and each 25th a keyframe, that have arrived."""
    source = await Source.at(node, name)
    await pushed(node, source, count)
    return source


async def pushed(node: RunningNode, source: Source, count: int) -> None:
    source.push(count)
    key = source.name.partition("?")[0]

    def has_come() -> bool:
        streams = node.node.units[0].registry.streams
        return any(
            k.stream_name == key and s.timeline.last_dts_ms >= (source.number - 1) * 40 for k, s in streams.items()
        )

    await wait_until(has_come, deadline(3), "the pictures")


async def watched(node: RunningNode, *media_suffixes: str, name: str = "s", query: str = "") -> Source:
    """A publisher of 5.6 s, of which all from 2 s on is in media playlists, which are asked for then."""
    source = await started(node, 60, name + query)
    shown = f"/live/{quote(name)}"
    tasks = [asking(node, f"{shown}{suffix}{query}") for suffix in media_suffixes or ALL_MEDIA]
    (stream,) = node.node.units[0].registry.streams.values()
    await wait_until(lambda: len(stream.readers) > len(tasks), deadline(3), "the segmenters")
    await pushed(node, source, 80)
    for task in tasks:
        assert (await task).status == 200, task.result()
    return source
