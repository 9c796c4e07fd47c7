"""Lines of the stages of a real node."""

from __future__ import annotations

import logging
import re
from typing import cast

import pytest

from edge.hub.key import StreamKey
from edge.logbook.config import STAGES, LogbookConfig
from edge.net.aio import now_ms
from edge.runtime.stages import StageLog
from edge.service.grants import Play
from edge.service.names import StreamName, TcUrl
from edge.service.refusal import Refusal
from edge.service.request import HttpClient, PlayRequest
from tests.net.live import eventually, pictures
from tests.runtime.nodes import running
from tests.runtime.stats_rig import QUIET

EVERY = LogbookConfig(pithy_print_ms=10_000)


class Viewer:
    def __init__(self, key: StreamKey) -> None:
        self.key = key
        self.client = HttpClient(99, "10.0.0.9:5", "hls", TcUrl("", "", "live", ""))


def lines_of(log: StageLog, caplog: pytest.LogCaptureFixture, *moments_ms: int) -> list[str]:
    caplog.set_level(logging.INFO)
    caplog.clear()
    for moment_ms in moments_ms:
        log.tick(moment_ms)
    return [text for text in caplog.messages if text.startswith("stage=")]


async def test_each_stage_that_has_clients_has_its_line(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as origin:
        await origin.publisher("s", pictures=5)
        async with running(QUIET, f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
            log = StageLog(edge.node.units, EVERY, 0)
            for unit in edge.node.units:
                unit.service.watchers.append(log)
            await pictures(await edge.player("s"), 4)
            await edge.publisher("up", pictures=5)
            upstream = edge.node.units[0].upstream
            assert upstream is not None
            await eventually(lambda: all(push.state == "live" for push in upstream.pushes.values()), "the push")
            service, plays = edge.node.units[0].service, list[Play | Refusal]()
            name = service.resolve_path("127.0.0.1", "/live/s", "")
            assert isinstance(name, StreamName)
            viewer = HttpClient(99, "10.0.0.9:5", "hls", TcUrl("", "", "live", ""))
            service.play(PlayRequest(viewer, name), plays.append, now_ms())
            service.tell_segment(name, "10.0.0.9:5", 188)
            lines = lines_of(log, caplog, 0, 5000, 10_000)
            (play,) = plays
            assert isinstance(play, Play)
            service.end_play(play, now_ms())
            assert not log._watching
            assert not log._hls_bytes
            told = {re.search(r"stage=(\w+)", line)[1]: line for line in lines}  # type: ignore[index]
            assert sorted(told) == sorted(STAGES)
            assert len(lines) == len(STAGES)
            endpoint = f"127.0.0.1:{origin.port()}"
            assert f"stage=pull clients=1 key=_/live/s peer={endpoint} age_ms=" in told["pull"]
            assert f" peer={endpoint} age_ms=" in told["push"]
            assert "stage=play clients=1 key=_/live/s peer=127.0.0.1:" in told["play"]
            assert "stage=hls clients=1 key=_/live/s peer=10.0.0.9:5 " in told["hls"]
            assert "stage=publish clients=1 key=_/live/up peer=127.0.0.1:" in told["publish"]
            for line in lines:
                assert re.search(r" age_ms=-?\d+ kbps=\d+$", line)


def test_segments_of_streams_that_nobody_watches_are_not_remembered() -> None:
    log = StageLog([], EVERY, 0)
    watched, gone = StreamKey("_", "live", "watched"), StreamKey("_", "live", "gone")
    plays = [cast(Play, Viewer(key)) for key in (watched, gone, gone)]
    for play in plays:
        log.on_play(play)
    for play in plays[1:]:
        log.on_segment(gone, "10.0.0.9:5", 188, is_internal=False)
        log.on_play_over(play)
        log.on_play_over(play)
    log.on_segment(gone, "10.0.0.9:5", 188, is_internal=False)
    assert not log._hls_bytes
    log.on_segment(watched, "10.0.0.9:5", 188, is_internal=False)
    assert log._hls_bytes == {watched: 188}


async def test_players_have_their_line_in_turn_and_the_crowd_no_more_than_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(QUIET) as one:
        log = StageLog(one.node.units, EVERY, 0)
        await one.publisher("s")
        for _ in range(3):
            await pictures(await one.player("s"), 0)
        lines = [
            line for line in lines_of(log, caplog, *range(0, 45_000, 1000)) if line.startswith("stage=play clients=3 ")
        ]
        peers = [line.partition("peer=")[2].partition(" ")[0] for line in lines]
        assert len(peers) == 4
        assert len(set(peers)) == 3
        assert peers[3] == peers[0]


async def test_the_rate_is_that_of_the_interval(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        log = StageLog(one.node.units, EVERY, 0)
        publisher = await one.publisher("s")
        (unit,) = one.node.units
        await eventually(lambda: unit.registry.streams, "the stream")
        (stream,) = unit.registry.streams.values()
        await eventually(lambda: stream.stats.video_frames == 1, "a picture")
        assert lines_of(log, caplog, 0) == []
        stream.stats.video_bytes += 125_000
        (line,) = lines_of(log, caplog, 10_000)
        assert line.endswith(" kbps=100")
        assert publisher is not None


async def test_a_stage_may_be_off_and_another_have_its_own_interval(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        config = LogbookConfig(pithy_print_ms=10_000, pithy_print_stage={"publish": 0, "play": 2000})
        log = StageLog(one.node.units, config, 0)
        await one.publisher("s")
        await pictures(await one.player("s"), 0)
        lines = lines_of(log, caplog, *range(0, 7000, 1000))
        assert [line.partition(" ")[0] for line in lines] == ["stage=play"] * 3
