"""How clients are seen off: on a whole node in the loop of the test, and on the program with its signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.facts.orders import Drain, Result
from edge.flags.process import ProcessConfig
from edge.runtime.daemon import grace_of
from edge.runtime.leaving import Leaving
from edge.runtime.service_manager import ServiceManager
from tests.harness.at_once import at_once
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline, wait_until, wait_until_sync
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer
from tests.httpd.feeding import Source
from tests.net.live import ended, eventually, number_of, pictures, playing, send_video, status, status_of
from tests.runtime.nodes import RunningNode, running

WHO = "127.0.0.1:5"


class Told(ServiceManager):
    """Notes what a service manager would be told."""

    def __init__(self) -> None:
        super().__init__({}, 0)
        self.messages: list[tuple[str, ...]] = []

    def _tell(self, *fields: str) -> None:
        self.messages.append(fields)


@asynccontextmanager
async def leaving_node(*flags: str, **config: Any) -> AsyncIterator[tuple[RunningNode, Leaving, Told]]:
    async with running(*flags) as one:
        told = Told()
        leaving = Leaving(one.node, told, ProcessConfig(**config))
        one.node.on_drain = leaving.carry_out
        task = asyncio.create_task(leaving.run())
        yield one, leaving, told
        leaving.begin(0, "the test is over")
        for client in one.clients:
            client.peer.abort()
        async with asyncio.timeout(deadline(10)):
            await task


def codes(client: RtmpClient) -> list[str]:
    return [status_of(message)["code"] for message in client.backlog if status_of(message)]


async def end_codes(client: RtmpClient) -> list[str]:
    """Codes of the statuses up to the end of the connection."""
    await ended(client, 3)
    return codes(client)


async def refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_R6_probes_hear_first_and_newcomers_are_served_until_it_closes() -> None:
    async with leaving_node(grace_start_wait_ms=600_000) as (one, leaving, told):
        await one.publisher()
        assert (await one.get("/readyz")) == (200, "ready\n")
        leaving.begin(None, "test")
        await eventually(lambda: one.node.is_draining, "the first step")
        assert (await one.get("/readyz")) == (503, "not ready\ndraining\n")
        assert (await one.get("/health")) == (503, "draining\n")
        await pictures(await one.player(), 0)
        assert told.messages[0] == ("STOPPING=1", "STATUS=draining, 1 clients left")
        assert any(message[0].startswith("EXTEND_TIMEOUT_USEC=") for message in told.messages)


async def test_R6_who_is_here_when_it_closes_is_served_on() -> None:
    async with leaving_node(grace_start_wait_ms=0) as (one, leaving, _):
        publisher = await one.publisher()
        player = await one.player()
        await pictures(player, 0)
        idle = await one.client()
        (listener,) = one.node.listeners
        leaving.begin(None, "test")
        await eventually(lambda: listener.sock.fileno() < 0, "that it closes")
        assert await refused(listener.port)
        for number in range(1, 6):
            send_video(publisher, number)
        await pictures(player, 5)
        idle.play("s")
        await pictures(idle, 5)
        assert "NetConnection.Connect.Closed" not in codes(player)


async def test_R6_what_a_publisher_has_sent_goes_all_the_way_up_although_the_edge_ends() -> None:
    """It waits in the kernel's buffer of the edge, which has not even looked at it."""
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
        publisher = await edge.publisher()
        await eventually(lambda: at_once(origin.facts.streams()), "the push")
        player = await origin.player()
        await pictures(player, 0)
        for number in range(1, 200):
            send_video(publisher, number)
        await publisher.peer.drain()
        await edge.node.close()
        found = await pictures(player, 199)
        assert number_of(found[-1]) == 199 and "NetStream.Play.UnpublishNotify" in await end_codes(player)
        player.peer.abort()


