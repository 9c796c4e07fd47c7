"""Who retries how long, and what silence means."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import FaultProxy
from tests.harness.leaks import assert_gives_back
from tests.harness.nginx import NginxRtmp
from tests.harness.player import SynthPlayer
from tests.harness.ports import free_port
from tests.harness.server import Chain, EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_SCRIPT = Script(gop=10)
_NOT_FOUND = "NetStream.Play.StreamNotFound"


async def test_pull_is_kept_for_nobody_as_long_as_asked() -> None:
    async with FaultProxy(0) as proxy:
        with EdgeServer() as origin, EdgeServer(f"-proxy_to={proxy.address}", "-keep_pulling_seconds=4") as edge:
            proxy.retarget(origin.port)
            async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
                url = edge.rtmp_url("live", "s")
                async with SynthPlayer(url) as player:
                    await player.wait_frames(10, 4)
                await asyncio.sleep(0.3)
                assert (await asyncio.to_thread(edge.counters))["pull_count"] == 1
                async with SynthPlayer(url) as player:
                    assert await player.wait_frames(1, 1) < deadline(0.3)
                assert proxy.accepted_count == 1
                left_at = time.monotonic()
                await assert_gives_back([edge])
                assert time.monotonic() - left_at >= 3.8, "given up too early"


async def test_new_player_is_not_delayed_twice_by_a_dead_server_of_a_list() -> None:
    async with FaultProxy(1) as hole:
        hole.mode = "black_hole"
        with EdgeServer() as origin:
            flags = (f"-proxy_to=list://{hole.address},{origin.address}", "-proxy_lb=rr", "-timeout_ms=600")
            with EdgeServer(*flags) as edge:
                async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
                    delays = []
                    for _ in range(6):
                        async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                            delays.append(await player.wait_frames(1, 3))
                            await player.wait_frames(3, 1)
                    assert max(delays) <= deadline(1.1), delays
                    assert sum(delay > deadline(0.5) for delay in delays) <= 1, delays
                await assert_gives_back([edge])


@pytest.mark.parametrize(("flag", "limit_ms"), [("-connect_timeout_ms=200", 200), ("-timeout_ms=900", 300)])
async def test_connect_that_nobody_answers_is_given_up_in_time(flag: str, limit_ms: int) -> None:
    """A listener whose backlog is full takes no more connects: the loopback's black hole."""

    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        try:
            flags = ("-nopull_wait_for_stream", "-fast_retry_count=0", "-max_retry_duration_ms=2000", flag)
            with EdgeServer(f"-proxy_to=127.0.0.1:{port}", *flags) as edge:
                began = time.monotonic()
                async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                    await player.wait_status(_NOT_FOUND, 3)
                    passed_ms = (time.monotonic() - began) * 1000
                    assert limit_ms - 20 <= passed_ms <= deadline(limit_ms + 400), passed_ms
                    assert "timeout" in str(player.status_infos[-1]["description"])
                await assert_gives_back([edge])
        finally:
            for filler in fillers:
                filler.close()


async def test_max_retry_duration_ends_players_of_a_lost_upstream_and_minus_one_keeps_them() -> None:
    with EdgeServer() as origin:
        limited = EdgeServer(f"-proxy_to={origin.address}", "-max_retry_duration_ms=1500", "-retry_interval_ms=300")
        with limited, EdgeServer(f"-proxy_to={origin.address}", "-retry_interval_ms=300") as endless:
            publisher = SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT, does_reconnect=True)
            await publisher.start()
            async with (
                SynthPlayer(limited.rtmp_url("live", "s")) as ended,
                SynthPlayer(endless.rtmp_url("live", "s")) as kept,
            ):
                await ended.wait_frames(10, 4)
                await kept.wait_frames(10, 4)
                await asyncio.to_thread(origin.kill)
                passed = await ended.wait_end(4)
                assert passed >= 1.2, passed
                kept.assert_alive()
                await asyncio.to_thread(origin.restart)
                await kept.wait_generation(2, 4)
            await publisher.stop()
            await assert_gives_back([limited, endless])


async def test_retries_of_many_waiting_streams_are_spread() -> None:
    """Not all in the same millisecond."""
    async with FaultProxy(free_port()) as proxy:
        with EdgeServer(f"-proxy_to={proxy.address}", "-noshare_play_connection", "-max_connects_per_s=50") as edge:
            times: list[float] = []
            proxy.mode = "reset"
            players = [SynthPlayer(edge.rtmp_url("live", f"s{number}")) for number in range(20)]
            await asyncio.gather(*(player.start() for player in players))
            await asyncio.sleep(1.0)  # the fast retries are over
            end, before = time.monotonic() + 3.0, proxy.accepted_count
            while time.monotonic() < end:
                if proxy.accepted_count > before:
                    times += [time.monotonic()] * (proxy.accepted_count - before)
                    before = proxy.accepted_count
                await asyncio.sleep(0.002)
            assert 30 <= len(times) <= 66, f"{len(times)} attempts of 20 streams in 3 s"
            busiest = max(sum(at <= other < at + 0.02 for other in times) for at in times)
            assert busiest <= 8, f"{busiest} attempts within 20 ms"
            for player in players:
                player.assert_alive()
                await player.stop()
            await assert_gives_back([edge])


