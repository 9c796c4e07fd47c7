"""What runs out or breaks around the process, against a real one: newcomers are told, those served lose nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.harness.accounting import audit
from tests.harness.clock import ROOT, deadline, wait_until_sync
from tests.harness.moved_clock import MovedClock
from tests.harness.portable import python_path
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer
from tests.hostile._arena import Canary, Row
from tests.hostile._wire import RawPeer

REJECTED = "NetConnection.Connect.Rejected"
BREAKER = "-circuit_breaker"


@contextlib.contextmanager
def witnessed(server: EdgeServer, *, is_late: bool = False) -> Iterator[Canary]:
    """A healthy publisher and player of ``server``, which lose nothing meanwhile; ``is_late``: they may wait."""
    canary = Canary(server)
    try:
        yield canary
        if is_late:
            assert canary.player.error is None and not canary.player.has_ended
            audit(canary.player.deliveries).assert_complete()
        else:
            canary.judge()
    finally:
        canary.close()


def set_flag(server: EdgeServer, name: str, value: int | str) -> None:
    server.http(f"/flags/{name}?setvalue={value}")


def limit_memory(server: EdgeServer, share: float) -> None:
    """Make what the process has so much of its limit."""
    set_flag(server, "max_memory_mb", max(round(server.rss_kb / 1024 / share), 1))


def level(server: EdgeServer) -> int:
    return int(server.counters()["overload_level"])


def wait_level(server: EdgeServer, wanted: int, within_s: float = 3.0) -> None:
    wait_until_sync(lambda: level(server) == wanted, deadline(within_s), f"overload level {wanted}")


def refused_connect(server: EdgeServer) -> dict[str, Any]:
    """What a newcomer's ``connect`` is answered with."""
    peer = RawPeer(server.port)
    try:
        peer.shake()
        peer.command(0, "connect", 1, {"app": "live", "tcUrl": server.rtmp_url("live", "")})
        peer.wait(lambda: peer.replies(1), "an answer")
        (answer,) = peer.replies(1)
        assert answer[0] == "_error"
        peer.wait_closed(0.3)
        return dict(answer[3])
    finally:
        peer.close()


