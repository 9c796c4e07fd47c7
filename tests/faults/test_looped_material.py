"""A foreign upstream whose publisher plays a film in a loop: what comes live after a cut was relayed a round before."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import pytest

from tests.harness.accounting import AAC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER, Delivery, Frame, encode_frame
from tests.harness.client import RtmpClient
from tests.harness.clients import ffmpeg_publish, real_clip
from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import FaultProxy
from tests.harness.nginx import NginxRtmp
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher
from tests.harness.wire import AUDIO, VIDEO

pytestmark = pytest.mark.faults

#: A keyframe every 400 ms; sound and picture fit into each group.
_SCRIPT = Script(gop=10, audio_interval_ms=20)
_FROZEN_S = 1.5


class LoopedPublisher(SynthPublisher):
    """Sends the first ``loop_ms`` of its script again and again, byte for byte; only the timestamps go on."""

    def __init__(self, url: str, loop_ms: int) -> None:
        super().__init__(url, _SCRIPT)
        self.loop_ms = loop_ms
        self.frame_count = 0

    async def _send_frames(self, client: RtmpClient, listener: asyncio.Task[None]) -> None:
        script, peer, stream = self.script, client.peer, client.message_stream_id
        film = list(itertools.takewhile(lambda entry: entry[0] < self.loop_ms, script.frames()))
        self.frame_count = len(film)
        peer.send(6, VIDEO, stream, 0, AVC_SEQUENCE_HEADER)
        peer.send(4, AUDIO, stream, 0, AAC_SEQUENCE_HEADER)
        began = time.monotonic()
        for number in itertools.count():
            sequence = number % len(film)
            at_ms, is_video, is_keyframe = film[sequence]
            at_ms += number // len(film) * self.loop_ms
            wait_s = began + at_ms / 1000 - time.monotonic()
            if wait_s > 0.001:
                await peer.drain()
                await asyncio.sleep(wait_s)
            if listener.done():
                listener.result()
            size = script.video_bytes if is_video else script.audio_bytes
            frame = Frame(script.stream_id, 1, sequence, began, size, is_video, is_keyframe)
            peer.send(6 if is_video else 4, VIDEO if is_video else AUDIO, stream, at_ms, encode_frame(frame))
            self.sent.append((frame, at_ms))


def breaks(deliveries: list[Delivery], frame_count: int) -> list[Delivery]:
    """Frames that are not the next ones of the film."""
    return [
        after
        for before, after in itertools.pairwise(deliveries)
        if after.frame.sequence != (before.frame.sequence + 1) % frame_count
    ]


@pytest.mark.parametrize(("loop_ms", "rounds"), [(10000, 1), (3000, 2)], ids=["longer_than_a_cache", "short"])
async def test_cut_in_a_looped_film_does_not_freeze_players(loop_ms: int, rounds: int) -> None:
    async with NginxRtmp() as nginx, FaultProxy(nginx.port) as proxy:
        with EdgeServer(f"-proxy_to={proxy.address}", "-retry_interval_ms=100") as edge:
            publisher = LoopedPublisher(nginx.rtmp_url("film"), loop_ms)
            async with publisher, SynthPlayer(edge.rtmp_url("live", "film")) as player:
                await player.wait_frames(20, 4)
                sent_ms = loop_ms * rounds + 700
                await wait_until(lambda: publisher.sent[-1][1] >= sent_ms, deadline(sent_ms / 1000 + 3), "whole rounds")
                last = len(player.deliveries)
                assert await proxy.reset_all() >= 1
                await player.wait_more_frames(100, 4)
                player.assert_alive()
                (row,) = await asyncio.to_thread(edge.streams)
    frozen_s = max(after.at - before.at for before, after in itertools.pairwise(player.deliveries[last - 5 :]))
    assert frozen_s <= deadline(_FROZEN_S), f"players froze for {frozen_s:.2f} s"
    seen = breaks(player.deliveries, publisher.frame_count)
    assert all(delivery.frame.is_keyframe for delivery in seen), f"resumed in the middle of a group: {seen}"
    assert len(seen) == row["gap_count"] == 1, f"{len(seen)} gaps seen, {row['gap_count']} counted"


async def test_cut_in_a_looped_clip_of_ffmpeg_does_not_freeze_players(tmp_path: Path) -> None:
    """Real payloads, a keyframe a second; they say nothing of themselves, so only their times are looked at."""
    clip = real_clip("loop", tmp_path, seconds=8.0)
    async with NginxRtmp() as nginx, FaultProxy(nginx.port) as proxy:
        flags = (f"-proxy_to={proxy.address}", "-retry_interval_ms=100")
        with EdgeServer(*flags) as edge, ffmpeg_publish(clip, nginx.rtmp_url("clip"), loops=-1):
            client, name = await RtmpClient.open(edge.rtmp_url("live", "clip"))
            client.play(name)
            times: list[float] = []
            player = asyncio.create_task(note_media(client, times))
            try:
                await wait_until(lambda: times, deadline(4), "the clip")
                await asyncio.sleep(9.4)
                cut_at = time.monotonic()
                assert await proxy.reset_all() >= 1
                await wait_until(lambda: times[-1] > cut_at + 4, deadline(8), "the clip after the cut")
                (row,) = await asyncio.to_thread(edge.streams)
            finally:
                player.cancel()
                await asyncio.gather(player, return_exceptions=True)
                client.peer.abort()
                await client.peer.close()
    frozen_s = max(after - before for before, after in itertools.pairwise(at for at in times if at > cut_at - 1))
    assert frozen_s <= deadline(_FROZEN_S), f"players froze for {frozen_s:.2f} s"
    assert row["gap_count"] == 1, "what was lost is not counted"


async def note_media(client: RtmpClient, times: list[float]) -> None:
    while True:
        message = await client.next_message()
        if message.type_id in (AUDIO, VIDEO):
            times.append(time.monotonic())
