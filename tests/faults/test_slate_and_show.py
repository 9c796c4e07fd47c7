"""An encoder that another one replaces is seen again when that one ends; nobody is told an end or thrown out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from tests.harness.accounting import AVC_SEQUENCE_HEADER
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline, wait_until
from tests.harness.leaks import assert_gives_back
from tests.harness.moved_clock import MovedClock
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher
from tests.harness.wire import DATA, VIDEO, encode_amf

pytestmark = pytest.mark.faults

_SCRIPT = Script(gop=10)


def encoder(server: EdgeServer, generation: int) -> SynthPublisher:
    """One whose frames bear ``generation``."""
    made = SynthPublisher(server.rtmp_url("live", "channel"), _SCRIPT)
    made.generation = generation - 1
    return made


@pytest.mark.parametrize(("slate_at", "show_at", "play_at"), ["ooo", "aoo", "oae", "abe", "aab"])
async def test_slate_is_seen_again_after_a_show(slate_at: str, show_at: str, play_at: str) -> None:
    """``o`` is the origin, ``a``, ``b`` and ``e`` are edges of it."""
    with EdgeServer("-publish_normal_timeout_ms=1500") as origin:
        flags = (f"-proxy_to={origin.address}", "-publish_normal_timeout_ms=1500")
        with EdgeServer(*flags) as a, EdgeServer(*flags) as b, EdgeServer(*flags) as e:
            nodes = {"o": origin, "a": a, "b": b, "e": e}
            async with encoder(nodes[slate_at], 1) as slate:
                await wait_until(lambda: origin.has_stream("channel"), deadline(3), "the slate at the origin")
                async with SynthPlayer(nodes[play_at].rtmp_url("live", "channel")) as player:
                    await player.wait_generation(1, 3)
                    show = encoder(nodes[show_at], 2)
                    await show.start()
                    await player.wait_generation(2, 3)
                    await asyncio.sleep(2.5)  # more than a silent publisher is given
                    await player.wait_more_frames(5, 3)
                    assert player.deliveries[-1].frame.generation == 2
                    await show.stop()
                    seen = len(player.deliveries)
                    await wait_until(
                        lambda: any(delivery.frame.generation == 1 for delivery in player.deliveries[seen:]),
                        deadline(3),
                        "the slate again",
                    )
                    player.assert_alive()
                    assert slate.is_connected and slate.error is None
                    assert slate.statuses == ["NetStream.Publish.Start"]
            await assert_gives_back([origin, a, b, e])


@pytest.mark.parametrize("show_at", ["origin", "edge"])
async def test_slate_is_seen_again_while_a_show_has_sent_only_headers_and_metadata(show_at: str) -> None:
    """They were taken for media, so the slate was off the air for as long as the show sent nothing else."""
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        url = {"origin": origin, "edge": edge}[show_at].rtmp_url("live", "channel")
        async with SynthPublisher(url, _SCRIPT) as slate, SynthPlayer(edge.rtmp_url("live", "channel")) as player:
            await player.wait_frames(5, 3)
            show, name = await RtmpClient.open(url)
            show.publish(name)
            for _ in range(30):
                metadata = encode_amf("@setDataFrame", "onMetaData", {"width": 1.0})
                show.peer.send(5, DATA, show.message_stream_id, 0, metadata)
                show.peer.send(6, VIDEO, show.message_stream_id, 0, AVC_SEQUENCE_HEADER)
                await asyncio.sleep(0.1)
            await player.wait_more_frames(5, 3)
            player.assert_alive()
            assert slate.is_connected
            show.peer.abort()
            await show.peer.close()
        await assert_gives_back([origin, edge])


class Slide(Script):
    """One picture, and sound."""

    def frames(self) -> Iterator[tuple[int, bool, bool]]:
        yield 0, True, True
        for number in itertools.count():
            yield number * 40, False, False


@pytest.mark.parametrize(("slate_at", "show_at"), ["oo", "oa", "ao", "ab"])
async def test_slide_of_a_slate_is_shown_again_after_a_show(slate_at: str, show_at: str) -> None:
    """Its sound was back at once, and its picture with the next slide only, for players and newcomers."""
    with (
        EdgeServer() as origin,
        EdgeServer(f"-proxy_to={origin.address}") as a,
        EdgeServer(f"-proxy_to={origin.address}") as b,
    ):
        nodes = {"o": origin, "a": a, "b": b}
        slate = SynthPublisher(nodes[slate_at].rtmp_url("live", "channel"), Slide())
        async with slate, SynthPlayer(b.rtmp_url("live", "channel")) as player:
            await player.wait_generation(1, 3)
            async with encoder(nodes[show_at], 2):
                await player.wait_generation(2, 3)
                await asyncio.sleep(0.5)

            def is_slide_back() -> bool:
                pictures = [each.frame.generation for each in player.deliveries if each.frame.is_video]
                return pictures[-1] == 1

            await wait_until(is_slide_back, deadline(3), "the slide again")
            async with SynthPlayer(origin.rtmp_url("live", "channel")) as newcomer:
                await newcomer.wait_frames(5, 3)
                first = next(each.frame for each in newcomer.deliveries if each.frame.is_video)
                assert (first.generation, first.is_keyframe) == (1, True)
            player.assert_alive()
        await assert_gives_back([origin, a, b])


async def test_two_encoders_that_reconnect_do_not_replace_each_other_for_ever() -> None:
    """The one that was replaced was closed as idle, came back, and replaced the other one in turn."""
    with EdgeServer("-publish_normal_timeout_ms=700", "-republish_min_interval_ms=100") as origin:
        url = origin.rtmp_url("live", "channel")
        first = SynthPublisher(url, _SCRIPT, does_reconnect=True)
        async with first:
            second = SynthPublisher(url, _SCRIPT, does_reconnect=True)
            async with second:
                await asyncio.sleep(3)
                assert (first.generation, second.generation) == (1, 1)
        await assert_gives_back([origin])


@pytest.mark.parametrize("hours_ahead", [1, -1])
async def test_encoder_that_comes_back_to_its_edge_is_seen_whatever_the_clocks_of_the_edges_say(
    hours_ahead: int,
) -> None:
    """Edge A, edge B, A again: the wall clock of B is off, and A's is set back while it runs."""
    with (
        MovedClock(3600 * hours_ahead) as of_b,
        MovedClock() as of_a,
        EdgeServer() as origin,
        EdgeServer(f"-proxy_to={origin.address}", launcher=of_a.launcher) as a,
        EdgeServer(f"-proxy_to={origin.address}", launcher=of_b.launcher) as b,
        EdgeServer(f"-proxy_to={origin.address}") as far,
    ):
        publishers = []
        async with SynthPlayer(far.rtmp_url("live", "channel")) as player:
            for generation, node in enumerate((a, b, a), start=1):
                publisher = encoder(node, generation)
                publishers.append(publisher)
                await publisher.start()
                await player.wait_generation(generation, 3)
                await asyncio.sleep(1.2)  # publishes that begin within a second are one moment
                of_a.move(-1800)
            player.assert_alive()
        for publisher in publishers:
            assert publisher.is_connected
            await publisher.stop()
        await assert_gives_back([origin, a, b, far])


