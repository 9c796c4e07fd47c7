"""SRS's files as they are, apart from the ports, with what SRS's manual says to do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.tools.hook_demo import HookDemo
from tests.harness.clients import (
    Program,
    assert_suffix,
    ffmpeg_play,
    ffmpeg_publish,
    ffprobe_packets,
    parse_framemd5,
)
from tests.harness.clock import deadline, require_program, wait_until, wait_until_sync
from tests.harness.hls_cache import clip_of_even_groups
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.interop

# In the style of the file that most begin with.
FLV_LIVE = """
listen              1935;
max_connections     1000;
daemon              off;
srs_log_tank        console;
http_server {
    enabled         on;
    listen          8080;
    dir             ./objs/nginx/html;
}
vhost __defaultVhost__ {
    http_remux {
        enabled     on;
        mount       [vhost]/[app]/[stream].flv;
    }
    hls {
        enabled         on;
        hls_fragment    1;
        hls_window      10;
    }
}
"""
# Of 2013: everything in the vhost, no default one.
OLD = """
listen              1935;
chunk_size          4096;
max_connections     2000;
vhost live.example.com {
    enabled         on;
    gop_cache       on;
    queue_length    10;
    hls             on;
    hls_fragment    1;
}
"""


def play_http(url: str) -> Program:
    """Checksums of what comes, until it ends."""
    options = ("-nostdin", "-v", "warning", "-copyts", "-i", url, "-map", "0:v?", "-map", "0:a?", "-c", "copy")
    return Program(require_program("ffmpeg"), *options, "-copyts", "-f", "framemd5", "-")


async def test_http_flv_live(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """Published by RTMP, played by RTMP and, on the port of HTTP, as FLV."""
    path, clip, port = tmp_path / "http.flv.live.conf", clips("bbb-720p-5s.mp4"), free_port()
    path.write_text(FLV_LIVE)
    with EdgeServer(f"-c={path}", f"-listen={port}", "-publisher_return_ms=500") as server:
        assert "http_server/dir is not offered" in server.log
        url = server.rtmp_url("live", "livestream")
        flv = f"http://127.0.0.1:{port}/live/livestream.flv"
        with ffmpeg_publish(clip, url) as publisher:
            await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("livestream"), deadline(3), "the stream")
            with ffmpeg_play(url) as by_rtmp, play_http(flv) as by_flv:
                await publisher.wait_ok(14)
                for player in (by_rtmp, by_flv):
                    assert_suffix(parse_framemd5(await player.wait_ok(5)), ffprobe_packets(clip))


async def test_vhost_of_2013(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """Played by ``?vhost=``; whoever names no vhost, or another, is refused once and for good, with the reason."""
    path, clip = tmp_path / "srs.conf", clips("bbb-720p-5s.mp4")
    path.write_text(OLD)
    with EdgeServer(f"-c={path}", "-publisher_return_ms=500") as server:
        url = f"rtmp://{server.address}/live?vhost=live.example.com/livestream"
        with ffmpeg_publish(clip, url) as publisher:
            await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("livestream"), deadline(3), "the stream")
            assert [row["vhost"] for row in await asyncio.to_thread(server.streams)] == ["live.example.com"]
            with ffmpeg_play(url) as player, ffmpeg_play(server.rtmp_url("live", "livestream")) as refused:
                await publisher.wait_ok(14)
                assert_suffix(parse_framemd5(await player.wait_ok(5)), ffprobe_packets(clip))
                assert await refused.wait(5) != 0
                assert "VhostNotFound" in refused.stderr


# An edge of 2013, with nothing but its origin.
EDGE = """
listen              1935;
max_connections     1000;
vhost __defaultVhost__ {
    mode            remote;
    origin          ORIGIN;
}
"""


async def test_edge(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """Published at the origin, played at the edge."""
    path, clip = tmp_path / "edge.conf", clips("bbb-720p-5s.mp4")
    with EdgeServer("-publisher_return_ms=500") as origin:
        path.write_text(EDGE.replace("ORIGIN", origin.address))
        with (
            EdgeServer(f"-c={path}", "-publisher_return_ms=500") as edge,
            ffmpeg_publish(clip, origin.rtmp_url("live", "livestream")) as publisher,
            ffmpeg_play(edge.rtmp_url("live", "livestream")) as player,
        ):
            await publisher.wait_ok(14)
            assert_suffix(parse_framemd5(await player.wait_ok(5)), ffprobe_packets(clip))


# Old and new names beside each other, as files have them that grew over the years.
GROWN = """
listen              1935;
max_connections     1000;
vhost __defaultVhost__ {
    gop_cache       on;
    queue_length    10;
    play { mw_latency 350; }
    refer           example.com none;
    forward { enabled off; destination 127.0.0.1:19350; }
    security {
        enabled     on;
        deny        publish     all;
        allow       play        all;
    }
    http_hooks { enabled off; on_publish http://127.0.0.1:8085/api/v1/streams; }
}
"""


async def test_security_deny_publish(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """A publisher is refused once and for good, and is told why."""
    path, clip = tmp_path / "security.deny.publish.conf", clips("bbb-720p-5s.mp4")
    path.write_text(GROWN)
    with (
        EdgeServer(f"-c={path}") as server,
        ffmpeg_publish(clip, server.rtmp_url("live", "livestream")) as publisher,
    ):
        assert await publisher.wait(5) != 0
        assert "AccessDenied" in publisher.stderr
        assert not await asyncio.to_thread(server.streams)


# Segments as files, for another server to give out.
HLS = """
listen              1935;
max_connections     1000;
vhost __defaultVhost__ {
    hls {
        enabled         on;
        hls_path        FOLDER;
        hls_fragment    1;
        hls_window      20;
        hls_m3u8_file   [app]/[stream].m3u8;
        hls_ts_file     [app]/[stream]-[seq].ts;
    }
}
"""


async def test_hls(tmp_path: Path) -> None:
    """Published by RTMP; the playlist on disk names segments that ffmpeg reads."""
    path, folder = tmp_path / "hls.conf", tmp_path / "html"
    clip = await asyncio.to_thread(clip_of_even_groups, tmp_path, group_s=1)
    folder.mkdir()
    path.write_text(HLS.replace("FOLDER", str(folder)))
    with EdgeServer(f"-c={path}") as server:
        with ffmpeg_publish(clip, server.rtmp_url("live", "livestream"), rate=2) as publisher:
            await publisher.wait_ok(14)
        playlist = folder / "live" / "livestream.m3u8"
        await wait_until(lambda: playlist.is_file() and playlist.read_text().count(".ts") >= 3, deadline(5), "segments")
        names = [line for line in playlist.read_text().splitlines() if line.endswith(".ts")]
        assert all(name.startswith("livestream-") and (folder / "live" / name).is_file() for name in names)
        packets = await asyncio.to_thread(ffprobe_packets, folder / "live" / names[0])
    assert all(len(each) > 10 for each in packets.values()) and len(packets) == 2


HOOKS = """
listen              1935;
max_connections     1000;
vhost __defaultVhost__ {
    http_hooks {
        enabled         on;
        on_publish      SERVER/api/v1/streams;
        on_unpublish    SERVER/api/v1/streams;
        on_play         SERVER/api/v1/sessions;
        on_stop         SERVER/api/v1/sessions;
    }
}
"""


async def test_http_hooks_callback(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """The server is asked and told on its paths; whoever it refuses is refused."""
    path, clip, demo = tmp_path / "http.hooks.callback.conf", clips("bbb-720p-5s.mp4"), HookDemo()
    await demo.start()
    path.write_text(HOOKS.replace("SERVER", demo.url("")))
    server = EdgeServer(f"-c={path}", "-hook_timeout_ms=20000")
    await asyncio.to_thread(server.start)
    try:
        with ffmpeg_publish(clip, server.rtmp_url("live", "livestream")) as publisher:
            await wait_until(lambda: "on_publish" in demo.actions(), deadline(10), "the question")
            with ffmpeg_play(server.rtmp_url("live", "livestream")) as player:
                await wait_until(lambda: "on_play" in demo.actions(), deadline(10), "the question")
                demo.say("no", "on_play")
                with ffmpeg_play(server.rtmp_url("live", "livestream")) as refused:
                    assert await refused.wait(10) != 0
                    assert "HookDenied" in refused.stderr
                await publisher.wait_ok(14)
                await player.wait_ok(10)
        await wait_until(lambda: {"on_unpublish", "on_stop"} <= set(demo.actions()), deadline(5), "the ends")
        assert {(each.action, each.path) for each in demo.told} == {
            *(("on_publish", "/api/v1/streams"), ("on_unpublish", "/api/v1/streams")),
            *(("on_play", "/api/v1/sessions"), ("on_stop", "/api/v1/sessions")),
        }
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
        await demo.close()


RTMP = """
listen              1935;
max_connections     1000;
vhost __defaultVhost__ {
}
"""


async def test_rtmp(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """Published by address; played by address, and by a name that no vhost has: both are the default one."""
    path, clip = tmp_path / "rtmp.conf", clips("bbb-720p-5s.mp4")
    path.write_text(RTMP)
    with EdgeServer(f"-c={path}", "-publisher_return_ms=500") as server:
        url = server.rtmp_url("live", "livestream")
        with ffmpeg_publish(clip, url, rate=1.5) as publisher:
            await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("livestream"), deadline(3), "the stream")
            with ffmpeg_play(url) as by_address, ffmpeg_play(f"{url}?vhost=any.example.com") as by_name:
                await publisher.wait_ok(14)
                for player in (by_address, by_name):
                    assert_suffix(parse_framemd5(await player.wait_ok(5)), ffprobe_packets(clip))


# Names as they were up to SRS 2, in the vhost itself, and sections that have other names by now.
COMPATIBLE = """
listen              1935;
max_connections     1000;
http_stream {
    enabled         on;
    listen          8080;
}
vhost same.example.com {
    gop_cache       on;
    queue_length    10;
    time_jitter     full;
    mix_correct     on;
    mw_latency      100;
    publish_1stpkt_timeout  20000;
    publish_normal_timeout  7000;
    mr {
        enabled     on;
        latency     350;
    }
    forward         127.0.0.1:19350;
}
vhost edge.example.com {
    mode            remote;
    origin          ORIGIN;
    vhost           same.example.com;
    token_traverse  off;
    refer_play      example.com;
}
"""


async def test_compatible(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """Published in a vhost of an origin, played in another of an edge, from a page of the right host alone."""
    clip = clips("bbb-720p-5s.mp4")
    paths = [tmp_path / "origin.conf", tmp_path / "compatible.conf"]
    paths[0].write_text(COMPATIBLE.replace("ORIGIN", "127.0.0.1:1"))
    with EdgeServer(f"-c={paths[0]}", f"-listen={free_port()}", "-publisher_return_ms=500") as origin:
        assert "forward is not offered" in origin.log
        paths[1].write_text(COMPATIBLE.replace("ORIGIN", origin.address))
        with (
            EdgeServer(f"-c={paths[1]}", f"-listen={free_port()}", "-publisher_return_ms=500") as edge,
            ffmpeg_publish(clip, f"{origin.rtmp_url('live', 's')}?vhost=same.example.com", rate=1.5) as publisher,
        ):
            url = f"{edge.rtmp_url('live', 's')}?vhost=edge.example.com"
            with ffmpeg_play(url, page="http://www.example.com/x") as player, ffmpeg_play(url) as refused:
                assert await refused.wait(10) != 0
                assert "RefererDenied" in refused.stderr
                await publisher.wait_ok(14)
                assert_suffix(parse_framemd5(await player.wait_ok(5)), ffprobe_packets(clip))
