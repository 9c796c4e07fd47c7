"""A server that is told to stop while many watch, and a fleet that is rolled node by node: nothing is cut or lost."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
import urllib.error
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.harness.accounting import audit
from tests.harness.client import RtmpClient
from tests.harness.clients import Program, ffmpeg_publish, parse_framemd5, real_clip
from tests.harness.clock import deadline, require_program, wait_until
from tests.harness.http_media import FlvReader
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher
from tests.harness.wire import WireError

pytestmark = pytest.mark.faults

_RECONNECT = "NetConnection.Connect.ReconnectRequest"
_LOST = (OSError, asyncio.IncompleteReadError, WireError, AssertionError)
_SCRIPT = Script(gop=10)
_FFMPEG = ("-nostdin", "-v", "warning", "-analyzeduration", "1000000")
_TO_HASHES = ("-map", "0", "-c", "copy", "-copyts", "-f", "framemd5", "-")


def readiness(server: EdgeServer, *, on_internal: bool) -> str:
    """``ready``, the reasons why not, or ``closed``."""
    try:
        return server.http("/readyz", on_internal=on_internal).decode().strip()
    except urllib.error.HTTPError as error:
        return error.read().decode().strip().replace("\n", ": ")
    except OSError:
        return "closed"


async def test_O3_SIGTERM_under_load_cuts_and_loses_nothing(tmp_path: Path) -> None:
    """Players by RTMP and FLV, ffmpeg among them; a publisher whose stream is pushed up to the origin."""
    origin = EdgeServer()
    with origin, EdgeServer(f"-proxy_to={origin.address}", "-grace_term_s=4") as edge:
        async with (
            SynthPublisher(origin.rtmp_url("live", "down"), _SCRIPT),
            SynthPublisher(edge.rtmp_url("live", "up"), _SCRIPT) as pushed,
            contextlib.AsyncExitStack() as stack,
        ):
            url = f"http://{edge.address}/live/down.flv"
            players = [SynthPlayer(edge.rtmp_url("live", "down")) for _ in range(8)]
            readers = [FlvReader(url) for _ in range(8)]
            for one in (*players, *readers):
                await stack.enter_async_context(one)
            film = real_clip("film", tmp_path)
            stack.enter_context(ffmpeg_publish(film, origin.rtmp_url("live", "film"), loops=-1))
            await wait_until(lambda: origin.has_stream("film"), deadline(10), "the film")
            played = ("-i", f"http://{edge.address}/live/film.flv")
            program = stack.enter_context(Program(require_program("ffmpeg"), *_FFMPEG, *played, *_TO_HASHES))
            await wait_until(lambda: origin.has_stream("up"), deadline(5), "the push")
            above = await stack.enter_async_context(SynthPlayer(origin.rtmp_url("live", "up")))
            await above.wait_frames(20, 5)
            for one in (*players, *readers):
                await one.wait_frames(20, 5)
            await wait_until(lambda: "play started key=_/live/film" in edge.log, deadline(10), "ffmpeg")
            await players[0].wait_more_frames(40, 3)

            began = time.monotonic()
            edge.ask_to_leave()
            heard = [await asyncio.to_thread(readiness, edge, on_internal=False)]
            while heard[-1] != "closed" and edge.is_running:
                await asyncio.sleep(0.02)
                heard.append(await asyncio.to_thread(readiness, edge, on_internal=False))
            code = await asyncio.to_thread(edge.process.wait, deadline(4))
            took_s = time.monotonic() - began
            assert code == 0 and took_s < deadline(4), took_s
            assert [word for word in dict.fromkeys(heard) if word != "ready"] == ["not ready: draining", "closed"]

            for player in players:
                await player.wait_end(2)
                assert player.error is None, "cut in the middle of a message"
                assert player.statuses[-1] == "NetConnection.Connect.Closed"
                player.account.assert_complete()
            for reader in readers:
                await reader.wait_end(2)
                reader.assert_ended_well()
                assert reader.cut_bytes == 0
                reader.account.assert_complete()
            hashes = parse_framemd5(await program.wait_ok(5))
            assert hashes and "orrupt" not in program.stderr, program.stderr
            await wait_until(lambda: pushed.error, deadline(2), "the publisher's end")
            await above.wait_status("NetStream.Play.UnpublishNotify", 3)
            above.account.assert_complete()
            # What the publisher sent before it was told has arrived, but for what was on its way at that moment.
            assert len(pushed.sent) - above.deliveries[-1].frame.sequence < 80


class Follower:
    """A viewer whose player follows ReconnectRequest: it plays from the new connection as soon as that has frames."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.players: list[SynthPlayer] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Follower:
        await self._connect()
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for player in self.players:
            await player.stop()

    async def _connect(self) -> None:
        player = EnhancedPlayer(self._url)
        await player.start()
        self.players.append(player)

    async def _follow(self) -> None:
        while True:
            now = self.players[-1]
            if _RECONNECT in now.statuses or now.has_ended:
                with contextlib.suppress(*_LOST):
                    await self._connect()
                    await self.players[-1].wait_frames(1, 3)
                    await now.stop()
            await asyncio.sleep(0.01)

    @property
    def frame_count(self) -> int:
        return sum(len(player.deliveries) for player in self.players)

    async def wait_more_frames(self, count: int, within_s: float) -> None:
        """On whatever connection."""
        enough = self.frame_count + count
        await wait_until(lambda: self.frame_count >= enough, deadline(within_s), f"{count} frames of a viewer")

    @property
    def largest_gap_s(self) -> float:
        """Without a new picture or sound, on whatever connection."""
        at = sorted(delivery.at for player in self.players for delivery in player.deliveries)
        return max(after - before for before, after in pairwise(at))


