"""HLS as files: nginx gives out what is written, and ffmpeg reads it, over restarts and with odd names."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.harness.clients import Program, ffmpeg_publish, ffprobe_packets
from tests.harness.clock import ROOT, deadline, require_program, wait_until
from tests.harness.m3u8 import Media, check_follow, parse_media
from tests.harness.nginx import NginxFiles
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.interop

_CLIP = "bbb-360p-10s.flv"


def documented_server(root: Path) -> str:
    """The block of the documentation, with a directory and port of the test."""
    text = (ROOT / "docs" / "playback.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- nginx -->\n```nginx\n(.*?)```", text, re.DOTALL)
    assert found is not None
    block = found[1].replace("listen 8080;", "listen {port};").replace("root /srv/hls;", f"root {root};")
    assert "{port}" in block and str(root) in block
    return block


class Watch:
    """Looks at a playlist all the time; each that is ever there is whole, and follows the one before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[Media] = []
        self.fault: Exception | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        text = ""
        while not self._is_over.wait(0.01) and self.fault is None:
            try:
                now = self.path.read_text()
            except FileNotFoundError:
                continue
            try:
                if now != text:
                    media, text = parse_media(now), now
                    if self.seen:
                        check_follow(self.seen[-1], media)
                    for segment in media.segments:
                        assert (self.path.parent / unquote(segment.uri)).stat().st_size, segment.uri
                    self.seen.append(media)
            except Exception as error:
                self.fault = error

    @contextmanager
    def looking(self) -> Iterator[Watch]:
        self._thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            self._thread.join()
            if self.fault is not None:
                raise self.fault


async def counted(url: str) -> dict[str, int]:
    """Packets that ffprobe finds, without an error line."""
    options = ("-v", "error", "-count_packets", "-show_entries", "stream=codec_type,nb_read_packets", "-of", "csv=p=0")
    with Program(require_program("ffprobe"), *options, url) as program:
        text = (await program.wait_ok(20)).decode()
        assert program.stderr == ""
    return {kind: int(count) for kind, count in re.findall(r"^(video|audio),(\d+)", text, re.MULTILINE)}


@pytest.mark.parametrize("name", ["clip", "käse,50%c", "x/y"])
@pytest.mark.parametrize("kind", ["ts", "m4s"])
async def test_nginx_gives_out_what_ffmpeg_reads(
    clips: Callable[[str], Path], tmp_path: Path, kind: str, name: str
) -> None:
    clip = clips(_CLIP)
    flags = (f"-hls_use_fmp4={'true' if kind == 'm4s' else 'false'}", "-hls_fragment_s=1", "-hls_end_list_on_unpublish")
    playlist = tmp_path / "live" / f"{name}.m3u8"
    with EdgeServer(f"-hls_path={tmp_path}", *flags) as server, Watch(playlist).looking() as watch:
        with ffmpeg_publish(clip, server.rtmp_url("live", name), rate=3) as publisher:
            await publisher.wait_ok(12)
        await wait_until(lambda: watch.seen and watch.seen[-1].is_ended, deadline(3), "the end of the playlist")
        async with NginxFiles(documented_server(tmp_path)) as nginx:
            got = await counted(f"http://{nginx.address}/live/{quote(name)}.m3u8")
        assert server.counters()["error_hls_disk_count"] == 0
    packets = ffprobe_packets(clip)
    assert sorted(got.values()) == sorted(len(each) for each in packets.values())
    assert len(watch.seen) > 3


async def test_ffmpeg_follows_a_live_playlist_through_nginx(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """From near its beginning to its end, while it is written."""
    clip = clips(_CLIP)
    flags = (f"-hls_path={tmp_path}", "-hls_fragment_s=1", "-hls_end_list_on_unpublish")
    playlist = tmp_path / "live" / "clip.m3u8"
    with EdgeServer(*flags) as server, Watch(playlist).looking() as watch:
        async with NginxFiles(documented_server(tmp_path)) as nginx:
            with ffmpeg_publish(clip, server.rtmp_url("live", "clip")) as publisher:
                await wait_until(playlist.exists, deadline(3), "the playlist")
                got, _ = await asyncio.gather(counted(f"http://{nginx.address}/live/clip.m3u8"), publisher.wait_ok(12))
    packets = ffprobe_packets(clip)
    assert sorted(got.values()) == sorted(len(each) for each in packets.values())
    assert watch.seen[-1].is_ended


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "stopped"])
async def test_a_restart_within_the_window_goes_on_in_the_same_playlist(
    clips: Callable[[str], Path], tmp_path: Path, is_killed: bool
) -> None:
    clip = clips(_CLIP)
    playlist = tmp_path / "live" / "clip.m3u8"
    with Watch(playlist).looking() as watch, EdgeServer(f"-hls_path={tmp_path}", "-hls_fragment_s=1") as server:
        for round_number in (1, 2):
            count = len(watch.seen[-1].segments) if watch.seen else 0

            def has_more(count: int = count) -> bool:
                return bool(watch.seen) and len(watch.seen[-1].segments) >= count + 3

            with ffmpeg_publish(clip, server.rtmp_url("live", "clip"), rate=2):
                await wait_until(has_more, deadline(4), "segments")
                if round_number == 1:
                    await asyncio.to_thread(server.kill if is_killed else server.stop)
            if round_number == 1:
                await asyncio.to_thread(server.restart)
    last = watch.seen[-1]
    assert sum(segment.is_discontinuity for segment in last.segments) == 1
    assert last.media_sequence == watch.seen[0].media_sequence
    assert not any(name.endswith(".edge-tmp") for name in os.listdir(playlist.parent))


async def test_an_edge_writes_what_it_pulls(clips: Callable[[str], Path], tmp_path: Path) -> None:
    clip = clips(_CLIP)
    with EdgeServer("-hls_fragment_s=1") as origin:
        flags = (f"-proxy_to={origin.address}", f"-hls_path={tmp_path}", "-nohls")
        with EdgeServer(*flags) as edge, Watch(tmp_path / "live" / "clip.m3u8").looking() as watch:
            player = ("-nostdin", "-v", "error", "-i", edge.rtmp_url("live", "clip"), "-f", "null", "-")
            with (
                ffmpeg_publish(clip, origin.rtmp_url("live", "clip"), rate=2),
                Program(require_program("ffmpeg"), *player),
            ):
                await wait_until(lambda: len(watch.seen) >= 3, deadline(6), "segments")
