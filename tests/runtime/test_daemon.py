"""The daemon as a process: its start lines, its signals and its exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.runtime.daemon import role_of
from edge.upstream.config import UpstreamConfig
from tests.harness.client import RtmpClient
from tests.harness.clock import ROOT, deadline, missing, require_program, wait_until_sync
from tests.harness.server import EdgeServer
from tests.harness.wire import VIDEO
from tests.net.live import ended, playing, send, status, status_of
from tests.net.tls_pairs import server_pair

BOUND_S = 2.0


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *flags], cwd=ROOT, capture_output=True, text=True, timeout=deadline(10)
    )


def test_T12_busy_port_exits_with_75() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(f"-port={port}", "-bind=127.0.0.1")
    assert done.returncode == 75
    assert f"Fail to listen 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_T12_address_of_another_machine_exits_with_1() -> None:
    done = run("-port=0", "-bind=192.0.2.1")
    assert done.returncode == 1
    assert "Fail to listen 192.0.2.1:0: " in done.stderr
    assert "Traceback" not in done.stderr


def test_VC22_a_port_that_this_user_may_not_have_is_named(tmp_path: Path) -> None:
    """A root without that right stands for any user: what it may read stays as it is."""
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        missing("a port that is kept for root")
    conf = tmp_path / "srs.conf"
    conf.write_text("listen 80;\nvhost __defaultVhost__ { }\n")
    command = [sys.executable, "-m", "edge", "-bind=127.0.0.1", f"-c={conf}"]
    if os.getuid() == 0:
        command[:0] = [require_program("setpriv"), "--bounding-set=-net_bind_service"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=deadline(10))
    assert done.returncode == 1
    assert "Fail to listen 127.0.0.1:80: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


def test_start_lines_tell_where_to_publish_and_look() -> None:
    with EdgeServer() as server:
        assert f"Server[edge] is serving on port={server.port} and internal_port={server.internal_port}." in server.log
        wait_until_sync(lambda: "look at: http://" in server.log, deadline(1), "the last start line")
        assert " is an origin." in server.log
        for line in (f":{server.port}/live/livestream", f":{server.internal_port} in web browser."):
            assert line in server.log


@pytest.mark.parametrize(
    ("config", "role"),
    [
        (UpstreamConfig(), "an origin"),
        (UpstreamConfig(proxy_to="10.0.0.1:1935"), "an edge of 10.0.0.1:1935"),
        (
            UpstreamConfig(proxy_to="file:///a", proxy_lb="rr", cdn_merge_to="list://b:1", cdn_merge_lb="c_md5"),
            "an edge of file:///a by rr, plays through list://b:1 by c_md5",
        ),
    ],
)
def test_start_lines_tell_origin_from_edge(config: UpstreamConfig, role: str) -> None:
    assert role_of(config) == role


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
async def test_R6_signal_while_playing_tells_all_and_exits_with_0(number: signal.Signals) -> None:
    server = EdgeServer(has_internal_port=False)
    await asyncio.to_thread(server.__enter__)
    try:
        publisher, player = await playing(server.rtmp_url("live", "s"))
        began = time.monotonic()
        server.process.send_signal(number)
        for client in (player, publisher):
            await ended(client, BOUND_S)
            codes = [status_of(message)["code"] for message in client.backlog if status_of(message)]
            assert codes[-1] == "NetConnection.Connect.Closed"
            client.peer.abort()
        assert await asyncio.to_thread(server.process.wait, deadline(BOUND_S)) == 0
        assert time.monotonic() - began < deadline(BOUND_S)
        assert "Server[edge] is going to quit" in server.log
    finally:
        await asyncio.to_thread(server.__exit__, None)


async def test_R6_second_signal_means_now() -> None:
    server = EdgeServer(has_internal_port=False)
    await asyncio.to_thread(server.__enter__)
    try:
        client, name = await RtmpClient.open(server.rtmp_url("live", "s"))
        client.publish(name)
        await status(client, "NetStream.Publish.Start")
        send(client, VIDEO, 0, b"\x17\x01\0\0\0x")
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, deadline(1)) == 0
        client.peer.abort()
    finally:
        await asyncio.to_thread(server.__exit__, None)


def test_SIGUSR2_dumps_the_stacks_and_changes_nothing() -> None:
    server = EdgeServer("-http_preload")
    server.start()
    for _ in range(100):  # while a thread of its own imports modules
        server.process.send_signal(signal.SIGUSR2)
        time.sleep(0.002)
    wait_until_sync(lambda: "most recent call first" in server.log, deadline(1), "the stacks")
    assert server.http("/health") == b"OK\n"
    assert server.stop() == 0
    assert "run_until_complete" in server.log or "daemon.py" in server.log
    server._log.close()


def test_SIGHUP_does_not_end_it() -> None:
    with EdgeServer() as server:
        server.process.send_signal(signal.SIGHUP)
        wait_until_sync(lambda: "reload unchanged id=1 by=SIGHUP" in server.log, deadline(1), "the line")
        assert server.http("/health") == b"OK\n"


@pytest.mark.parametrize("is_forced", [False, True])
def test_start_lines_name_encrypted_urls(is_forced: bool) -> None:
    pair = server_pair()
    flags = ["-https", f"-certificate={pair.cert}", f"-private_key={pair.key}", *(["-force_ssl"] if is_forced else [])]
    with EdgeServer(*flags, has_internal_port=False) as server:
        wait_until_sync(lambda: "look at: " in server.log, deadline(1), "the last start line")
        lines = server.log.splitlines()
        publish, play = ([line for line in lines if f"] {word} " in line] for word in ("publish:", "play:   "))
        schemes = [line.partition("://")[0].rpartition(" ")[2] for line in publish + play]
        plain = [] if is_forced else ["rtmp"]
        http = ["https"] if is_forced else ["http", "https"]
        assert schemes == [*plain, "rtmps", *plain, "rtmps", *http, *http]
        assert f"look at: {'https' if is_forced else 'http'}://" in server.log


def test_start_lines_say_where_a_credential_is_asked_for() -> None:
    keys = ROOT / "flagfiles" / "access" / "stream.keys"
    with EdgeServer("-publish_auth=key", f"-stream_keys_file={keys}") as server:
        wait_until_sync(lambda: "look at: http://" in server.log, deadline(1), "the last start line")
        said = {line.partition("] ")[2][:8]: line for line in server.log.splitlines() if "/live/livestream" in line}
        assert said["publish:"].endswith("/live/livestream (asks for a credential: -publish_auth=key)")
        assert "credential" not in said["play:   "]


# --- while HTTP is being loaded ----------------------------------------------


@pytest.mark.parametrize("flags", [(), ("-http_preload",)])
def test_a_probe_right_after_the_start_line_is_answered(flags: tuple[str, ...]) -> None:
    with EdgeServer(*flags, has_internal_port=False) as server:
        assert server.http("/health") == b"OK\n"
        assert server.http("/readyz") == b"ready\n"


@pytest.mark.parametrize("count", [1, 2])
def test_R6_signals_right_after_the_start_line_end_it_in_order(count: int) -> None:
    for wait_ms in (0, 20, 60):
        server = EdgeServer("-http_preload", has_internal_port=False)
        server.start()
        time.sleep(wait_ms / 1000)
        for _ in range(count):
            server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(deadline(BOUND_S)) == 0, server.log
        server.stop()
        server.assert_clean_log()


def test_a_server_that_cannot_load_its_pages_says_so_and_stops() -> None:
    script = (
        "from edge.runtime import late_http\nlate_http.MODULES = ('edge.no_such_module',)\n"
        "import sys\nfrom edge.runtime.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", script, "-port=0", "-bind=127.0.0.1", "-http_preload"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "internal error: HTTP and its pages cannot be loaded" in done.stderr
    assert "No module named 'edge.no_such_module'" in done.stderr
    assert "Server[edge] is going to quit" in done.stderr
