"""nginx as a load balancer before ours: the client's address counts, is shown, and never is this machine's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.harness.clients import Program, ffmpeg_publish
from tests.harness.clock import deadline, require_program, wait_until_sync
from tests.harness.nginx import NginxBalancer, NginxFiles
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.interop

TRUST = "-trusted_proxies=127.0.0.1"
CLIENT = "127.0.0.9"  # another address of this machine, so that it can be told from nginx


def connections(server: EdgeServer) -> list[dict[str, str]]:
    return list(json.loads(server.http("/status?format=json"))["connections"])


async def test_balancer_of_connections_says_whose_they_are(clips: Callable[[str], Path]) -> None:
    with EdgeServer(TRUST, "-rtmp_proxy_protocol") as server:
        async with NginxBalancer(server.address) as nginx:
            url = f"rtmp://{nginx.address}/live/s"
            with ffmpeg_publish(clips("bbb-360p-10s.flv"), url, loops=-1):
                await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("s"), deadline(10), "the stream")
                curl = (require_program("curl"), "-s", "-m", "3", "--interface", CLIENT, "-o", "/dev/null")
                with Program(*curl, f"http://{nginx.address}/live/s.flv"):

                    def shows_client() -> bool:
                        return any(row["peer"].startswith(f"{CLIENT}:") for row in connections(server))

                    await asyncio.to_thread(wait_until_sync, shows_client, deadline(5), "the client's own address")

                    def is_logged() -> bool:
                        return f" {CLIENT}:" in server.log

                    await asyncio.to_thread(wait_until_sync, is_logged, deadline(3), "its address in the log")
                # What nginx is trusted with nobody else may send, and without it nginx's machine is not served.
                with Program(*curl, "--haproxy-protocol", f"http://{server.address}/live/s.flv") as stranger:
                    assert await stranger.wait(deadline(5)) != 0
            assert server.counters()["error_unknown_protocol_count"] == 1


async def test_who_comes_over_a_balancer_changes_nothing_on_this_machine() -> None:
    with EdgeServer(TRUST, "-rtmp_proxy_protocol", has_internal_port=False) as server:
        async with NginxBalancer(server.address) as nginx:

            def change(address: str) -> int:
                url = f"http://{address}/flags/max_publish_kbps?setvalue=5"
                try:
                    with urlopen(Request(url, headers={"Host": "127.0.0.1"}), timeout=deadline(5)) as answer:
                        return int(answer.status)
                except HTTPError as error:
                    return error.code

            assert await asyncio.to_thread(change, nginx.address) == 403


async def test_reverse_proxy_says_whose_request_it_is(clips: Callable[[str], Path]) -> None:
    with EdgeServer(TRUST, "-max_connections_per_ip=1") as server:
        block = f"""
  server {{
    listen {{port}};
    location / {{
      proxy_pass http://{server.address};
      proxy_buffering off;
      proxy_http_version 1.1;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
"""
        async with NginxFiles(block) as nginx:
            with ffmpeg_publish(clips("bbb-360p-10s.flv"), server.rtmp_url("live", "s"), loops=-1):
                await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("s"), deadline(10), "the stream")
                url = f"http://{nginx.address}/live/s.flv"
                command = (require_program("curl"), "-s", "-o", "/dev/null", "-H", "X-Forwarded-For: 192.0.2.1")
                with Program(*command, "-m", "4", "--interface", CLIENT, url):

                    def plays() -> bool:
                        return any(row["peer"].startswith(f"{CLIENT}:") for row in connections(server))

                    await asyncio.to_thread(wait_until_sync, plays, deadline(5), "the client's own address")
                    second = Program(*command, "-m", "4", "--interface", CLIENT, "-w", "%{http_code}", url)
                    with second:
                        await second.wait_ok(deadline(5))
                        assert second.stdout.strip() == b"503"
                    other = Program(*command, "-m", "1", "--interface", "127.0.0.8", "-w", "%{http_code}", url)
                    with other:
                        await other.wait(deadline(5))
                        assert other.stdout.strip() == b"200"
