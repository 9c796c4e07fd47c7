"""The origin dies and comes back; connections to it break; a tree waits for its publisher."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.harness.accounting import back_steps
from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import FaultProxy
from tests.harness.nginx import NginxRtmp
from tests.harness.player import SynthPlayer
from tests.harness.ports import free_port
from tests.harness.server import Chain, EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults


def assert_clock_never_went_back(player: SynthPlayer) -> None:
    """Over the whole connection, sound and picture together, headers included."""
    times = [timestamp for kind, timestamp in player.events if kind not in ("metadata", "data")]
    assert not back_steps(times), f"times went back: {back_steps(times)[:5]}"


async def test_R4_players_at_the_far_edge_outlive_the_origin() -> None:
    with Chain() as chain:
        origin, far_edge = chain.origin, chain.far_edge
        publisher = SynthPublisher(origin.rtmp_url("live", "survivor"), does_reconnect=True)
        player = SynthPlayer(far_edge.rtmp_url("live", "survivor"))
        await publisher.start()
        try:
            await player.start()
            await player.wait_frames(60, 4)
            await asyncio.to_thread(origin.kill)
            await asyncio.sleep(3.0)
            player.assert_alive()
            assert not publisher.is_connected
            await asyncio.to_thread(origin.restart)
            first = await player.wait_generation(2, 6)
            gap_s = first.at - publisher.first_sent_at[2]
            await player.wait_more_frames(60, 3)
            player.assert_alive()
            account = player.account
        finally:
            await player.stop()
            await publisher.stop()
    assert gap_s <= deadline(1.5), f"data {gap_s:.2f} s after the publisher's return"
    account.assert_in_order()
    assert account.generations == [1, 2] and not account.bad_resumes, account
    assert_clock_never_went_back(player)


async def test_R4_twenty_resets_between_our_nodes_lose_and_double_nothing() -> None:
    async with FaultProxy(0) as proxy:
        with EdgeServer() as origin:
            proxy.retarget(origin.port)
            with EdgeServer(f"-proxy_to={proxy.address}", "-retry_interval_ms=100") as edge:
                url = origin.rtmp_url("live", "broken")
                async with SynthPublisher(url) as publisher, SynthPlayer(edge.rtmp_url("live", "broken")) as player:
                    await player.wait_frames(30, 3)
                    for _ in range(20):
                        await wait_until(lambda: proxy.link_count, deadline(2), "a new connection")
                        await player.wait_more_frames(15, 3)
                        assert await proxy.reset_all() >= 1
                    sent_at_last_reset = len(publisher.sent)
                    await wait_until(
                        lambda: player.deliveries[-1].frame.sequence >= sent_at_last_reset + 30,
                        deadline(4),
                        "frames from after the last reset",
                    )
                    player.assert_alive()
                    account = player.account
    account.assert_complete()
    assert account.frame_count >= 300
    assert_clock_never_went_back(player)
    kinds = [kind for kind, _ in player.events]
    assert kinds.count("avc_header") == 1 and kinds.count("aac_header") == 1, "unchanged headers were sent again"


async def test_R4_resets_of_a_foreign_upstream_leave_gaps_that_end_on_keyframes() -> None:
    """nginx keeps no history: what it sent to nobody is gone, and is counted."""
    async with NginxRtmp() as nginx, FaultProxy(nginx.port) as proxy:
        with EdgeServer(f"-proxy_to={proxy.address}", "-retry_interval_ms=100") as edge:
            publisher = SynthPublisher(nginx.rtmp_url("gaps"), Script(gop=10))
            async with publisher, SynthPlayer(edge.rtmp_url("live", "gaps")) as player:
                await player.wait_frames(30, 4)
                for _ in range(6):
                    await wait_until(lambda: proxy.link_count, deadline(2), "a new connection")
                    await player.wait_more_frames(40, 4)
                    await proxy.reset_all()
                await player.wait_more_frames(60, 4)
                player.assert_alive()
                rows = await asyncio.to_thread(edge.streams)
    account = player.account
    account.assert_in_order()
    assert not account.bad_resumes, f"resumed in the middle of a group: {account.bad_resumes}"
    assert 1 <= len(account.lost) <= 6, account.lost
    counted = sum(row["gap_count"] for row in rows)
    assert counted >= len(account.lost), f"{len(account.lost)} gaps seen, {counted} counted"
    assert_clock_never_went_back(player)


async def test_R4_waiting_chain_keeps_its_connections_and_starts_at_once() -> None:
    """A minute by hand, 4 s here: longer than the first-data and the stall timeouts together."""
    flags = ("-first_data_timeout_ms=1000", "-upstream_stall_timeout_ms=1500")
    ports = [free_port(), free_port()]
    proxies = [FaultProxy(port) for port in ports]
    async with proxies[0], proxies[1]:
        with (
            EdgeServer(port=ports[0]) as origin,
            EdgeServer(f"-proxy_to={proxies[0].address}", *flags, port=ports[1]),
            EdgeServer(f"-proxy_to={proxies[1].address}", *flags) as far_edge,
        ):
            async with SynthPlayer(far_edge.rtmp_url("live", "patient")) as player:
                await wait_until(lambda: all(p.accepted_count for p in proxies), deadline(3), "both pulls")
                await asyncio.sleep(4.0)
                player.assert_alive()
                assert [proxy.accepted_count for proxy in proxies] == [1, 1], "waiting nodes connected again"
                async with SynthPublisher(origin.rtmp_url("live", "patient")) as publisher:
                    await player.wait_frames(1, 2)
                    delay_s = player.deliveries[0].at - publisher.first_sent_at[1]
                    await player.wait_frames(60, 3)
                    player.assert_alive()
                    account = player.account
    account.assert_complete()
    assert player.deliveries[0].frame.sequence == 0, "the first frame is missing"
    assert delay_s <= deadline(0.3), f"first frame after {delay_s:.2f} s"


async def test_R4_publisher_that_ends_and_returns_within_the_wait_is_seen_again() -> None:
    """The end is announced down the chain; players stay for -publisher_return_ms and go on with the next broadcast."""
    with Chain("-publisher_return_ms=8000") as chain:
        url = chain.origin.rtmp_url("live", "again")
        async with SynthPlayer(chain.far_edge.rtmp_url("live", "again")) as player:
            async with SynthPublisher(url):
                await player.wait_frames(30, 4)
            await asyncio.sleep(2.0)
            player.assert_alive()
            second = SynthPublisher(url)
            second.generation = 1
            async with second:
                first = await player.wait_generation(2, 4)
                await player.wait_more_frames(30, 3)
                player.assert_alive()
        gap_s = first.at - second.first_sent_at[2]
    assert gap_s <= deadline(1.5), f"data {gap_s:.2f} s after the publisher's return"
    assert not player.account.bad_resumes
    assert_clock_never_went_back(player)


async def test_R4_players_are_told_when_the_publisher_does_not_return() -> None:
    with Chain("-publisher_return_ms=1000") as chain:
        players = [SynthPlayer(node.rtmp_url("live", "ended")) for node in chain.nodes]
        async with SynthPublisher(chain.origin.rtmp_url("live", "ended")):
            for player in players:
                await player.start()
                await player.wait_frames(20, 4)
        began = time.monotonic()
        for player in players:
            await player.wait_end(4)
        for number, player in enumerate(players):
            assert player.error is None, f"node {number}: {player.error!r}"
            assert "NetStream.Play.UnpublishNotify" in player.statuses, f"node {number}: {player.statuses}"
            assert player.has_stream_eof, f"node {number} sent no StreamEOF"
            player.account.assert_complete()
            await player.stop()
    assert players[0].ended_at is not None and players[0].ended_at - began <= deadline(0.5)