class EnhancedPlayer(SynthPlayer):
    """One that says that it can connect anew."""

    async def start(self, within_s: float = 5.0) -> None:
        async with asyncio.timeout(deadline(within_s)):
            self._client, name = await RtmpClient.open(self.url, capsEx=1)
        self._client.play(name)
        self._task = asyncio.create_task(self._run(self._client), name=f"player {self.url}")


@contextlib.asynccontextmanager
async def balancer(nodes: Sequence[EdgeServer]) -> AsyncIterator[int]:
    """A TCP balancer that sends newcomers to nodes whose probe says that they are ready; gives its port."""
    ready: list[EdgeServer] = list(nodes)
    links: set[asyncio.Task[None]] = set()

    async def probe() -> None:
        while True:
            for node in nodes:
                is_ready = await asyncio.to_thread(readiness, node, on_internal=True) == "ready"
                if is_ready and node not in ready:
                    ready.append(node)
                elif not is_ready and node in ready:
                    ready.remove(node)
            await asyncio.sleep(0.05)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        links.add(task)
        try:
            ready.append(ready.pop(0))
            back_reader, back_writer = await asyncio.open_connection(ready[-1].host, ready[-1].port)
            await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            links.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    prober = asyncio.create_task(probe())
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in (prober, *links):
            task.cancel()
        await asyncio.gather(prober, *links, return_exceptions=True)


async def roll(node: EdgeServer) -> None:
    """Stop it as an orchestrator does, and start it again; its log is clean."""
    node.ask_to_leave()
    assert await asyncio.to_thread(node.process.wait, deadline(4)) == 0, node.log[-2000:]
    node.assert_clean_log()
    await asyncio.to_thread(node.restart, deadline(3))


async def test_O3_a_fleet_is_rolled_node_by_node_and_nobody_notices() -> None:
    """An origin, two shields, two edges of both, and viewers who come through a balancer in front of the edges."""
    grace = "-grace_term_s=2"
    async with contextlib.AsyncExitStack() as stack:
        nodes: list[EdgeServer] = []

        async def start(*flags: str) -> EdgeServer:
            node = EdgeServer(*flags)
            await asyncio.to_thread(node.__enter__)
            stack.push_async_callback(asyncio.to_thread, node.__exit__, None)
            nodes.append(node)
            return node

        origin = await start()
        shields = [await start(f"-proxy_to={origin.address}", grace) for _ in range(2)]
        servers = ",".join(shield.address for shield in shields)
        edges = [await start(f"-proxy_to=list://{servers}", "-proxy_lb=rr", grace) for _ in range(2)]
        await stack.enter_async_context(SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT))
        port = await stack.enter_async_context(balancer(edges))
        viewers = [Follower(f"rtmp://127.0.0.1:{port}/live/s") for _ in range(4)]
        for viewer in viewers:
            await stack.enter_async_context(viewer)
        stayers = [SynthPlayer(edge.rtmp_url("live", "s")) for edge in edges]
        for stayer in stayers:
            await stack.enter_async_context(stayer)
            await stayer.wait_frames(20, 5)

        for shield in shields:
            await roll(shield)
            for stayer in stayers:
                await stayer.wait_more_frames(40, 3)
        for stayer in stayers:
            stayer.assert_alive()
            stayer.account.assert_complete()
            assert stayer.account.largest_gap_s < deadline(0.5)
            await stayer.stop()

        for edge in edges:
            await roll(edge)
            for viewer in viewers:
                await viewer.wait_more_frames(20, 5)
        for viewer in viewers:
            assert viewer.largest_gap_s < deadline(0.5)
            for player in viewer.players:
                audit(player.deliveries).assert_complete()
        assert any(len(viewer.players) > 1 for viewer in viewers)


async def test_R9_a_chain_that_was_stopped_goes_on() -> None:
    """An edge is stopped for longer than a pull waits for an answer: neither its players nor its pull notice."""
    origin = EdgeServer()
    flags = ("-upstream_stall_timeout_ms=1000", "-timeout_ms=500", "-send_timeout_ms=1000")
    with origin, EdgeServer(f"-proxy_to={origin.address}", *flags) as edge:
        async with (
            SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT),
            SynthPlayer(edge.rtmp_url("live", "s")) as player,
        ):
            await player.wait_frames(20, 5)
            before = (await asyncio.to_thread(edge.counters))["upstream_attempt_count"]
            edge.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(3)
            edge.process.send_signal(signal.SIGCONT)
            await player.wait_more_frames(150, 5)
            player.assert_alive()
            player.account.assert_complete()
            await wait_until(lambda: "the process stood still for_ms=" in edge.log, deadline(2), "the line")
            assert (await asyncio.to_thread(edge.counters))["upstream_attempt_count"] == before
