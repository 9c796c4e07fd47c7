"""An edge that asks nginx about each player, whose backend says no to most of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.harness.clients import ffmpeg_play, ffmpeg_publish
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.nginx import NginxRtmp
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.interop

_CLIP = "bbb-360p-10s.flv"  # of several groups: nginx gives a newcomer nothing before the next keyframe


async def test_nginx_refuses_the_second_viewer_of_a_stream_that_is_there_for_the_first(
    clips: Callable[[str], Path],
) -> None:
    asked: list[str] = []

    async def on_play(request: web.Request) -> web.Response:
        said = await request.post()
        asked.append(str(said.get("token", "")))
        return web.Response(status=200 if said.get("token") == "right" else 403)

    app = web.Application()
    app.add_routes([web.post("/play", on_play)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        hook = f"on_play http://127.0.0.1:{runner.addresses[0][1]}/play"
        async with NginxRtmp(hook) as nginx:
            edge = EdgeServer(f"-proxy_to={nginx.address}", "-auth_upstream=ask", "-hook_timeout_ms=20000")
            await asyncio.to_thread(edge.start)
            try:
                with (
                    ffmpeg_publish(clips(_CLIP), nginx.rtmp_url("clip")),
                    ffmpeg_play(edge.rtmp_url("live", "clip?token=right")) as first,
                ):

                    def has_data() -> bool:
                        return any(row["video_codec"] for row in edge.streams())

                    await asyncio.to_thread(wait_until_sync, has_data, deadline(5), "the stream")
                    with ffmpeg_play(edge.rtmp_url("live", "clip?token=wrong")) as second:
                        assert await second.wait(10) != 0
                        assert "TokenInvalid" in second.stderr
                    assert "wrong" in asked, "it was nginx that said so"
                    assert b"right" not in await asyncio.to_thread(edge.http, "/streams")
                    del first
            finally:
                await asyncio.to_thread(edge.__exit__, None, None, None)
    finally:
        await runner.cleanup()
