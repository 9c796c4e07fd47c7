"""A reload makes an origin of an edge's vhost, and an edge of an origin's: what lives goes on, and the log says how."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.net.live import eventually, pictures, send_video
from tests.runtime.nodes import RunningNode, running


def write(path: Path, text: str) -> None:
    path.write_text(f"vhost a.example {{ {text} }}\nvhost __defaultVhost__ {{ }}\n")


async def reload(edge: RunningNode) -> None:
    report = await edge.reloader.reload("SIGHUP")
    assert not report.error and report.state == "done"


def keys(one: RunningNode) -> list[str]:
    return sorted(f"{key.realm}:{key.stream_name}" for key in one.node.units[0].registry.streams)


async def test_vhost_that_becomes_an_origin_keeps_the_pulls_that_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    conf = tmp_path / "a.conf"
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(running())
        source = await origin.publisher("s?vhost=a.example")
        write(conf, f"cluster {{ mode remote; origin 127.0.0.1:{origin.port()}; }}")
        edge = await stack.enter_async_context(running(f"-c={conf}"))
        player = await edge.player("s?vhost=a.example")
        await pictures(player, 0)
        write(conf, "cluster { mode local; }")
        caplog.set_level("INFO")
        await reload(edge)
        assert "vhost a.example has another upstream: streams=1 stay until they end" in caplog.text
        send_video(source, 1)
        await pictures(player, 1)
        late = await edge.player("s?vhost=a.example")
        await pictures(late, 0)
        # What is published from now on stays here, under its own name and under that of what is pulled.
        await edge.publisher("t?vhost=a.example")
        await pictures(await edge.player("t?vhost=a.example"), 0)
        assert [key.stream_name for key in origin.node.units[0].registry.streams] == ["s"]
        here = await edge.publisher("s?vhost=a.example")
        send_video(here, 1, is_keyframe=True)
        (stream,) = [each for key, each in edge.node.units[0].registry.streams.items() if key.stream_name == "s"]
        upstream = edge.node.units[0].upstream
        assert upstream is not None
        await eventually(lambda: not upstream.pulls, "the pull to give way")
        assert stream.publisher is not None and not stream.feed.muted and stream.pull is None
        there = origin.node.units[0].registry
        await eventually(lambda: not any(each.player_count for each in there.streams.values()), "the origin to hear")
        send_video(here, 2)
        await pictures(late, 2)


async def test_vhost_that_becomes_an_edge_keeps_what_is_published_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    conf = tmp_path / "a.conf"
    write(conf, "cluster { mode local; }")
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(running())
        await origin.publisher("far?vhost=a.example", pictures=2)
        edge = await stack.enter_async_context(running(f"-c={conf}"))
        source = await edge.publisher("s?vhost=a.example")
        player = await edge.player("s?vhost=a.example")
        await pictures(player, 0)
        caplog.set_level("INFO")
        write(conf, f"cluster {{ mode remote; origin 127.0.0.1:{origin.port()}; }}")
        await reload(edge)
        assert "vhost a.example has another upstream: streams=1 stay until they end" in caplog.text
        send_video(source, 1)
        await pictures(player, 1)
        await pictures(await edge.player("s?vhost=a.example"), 0)
        await pictures(await edge.player("far?vhost=a.example"), 0)
        await edge.publisher("t?vhost=a.example")
        registry = origin.node.units[0].registry
        await eventually(lambda: {key.stream_name for key in registry.streams} == {"far", "t"}, "the push of t alone")
        send_video(source, 2)
        await pictures(player, 2)


async def test_another_origin_is_gone_over_to_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    conf = tmp_path / "a.conf"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running())
        source = await first.publisher("s?vhost=a.example")
        write(conf, f"cluster {{ mode remote; origin 127.0.0.1:{first.port()}; }}")
        second = await stack.enter_async_context(running(f"-proxy_to=127.0.0.1:{first.port()}"))
        shield = second.node.units[0].upstream
        assert shield is not None
        await eventually(lambda: shield.has_answer, "its server")
        edge = await stack.enter_async_context(running(f"-c={conf}", "-rebalance_after_ms=100"))
        player = await edge.player("s?vhost=a.example")
        await pictures(player, 0)
        caplog.set_level("INFO")
        write(conf, f"cluster {{ mode remote; origin 127.0.0.1:{second.port()}; }}")
        await reload(edge)
        text = f"streams=1 go over from=list://127.0.0.1:{first.port()} to=list://127.0.0.1:{second.port()}"
        assert text in caplog.text
        upstream = edge.node.units[0].upstream
        assert upstream is not None
        (pull,) = upstream.pulls.values()
        number = 0
        while pull.server is None or pull.server.port != second.port():
            number += 1
            send_video(source, number)
            await pictures(player, number)
            await asyncio.sleep(0.1)
