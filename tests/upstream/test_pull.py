"""Pulls between nodes in one loop: players stay, nothing is lost or doubled, ends are passed on."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from edge.media.frame import VIDEO, Epoch
from edge.net.aio import now_ms
from edge.net.rtmp.server import RtmpServerConnection
from edge.upstream.pull import Pull
from naming.node import ServerNode
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline
from tests.harness.judge import GOOD, NOT_FOUND, Judge
from tests.net.fakes import VIDEO_HEADER_BODY
from tests.net.live import send
from tests.net.serving import Feed, Node, Nodes, pictures, status_of, wait_until


def pull_of(edge: Node) -> Pull:
    assert edge.manager is not None
    (pull,) = edge.manager.pulls.values()
    return pull


async def chain(nodes: Nodes, **config) -> tuple[Node, Node]:
    origin, edge = nodes.add("origin"), nodes.add("edge")
    await edge.follow(origin.port, **config)
    return origin, edge


async def test_player_of_an_edge_gets_the_stream_of_the_origin() -> None:
    async with Nodes() as nodes:
        origin, edge = await chain(nodes)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        first, second = await nodes.player(edge), await nodes.player(edge)
        assert await pictures(first, 3) == [0, 1, 2]
        await feed.send(4)
        assert await pictures(first, 4) == [3, 4, 5, 6]
        assert (await pictures(second, 7))[-1] == 6
        (stream,) = origin.registry.streams.values()
        assert stream.player_count == 1
        assert stream.viewer_count <= 1
        assert pull_of(edge).state == "live"


async def test_U1_cut_between_nodes_is_not_seen_by_the_player() -> None:
    async with Nodes() as nodes:
        origin, edge = await chain(nodes)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        for round_ in range(3):
            connection = pull_of(edge).connection
            assert connection is not None
            connection.abort("cut")
            await feed.send(5)
            first = 3 + 5 * round_
            assert await pictures(player, 5) == list(range(first, first + 5))
        stream = pull_of(edge).stream
        assert (stream.stats.gap_count, stream.stats.duplicate_count) == (0, 0)


async def test_pull_that_was_cut_between_the_announcement_of_a_publish_and_its_first_frame_gets_the_headers() -> None:
    async with Nodes() as nodes:
        origin, edge = await chain(nodes)
        feed = await nodes.publisher(origin)
        send(feed.client, VIDEO, 0, VIDEO_HEADER_BODY)
        await feed.send(20)
        (source,) = origin.registry.streams.values()
        await wait_until(lambda: source.queue.end == 21, 2, "the pictures")
        origin.stop_listening()
        await nodes.player(edge)
        await wait_until(lambda: edge.manager and edge.manager.pulls, 2, "the pull")
        pull, epoch = pull_of(edge), source.epoch
        assert epoch is not None
        pull.stream.begin_publish(pull.publisher, Epoch(epoch.id, 0, 15), now_ms())
        origin.listen()
        queue = pull.stream.queue
        await wait_until(lambda: queue.end >= 6, 3, "the rest")
        assert [frame.payload for frame in queue.headers_at(queue.end)] == [VIDEO_HEADER_BODY]
        assert [frame.index for frame in queue.frames if not frame.kind] == list(range(15, 20))


async def test_player_may_come_before_its_publisher() -> None:
    async with Nodes() as nodes:
        origin, edge = await chain(nodes)
        player = await nodes.player(edge)
        assert await status_of(player) == "NetStream.Play.Reset"
        await wait_until(lambda: pull_of(edge).state == "waiting", 2, "the pull waits")
        feed = await nodes.publisher(origin)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]


async def test_N10_unknown_stream_is_refused_when_so_configured_and_remembered() -> None:
    async with Nodes() as nodes:
        _, edge = await chain(nodes, pull_wait_for_stream=False)
        player = await nodes.player(edge, "absent")
        codes = [await status_of(player) for _ in range(3)]
        assert codes[-1] == "NetStream.Play.StreamNotFound"
        assert edge.manager is not None
        attempts = edge.manager.pool.connect_count
        again = await nodes.player(edge, "absent")
        assert [await status_of(again) for _ in range(3)][-1] == "NetStream.Play.StreamNotFound"
        assert edge.manager.pool.connect_count == attempts
        assert edge.manager.gave_up_count == 1


async def test_end_of_the_broadcast_reaches_the_players_of_the_edge() -> None:
    async with Nodes() as nodes:
        origin, edge = await chain(nodes, publisher_return_ms=100)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        await pictures(player, 3)
        await feed.leave()
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"
        await wait_until(lambda: not edge.registry.streams, 2, "stream gone")
        assert edge.manager is not None
        assert edge.manager.pulls == {}


async def test_publisher_that_returns_in_time_keeps_the_players() -> None:
    async with Nodes() as nodes:
        origin, edge = await chain(nodes, publisher_return_ms=3000)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        await pictures(player, 3)
        await feed.leave()
        await wait_until(lambda: not origin.registry.streams or pull_of(edge).state != "live", 2, "end noticed")
        again = await nodes.publisher(origin)
        await again.send(3)
        assert await pictures(player, 3) == [0, 1, 2]


async def test_U10_pull_ends_with_its_last_player_and_starts_again() -> None:
    async with Nodes() as nodes:
        origin, edge = await chain(nodes)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        await pictures(player, 3)
        player.peer.abort()
        assert edge.manager is not None
        await wait_until(lambda: not edge.manager.pulls, 2, "pull ended")
        await wait_until(lambda: not any(s.player_count for s in origin.registry.streams.values()), 2, "told upstream")
        other = await nodes.player(edge)
        assert await pictures(other, 3) == [0, 1, 2]


async def test_N9_other_server_is_asked_when_one_refuses_connections() -> None:
    async with Nodes() as nodes:
        dead, origin, edge = nodes.add("dead"), nodes.add("origin"), nodes.add("edge")
        dead.stop_listening()
        await edge.follow(dead.port, origin.port)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        players = [await nodes.player(edge) for _ in range(2)]
        for player in players:
            assert await pictures(player, 3) == [0, 1, 2]


async def test_hop_lists_end_a_loop() -> None:
    async with Nodes() as nodes:
        one, two = nodes.add("one"), nodes.add("two")
        await one.follow(two.port, pull_wait_for_stream=False)
        await two.follow(one.port, pull_wait_for_stream=False)
        player = await nodes.player(one)
        codes = []
        while codes[-1:] != ["NetStream.Play.StreamNotFound"]:
            codes.append(await asyncio.wait_for(status_of(player), 4))
        await wait_until(lambda: not one.manager.pulls and not two.manager.pulls, 2, "no pulls left")


async def test_O2_ring_of_three_with_a_player_at_each_is_refused() -> None:
    async with Nodes() as nodes:
        ring = [nodes.add(name) for name in ("one", "two", "three")]
        for node, upstream in zip(ring, (*ring[1:], ring[0]), strict=True):
            await node.follow(upstream.port)
        for player in [await nodes.player(node) for node in ring]:
            codes = [""]
            while codes[-1] != "NetStream.Play.StreamNotFound":
                codes.append(await asyncio.wait_for(status_of(player), 4))
        await wait_until(lambda: not any(node.manager.pulls for node in ring), 2, "no pulls left")


async def test_ring_is_left_for_the_server_that_has_the_stream() -> None:
    async with Nodes() as nodes:
        origin, *ring = (nodes.add(name) for name in ("origin", "one", "two", "three"))
        feed = await nodes.publisher(origin)
        for node, upstream in zip(ring, (*ring[1:], ring[0]), strict=True):
            await node.follow(upstream.port, origin.port)
        players = [await nodes.player(node) for node in ring]
        await feed.send(3)
        for player in players:
            assert await pictures(player, 3) == [0, 1, 2]


async def test_way_of_a_stream_is_told_to_who_joins_and_when_it_changes() -> None:
    async with Nodes() as nodes:
        origin, middle, far = nodes.add("origin"), nodes.add("middle"), nodes.add("far")
        await middle.follow(origin.port)
        await far.follow(middle.port)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(far)
        await pictures(player, 3)
        await wait_until(lambda: pull_of(far).via == ("middle", "origin"), 2, "the way")
        origin.stop_listening()
        origin.drop_connections()
        await wait_until(lambda: pull_of(far).via == ("middle",), 2, "a shorter way")
        origin.listen()
        await wait_until(lambda: pull_of(far).via == ("middle", "origin"), 3, "the way again")


async def test_pull_that_comes_back_before_its_publisher_does_waits_a_moment() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port, retry_interval_ms=300)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        origin.stop_listening()
        assert pull.connection is not None
        pull.connection.abort("cut")
        await wait_until(lambda: pull.attempt_count > 1, 2, "an attempt in vain")
        await feed.leave()
        await wait_until(lambda: not origin.registry.streams, 2, "the publisher to be gone")
        origin.listen()
        await wait_until(lambda: pull.state == "waiting", 2, "the origin to say that it has no publisher")
        attempts = pull.attempt_count
        feed = await nodes.publisher(origin)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
        assert pull.attempt_count == attempts


async def test_end_is_not_put_off_by_a_server_that_still_holds_the_stream_of_a_lost_publisher() -> None:
    async with Nodes() as nodes:
        stale, origin, home, far = (nodes.add(name) for name in ("stale", "origin", "home", "far"))
        await home.follow(stale.port)
        feed = await nodes.publisher(home)
        await feed.send(3)
        await wait_until(lambda: any(s.queue.end for s in stale.registry.streams.values()), 2, "forwarded")
        stale.stop_listening()
        stale.drop_connections()
        assert home.manager is not None
        await home.manager.close()
        await home.follow(origin.port)
        (stream,) = home.registry.streams.values()
        home.registry.tell_published(stream)
        await far.follow(origin.port, stale.port, publisher_return_ms=700, disable_server_duration=0)
        player = await nodes.player(far)
        await feed.send(3)
        assert await pictures(player, 6) == [0, 1, 2, 3, 4, 5]
        stale.listen()
        pull = pull_of(far)
        assert pull.server is not None
        may_ask = partial(pull.target.has_alternative, pull.server, pull.key.text)
        await wait_until(lambda: may_ask(now_ms=far.context.now_ms()), 2, "the other server to be asked again")
        await feed.leave()
        await wait_until(lambda: pull.publisher.peer == f"127.0.0.1:{stale.port}", 2, "the other server to be asked")
        left = asyncio.get_running_loop().time()
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"
        assert asyncio.get_running_loop().time() - left <= deadline(1.2)
        assert any(stale.registry.streams), "the lost publisher was not waited for: the test shows nothing"
        assert pull.stream.stats.duplicate_count


async def lost_and_found(nodes: Nodes, *, is_waiting: bool) -> tuple[Node, Feed, RtmpClient]:
    """A publisher whose node pushed to one server, was cut off and pushes to another; a player behind both.

    ``is_waiting``: the far node comes to the first server only after the loss.
    """
    first, second, home, far = (nodes.add(name) for name in ("first", "second", "home", "far"))
    await home.follow(first.port)
    feed = await nodes.publisher(home)
    await feed.send(3)
    await wait_until(lambda: any(s.queue.end for s in first.registry.streams.values()), 2, "forwarded")
    await far.follow(first.port, publisher_return_ms=60_000)
    assert far.manager is not None and home.manager is not None
    if not is_waiting:
        player = await nodes.player(far)
        assert await pictures(player, 3) == [0, 1, 2]
    home.manager.aims.push._on_update(())
    (push,) = home.manager.pushes.values()
    assert push.connection is not None
    push.connection.abort("cut")
    if is_waiting:
        await wait_until(lambda: [s.publisher for s in first.registry.streams.values()] == [None], 2, "the loss")
        player = await nodes.player(far)
        assert await pictures(player, 3) == [0, 1, 2]
    elsewhere = ServerNode("127.0.0.1", second.port)
    far.manager.aims.pull._on_update((*far.manager.aims.pull.servers, elsewhere))
    home.manager.aims.push._on_update((elsewhere,))
    return far, feed, player


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_publisher_that_was_lost_at_one_server_is_found_at_another(is_waiting: bool) -> None:
    """Origins behind rr: a shield dies, and the one that stands in for it pushes to another origin than it did."""
    async with Nodes() as nodes:
        far, feed, player = await lost_and_found(nodes, is_waiting=is_waiting)
        await feed.send(5)
        began = asyncio.get_running_loop().time()
        assert await pictures(player, 5) == [3, 4, 5, 6, 7]
        assert asyncio.get_running_loop().time() - began <= deadline(1.5)
        stats = pull_of(far).stream.stats
        assert (stats.gap_count, pull_of(far).policy.deadline_ms) == (0, None)


async def test_publisher_that_was_lost_and_is_nowhere_else_is_waited_for_where_it_was() -> None:
    async with Nodes() as nodes:
        origin, other, home, far = (nodes.add(name) for name in ("origin", "other", "home", "far"))
        await home.follow(origin.port, retry_interval_ms=2500, fast_retry_count=0)
        feed = await nodes.publisher(home)
        await feed.send(3)
        await wait_until(lambda: any(s.queue.end for s in origin.registry.streams.values()), 2, "forwarded")
        await far.follow(origin.port, other.port, publisher_return_ms=60_000)
        player = await nodes.player(far)
        assert await pictures(player, 3) == [0, 1, 2]
        pull = pull_of(far)
        (push,) = home.manager.pushes.values()  # type: ignore[union-attr]
        assert push.connection is not None
        push.connection.abort("cut")

        def waits_at(node: Node) -> bool:
            return pull.state == "waiting" and pull.publisher.peer == f"127.0.0.1:{node.port}"

        await wait_until(lambda: pull.state != "live", 2, "the loss")
        await wait_until(lambda: waits_at(origin), 2, "the way back")
        await asyncio.sleep(0.7)
        assert waits_at(origin), "the only server that knows the stream was left again"
        await feed.send(3)
        assert await pictures(player, 3) == [3, 4, 5]
        assert pull.stream.stats.gap_count == 0


async def test_node_that_pushes_a_stream_asks_the_server_that_gets_it() -> None:
    async with Nodes() as nodes:
        servers = [nodes.add(f"origin{number}") for number in range(6)]
        home = nodes.add("home")
        await home.follow(*(server.port for server in servers))
        feed = await nodes.publisher(home)
        await feed.send(3)
        assert home.manager is not None
        (push,) = home.manager.pushes.values()
        await wait_until(lambda: push.state == "live", 2, "the push")
        player = await nodes.player(home)
        assert await pictures(player, 3) == [0, 1, 2]
        assert (pull_of(home).attempt_count, pull_of(home).server) == (1, push.server)


async def test_publish_goes_to_the_owner_of_its_key_although_a_player_has_waited_elsewhere_for_it() -> None:
    """The owner had no data for the player, so it is passed over, but not for the publish."""
    async with Nodes() as nodes:
        origins, edge = [nodes.add("one"), nodes.add("two")], nodes.add("edge")
        manager = await edge.follow(*(origin.port for origin in origins), proxy_lb="c_murmurhash")
        home = manager.aims.push.home_of("_/live/s", 0)
        player = await nodes.player(edge)
        await wait_until(lambda: [pull.state for pull in manager.pulls.values()] == ["waiting"], 2, "the pull")
        assert pull_of(edge).server != home
        feed = await nodes.publisher(edge)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
        (push,) = manager.pushes.values()
        assert push.server == pull_of(edge).server == home


async def test_pull_lets_go_when_a_player_has_left_and_few_enough_are_left_to_be_a_loop() -> None:
    async with Nodes() as nodes:
        _, edge = await chain(nodes, first_data_timeout_ms=60)
        players = [await nodes.player(edge) for _ in range(6)]
        pull = pull_of(edge)
        await wait_until(lambda: pull.stream.player_count == 6 and pull.state == "waiting", 2, "all wait")
        for left, state in ((5, "waiting"), (4, "retrying")):
            players.pop().peer.abort()
            await wait_until(lambda left=left: pull.stream.player_count == left, 2, "one has left")
            await asyncio.sleep(0.2)
            assert pull.state == state, f"with {left} players"


async def test_look_for_a_lost_publisher_ends_with_its_attempt_and_begins_anew_with_the_next() -> None:
    async with Nodes() as nodes:
        first, second, home, far = (nodes.add(name) for name in ("first", "second", "home", "far"))
        await home.follow(first.port, second.port)
        feed = await nodes.publisher(home)
        await feed.send(3)
        await far.follow(first.port, second.port)
        player = await nodes.player(far)
        assert await pictures(player, 3) == [0, 1, 2]
        pull = pull_of(far)
        pull.on_publisher_lost()
        assert pull._lost_timer is not None and pull._hop is not None and pull._hop.is_lost
        assert pull.connection is not None
        pull.connection.abort("cut")
        await wait_until(lambda: pull.state == "waiting", 2, "the next attempt")
        assert pull._lost_timer is None and not pull._hop.is_lost
        pull.on_publisher_lost()
        assert pull._lost_timer is not None and pull._hop.is_lost
        await feed.send(3)
        assert await pictures(player, 3) == [3, 4, 5]


async def test_change_between_a_node_of_ours_and_a_foreign_server_neither_doubles_nor_loses_pictures() -> None:
    async with Nodes() as nodes:
        ours, foreign, edge = (nodes.add(name) for name in ("ours", "foreign", "edge"))
        foreign.service.service_id = ""
        manager = await edge.follow(ours.port)
        feeds = [await nodes.publisher(node) for node in (ours, foreign)]
        for feed in feeds:
            await feed.send(9)
        player = await nodes.player(edge)
        assert await pictures(player, 9) == list(range(9))
        pull = pull_of(edge)
        for server, first in ((foreign, 9), (ours, 19), (foreign, 29), (ours, 39)):
            manager.aims.pull._on_update((ServerNode("127.0.0.1", server.port),))
            assert pull.connection is not None
            pull.connection.abort("cut")
            await wait_until(lambda: pull.state == "waiting", 2, "the next server")
            for feed in feeds:
                await feed.send(10)
            assert await pictures(player, 10) == list(range(first, first + 10))
        assert pull.stream.stats.gap_count == 0


_SILENCE = {"upstream_stall_timeout_ms": 100, "first_data_timeout_ms": 100, "timeout_ms": 200}


async def test_publisher_that_has_gone_to_another_server_is_found_although_nobody_says_so() -> None:
    """Some servers (SRS) keep players of a stream that has ended, answer pings, and say nothing."""
    async with Nodes() as nodes:
        servers, edge = [nodes.add("one"), nodes.add("two")], nodes.add("edge")
        feeds = {}
        for server in servers:
            server.service.service_id = ""
            feeds[server.port] = await nodes.publisher(server)
            await feeds[server.port].send(3)
        manager = await edge.follow(*feeds, disable_server_duration=1, **_SILENCE)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        assert pull.server is not None
        (port,) = feeds.keys() - {pull.server.port}
        feeds[port].number = 10
        await feeds[port].send(9)
        assert (await pictures(player, 9))[-1] == 18
        assert pull.server.port == port


async def test_look_elsewhere_for_a_silent_stream_is_no_end_of_it() -> None:
    """The other server does not have it, which would end the players after ``publisher_return_ms``."""
    async with Nodes() as nodes:
        origin, empty, edge = (nodes.add(name) for name in ("origin", "empty", "edge"))
        manager = await edge.follow(
            origin.port,
            empty.port,
            proxy_lb="c_murmurhash",
            publisher_return_ms=300,
            disable_server_duration=1,
            **_SILENCE,
        )
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        before = pull.attempt_count
        await wait_until(lambda: pull.attempt_count >= before + 4, 4, "two looks and two ways back")
        assert pull.policy.deadline_ms is None
        await wait_until(lambda: pull.state == "waiting" and pull.server.port == origin.port, 2, "back")
        await feed.send(3)
        assert await pictures(player, 3) == [3, 4, 5]
        assert (pull.stream.stats.gap_count, pull.stream.stats.duplicate_count) == (0, 0)


@pytest.mark.parametrize("share", [True, False], ids=["shared", "alone"])
async def test_pull_whose_publisher_does_not_return_ends_in_time_although_its_upstream_is_slow_to_answer(
    share: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the upstream, which has not had its time, pass for one that is down."""
    async with Nodes() as nodes:
        origin, other, edge = (nodes.add(name) for name in ("origin", "other", "edge"))
        settings = {"publisher_return_ms": 300, "timeout_ms": 5000, "share_play_connection": share}
        manager = await edge.follow(origin.port, other.port, **settings)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        pull, looks = pull_of(edge), [0]
        on_open_timeout = Pull._on_open_timeout

        def counted(pull: Pull) -> None:
            looks[0] += 1
            on_open_timeout(pull)

        monkeypatch.setattr(Pull, "_on_open_timeout", counted)
        monkeypatch.setattr(RtmpServerConnection, "_on_play", lambda connection, event: None)
        await feed.leave()
        await wait_until(lambda: pull.state == "closed", 3, "the end")
        assert looks[0] == 1
        assert sum(row["failure_count"] for row in manager.aims.pull.snapshot(now_ms())["servers"]) == 0