def asked(server: EdgeServer, path: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and the beginning of the body of a page on the public port."""
    try:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=deadline(5)) as answer:
            return answer.status, dict(answer.headers), answer.read(100).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def assert_newcomers_are_refused(server: EdgeServer, flag: str) -> None:
    """By RTMP and HTTP, with the reason; whoever looks after the server is let in."""
    info = refused_connect(server)
    assert (info["level"], info["code"]) == ("error", REJECTED)
    assert "overloaded" in info["description"] and flag in info["description"]
    for path in ("/live/canary.flv", "/live/canary.ts", "/live/canary.m3u8"):
        status, headers, body = asked(server, path)
        assert (status, headers.get("Retry-After")) == (503, "5"), (path, status, body)
        assert flag in body
    assert asked(server, "/readyz")[0] == 200
    state = json.loads(server.http("/status?format=json"))
    assert flag in state["server"]["overload"] and state["counters"]["overload_refused_count"] >= 4
    assert "edge_overload_level 1" in server.http("/metrics").decode()
    assert "overloaded" in server.http("/why?address=127.0.0.1").decode()


def assert_newcomers_are_served(server: EdgeServer) -> None:
    peer = RawPeer(server.port)
    try:
        peer.shake()
        peer.connect()
    finally:
        peer.close()
    assert asked(server, "/live/canary.flv")[0] == 200


def test_R3_memory_at_its_limit() -> None:
    with EdgeServer(BREAKER, "-overload_lag_ms=0") as server, witnessed(server) as canary:
        assert_newcomers_are_served(server)
        wait_until_sync(lambda: asked(server, "/live/canary.m3u8")[0] == 200, deadline(5), "HLS")
        limit_memory(server, 0.885)
        wait_level(server, 1)
        assert_newcomers_are_refused(server, "-max_memory_mb")
        canary.judge()
        limit_memory(server, 0.945)
        wait_level(server, 2)
        wait_until_sync(
            lambda: all(row["frames_held"] < 150 for row in server.streams()), deadline(5), "caches of one group"
        )
        assert "cause=memory" in server.log
        set_flag(server, "max_memory_mb", 0)
        wait_level(server, 0)
        assert_newcomers_are_served(server)
        assert server.counters()["overload_closed_count"] == 0


def test_R3_players_before_publishers_when_nothing_else_helps() -> None:
    with EdgeServer(BREAKER, "-overload_lag_ms=0") as server:
        publisher, players = RawPeer(server.port), [RawPeer(server.port) for _ in range(3)]
        try:
            for peer in (publisher, *players):
                peer.shake()
                peer.connect()
                peer.open_stream()
            publisher.publish("s")
            for peer in players:
                peer.play("s")
            limit_memory(server, 1.2)

            def ended() -> int:
                for peer in players:
                    peer.settle(0.01)
                return sum(REJECTED in peer.statuses for peer in players)

            wait_until_sync(lambda: ended() == len(players), deadline(6), "the end of all players, one a second")
            publisher.command(0, "createStream", 9, None)
            publisher.wait(lambda: publisher.replies(9), "an answer to the publisher")
        finally:
            for peer in (publisher, *players):
                peer.close()


def test_R4_a_loop_that_is_late() -> None:
    with EdgeServer(BREAKER, "-overload_lag_ms=150") as server, witnessed(server, is_late=True):
        limit = time.monotonic() + deadline(6)
        while "cause=lag" not in server.log and time.monotonic() < limit:
            server.pause()
            time.sleep(0.3)
            server.resume()
            time.sleep(0.02)
        assert_newcomers_are_refused(server, "-overload_lag_ms")
        wait_level(server, 0, 8)
        assert_newcomers_are_served(server)


def limited(limits: str) -> tuple[str, ...]:
    """A launcher that sets limits of the shell, then becomes the program."""
    return ("sh", "-c", f'ulimit {limits}; exec "$@"', "limited")


def test_T9_descriptors_run_out() -> None:
    with EdgeServer("-reserved_fds=0", launcher=limited("-n 64")) as server, witnessed(server) as canary:
        server.http("/health")
        peers: list[socket.socket] = []
        try:
            while "fd_exhausted" not in server.log and len(peers) < 120:
                peers.append(socket.create_connection(("127.0.0.1", server.port)))
                peers[-1].sendall(b"\x03")
                time.sleep(0.005)
            wait_until_sync(lambda: "fd_exhausted" in server.log, deadline(2), "the lack of descriptors")
            before_s = server.cpu_s
            time.sleep(0.5)
            assert server.cpu_s - before_s < 0.4, "busy loop"
            canary.judge()
        finally:
            for peer in peers:
                peer.close()
        wait_until_sync(lambda: server.counters()["accept_paused"] == 0, deadline(2), "accepting again")
        assert_newcomers_are_served(server)
        assert server.log.count("accept paused") <= 10


def test_T7_idle_connections_up_to_the_cap(custom: Callable[..., Row]) -> None:
    """A thousand, half of them connected; the silent ones leave by their deadline."""
    row = custom("-max_connections=1010", "-protocol_detect_timeout_ms=1500")
    silent = [socket.create_connection(("127.0.0.1", row.server.port)) for _ in range(300)]
    peers = [row.connected() for _ in range(300)]
    before_kb = row.server.rss_kb
    row.arena.canary.judge()
    row.fails("detect_timeout", len(silent))
    wait_until_sync(
        lambda: row.deltas()["error_detect_timeout_count"] == len(silent), deadline(4), "the end of the silent ones"
    )
    row.stays_open(peers[0])
    assert row.server.rss_kb <= before_kb + 8192
    for each in silent:
        each.close()
    row.wait_gone()


def chatter(port: int, number: int) -> None:
    """A publish of which the log has two lines of half a KiB."""
    peer = RawPeer(port)
    try:
        peer.shake()
        peer.connect()
        peer.open_stream()
        peer.publish(f"{'n' * 400}{number}")
    finally:
        peer.close()


def test_R1_a_disk_that_takes_no_log_is_told_once_and_harms_nobody(tmp_path: Path) -> None:
    # The pipe is begun before the limit is set, so that of what it writes nothing is cut.
    launcher = ("bash", "-c", 'exec > >(cat) 2>&1; ulimit -f 16; exec "$@"', "limited")
    flags = (f"-log_dir={tmp_path}", "-alsologtostderr")
    with EdgeServer(*flags, launcher=launcher) as server, witnessed(server):
        for number in range(30):
            chatter(server.port, number)
        wait_until_sync(lambda: "File too large" in server.log, deadline(3), "the fault")
        assert server.log.count("File too large") == 1
        assert server.http("/health") == b"OK\n"


_UNREAD = """
import os, sys
reading, writing = os.pipe()
os.set_inheritable(reading, True)
os.dup2(writing, 1)
os.dup2(writing, 2)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_R2_a_reader_of_the_log_that_stands_still_holds_nobody() -> None:
    port = free_port()
    command = [sys.executable, "-c", _UNREAD, "-m", "edge", f"-port={port}", "-bind=127.0.0.1", "-log_queue_lines=50"]
    environment = {**os.environ, "PYTHONPATH": python_path()}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:

        def counters() -> dict[str, float]:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/status?format=json", timeout=deadline(5)) as answer:
                return dict(json.loads(answer.read())["counters"])

        def is_there() -> bool:
            with contextlib.suppress(OSError):
                return bool(counters())
            return False

        wait_until_sync(is_there, deadline(5), "the server")
        for number in range(400):
            chatter(port, number)
            if number % 20 == 0 and counters()["log_dropped_count"]:
                break
        assert counters()["log_dropped_count"] > 0, "lines are neither written nor dropped"
        process.terminate()
        assert process.wait(deadline(5)) == 0
    finally:
        process.kill()
        process.wait()


def test_R5_a_wall_clock_that_jumps_changes_no_timer() -> None:
    with MovedClock() as clock, EdgeServer(launcher=clock.launcher) as server, witnessed(server):
        for offset_s in (86_400, -86_400, 0):
            clock.move(offset_s)
            time.sleep(1.3)
        for offset_s in (1, -1, 1, -1, 0):
            clock.move(offset_s)
            time.sleep(0.1)
        for row in server.streams():
            assert 0 <= row["uptime_s"] < 60 and 0 <= row["video_bps"] < 1e9
        assert "wall clock was set" in server.log
        assert_newcomers_are_served(server)


def test_R9_a_process_that_stood_still_ends_nobody() -> None:
    flags = ("-publish_normal_timeout_ms=2000", "-publish_ping_timeout_ms=500", "-rtmp_setup_timeout_ms=2000")
    with EdgeServer(*flags) as server, witnessed(server, is_late=True):
        idle = RawPeer(server.port)
        idle.shake()
        idle.connect()
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        idle.command(0, "createStream", 9, None)
        server.process.send_signal(signal.SIGCONT)
        idle.wait(lambda: idle.replies(9), "an answer")
        wait_until_sync(lambda: "stood still" in server.log, deadline(2), "the line that says so")
        time.sleep(0.6)
        assert "publish_timeout" not in server.log
        idle.close()
