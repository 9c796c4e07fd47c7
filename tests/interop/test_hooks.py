"""ffmpeg and rtmpdump before servers that say yes, no, another name, nothing: what they print, and when they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from edge.tools.hook_demo import HookDemo
from tests.harness.clients import ffmpeg_play, ffmpeg_publish, rtmpdump_play
from tests.harness.clock import deadline, wait_until, wait_until_sync
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.interop

_CLIP = "bbb-720p-5s.mp4"


@asynccontextmanager
async def demo_server() -> AsyncIterator[HookDemo]:
    demo = HookDemo()
    await demo.start()
    try:
        yield demo
    finally:
        await demo.close()


def flags_for(demo: HookDemo, *events: str) -> list[str]:
    names = events or ("publish", "unpublish", "play", "stop")
    return [f"-hooks_on_{event}={demo.url('/' + event)}" for event in names]


async def start(server: EdgeServer) -> None:
    await asyncio.to_thread(server.start)


async def leave(server: EdgeServer) -> None:
    await asyncio.to_thread(server.__exit__, None, None, None)


@asynccontextmanager
async def serving(*flags: str) -> AsyncIterator[EdgeServer]:
    """A server that does not block the loop in which its hooks answer."""
    server = EdgeServer("-hook_timeout_ms=20000", *flags)
    await start(server)
    try:
        yield server
    finally:
        await leave(server)


async def test_a_name_for_a_key_a_slow_yes_and_an_end_for_each(clips: Callable[[str], Path]) -> None:
    async with demo_server() as demo:
        demo.say("slow 0.5")
        demo.say("rename hall", "on_publish")
        async with serving(*flags_for(demo)) as server:
            with ffmpeg_publish(clips(_CLIP), server.rtmp_url("live", "k3y?token=1"), rate=3) as publisher:
                await wait_until(lambda: "on_publish" in demo.actions(), deadline(10), "the question")
                with ffmpeg_play(server.rtmp_url("live", "hall")) as player:
                    await publisher.wait_ok(15)
                    packets = (await player.wait_ok(15)).count(b"\n")
            assert packets > 50
            await wait_until(lambda: len(demo.told) == 4, deadline(5), "the ends")
            assert sorted(demo.actions()) == ["on_play", "on_publish", "on_stop", "on_unpublish"]
            assert [each.what["stream"] for each in demo.told if each.action == "on_unpublish"] == ["hall"]
            assert b"k3y" not in await asyncio.to_thread(server.http, "/streams")


async def test_those_who_are_refused_end_at_once_and_print_the_word(
    clips: Callable[[str], Path], tmp_path: Path
) -> None:
    async with demo_server() as demo:
        demo.say("no Subscription has ended")
        async with serving(*flags_for(demo, "publish", "play", "connect")) as server:
            demo.say("yes", "on_connect")
            with ffmpeg_publish(clips(_CLIP), server.rtmp_url("live", "a")) as publisher:
                assert await publisher.wait(10) != 0
                assert "HookDenied: Subscription has ended" in publisher.stderr
            with ffmpeg_play(server.rtmp_url("live", "a")) as player:
                assert await player.wait(10) != 0
                assert "HookDenied: Subscription has ended" in player.stderr
            with rtmpdump_play(server.rtmp_url("live", "a"), tmp_path / "out.flv") as player:
                assert await player.wait(10) != 0
            demo.say("no Go away", "on_connect")
            with ffmpeg_publish(clips(_CLIP), server.rtmp_url("live", "a")) as publisher:
                assert await publisher.wait(10) != 0
                assert "HookDenied: Go away" in publisher.stderr
        assert demo.actions().count("on_play") == 2
        assert demo.actions().count("on_publish") == 1


async def test_players_stay_when_the_hook_dies_and_come_back_while_it_is_dead(clips: Callable[[str], Path]) -> None:
    async with demo_server() as demo, serving(*flags_for(demo, "publish", "play", "stop")) as server:
        with ffmpeg_publish(clips(_CLIP), server.rtmp_url("live", "a"), loops=3) as publisher:
            await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("a"), deadline(5), "the stream")
            url = server.rtmp_url("live", "a")
            with ffmpeg_play(url) as stays:
                await wait_until(lambda: "on_play" in demo.actions(), deadline(5), "the question")
                await demo.close()
                with ffmpeg_play(url) as again:
                    await asyncio.sleep(1.5)
                    assert again.exit_code is None, again.stderr
                with ffmpeg_play(f"{url}?token=unknown") as stranger:
                    assert await stranger.wait(10) != 0
                    assert "HookUnavailable" in stranger.stderr
                assert stays.exit_code is None and publisher.exit_code is None


async def test_a_backend_of_nginx_rtmp_and_one_of_mediamtx(clips: Callable[[str], Path]) -> None:
    """Written as theirs are: the one reads a form and answers by status, the other takes a password from JSON."""
    seen: list[dict[str, str]] = []

    async def of_nginx(request: web.Request) -> web.Response:
        form = {name: values[0] for name, values in parse_qs(await request.text(), keep_blank_values=True).items()}
        seen.append(form)
        if form["call"] == "publish" and form.get("key") != "s3cret":
            return web.Response(status=403)
        return web.Response(status=302, headers={"Location": "show"}) if form["call"] == "publish" else web.Response()

    async def of_mediamtx(request: web.Request) -> web.Response:
        said = await request.json()
        seen.append(said)
        return web.Response(status=200 if (said["user"], said["password"]) == ("u", "p") else 401)

    app = web.Application()
    app.add_routes([web.post("/nginx", of_nginx), web.post("/mediamtx", of_mediamtx)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        for form, right, wrong, name in (
            ("nginx", "a?key=s3cret", "a?key=other", "show"),
            ("mediamtx", "b?user=u&pass=p", "b?user=u&pass=q", "b"),
        ):
            async with serving(f"-hooks_on_publish={base}/{form}", f"-hook_form={form}") as server:
                with ffmpeg_publish(clips(_CLIP), server.rtmp_url("live", wrong)) as publisher:
                    assert await publisher.wait(10) != 0
                    assert "HookDenied" in publisher.stderr
                with ffmpeg_publish(clips(_CLIP), server.rtmp_url("live", right)):
                    has_it = lambda name=name, server=server: server.has_stream(name)  # noqa: E731
                    await asyncio.to_thread(wait_until_sync, has_it, deadline(5), "the stream")
    finally:
        await runner.cleanup()
    assert [each.get("name", each.get("path")) for each in seen] == ["a", "a", "live/b", "live/b"]
    assert seen[0]["tcurl"].startswith("rtmp://127.0.0.1:")
    assert seen[2]["protocol"] == "rtmp" and seen[2]["action"] == "publish"