async def test_an_order_drains_and_a_second_one_says_how_far_it_is() -> None:
    async with leaving_node(grace_start_wait_ms=0, grace_final_wait_ms=0) as (one, _, _):
        await one.publisher()
        orders = one.orders
        first = await orders.carry_out(Drain(), WHO)
        assert (first.result, first.text) == (Result.DONE, "It drains from now on: 1 clients are left.")
        await eventually(lambda: one.node.units[0].service.is_closed, "that it closes")
        second = await orders.carry_out(Drain(within_s=600), WHO)
        assert second.text == "It drains already: 1 clients are left."


async def test_who_can_connect_anew_is_asked_to_and_others_are_told_nothing() -> None:
    async with leaving_node(grace_start_wait_ms=0) as (one, leaving, _):
        await one.publisher()
        url = f"rtmp://127.0.0.1:{one.port()}/live/s"
        modern, _ = await RtmpClient.open(url, capsEx=1)
        one.clients.append(modern)
        modern.play("s")
        await status(modern, "NetStream.Play.Start")
        plain = await one.player()
        await pictures(plain, 0)
        leaving.begin(8, "test")
        info = await status(modern, "NetConnection.Connect.ReconnectRequest")
        assert info["level"] == "status" and "tcUrl" not in info
        assert "NetConnection.Connect.ReconnectRequest" not in codes(plain)


async def test_R6_answers_end_their_connection_but_for_viewers_who_are_here() -> None:
    async with leaving_node(grace_start_wait_ms=0) as (one, leaving, _):
        source = await Source.at(one)
        source.push(10)
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port())

        async def head(path: str) -> str:
            """The head of an answer on a connection that is used again."""
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            async with asyncio.timeout(deadline(10)):
                found = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(found.partition("content-length:")[2].split()[0]))
            return found

        streams = one.node.units[0].registry.streams
        await eventually(lambda: any(stream.queue.has_media for stream in streams.values()), "the first pictures")
        first = asyncio.create_task(head("/live/s.classic.media.m3u8"))
        (stream,) = streams.values()
        await eventually(lambda: len(stream.readers) > 1, "the segmenter")
        source.push(50)
        assert " 200 " in await first
        leaving.begin(8, "test")
        await eventually(lambda: one.node.units[0].service.is_closed, "that it closes")
        again = await head("/live/s.classic.media.m3u8")
        assert " 200 " in again and "connection: close" not in again
        other = await head("/live/other.classic.m3u8")
        assert " 503 " in other, "a stream that nobody watches is for a newcomer"
        assert "connection: close" in await head("/health")
        writer.close()


# --- the program -------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "config", "within_s"),
    [
        (signal.SIGTERM, ProcessConfig(), 8),
        (signal.SIGTERM, ProcessConfig(grace_term_s=0), 0),
        (signal.SIGTERM, ProcessConfig(graceful_quit_on_sigterm=True), None),
        (signal.SIGINT, ProcessConfig(graceful_quit_on_sigterm=True), 0),
        (signal.SIGQUIT, ProcessConfig(), None),
    ],
)
def test_what_each_signal_gives(number: signal.Signals, config: ProcessConfig, within_s: int | None) -> None:
    assert grace_of(number, config) == within_s


def test_a_server_that_serves_nobody_leaves_at_once() -> None:
    with EdgeServer("-grace_term_s=600") as server:
        server.http("/health")
        server.process.terminate()
        assert server.process.wait(deadline(3)) == 0
        assert "why=SIGTERM limit_s=600 left=0" in server.log


async def test_R6_SIGQUIT_waits_for_the_last_client_however_long_it_takes() -> None:
    flags = ("-grace_start_wait_ms=100", "-grace_final_wait_ms=100")
    server = EdgeServer(*flags)
    await asyncio.to_thread(server.__enter__)
    try:
        publisher, name = await RtmpClient.open(server.rtmp_url("live", "s"))
        publisher.publish(name)
        await status(publisher, "NetStream.Publish.Start")
        server.process.send_signal(signal.SIGQUIT)
        await wait_until(lambda: "draining left=1" in server.log, deadline(3), "the line")
        assert await asyncio.to_thread(server.http, "/api/streams"), "the internal port tells how it goes"
        assert await refused(server.port)
        assert server.is_running
        publisher.delete_stream(name)
        assert await asyncio.to_thread(server.process.wait, deadline(3)) == 0
        publisher.peer.abort()
    finally:
        await asyncio.to_thread(server.__exit__, None)


