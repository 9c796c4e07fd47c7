"""Flags of vhosts whose effect takes a node with its HTTP, or one that pulls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from edge.flags.registry import DEFINITIONS
from edge.net.aio import now_ms
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline, wait_until
from tests.harness.m3u8 import Media
from tests.harness.wire import VIDEO
from tests.httpd.feeding import Source
from tests.httpd.hls_asking import ask, entry_of, hls_of, media_of
from tests.httpd.hls_watching import pushed
from tests.net.live import eventually, status, until
from tests.runtime.nodes import RunningNode, running
from tests.vhosts.giving import give_vhosts
from tests.vhosts.world import PLAIN, SET

Seen = Callable[[RunningNode, str], Awaitable[Any]]
TWO_LEVEL, CLASSIC, LL = ".dynamic.m3u8", ".classic.media.m3u8", ".ll.media.m3u8"


async def _publish(node: RunningNode, vhost: str, count: int = 110) -> Source:
    source = await Source.at(node, f"s?vhost={vhost}")
    source.push(count)

    def has_come() -> bool:
        streams = node.node.units[0].registry.streams
        newest = (s.timeline.last_dts_ms for key, s in streams.items() if key.vhost == vhost)
        return any(dts_ms >= (source.number - 1) * 40 for dts_ms in newest)

    await wait_until(has_come, deadline(3), "the pictures")
    return source


def code(path: str, method: str = "GET") -> Seen:
    """Of the answer."""

    async def seen(node: RunningNode, vhost: str) -> int:
        await _publish(node, vhost)
        return (await ask(node, f"{path}?vhost={vhost}", method=method)).status

    return seen


def entry(path: str, part: str, host: str = "") -> Seen:
    """Whether ``part`` is in the URI of a master playlist."""

    async def seen(node: RunningNode, vhost: str) -> bool:
        await _publish(node, vhost)
        answer = await ask(node, f"{path}?vhost={vhost}", host=host)
        return part in answer.body.decode()

    return seen


def media(path: str, what: Callable[[Media], Any], seconds: int = 12) -> Seen:
    """Something of a media playlist, which is asked for from the beginning of the stream on."""

    async def seen(node: RunningNode, vhost: str) -> Any:
        source = await _publish(node, vhost, 30)
        asking = asyncio.create_task(ask(node, f"{path}?vhost={vhost}", within_s=10))
        (stream,) = node.node.units[0].registry.streams.values()
        await wait_until(lambda: bool(stream.readers), deadline(3), "the segmenter")
        for _ in range(seconds):
            await pushed(node, source, 25)
            await asyncio.sleep(0)
        assert (await asking).status == 200
        return what(await media_of(node, f"{path}?vhost={vhost}"))

    return seen


async def _longest_part_is_short(node: RunningNode, vhost: str) -> bool:
    found = await media(LL, lambda found: found.part_target_s)(node, vhost)
    return bool(found < 0.2)


async def _after_the_end(node: RunningNode, vhost: str) -> int:
    source = await _publish(node, vhost)
    path = f".m3u8?vhost={vhost}"
    await entry_of(node, path)
    source.end()
    await eventually(lambda: not node.node.units[0].registry.streams, "the end")
    hls_of(node).shelf.tick(now_ms())
    hls_of(node).shelf.tick(now_ms() + 1)
    return (await ask(node, path)).status


async def _announced(node: RunningNode, vhost: str) -> tuple[int, int]:
    """Chunk size and window."""
    client, _ = await RtmpClient.open(f"rtmp://127.0.0.1:{node.port()}/live/s", tcUrl=f"rtmp://{vhost}/live")
    node.clients.append(client)
    return client.peer._in_chunk_size, client.peer._window


async def _chunk(node: RunningNode, vhost: str) -> int:
    return (await _announced(node, vhost))[0]


async def _window(node: RunningNode, vhost: str) -> int:
    return (await _announced(node, vhost))[1]


async def _told_that_nothing_is_there(node: RunningNode, vhost: str) -> bool:
    """A player of an edge without a server: told soon, or left waiting."""
    client = await node.client()
    client.play(f"none?vhost={vhost}")
    told = asyncio.create_task(status(client, "NetStream.Play.StreamNotFound"))
    upstream = node.node.units[0].upstream
    assert upstream is not None
    pulls = upstream.pulls

    def is_settled() -> bool:
        return told.done() or any(key.vhost == vhost and pull.attempt_count > 4 for key, pull in pulls.items())

    await wait_until(is_settled, deadline(5), "an end, or the fifth attempt")
    if not told.done():
        told.cancel()
        return False
    return True


async def _asked_again(node: RunningNode, vhost: str) -> bool:
    """Whether the upstream is asked again by a second player, right after a first was told that there is nothing."""
    upstream = node.node.units[0].upstream
    assert upstream is not None
    for _ in range(2):
        before = upstream.counters()["upstream_attempt_count"]
        client = await node.client()
        client.play(f"none?vhost={vhost}")
        await status(client, "NetStream.Play.StreamNotFound")
    return upstream.counters()["upstream_attempt_count"] > before


async def _balancer(node: RunningNode, vhost: str) -> str:
    from edge.hub.key import StreamKey

    upstream = node.node.units[0].upstream
    assert upstream is not None
    return upstream.target_of(StreamKey(vhost, "live", "s"), is_play=True)._lb


async def _outlives_its_players(node: RunningNode, vhost: str) -> bool:
    """Whether a pull goes on without them."""
    await _publish(node, vhost)
    async with running(f"-proxy_to=127.0.0.1:{node.port()}") as edge:
        give_vhosts(edge, {SET: {"keep_pulling_seconds": 60}, PLAIN: {}})
        player = await edge.player(f"s?vhost={vhost}")
        await until(player, lambda message: message.type_id == VIDEO)
        player.peer.abort()
        (unit,) = edge.node.units
        await eventually(lambda: all(not s.player_count for s in unit.registry.streams.values()), "the player's end")
        return bool(unit.registry.streams)


def _answered_first(flag: str, value: Any) -> Seen:
    """Whether a player of a stream that nobody publishes is told so before one of a third vhost, at an edge."""

    async def seen(node: RunningNode, vhost: str) -> bool:
        upstream = f"-proxy_to=127.0.0.1:{node.port()}"
        async with running(upstream, "-pull_nodata_timeout_ms=4000") as edge:
            give_vhosts(edge, {SET: {flag: value}, PLAIN: {}, "third.example": {"pull_nodata_timeout_ms": 1200}})
            asking = [asyncio.create_task(ask(edge, f"/live/s.flv?vhost={name}")) for name in (vhost, "third.example")]
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            is_first = asking[0].done() and not asking[1].done()
            await asyncio.gather(*asking)
            await edge.close()
            return is_first

    return seen


@dataclass(frozen=True)
class Row:
    """A value, what is seen in the vhost with it and in the other, and further flags of the node."""

    text: str
    seen: Seen
    there: Any
    elsewhere: Any
    flags: tuple[str, ...] = ()


NOBODY = ("-proxy_to=127.0.0.1:1", "-retry_interval_ms=20", "-fast_retry_count=1", "-nopull_wait_for_stream")
AT_NODES: dict[str, Row] = {
    "http_flv": Row("false", code("/live/s.flv", "HEAD"), 404, 200),
    "http_ts": Row("false", code("/live/s.ts", "HEAD"), 404, 200),
    "hls": Row("false", code("/live/s.m3u8"), 404, 200),
    "hls_low_latency": Row("false", code("/live/s.ll.m3u8"), 404, 200),
    "hls_default": Row("classic", entry("/live/s.m3u8", CLASSIC), True, False),
    "hls_entry_prefix": Row("http://cdn.example", entry("/live/s.m3u8", "http://cdn.example/"), True, False),
    "hls_user_session": Row("true", entry("/live/s.m3u8", ".lss"), True, False),
    "use_host_in_m3u8": Row(
        "false",
        entry("/live/s.m3u8", "http://other.example:1/", "other.example:1"),
        False,
        True,
        ("-hls_user_session",),
    ),
    "hls_use_fmp4": Row("true", media(CLASSIC, lambda found: ".m4s?" in found.segments[0].uri), True, False),
    "hls_fragment_s": Row("4", media(CLASSIC, lambda found: found.target_s), 4, 2),
    "hls_td_ratio": Row("2", media(CLASSIC, lambda found: found.segments[0].duration_s > 3), True, False),
    "hls_window_s": Row("4", media(CLASSIC, lambda found: len(found.segments) <= 3), True, False),
    "hls_dispose_s": Row("0", _after_the_end, 404, 200),
    "ts_duration_ms": Row("3000", media(TWO_LEVEL, lambda found: found.target_s), 3, 2),
    "ts_max_stored": Row("5", media(TWO_LEVEL, lambda found: len(found.segments) <= 5), True, False),
    "ts_pre_generated": Row("0", media(TWO_LEVEL, lambda found: len(found.segments) > 14), False, True),
    "rtmp_server_chunk_size": Row("4096", _chunk, 4096, 60000),
    "rtmp_server_window_ack_size": Row("100000", _window, 100000, 2500000),
    "pull_wait_for_stream": Row("true", _told_that_nothing_is_there, False, True, NOBODY),
    "max_retry_duration_ms": Row("0", _told_that_nothing_is_there, True, False, (*NOBODY, "-pull_wait_for_stream")),
    "missing_cache_ms": Row("0", _asked_again, True, False, (*NOBODY, "-missing_cache_ms=60000")),
    "hls_part_ms": Row("100", _longest_part_is_short, True, False),
    "keep_pulling_seconds": Row("60", _outlives_its_players, True, False),
    "http_flv_missing": Row("404", _answered_first("http_flv_missing", "404"), True, False),
    "pull_nodata_timeout_ms": Row("200", _answered_first("pull_nodata_timeout_ms", 200), True, False),
    "proxy_lb": Row("random", _balancer, "random", "rr", ("-proxy_to=list://127.0.0.1:1,127.0.0.1:2", "-proxy_lb=rr")),
}


@pytest.mark.parametrize("flag", AT_NODES)
async def test_a_flag_acts_in_its_vhost_and_in_no_other(flag: str) -> None:
    row = AT_NODES[flag]
    assert row.there != row.elsewhere
    found = {}
    for vhost in (SET, PLAIN):
        async with running(*row.flags) as node:
            give_vhosts(node, {SET: {flag: DEFINITIONS[flag].parser.parse(row.text)}, PLAIN: {}})
            found[vhost] = await row.seen(node, vhost)
    assert found == {SET: row.there, PLAIN: row.elsewhere}
