"""A real node, and statistics of it whose clock the test moves."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field

import pytest

from edge.hub.stream import Stream
from edge.runtime.stat_log import StatLog
from tests.harness.client import RtmpClient
from tests.harness.wire import AUDIO, VIDEO, Message
from tests.net.live import eventually, send_audio, send_video, until
from tests.runtime.nodes import RunningNode, settings_of

#: 2026-11-21 03:02:26.123456 UTC.
WALL_S = 1795230146.123456
QUIET = "-pithy_print_ms=0"


@dataclass
class Statistics:
    """Those of a running node, beside its own, which are off."""

    one: RunningNode
    caplog: pytest.LogCaptureFixture
    flags: tuple[str, ...]
    wall_s: float = WALL_S
    started_ms: int = 0
    log: StatLog = field(init=False)

    def __post_init__(self) -> None:
        self.caplog.set_level(logging.INFO)
        settings = settings_of("-log_utc_time", QUIET, *self.flags)
        self.log = StatLog(self.one.node.units, settings, self.started_ms, wall_clock_s=lambda: self.wall_s)

    def table(self, now_ms: int) -> list[str]:
        """The table that is written in one tick."""
        return [text for text in self.tick(now_ms) if "_play key:" not in text and "_publish key:" not in text]

    def tick(self, now_ms: int) -> list[str]:
        """What is written in one tick: whole lines, those of a table each."""
        self.caplog.clear()
        self.log.tick(now_ms)
        texts: list[str] = []
        for record in self.caplog.records:
            texts += [record.getMessage(), *getattr(record, "block", ())]
        return texts

    def taken(self, mark: str) -> list[str]:
        """What was written since the last tick, of a kind."""
        return [text for text in self.caplog.messages if mark in text]


def only_stream(one: RunningNode) -> Stream:
    (stream,) = (stream for unit in one.node.units for stream in unit.registry.streams.values())
    return stream


async def feed(one: RunningNode, publisher: RtmpClient, count: int, *, first: int = 1, sounds: int = 0) -> Stream:
    """Send pictures ``first`` and on, and sounds, and wait until all are there."""
    stream = only_stream(one)
    wanted = stream.stats.video_frames + count, stream.stats.audio_frames + sounds
    for number in range(first, first + count):
        send_video(publisher, number)
    for number in range(first, first + sounds):
        send_audio(publisher, number)
    await publisher.peer.drain()
    await eventually(lambda: (stream.stats.video_frames, stream.stats.audio_frames) == wanted, "the media")
    return stream


async def count_media(client: RtmpClient, last: int) -> int:
    """Bytes on the wire from the first message of media, headers included, up to picture ``last``."""
    before, found = 0, []

    def is_last(message: Message) -> bool:
        nonlocal before
        if not found and message.type_id not in (AUDIO, VIDEO):
            before = client.peer.received_bytes
            return False
        found.append(message)
        return message.type_id == VIDEO and b"%08d" % last in message.payload

    await until(client, is_last)
    return client.peer.received_bytes - before


def without_id(line: str) -> tuple[str, str]:
    """A billing line with ``ID`` for its id, and the id."""
    found = re.search(r"request:(\S+)", line)
    assert found is not None and re.fullmatch(r"[0-9a-zA-Z_-]{22}", found[1]), line
    return line.replace(found[1], "ID"), found[1]
