"""A server is replaced under players and publishers: none is disconnected, no frame is lost or comes twice."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.http_media import FlvReader, TsReader, WsFlvReader
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

_TOOL = (sys.executable, "-m", "edge.tools.upgrade")
STREAMS, PLAYERS, UPGRADES = 8, 60, 3
#: Nothing comes for so long at most. On a machine that does nothing else it is a fifth of a second.
GAP_S = 10.0
#: A busy machine is no new process that hangs.
PATIENT = "-upgrade_pause_ms=60000"
READERS = (SynthPlayer, FlvReader, WsFlvReader)


def successor(server: EdgeServer, path: Path, *flags: str) -> EdgeServer:
    """A new process with the flags of ``server``, which takes over from it."""
    new = EdgeServer(*server.flags, f"-takeover={path}", *flags, has_internal_port=False)
    new.internal_port = server.internal_port
    return new


def url_of(server: EdgeServer, kind: type, name: str) -> str:
    scheme, suffix = {SynthPlayer: ("rtmp", ""), FlvReader: ("http", ".flv"), WsFlvReader: ("ws", ".flv")}[kind]
    return f"{scheme}://{server.address}/live/{name}{suffix}"


async def replace(server: EdgeServer, path: Path) -> EdgeServer:
    """Upgrade by hand; the old process ends by itself, in order."""
    new = successor(server, path)
    await asyncio.to_thread(new.start, 10.0)
    code = await asyncio.to_thread(server.process.wait, deadline(5.0))
    assert code == 0, server.log[-3000:]
    server.assert_clean_log()
    return new


async def play_on(watching: list) -> None:
    seen = [len(one.deliveries) for one in watching]
    await wait_until(
        lambda: all(len(one.deliveries) > was + 5 for one, was in zip(watching, seen, strict=True)),
        deadline(5.0),
        "all play on",
    )


@asynccontextmanager
async def audience(server: EdgeServer, players: int, streams: int) -> AsyncIterator[tuple[list, list]]:
    async with AsyncExitStack() as stack:
        publishers = [
            await stack.enter_async_context(
                SynthPublisher(f"rtmp://{server.address}/live/s{number}", Script(stream_id=number, gop=50))
            )
            for number in range(streams)
        ]
        watching = []
        for number in range(players):
            kind = READERS[number % len(READERS)]
            watching.append(await stack.enter_async_context(kind(url_of(server, kind, f"s{number % streams}"))))
        await wait_until(lambda: all(len(one.deliveries) > 10 for one in watching), deadline(5.0), "all play")
        yield publishers, watching


async def test_upgraded_three_times_under_players_and_publishers(tmp_path: Path) -> None:
    path = tmp_path / "upgrade"
    server = EdgeServer(f"-upgrade_socket={path}", PATIENT, "-flush_interval_ms=50")
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, server)
        async with audience(server, PLAYERS, STREAMS) as (publishers, watching):
            for _ in range(UPGRADES):
                assert "left behind" not in server.log
                new = await replace(server, path)
                assert "left behind: none" in server.log
                stack.callback(new.__exit__, None)
                server = new
                await play_on(watching)
            assert len(server.streams()) == STREAMS
            newcomer = await stack.enter_async_context(SynthPlayer(url_of(server, SynthPlayer, "s0")))
            await wait_until(lambda: len(newcomer.deliveries) > 5, deadline(5.0), "a newcomer plays")
            accounts = [one.account for one in watching]
        assert [one.error for one in publishers] == [None] * STREAMS
        assert all(one.generation == 1 for one in publishers)
        for one, account in zip(watching, accounts, strict=True):
            assert one.error is None, one.error
            account.assert_complete()
        gap = max(account.largest_gap_s for account in accounts)
        print(f"largest gap {gap * 1000:.0f} ms")
        assert gap < deadline(GAP_S)


async def test_nodes_up_and_down_the_way_resume_at_the_very_next_frame(tmp_path: Path) -> None:
    """An edge is replaced, then its origin: pulls and pushes begin anew, and their frames go on.

    So do those that wait for their order by time.
    """
    paths = [tmp_path / name for name in ("origin", "edge")]
    origin = EdgeServer(f"-upgrade_socket={paths[0]}", PATIENT, "-mix_correct")
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, origin)
        edge = EdgeServer(f"-upgrade_socket={paths[1]}", PATIENT, f"-proxy_to={origin.address}", "-mix_correct")
        await asyncio.to_thread(stack.enter_context, edge)
        # One stream goes up by the edge and comes back, one comes from the origin.
        pushed = SynthPublisher(f"rtmp://{edge.address}/live/up", Script(gop=50))
        pulled = SynthPublisher(f"rtmp://{origin.address}/live/down", Script(gop=50))
        publishers = [await stack.enter_async_context(one) for one in (pushed, pulled)]
        watching = [
            await stack.enter_async_context(kind(url_of(node, kind, name)))
            for node, kind, name in (
                (edge, SynthPlayer, "up"),
                (edge, FlvReader, "down"),
                (origin, SynthPlayer, "up"),
                (edge, SynthPlayer, "down"),
            )
        ]
        await wait_until(lambda: all(len(one.deliveries) > 10 for one in watching), deadline(5.0), "all play")
        for server, path in ((edge, paths[1]), (origin, paths[0])):
            new = await replace(server, path)
            stack.callback(new.__exit__, None)
            await play_on(watching)
        for one in watching:
            assert one.error is None
            one.account.assert_complete()
        assert [one.error for one in publishers] == [None, None]


async def test_an_order_starts_the_new_process(tmp_path: Path) -> None:
    path = tmp_path / "upgrade"
    server = EdgeServer(f"-upgrade_socket={path}", PATIENT)
    server.start()
    try:
        async with (
            audience(server, 3, 1) as (publishers, watching),
            TsReader(f"http://{server.address}/live/s0.ts") as staying,
        ):
            await wait_until(lambda: staying.items, deadline(5.0), "a player that cannot move")
            tool = await asyncio.create_subprocess_exec(
                *_TOOL, str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            out, _ = await asyncio.wait_for(tool.communicate(), deadline(10.0))
            assert tool.returncode == 0, out
            assert await asyncio.to_thread(server.process.wait, deadline(5.0)) == 0
            await staying.wait_end(2)
            assert staying.error is None
            assert b"left behind: 1 (a player of http-ts has a state of its own)" in out
            await play_on(watching)
            for one in watching:
                one.account.assert_complete()
            assert publishers[0].error is None
        server.assert_clean_log()
    finally:
        for pid in map(int, re.findall(r"handed over to process (\d+)", server.log)):
            os.kill(pid, signal.SIGTERM)
            await wait_until(lambda pid=pid: has_ended(pid), deadline(5.0), "the new process ends")
        server.kill()


def has_ended(pid: int) -> bool:
    """Of a process that is not our child; one that nobody has waited for yet has ended as well."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("flag", ["-nosuch_flag", "-listen={port}"], ids=["bad flag", "busy port"])
async def test_a_new_process_that_fails_at_start_changes_nothing(tmp_path: Path, flag: str) -> None:
    path = tmp_path / "upgrade"
    server = EdgeServer(f"-upgrade_socket={path}", PATIENT)
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, server)
        async with audience(server, 3, 1) as (publishers, watching):
            with pytest.raises(AssertionError, match=r"exit code (1|75) at start"):
                await asyncio.to_thread(successor(server, path, flag.format(port=server.port)).start)
            await play_on(watching)
            for one in watching:
                one.account.assert_complete()
            assert publishers[0].error is None
