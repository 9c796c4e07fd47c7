"""Services of a node: which there are, and what they do with publishers that are silent or too fast."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.net.aio import now_ms
from edge.net.context import NetContext
from edge.net.rtmp import server as rtmp_server
from edge.net.system import unacknowledged_bytes
from edge.runtime.rules import new_rulebook
from edge.runtime.unit import ServiceUnit, make_units
from tests.harness.portable import needs_linux
from tests.net.live import ended, eventually, pictures, send_video, status_of
from tests.runtime.nodes import RunningNode, running, settings_of


async def units_of(*flags: str) -> list[ServiceUnit]:
    """Units of the given flags; nothing has been started of them."""
    settings = settings_of(*flags)
    context = NetContext(asyncio.get_running_loop(), settings.net)
    try:
        return make_units(settings, context, new_rulebook(settings))
    finally:
        context.close()


async def test_origin_has_one_service_without_an_upstream() -> None:
    (unit,) = await units_of()
    assert (unit.name, unit.upstream, unit.service.is_edge) == ("", None, False)


async def test_edge_pulls_from_and_pushes_to_one_target() -> None:
    (unit,) = await units_of("-proxy_to=127.0.0.1:1935")
    assert unit.service.is_edge
    assert unit.upstream is not None
    assert unit.upstream.aims.pull is unit.upstream.aims.push


async def test_merge_tier_is_pulled_from_and_passed_by_publishes() -> None:
    front, merge = await units_of("-proxy_to=127.0.0.1:1935", "-cdn_merge_to=127.0.0.1:7035")
    assert (front.name, merge.name) == ("front", "merge")
    assert front.upstream is not None and merge.upstream is not None
    assert front.upstream.aims.pull.address.text == "127.0.0.1:7035"
    assert front.upstream.aims.push.address.text == "127.0.0.1:1935"
    assert merge.upstream.aims.pull.address.text == "127.0.0.1:1935"
    assert front.service.service_id != merge.service.service_id


async def test_merge_tier_without_a_source_is_an_origin() -> None:
    front, merge = await units_of("-cdn_merge_to=127.0.0.1:7035")
    assert front.upstream is not None
    assert front.upstream.aims.push is front.upstream.aims.pull
    assert merge.upstream is None


async def test_O1_own_address_that_a_list_names_later_is_dropped_and_a_front_stays_in_its_merge_tier(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "servers.list"
    path.write_text("127.0.0.1:8079\n127.0.0.1:1935\n127.0.0.1:7035\n192.0.2.1:8079\n")
    flags = (f"-proxy_to=file://{path}", "-proxy_lb=rr", "-port=8079", "-listen=1935")
    (unit,) = await units_of(*flags)
    assert unit.upstream is not None
    front, merge = await units_of(*flags, "-cdn_merge_to=list://127.0.0.1:8079,127.0.0.1:7035", "-cdn_merge_lb=rr")
    assert front.upstream is not None and merge.upstream is not None
    wanted = {
        unit.upstream.aims.pull: ["127.0.0.1:7035", "192.0.2.1:8079"],
        front.upstream.aims.pull: ["127.0.0.1:7035", "127.0.0.1:8079"],
        front.upstream.aims.push: ["192.0.2.1:8079"],
        merge.upstream.aims.pull: ["192.0.2.1:8079"],
    }
    for target, servers in wanted.items():
        await target.start()
        assert [server.endpoint for server in target.servers] == servers
        await target.close()
    assert any("reason=ns_trimmed" in text and "2 of our own addresses left out" in text for text in caplog.messages)


@pytest.mark.parametrize(
    ("flags", "balancer"),
    [
        (("-proxy_to=list://127.0.0.1:1",), "rr"),
        (("-proxy_to=list://127.0.0.1:1", "-proxy_lb=random"), "random"),
        (("-proxy_to=127.0.0.1:1", "-proxy_lb=rr"), ""),
    ],
)
async def test_balancer_that_the_check_of_the_flags_has_warned_of_is_not_warned_of_again(
    flags: tuple[str, ...], balancer: str, caplog: pytest.LogCaptureFixture
) -> None:
    (unit,) = await units_of(*flags)
    assert unit.upstream is not None
    assert unit.upstream.aims.pull.snapshot(0)["balancer"] == balancer
    assert not caplog.records


async def test_unusable_target_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        await units_of("-proxy_to=zk://a")


async def test_state_of_a_stream_in_a_word() -> None:
    (unit,) = await units_of()
    stream = unit.registry.find_or_create(StreamKey("_", "live", "s"), 0)
    assert unit.state_of(stream) == "waiting"
    stream.feed.see(Publisher(stream, "1.2.3.4:5", 0), 0)
    assert unit.state_of(stream) == "live"
    stream.feed.leave(stream.publisher)
    stream.feed.grace_until_ms = 5
    assert unit.state_of(stream) == "grace"


async def test_state_of_a_pulled_stream_is_the_pulls() -> None:
    async with running() as origin:
        await origin.publisher()
        async with running(f"-proxy_to=127.0.0.1:{origin.port()}") as one:
            await pictures(await one.player(), 0)
            (unit,) = one.node.units
            assert [unit.state_of(stream) for stream in unit.registry.streams.values()] == ["live"]


def unit_of(one: RunningNode) -> ServiceUnit:
    return one.node.units[0]


@pytest.fixture
def vanished(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel of a publisher acknowledges anything."""
    monkeypatch.setattr(rtmp_server, "unacknowledged_bytes", lambda sock: 18)


