"""All pulls and pushes of an edge: names, limits, pace, and the pulls of nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from edge.hub.key import StreamKey
from edge.net.aio import now_ms
from naming.node import ServerNode
from tests.net.live import status
from tests.net.serving import Node, Nodes, pictures, status_of, wait_until

SERVER = ServerNode("10.0.0.1", 1935)
KEY = StreamKey("v.example", "live", "s")


@pytest.mark.parametrize(
    ("vhost", "unified", "tc_url", "app", "name"),
    [
        ("v.example", False, "rtmp://v.example/live", "live", "s?a=1"),
        ("_", False, "rtmp://10.0.0.1:1935/live", "live", "s?a=1"),
        ("v.example", True, "rtmp://__defaultVhost__/unified_app", "unified_app", "s?a=1&vhost=v.example&app=live"),
        ("_", True, "rtmp://__defaultVhost__/unified_app", "unified_app", "s?a=1&app=live"),
    ],
)
async def test_names_that_go_upstream(vhost: str, unified: bool, tc_url: str, app: str, name: str) -> None:
    async with Nodes() as nodes:
        manager = await nodes.add().follow(1, unified_play_connections=unified)
        key = KEY._replace(vhost=vhost)
        assert manager.tc_url_of(key, SERVER, is_play=True, is_tls=False) == (tc_url, app)
        assert manager.name_of(key, "a=1", is_play=True) == name
        assert manager.name_of(key, "", is_play=False) == "s"
        assert manager.tc_url_of(key, SERVER, is_play=False, is_tls=False)[1] == "live"


@pytest.mark.parametrize("sign", ["&app=secret", "?x", "=", "#", "%26", "+"])
async def test_app_that_would_mean_another_one_in_a_query_does_not_travel_there(sign: str) -> None:
    async with Nodes() as nodes:
        manager = await nodes.add().follow(1, unified_play_connections=True)
        for key in (KEY._replace(app=f"a{sign}"), KEY._replace(vhost=f"v{sign}")):
            assert manager.tc_url_of(key, SERVER, is_play=True, is_tls=False) == (
                f"rtmp://{key.vhost}/{key.app}",
                key.app,
            )
            assert manager.name_of(key, "a=1", is_play=True) == "s?a=1"


async def test_pace_acts_only_after_failures() -> None:
    async with Nodes() as nodes:
        manager = await nodes.add().follow(1, max_connects_per_s=50)
        assert [manager.pace(SERVER, 1000) for _ in range(3)] == [0, 0, 0]
        manager.failed(SERVER)
        assert [manager.pace(SERVER, 1000) for _ in range(4)] == [0, 20, 40, 60]
        manager.give_turn_back(SERVER)
        manager.succeeded(SERVER)
        assert [manager.pace(SERVER, 1000) for _ in range(2)] == [60, 80]
        assert manager.pace(SERVER, 5000) == 0


async def test_server_that_failed_and_works_with_another_weight_is_paced_no_longer() -> None:
    """Its weight is its tag, and streams that run know the old one."""
    async with Nodes() as nodes:
        manager = await nodes.add().follow(1, max_connects_per_s=50)
        manager.failed(SERVER)
        heavier = replace(SERVER, tag="9")
        assert [manager.pace(each, 1000) for each in (SERVER, heavier, SERVER)] == [0, 20, 40]
        manager.succeeded(heavier)
        assert manager.pace(SERVER, 5000) == manager.pace(SERVER, 5000) == 0


async def test_server_that_failed_and_left_the_list_is_forgotten() -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        manager = await node.follow(1, 2, max_connects_per_s=50)
        first, second = manager.aims.pull.servers
        for number in range(100):
            manager.failed(ServerNode("10.0.1.1", 1000 + number))
        for server in (first, second):
            manager.failed(server)
        manager.aims.pull._on_update((replace(first, tag="9"),))
        node.tick()
        assert manager._failing == {first.endpoint}
        manager.aims.pull._on_update((first, second))
        now = now_ms()
        assert manager.pace(second, now) == manager.pace(second, now) == 0, "nothing is known of one that is back"


async def test_M19_pulls_are_limited() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port, max_pulls=1)
        await nodes.player(edge, "a")
        await wait_until(lambda: manager.pulls, 2, "first pull")
        refused = await nodes.player(edge, "b")
        assert [await status_of(refused) for _ in range(3)][-1] == "NetStream.Play.StreamNotFound"
        assert len(manager.pulls) == len(edge.registry.streams) == 1
        assert edge.context.counters["error_too_many_pulls_count"] == 1


async def test_share_one_connection_for_many_streams() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port)
        names = [f"s{n}" for n in range(5)]
        feeds = [await nodes.publisher(origin, name) for name in names]
        for feed in feeds:
            await feed.send(3)
        players = [await nodes.player(edge, name) for name in names]
        for player in players:
            assert await pictures(player, 3) == [0, 1, 2]
        assert manager.pool.connect_count == 1
        counters = manager.counters()
        assert (counters["pull_count"], counters["upstream_connection_count"]) == (5, 1)
        (row,) = manager.servers()
        assert "target" in row


@pytest.mark.parametrize("share", [True, False], ids=["shared", "one_each"])
async def test_N11_server_that_comes_back_is_not_stormed(share: bool) -> None:
    count, rate = 30, 20
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        for number in range(count):
            await (await nodes.publisher(origin, f"s{number}")).send(2)
        origin.stop_listening()
        manager = await edge.follow(origin.port, max_connects_per_s=rate, share_play_connection=share)
        for number in range(count):
            await nodes.player(edge, f"s{number}")
        await asyncio.sleep(0.3)
        tried, since_ms = manager.pool.connect_count, now_ms()
        origin.listen()

        def live() -> int:
            return sum(pull.state == "live" for pull in manager.pulls.values())

        await wait_until(lambda: live() > 0, 1.5, "first data")
        if share:
            await wait_until(lambda: live() == count, 1, "all others, at once, on the same connection")
            assert manager.pool.connection_count == 1
        else:
            await wait_until(lambda: live() == count, 2 * count / rate + 1, "all others in turn")
        elapsed_s = (now_ms() - since_ms) / 1000
        assert manager.pool.connect_count - tried <= rate * elapsed_s + 2


@pytest.mark.parametrize("have_left", [True, False], ids=["left", "joined"])
async def test_turns_to_connect_of_streams_that_need_none_any_more_hold_nobody_up(have_left: bool) -> None:
    """Players that try a dead server and leave, or that share the first connection, would put it out of reach."""
    count, rate = 40, 20
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port, proxy_to=f"127.0.0.1:{origin.port}", max_connects_per_s=rate)
        origin.stop_listening()
        players = [await nodes.player(edge, f"s{number}") for number in range(count)]
        await wait_until(lambda: len(manager.pulls) == count, 2, "pulls")
        (server,) = manager.aims.pull.servers
        if have_left:
            for player in players:
                player.peer.abort()
            await wait_until(lambda: not manager.pulls, 2, "all gone")
        else:
            origin.listen()
            await wait_until(lambda: {pull.state for pull in manager.pulls.values()} == {"waiting"}, 2, "all at once")
        assert manager.pace(server, now_ms()) <= 1000 // rate


async def test_pull_is_kept_for_a_while_when_asked_for() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge", hub={"keep_pulling_seconds": 60})
        manager = await edge.follow(origin.port)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        await pictures(player, 3)
        player.peer.abort()
        (stream,) = edge.registry.streams.values()
        await wait_until(lambda: stream.player_count == 0, 2, "left")
        edge.tick()
        assert len(manager.pulls) == 1
        assert manager.state_of(stream) == "live"
        manager.tick(now_ms() + 60_001)
        assert manager.pulls == {}
        assert edge.registry.streams == {}


async def test_what_naming_services_lack_is_counted() -> None:
    async with Nodes() as nodes:
        manager = await nodes.add("edge").follow(proxy_to="file://absent/servers.list", proxy_lb="rr")
        counters = manager.counters()
        assert [counters[f"ns_{what}_count"] for what in ("failed", "empty", "skipped")] == [1, 0, 0]


async def ring(nodes: Nodes) -> list[Node]:
    """Three nodes, each of which asks the next; the last asks the first."""
    members = [nodes.add(f"n{number}") for number in range(3)]
    for member, upstream in zip(members, [*members[1:], members[0]], strict=True):
        await member.follow(upstream.port)
    return members


async def test_reason_of_a_loop_does_not_grow_with_each_node_on_the_way_back() -> None:
    async with Nodes() as nodes:
        members = await ring(nodes)
        player = await nodes.player(members[0], "round")
        info = await status(player, "NetStream.Play.StreamNotFound")
        assert info["description"] == "proxy_loop: the request for round has passed n0 already"
        publisher = await members[1].client()
        nodes.clients.append(publisher)
        publisher.publish("turn")
        info = await status(publisher, "NetStream.Publish.BadName")
        assert info["description"] == "proxy_loop: the request for turn has passed n1 already"


async def told(nodes: Nodes, node: Node) -> str:
    """What a player of a stream that cannot be had is told."""
    player = await nodes.player(node, "missing")
    return str((await status(player, "NetStream.Play.StreamNotFound"))["description"])


async def test_player_is_told_what_it_means_and_the_log_keeps_its_word(caplog: pytest.LogCaptureFixture) -> None:
    async with Nodes() as nodes:
        origin, middle, edge = nodes.add("origin"), nodes.add("middle"), nodes.add("edge")
        await middle.follow(origin.port, pull_wait_for_stream=False)
        await edge.follow(middle.port, pull_wait_for_stream=False)
        text = await told(nodes, edge)
        assert text.startswith("no server has the stream: ")
        assert text.count("no server") == 1, "each node on the way says the same"
        assert "never_useful" not in text and "why=never_useful" in caplog.text


async def test_player_is_told_that_no_server_can_be_reached() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        origin.stop_listening()
        await edge.follow(origin.port, pull_wait_for_stream=False)
        assert await told(nodes, edge) == "no server could give the stream: connect: Connection refused"
        assert await told(nodes, edge) == "no server could give the stream: connect: Connection refused", "from memory"


async def test_end_of_a_broadcast_is_told_to_the_player_and_alarms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port, publisher_return_ms=50)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        await pictures(player, 3)
        await feed.leave()
        info = await status(player, "NetStream.Play.UnpublishNotify")
        assert info["description"].startswith("the publisher has left")
        assert (manager.gave_up_count, manager.pulls) == (0, {})
        assert "pull ended key=_/live/s why=publisher_gone" in caplog.text and "gave up" not in caplog.text


async def test_attempts_are_counted_on_when_their_pulls_and_pushes_are_over() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port)
        feed = await nodes.publisher(edge)
        await feed.send(3)
        player = await nodes.player(edge)
        await pictures(player, 3)
        assert manager.counters()["upstream_attempt_count"] == 2
        player.peer.abort()
        await feed.leave()
        await wait_until(lambda: not manager.pulls and not manager.pushes, 5, "both are over")
        assert manager.counters()["upstream_attempt_count"] == 2


async def test_lines_of_pulls_name_the_service_in_a_process_with_two(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        edge.service.name = "merge"
        manager = await edge.follow(origin.port)
        player = await nodes.player(edge)
        await wait_until(lambda: any(pull.state == "waiting" for pull in manager.pulls.values()), 2, "the pull")
        origin.stop_listening()
        origin.drop_connections()
        await wait_until(lambda: "ended end=lost" in caplog.text, 2, "the loss")
        player.peer.abort()
        await wait_until(lambda: not manager.pulls, 2, "the end")
        lines = [line for line in caplog.messages if "pull " in line]
        assert len(lines) >= 3 and all(line.startswith("merge pull ") for line in lines), lines
