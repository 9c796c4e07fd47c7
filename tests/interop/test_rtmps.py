"""A push and a pull through nginx, which takes TLS off before an origin of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.clients import assert_suffix, ffmpeg_play, ffmpeg_publish, ffprobe_packets, parse_framemd5
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.nginx import NginxTls
from tests.harness.server import EdgeServer
from tests.net.tls_pairs import authority, server_pair

pytestmark = pytest.mark.interop

_CLIP = "bbb-720p-5s.mp4"


@pytest.mark.parametrize("versions", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("is_asked", [False, True], ids=["any client", "known clients"])
async def test_clip_is_pushed_and_pulled_through_a_terminator(
    clips: Callable[[str], Path], versions: str, is_asked: bool
) -> None:
    clip, pair, us = clips(_CLIP), server_pair(), authority().sign("us")
    directives = [f"ssl_protocols {versions}"]
    flags = [f"-upstream_ca_file={authority().ca_file}"]
    if is_asked:
        directives += ["ssl_verify_client on", f"ssl_client_certificate {authority().ca_file}"]
        flags += [f"-upstream_cert_file={us.cert}", f"-upstream_key_file={us.key}"]
    with EdgeServer() as origin:
        async with NginxTls(origin.address, pair.cert, pair.key, *directives) as nginx:
            flags.append(f"-proxy_to=rtmps://localhost:{nginx.port}")
            with (
                EdgeServer(*flags) as taking,
                EdgeServer(*flags, "-publisher_return_ms=1000") as giving,
                ffmpeg_play(giving.rtmp_url("live", "clip")) as player,
            ):
                await asyncio.to_thread(wait_until_sync, lambda: giving.has_stream("clip"), deadline(5), "the stream")
                with ffmpeg_publish(clip, taking.rtmp_url("live", "clip")) as publisher:
                    await publisher.wait_ok(9)
                got = parse_framemd5(await player.wait_ok(5))
                for server in (taking, giving):
                    counters = await asyncio.to_thread(server.counters)
                    assert counters.get("error_upstream_tls_count", 0) == 0
    assert_suffix(got, ffprobe_packets(clip), must_be_whole=True)