@pytest.mark.usefixtures("vanished")
async def test_Q1_publisher_that_has_vanished_is_told_and_players_too() -> None:
    async with running("-publish_normal_timeout_ms=5000") as one:
        publisher = await one.publisher()
        player = await one.player()
        await pictures(player, 0)
        for after_ms in (4000, 5100, 8000):
            unit_of(one).tick(now_ms() + after_ms, is_full_second=False)
            assert unit_of(one).rtmp.ingest.publishers
        unit_of(one).tick(now_ms() + 8200, is_full_second=False)
        assert one.node.context.counters["error_publish_timeout_count"] == 1
        for client, code in ((publisher, "NetStream.Publish.Idle"), (player, "NetStream.Play.UnpublishNotify")):
            await ended(client)
            assert [status_of(m)["code"] for m in client.backlog if status_of(m)] == [code]
        again = await one.publisher()
        await eventually(lambda: unit_of(one).registry.streams, "a newcomer at once")
        again.peer.abort()


@needs_linux
async def test_Q1_silent_publisher_whose_kernel_acknowledges_stays() -> None:
    async with running("-publish_normal_timeout_ms=5000") as one:
        await one.publisher()
        await pictures(await one.player(), 0)
        (connection,) = unit_of(one).rtmp.ingest.publishers
        began = now_ms()
        for after_ms in range(0, 600_000, 1000):
            unit_of(one).tick(began + after_ms, is_full_second=False)
            await eventually(lambda: not unacknowledged_bytes(connection.wire.sock), "the acknowledgement")
        assert unit_of(one).rtmp.ingest.publishers


@pytest.mark.usefixtures("vanished")
async def test_Q1_silent_publisher_that_sends_anything_stays() -> None:
    async with running("-publish_normal_timeout_ms=5000") as one:
        await one.publisher()
        await pictures(await one.player(), 0)
        (connection,) = unit_of(one).rtmp.ingest.publishers
        began = now_ms()
        for after_ms in range(0, 60_000, 250):
            connection.last_read_ms = began + after_ms // 7000 * 7000
            unit_of(one).tick(began + after_ms, is_full_second=False)
        assert unit_of(one).rtmp.ingest.publishers


async def test_Q1_silence_of_one_that_is_there_may_be_bounded() -> None:
    async with running("-publish_normal_timeout_ms=5000", "-publish_silent_timeout_ms=60000") as one:
        await one.publisher()
        await pictures(await one.player(), 0)
        unit_of(one).tick(now_ms() + 59_000, is_full_second=False)
        assert unit_of(one).rtmp.ingest.publishers
        unit_of(one).tick(now_ms() + 60_100, is_full_second=False)
        assert not unit_of(one).rtmp.ingest.publishers


@pytest.mark.usefixtures("vanished")
async def test_publisher_in_the_midst_of_a_large_message_is_not_silent() -> None:
    """A large keyframe over a slow line takes longer than the limit; bytes of it come all the time."""
    async with running("-publish_normal_timeout_ms=5000") as one:
        publisher = await one.publisher()
        player = await one.player()
        await pictures(player, 0)
        (connection,) = unit_of(one).rtmp.ingest.publishers
        publisher.peer.send_bytes(b"\x06\0\0\0\x0f\x42\x40\x09\x01\0\0\0" + b"\x17\x01\0\0\0" + bytes(50))
        await publisher.peer.drain()
        await eventually(lambda: connection._session.is_amid_message, "a part of the message")
        connection.last_read_ms = now_ms() + 6000
        unit_of(one).tick(now_ms() + 8000, is_full_second=False)
        assert unit_of(one).rtmp.ingest.publishers
        unit_of(one).tick(now_ms() + 11_100, is_full_second=False)
        unit_of(one).tick(now_ms() + 14_200, is_full_second=False)
        assert not unit_of(one).rtmp.ingest.publishers, "no more bytes of it: silent"