@pytest.mark.parametrize(
    "retries",
    [{"max_retry_duration_ms": 0}, {"fast_retry_count": 0, "retry_interval_ms": 60_000}],
    ids=["none", "late"],
)
async def test_look_elsewhere_for_a_silent_stream_costs_no_retry(retries: dict[str, int]) -> None:
    async with Nodes() as nodes:
        origin, empty, edge = (nodes.add(name) for name in ("origin", "empty", "edge"))
        feed = await nodes.publisher(origin)
        await feed.send(3)
        manager = await edge.follow(origin.port, disable_server_duration=1, **{**_SILENCE, **retries})
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        pull, (home,) = pull_of(edge), manager.aims.pull.servers
        manager.aims.pull._on_update((home, ServerNode("127.0.0.1", empty.port)))
        await wait_until(lambda: pull.attempt_count >= 3, 4, "a look elsewhere and the way back")
        await wait_until(lambda: pull.state == "waiting" and pull.server == home, 2, "back")
        await feed.send(3)
        assert await pictures(player, 3) == [3, 4, 5]


@pytest.mark.parametrize("has_alternative", [True, False])
async def test_silent_stream_leaves_the_connection_that_it_shares_with_live_ones_alone(has_alternative: bool) -> None:
    """Servers of brpc answer no ping."""
    async with (
        Nodes() as nodes,
        Judge(lambda name: GOOD, is_multiplexing=True, answers_pings=False) as origin,
        Judge(lambda name: NOT_FOUND, is_multiplexing=True, answers_pings=False) as other,
    ):
        edge = nodes.add("edge")
        ports = (origin.port, other.port) if has_alternative else (origin.port,)
        times = dict.fromkeys(("upstream_stall_timeout_ms", "first_data_timeout_ms", "timeout_ms"), 400)
        await edge.follow(*ports, **times, disable_server_duration=0)
        live = [await nodes.player(edge, name) for name in ("live1", "live2")]
        quiet = await nodes.player(edge, "quiet")
        for player in (*live, quiet):
            await pictures(player, 3)
        count = origin.connection_count
        origin.silence("quiet")
        asked = len(origin.asked)
        for player in live:
            assert (await pictures(player, 120))[-1] > 100
        await wait_until(lambda: len(origin.asked) > asked, 3, "a fresh play of the silent one")
        assert origin.connection_count == count
        assert sorted(name for name in origin.asked if "live" in name) == ["live1", "live2"]


async def test_server_of_brpc_that_is_silent_altogether_is_left_but_not_hung_up_on() -> None:
    async with (
        Nodes() as nodes,
        Judge(lambda name: GOOD, is_multiplexing=True, answers_pings=False) as origin,
        Judge(lambda name: NOT_FOUND, is_multiplexing=True, answers_pings=False) as other,
    ):
        edge = nodes.add("edge")
        times = {"upstream_stall_timeout_ms": 100, "first_data_timeout_ms": 100, "timeout_ms": 100}
        await edge.follow(origin.port, other.port, **times, disable_server_duration=0)
        players = [await nodes.player(edge, name) for name in ("a", "b")]
        for player in players:
            await pictures(player, 3)
        other.judge = lambda name: GOOD
        origin.silence("a")
        origin.silence("b")
        for player in players:
            await pictures(player, 100)
        assert {name for name in other.asked if other.asked.count(name)} >= {"a", "b"}