async def test_R6_SIGTERM_ends_those_who_stay_within_its_time() -> None:
    server = EdgeServer("-grace_term_s=2", has_internal_port=False)
    await asyncio.to_thread(server.__enter__)
    try:
        publisher, name = await RtmpClient.open(server.rtmp_url("live", "s"))
        publisher.publish(name)
        await status(publisher, "NetStream.Publish.Start")
        server.process.terminate()
        await ended(publisher, 3)
        assert codes(publisher)[-1] == "NetConnection.Connect.Closed"
        assert await asyncio.to_thread(server.process.wait, deadline(2)) == 0
        publisher.peer.abort()
    finally:
        await asyncio.to_thread(server.__exit__, None)


def fields(manager: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in manager.recv(65536).decode().split("\n"))


def test_a_service_manager_follows_its_whole_life(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(deadline(5))
        launcher = ("env", f"NOTIFY_SOCKET={tmp_path / 'notify'}", "WATCHDOG_USEC=400000")
        server = EdgeServer(launcher=launcher)
        with server:
            seen: list[dict[str, str]] = []

            def next_of(name: str) -> dict[str, str]:
                while True:
                    seen.append(fields(manager))
                    if name in seen[-1]:
                        return seen[-1]

            ready = next_of("READY")
            assert ready["STATUS"] == f"serving on public={server.port} internal={server.internal_port}"
            for _ in range(3):
                next_of("WATCHDOG")
            server.process.send_signal(signal.SIGHUP)
            reloading = next_of("RELOADING")
            assert int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
            assert "READY" in next_of("READY")
            server.process.terminate()
            assert next_of("STOPPING")["STATUS"] == "draining, 0 clients left"
            assert server.process.wait(deadline(3)) == 0


def test_the_files_and_the_service_manager_follow_an_upgrade(tmp_path: Path) -> None:
    way, pid_file, port_file = tmp_path / "upgrade", tmp_path / "pid", tmp_path / "ports"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(deadline(5))
        launcher = ("env", f"NOTIFY_SOCKET={tmp_path / 'notify'}")
        flags = (f"-upgrade_socket={way}", f"-pid_file={pid_file}", f"-port_file={port_file}")
        with EdgeServer(*flags, launcher=launcher) as old:
            assert "MAINPID" not in fields(manager)
            wait_until_sync(port_file.exists, deadline(2), "the port file")
            ports = port_file.read_text()
            new = EdgeServer(*flags, f"-takeover={way}", has_internal_port=False, launcher=launcher)
            new.internal_port = old.internal_port
            with new:
                assert old.process.wait(deadline(5)) == 0
                told = fields(manager)
                assert (told["MAINPID"], told["READY"]) == (str(new.pid), "1")
                wait_until_sync(lambda: pid_file.read_text() == str(new.pid), deadline(3), "the pid file")
                assert port_file.read_text() == ports
        assert not pid_file.exists() and not port_file.exists()


def test_a_successor_that_cannot_be_upgraded_itself_serves_what_it_has_taken(tmp_path: Path) -> None:
    way, no_way = tmp_path / "upgrade", tmp_path / "no" / "upgrade"
    with EdgeServer(f"-upgrade_socket={way}") as old:
        new = EdgeServer(f"-upgrade_socket={no_way}", f"-takeover={way}", has_internal_port=False)
        new.internal_port = old.internal_port
        with new:
            assert old.process.wait(deadline(5)) == 0
            assert new.process.poll() is None
            assert f"-upgrade_socket={no_way} cannot be used" in new.log


async def test_R6_a_signal_right_after_the_upgrade_ends_nothing_that_the_new_process_has() -> None:
    closed: list[bool] = []
    async with leaving_node() as (one, leaving, _):
        close = one.node.close

        async def watched_close(*, wait_ms: int = 1500, is_handed_over: bool = False) -> None:
            closed.append(is_handed_over)
            await close(wait_ms=wait_ms, is_handed_over=is_handed_over)

        one.node.close = watched_close  # type: ignore[method-assign]
        leaving.hand_over()
        leaving.begin(0, "SIGINT")
        await eventually(lambda: bool(closed), "it ends")
    assert closed[0]


async def test_who_is_left_behind_by_an_upgrade_is_asked_to_come_again_before_it_is_told_of_the_end() -> None:
    async with leaving_node("-rtmp_siblings=list://rtmp://elsewhere.invalid") as (one, leaving, _):
        await one.publisher()
        url = f"rtmp://127.0.0.1:{one.port()}/live/s"
        able, name = await RtmpClient.open(url, capsEx=1)
        one.clients.append(able)
        able.play(name)
        unable = await one.player()
        await pictures(able, 0)
        leaving.hand_over()
        asked, closed = "NetConnection.Connect.ReconnectRequest", "NetConnection.Connect.Closed"
        assert await end_codes(able) == [asked, closed]
        (info,) = [status_of(each) for each in able.backlog if status_of(each).get("code") == asked]
        assert "tcUrl" not in info, "the new process is here"
        assert await end_codes(unable) == [closed]


def test_T12_a_second_instance_with_the_same_pid_file_does_not_start(tmp_path: Path) -> None:
    pid_file, port_file = tmp_path / "run" / "pid", tmp_path / "run" / "ports"
    files = (f"-pid_file={pid_file}", f"-port_file={port_file}")
    with EdgeServer(*files) as first:
        wait_until_sync(port_file.exists, deadline(2), "the port file")
        assert pid_file.read_text() == str(first.pid)
        assert port_file.read_text() == f"public={first.port}\ninternal={first.internal_port}\n"
        second = EdgeServer(*files)
        with pytest.raises(AssertionError, match=f"exit code 75(.|\n)*is locked by process {first.pid}: a server with"):
            second.start()
        assert pid_file.read_text() == str(first.pid) and port_file.exists()
    assert not pid_file.exists() and not port_file.exists()
    second._log.close()


def test_the_port_file_follows_the_ports(tmp_path: Path) -> None:
    flagfile, port_file = tmp_path / "edge.flags", tmp_path / "ports"
    first, second = free_port(), free_port()
    flagfile.write_text(f"-listen={first}\n")
    with EdgeServer(f"-flagfile={flagfile}", f"-port_file={port_file}") as server:
        wait_until_sync(port_file.exists, deadline(2), "the port file")
        flagfile.write_text(f"-listen={second}\n")
        server.process.send_signal(signal.SIGHUP)
        line = f"public={server.port},{second}\n"
        wait_until_sync(lambda: port_file.read_text().startswith(line), deadline(5), "the new ports")


def test_SIGUSR1_opens_the_log_file_anew(tmp_path: Path) -> None:
    with EdgeServer(f"-log_dir={tmp_path}", "-alsologtostderr") as server:
        written = (tmp_path / "edge.INFO").resolve()
        moved = written.rename(tmp_path / "moved")
        server.process.send_signal(signal.SIGUSR1)
        wait_until_sync(written.exists, deadline(3), "the new file")
        wait_until_sync(lambda: "SIGUSR1: log file opened anew" in written.read_text(), deadline(3), "its line")
        assert "is serving on port" in moved.read_text()


async def test_R9_a_process_that_was_stopped_keeps_its_clients() -> None:
    """A limit of silence passes while it is stopped, and no byte by which they would be judged comes right after."""
    server = EdgeServer("-server_idle_timeout=2", has_internal_port=False)
    await asyncio.to_thread(server.__enter__)
    try:
        publisher, player = await playing(server.rtmp_url("live", "s"))
        os.kill(server.pid, signal.SIGSTOP)
        await asyncio.sleep(3.5)
        os.kill(server.pid, signal.SIGCONT)
        await wait_until(lambda: "the process stood still for_ms=" in server.log, deadline(3), "the line")
        await asyncio.sleep(0.6)
        send_video(publisher, 1)
        await pictures(player, 1)
        for client in (publisher, player):
            client.peer.abort()
    finally:
        await asyncio.to_thread(server.__exit__, None)
