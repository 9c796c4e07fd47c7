"""Publishes that are over without a word, or too fast, by what their connection says."""

from __future__ import annotations

import asyncio

import pytest

from edge.hub.config import HubConfig
from edge.net.config import NetConfig
from edge.net.context import NetContext
from edge.net.rtmp.ingest import IngestTicker
from edge.net.rtmp.publish_watch import PublishWatch
from edge.service.grants import Publish
from edge.service.refusal import Reason, Refusal
from edge.service.request import PublishRequest
from edge.service.rules import Rulebook, Rules
from tests.service.fakes import VIEWER, Door


class Connection:
    """Publishes one stream and is told when that may not go on."""

    fd, state, read_limit, is_hop = -1, "open", 0, False

    def __init__(self, publish: Publish) -> None:
        self.grants = [publish]
        self.told: list[Refusal] = []
        self.is_kept_alive = self.is_gone = False
        self.kbps = 0
        publish.owner = self

    def publishes(self) -> list[Publish]:
        return list(self.grants)

    def publish_stopped(self, publish: Publish, refusal: Refusal) -> None:
        self.grants.remove(publish)
        self.told.append(refusal)

    def is_publish_kept_alive(self, now_ms: int, limit_ms: int) -> bool:
        return self.is_kept_alive

    def is_silent_publisher_gone(self, now_ms: int, quiet_ms: int, answer_ms: int) -> bool:
        return self.is_gone

    def is_over_rate(self, now_ms: int, limit_kbps: int) -> bool:
        return self.kbps > limit_kbps

    def read_some(self) -> int:
        return 0

    def poll_reads(self, is_polled: bool) -> None:
        raise AssertionError("the watch reads nothing")


def watched(*, mix_correct: bool = False, **net: int) -> tuple[PublishWatch, Connection, NetContext]:
    door = Door(publish_firstpkt_timeout_ms=1000, publish_normal_timeout_ms=2000, mix_correct=mix_correct)
    door.service.rulebook.replace(Rulebook(door.service.rulebook.root.with_(NetConfig(**net))))
    publish = door.publish()
    assert isinstance(publish, Publish)
    connection = Connection(publish)
    context = NetContext(asyncio.get_running_loop(), NetConfig(**net))
    ingest = IngestTicker(context)
    ingest.publishers.add(connection)
    return PublishWatch(context, ingest), connection, context


async def test_publish_that_has_never_sent_ends_unless_bytes_of_a_message_come() -> None:
    watch, connection, context = watched()
    watch.tick(2000, 2000)
    connection.is_kept_alive = True
    watch.tick(2300, 2300)
    assert connection.told == []
    connection.is_kept_alive = False
    watch.tick(2301, 2301)
    assert connection.told == [Refusal(Reason.IDLE, "no media")]
    context.close()


async def test_silent_publisher_stays_while_it_is_there_and_is_given_its_time_after_a_stand_still() -> None:
    watch, connection, context = watched()
    connection.grants[0].publisher.last_media_ms = 2000
    connection.is_gone = True
    watch.tick(4000, 4000)
    watch.tick(9000, 9000)
    assert connection.told == [], "this process stood still itself"
    connection.is_gone = False
    for now_ms in range(9250, 14000, 250):
        watch.tick(now_ms, now_ms)
    assert connection.told == []
    connection.is_gone = True
    watch.tick(14000, 14000)
    assert [refusal.reason for refusal in connection.told] == [Reason.IDLE]
    context.close()


async def test_time_without_use_counts_from_when_it_was_limited_and_not_from_before_an_upgrade() -> None:
    watch, connection, context = watched()
    publish = connection.grants[0]
    stream, rules = publish.stream, publish.stream.rules
    limited = Rules([HubConfig(publish_firstpkt_timeout_ms=0, publish_kickoff_for_idle_s=60)])
    connection.is_kept_alive = True
    watch.tick(3_600_000, 3_600_000)
    stream.reconfigure(limited)
    watch.tick(3_601_000, 3_601_000)
    stream.reconfigure(rules)
    watch.tick(3_700_000, 3_700_000)
    stream.reconfigure(limited)
    for now_ms in (3_701_000, 3_761_000):
        watch.tick(now_ms, now_ms)
    assert connection.told == []
    watch.tick(3_761_001, 3_761_001)
    assert connection.told == [Refusal(Reason.UNUSED, "nobody uses the stream")]
    context.close()


async def test_publisher_that_is_too_fast_is_told_the_limit() -> None:
    watch, connection, context = watched(max_publish_kbps=100)
    watch.tick(1100, 1100)
    connection.kbps = 101
    watch.tick(1200, 1200)
    assert connection.told == [Refusal(Reason.TOO_FAST, "more than 100 kbit/s")]
    context.close()


@pytest.mark.parametrize(("granted", "may"), [((0, 0), 200), ((70, 0), 170), ((70, 300), 170)])
async def test_each_stream_of_a_connection_may_send_as_much_as_it_may(granted: tuple[int, int], may: int) -> None:
    watch, connection, context = watched(max_publish_kbps=100)
    second = Publish(PublishRequest(VIEWER, connection.grants[0].name), connection.grants[0].publisher)
    second.owner = connection
    connection.grants.append(second)
    for publish, kbps in zip(connection.grants, granted, strict=True):
        publish.max_kbps = kbps
    connection.kbps = may
    watch.tick(1100, 1100)
    assert connection.told == []
    connection.kbps = may + 1
    watch.tick(1200, 1200)
    assert connection.told == 2 * [Refusal(Reason.TOO_FAST, f"more than {may} kbit/s")]
    context.close()


async def test_a_picture_that_nothing_follows_does_not_wait_for_its_sound() -> None:
    watch, connection, context = watched(mix_correct=True)
    publisher = connection.grants[0].publisher
    publisher.push(9, 0, b"\x17\x01\0\0\0slide", 1000)
    queue = publisher.stream.queue
    watch.tick(1200, 1200)
    assert queue.end == 0
    watch.tick(1600, 1600)
    assert queue.end == 1
    context.close()