@pytest.mark.parametrize("way", ["back to the origin", "back to its edge", "its edge dies", "it leaves its edge"])
async def test_encoder_that_comes_back_after_its_nodes_clock_was_set_back_is_seen(way: str) -> None:
    """NTP sets the clock of a node back by an hour, or that of the node where the encoder goes on is an hour behind."""
    with (
        MovedClock() as of_origin,
        MovedClock() as of_a,
        MovedClock(-3600) as of_b,
        EdgeServer(launcher=of_origin.launcher) as origin,
        EdgeServer(f"-proxy_to={origin.address}", launcher=of_a.launcher) as a,
        EdgeServer(f"-proxy_to={origin.address}", launcher=of_b.launcher) as b,
        EdgeServer(f"-proxy_to={origin.address}") as far,
    ):
        first_at = origin if way == "back to the origin" else a
        first, then = encoder(first_at, 1), encoder(first_at if way.startswith("back") else b, 2)
        async with SynthPlayer(far.rtmp_url("live", "channel")) as player:
            await first.start()
            await player.wait_generation(1, 3)
            if way == "its edge dies":
                a.kill()
            await first.stop(is_abrupt=True)
            for clock in (of_origin, of_a):
                clock.move(-3600)
            await asyncio.sleep(0.3)
            await then.start()
            await player.wait_generation(2, 3)
            player.assert_alive()
            await then.stop()
        await assert_gives_back([origin, b, far])