async def test_Q1_publisher_that_never_sends_has_a_time_of_its_own() -> None:
    async with running("-publish_firstpkt_timeout_ms=20000", "-publish_normal_timeout_ms=5000") as one:
        client = await one.client()
        client.publish("s")
        await eventually(lambda: unit_of(one).rtmp.ingest.publishers, "the publish")
        unit_of(one).tick(now_ms() + 19_000, is_full_second=False)
        assert unit_of(one).rtmp.ingest.publishers
        unit_of(one).tick(now_ms() + 20_100, is_full_second=False)
        assert not unit_of(one).rtmp.ingest.publishers


async def test_0_switches_the_limit_of_silence_off() -> None:
    async with running("-publish_firstpkt_timeout_ms=0", "-publish_normal_timeout_ms=0") as one:
        await one.publisher()
        await eventually(lambda: unit_of(one).rtmp.ingest.publishers, "the publish")
        unit_of(one).tick(now_ms() + 10**9, is_full_second=False)
        assert unit_of(one).rtmp.ingest.publishers


async def test_V13_publisher_above_its_rate_is_ended_and_one_below_is_not() -> None:
    async with running("-max_publish_kbps=1000") as one:
        publisher = await one.publisher()
        await eventually(lambda: unit_of(one).registry.streams, "the publish")
        (connection,) = unit_of(one).rtmp.ingest.publishers
        now = now_ms()
        unit_of(one).tick(now, is_full_second=False)
        connection.received_bytes += 124_000
        unit_of(one).tick(now + 1000, is_full_second=False)
        assert unit_of(one).rtmp.ingest.publishers
        connection.received_bytes += 126_000
        unit_of(one).tick(now + 1500, is_full_second=False)
        assert unit_of(one).rtmp.ingest.publishers, "a window is a second"
        unit_of(one).tick(now + 2000, is_full_second=False)
        assert one.node.context.counters["error_rate_limit_count"] == 1
        await ended(publisher)
        infos = [status_of(message) for message in publisher.backlog if status_of(message)]
        assert [info["code"] for info in infos] == ["NetStream.Publish.BadName"]
        assert "1000 kbit/s" in infos[0]["description"]


async def test_full_seconds_take_away_what_nobody_uses() -> None:
    async with running() as one:
        unit = unit_of(one)
        unit.registry.find_or_create(StreamKey("_", "live", "left"), 0)
        unit.tick(now_ms(), is_full_second=False)
        assert unit.registry.streams
        unit.tick(now_ms(), is_full_second=True)
        assert not unit.registry.streams


async def test_the_end_tells_players_and_stops_the_ingest_tick() -> None:
    async with running() as one:
        publisher, player = await one.publisher(), await one.player()
        await pictures(player, 0)
        send_video(publisher, 1)
        await pictures(player, 1)
        unit = unit_of(one)
        await unit.close()
        assert unit.registry.streams == {}
        await ended(player)


@pytest.mark.usefixtures("vanished")
async def test_R9_publishers_are_given_their_time_again_after_a_stand_still_of_ours() -> None:
    async with running("-publish_normal_timeout_ms=5000") as one:
        await one.publisher()
        await pictures(await one.player(), 0)
        context, unit = one.node.context, unit_of(one)
        unit.tick(now_ms(), is_full_second=False)
        woken_ms = now_ms() + 9000
        context.now_ms = lambda: woken_ms
        unit.tick(woken_ms, is_full_second=False)
        assert unit.rtmp.ingest.publishers
        context.now_ms = lambda: woken_ms + 1
        unit.tick(woken_ms + 4900, is_full_second=False)
        assert unit.rtmp.ingest.publishers
        unit.tick(woken_ms + 5100, is_full_second=False)
        unit.tick(woken_ms + 8200, is_full_second=False)
        assert context.counters["error_publish_timeout_count"] == 1