async def test_chain_whose_middle_node_stands_still_goes_on_when_it_does() -> None:
    with Chain("-upstream_stall_timeout_ms=1500") as chain:
        origin, middle, far_edge = chain.nodes
        async with (
            SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT) as publisher,
            SynthPlayer(far_edge.rtmp_url("live", "s")) as player,
        ):
            await player.wait_frames(20, 4)
            middle.pause()
            await asyncio.sleep(3.5)
            player.assert_alive()
            middle.resume()
            last = len(publisher.sent)
            await wait_until(lambda: player.deliveries[-1].frame.sequence >= last, deadline(4), "data again")
            player.assert_alive()
            player.account.assert_complete()
        await assert_gives_back(chain.nodes)


async def test_stopped_server_is_left_for_the_other_of_a_list() -> None:
    with EdgeServer() as origin:
        first, second = EdgeServer(f"-proxy_to={origin.address}"), EdgeServer(f"-proxy_to={origin.address}")
        with first, second:
            flags = ("-proxy_lb=rr", "-upstream_stall_timeout_ms=1000", "-timeout_ms=500")
            with EdgeServer(f"-proxy_to=list://{first.address},{second.address}", *flags) as edge:
                async with (
                    SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT) as publisher,
                    SynthPlayer(edge.rtmp_url("live", "s")) as player,
                ):
                    await player.wait_frames(20, 4)
                    used = first if (await asyncio.to_thread(first.counters))["pull_count"] else second
                    used.pause()
                    last = len(publisher.sent)
                    await wait_until(
                        lambda: player.deliveries[-1].frame.sequence >= last + 30, deadline(4), "data of the other"
                    )
                    player.account.assert_complete()
                    used.resume()
                await assert_gives_back([edge, first, second])


async def test_silent_publisher_breaks_no_connection_of_its_chain() -> None:
    ports = [free_port(), free_port()]
    proxies = [FaultProxy(port) for port in ports]
    flags = ("-publish_normal_timeout_ms=0", "-upstream_stall_timeout_ms=1000", "-first_data_timeout_ms=1000")
    async with proxies[0], proxies[1]:
        with (
            EdgeServer(*flags, port=ports[0]) as origin,
            EdgeServer(f"-proxy_to={proxies[0].address}", *flags, port=ports[1]) as middle,
            EdgeServer(f"-proxy_to={proxies[1].address}", *flags) as far_edge,
        ):
            publisher = SynthPublisher(middle.rtmp_url("live", "s"), _SCRIPT)  # pushed to the origin, pulled back
            await publisher.start()
            async with SynthPlayer(far_edge.rtmp_url("live", "s")) as player:
                await player.wait_frames(20, 4)
                before = [proxy.accepted_count for proxy in proxies]
                assert publisher._task is not None
                publisher._task.cancel()  # silent, and connected
                await asyncio.sleep(4.5)
                player.assert_alive()
                assert [proxy.accepted_count for proxy in proxies] == before, "connected again"
                assert "silent for" not in far_edge.log + middle.log
            await publisher.stop()
            await assert_gives_back([origin, middle, far_edge])


async def test_nginx_that_falls_silent_is_kept_where_there_is_no_other() -> None:
    """nginx answers pings, so its silence is its publisher's."""
    async with NginxRtmp() as nginx, FaultProxy(nginx.port) as proxy:
        flags = ("-upstream_stall_timeout_ms=700", "-first_data_timeout_ms=700", "-retry_interval_ms=200")
        with EdgeServer(f"-proxy_to={proxy.address}", *flags) as edge:
            publisher = SynthPublisher(nginx.rtmp_url("s"), _SCRIPT)
            await publisher.start()
            async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                await player.wait_frames(20, 4)
                count = proxy.accepted_count
                proxy.down.is_flowing.clear()  # a frozen server: nothing at all comes
                await asyncio.sleep(4.0)
                player.assert_alive()
                proxy.down.is_flowing.set()
                await player.wait_more_frames(30, 5)
                assert proxy.accepted_count - count <= 8, "a storm of connections"
                times = [timestamp for _, timestamp in player.events]
                assert times
            await publisher.stop()
            await assert_gives_back([edge])


async def test_edge_restarted_in_mid_stream_serves_players_that_return() -> None:
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
            async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                await player.wait_frames(10, 4)
                await asyncio.to_thread(edge.kill)
                await player.wait_end(1)
            await asyncio.to_thread(edge.restart)
            async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                await player.wait_frames(20, 4)
                player.account.assert_complete()
            rows = await asyncio.to_thread(origin.streams)
            assert rows[0]["players"] <= 1
        await assert_gives_back([origin, edge])


async def test_U10_player_that_comes_as_the_last_one_leaves_plays() -> None:
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        url = edge.rtmp_url("live", "s")
        async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
            for pause_s in (0.0, 0.001, 0.002, 0.005, 0.02):
                first = SynthPlayer(url)
                await first.start()
                await first.stop()
                await asyncio.sleep(pause_s)
                async with SynthPlayer(url) as player:
                    await player.wait_frames(5, 2)
                    player.assert_alive()
        await assert_gives_back([origin, edge])


async def test_hundred_quick_returns_of_a_player_leave_nothing() -> None:
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        url = edge.rtmp_url("live", "s")
        async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
            for number in range(100):
                player = SynthPlayer(url)
                await player.start()
                if number % 10 == 9:
                    await player.wait_frames(1, 2)
                await player.stop()
            await assert_gives_back([edge])
            counters = await asyncio.to_thread(edge.counters)
            assert counters["upstream_connect_count"] <= 20, counters["upstream_connect_count"]
        await assert_gives_back([origin])
