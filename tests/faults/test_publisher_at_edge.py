"""A publisher at an edge outlives the absence of the edge's upstream."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.accounting import audit
from tests.harness.clock import deadline, wait_until
from tests.harness.player import SynthPlayer
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer
from tests.harness.sink import Publication, SinkServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_OUTAGE_S = 5.0


def assert_starts_well(publication: Publication) -> None:
    """Metadata and headers first, in any order, then a keyframe; nothing of a group that began earlier."""
    first_frame = next(i for i, kind in enumerate(publication.events) if kind in ("keyframe", "video", "audio"))
    assert publication.events[first_frame] == "keyframe", publication.events[:8]
    video_only_head = publication.events[:first_frame]
    assert "metadata" in video_only_head and "avc_header" in video_only_head, publication.events[:8]
    assert publication.events.index("aac_header") < publication.events.index("audio"), publication.events[:8]
    audit(publication.deliveries).assert_complete()


async def test_R5_publisher_stays_while_the_upstream_is_down_and_is_passed_on_when_it_returns() -> None:
    port = free_port()
    with EdgeServer(f"-proxy_to=127.0.0.1:{port}") as edge:
        async with SynthPublisher(edge.rtmp_url("live", "early"), Script(gop=10)) as publisher:
            await asyncio.sleep(_OUTAGE_S)
            assert publisher.is_connected and publisher.error is None, publisher.error
            async with SinkServer(port) as upstream:
                await wait_until(lambda: upstream.publications, deadline(3), "the push")
                await wait_until(lambda: len(upstream.publications[0].deliveries) > 60, deadline(3), "frames upstream")
                assert publisher.is_connected and publisher.generation == 1
                assert [publication.name for publication in upstream.publications] == ["early"]
                assert_starts_well(upstream.publications[0])


async def test_R5_push_begins_again_after_each_loss_of_the_upstream() -> None:
    """The upstream vanishes twice; each new publish starts with what a decoder needs."""
    port = free_port()
    with EdgeServer(f"-proxy_to=127.0.0.1:{port}") as edge:
        async with SynthPublisher(edge.rtmp_url("live", "again"), Script(gop=10)) as publisher:
            for _ in range(3):
                async with SinkServer(port) as upstream:
                    await wait_until(lambda up=upstream: up.publications, deadline(4), "the push")  # type: ignore[misc]
                    await wait_until(
                        lambda up=upstream: len(up.publications[0].deliveries) > 40,  # type: ignore[misc]
                        deadline(3),
                        "frames upstream",
                    )
                    assert_starts_well(upstream.publications[0])
                await asyncio.sleep(0.3)
            assert publisher.is_connected and publisher.generation == 1


async def test_R5_players_at_the_returned_origin_play_from_a_keyframe() -> None:
    port = free_port()
    with EdgeServer(f"-proxy_to=127.0.0.1:{port}") as edge:
        async with SynthPublisher(edge.rtmp_url("live", "early"), Script(gop=10)) as publisher:
            await asyncio.sleep(2.0)
            origin = EdgeServer(port=port)
            await asyncio.to_thread(origin.start)
            try:

                async def try_to_play() -> SynthPlayer | None:
                    player = SynthPlayer(origin.rtmp_url("live", "early"))
                    await player.start()
                    await asyncio.sleep(0.2)
                    if player.deliveries:
                        return player
                    await player.stop()
                    return None

                async with asyncio.timeout(deadline(5)):
                    while (player := await try_to_play()) is None:
                        pass
                await player.wait_frames(40, 3)
                player.account.assert_complete()
                kinds = [kind for kind, _ in player.events]
                assert kinds[kinds.index("keyframe") - 1] in ("avc_header", "aac_header", "metadata"), kinds[:8]
                assert "metadata" in kinds[: kinds.index("keyframe")], kinds[:8]
                await player.stop()
                assert publisher.is_connected and publisher.generation == 1
            finally:
                origin.__exit__(None)
