"""Publishes that an edge forwards."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from edge.hub.key import LIVE_REALM
from edge.hub.publisher import Publisher
from edge.media.frame import AUDIO, VIDEO, Epoch
from edge.net.aio import now_ms
from edge.upstream.manager import UpstreamManager
from naming.node import ServerNode
from tests.harness.clock import deadline
from tests.harness.judge import GOOD, NOT_FOUND, REFUSED, SILENT, Judge
from tests.net.fakes import VIDEO_HEADER_BODY
from tests.net.live import send, status
from tests.net.serving import Feed, Node, Nodes, error_of, pictures, status_of, wait_until


async def forwarding(nodes: Nodes) -> tuple[Node, Node, UpstreamManager, Feed]:
    """An origin, an edge with its manager, and a publisher there whose first three pictures have been forwarded."""
    origin, edge = nodes.add("origin"), nodes.add("edge")
    manager = await edge.follow(origin.port)
    feed = await nodes.publisher(edge)
    await feed.send(3)
    await wait_until(lambda: any(s.queue.end for s in origin.registry.streams.values()), 2, "forwarded")
    return origin, edge, manager, feed


async def test_publish_on_an_edge_reaches_the_origin_and_its_players() -> None:
    async with Nodes() as nodes:
        origin, edge, _, feed = await forwarding(nodes)
        far, back = await nodes.player(origin), await nodes.player(edge)
        assert await pictures(far, 3) == await pictures(back, 3) == [0, 1, 2]
        await feed.send(4)
        assert await pictures(far, 4) == await pictures(back, 4) == [3, 4, 5, 6]


async def test_U1_cut_push_goes_on_where_it_was() -> None:
    async with Nodes() as nodes:
        origin, _, manager, feed = await forwarding(nodes)
        player = await nodes.player(origin)
        assert await pictures(player, 3) == [0, 1, 2]
        for round_ in range(3):
            (push,) = manager.pushes.values()
            assert push.connection is not None
            push.connection.abort("cut")
            await feed.send(5)
            first = 3 + 5 * round_
            assert await pictures(player, 5) == list(range(first, first + 5))
            await wait_until(lambda push=push: push.state == "live", 2, "live again")


async def test_what_has_been_sent_is_kept_for_the_upstream_while_there_is_a_push() -> None:
    async with Nodes() as nodes:
        origin, _, manager, _ = await forwarding(nodes)
        (push,) = manager.pushes.values()
        stream = push.stream
        origin.stop_listening()
        assert push.connection is not None
        push.connection.abort("cut")
        await wait_until(lambda: push.state == "retrying", 2, "lost")
        for ms in (1000, 100_000):
            stream.tick(ms)
        assert stream.retention.is_full, "also between two connections"
        manager.push_gave_up(push, "for the test")
        push.close()
        for ms in (200_000, 300_000):
            stream.tick(ms)
        assert not stream.retention.is_full


async def test_end_of_the_publish_is_told_upstream_behind_the_last_picture() -> None:
    async with Nodes() as nodes:
        origin, _, manager, feed = await forwarding(nodes)
        player = await nodes.player(origin)
        await pictures(player, 3)
        await feed.send(2)
        await feed.leave()
        assert await pictures(player, 2) == [3, 4]
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"
        await wait_until(lambda: not manager.pushes and not origin.registry.streams, 3, "push gone")


async def test_end_of_a_publish_that_comes_while_the_upstream_is_away_is_told_once_it_is_back() -> None:
    """Its players would sit on a frozen picture for ``publisher_return_ms``, and never see the last ones."""
    async with Nodes() as nodes:
        origin, _, manager, feed = await forwarding(nodes)
        player = await nodes.player(origin)
        assert await pictures(player, 3) == [0, 1, 2]
        (push,) = manager.pushes.values()
        origin.stop_listening()
        assert push.connection is not None
        push.connection.abort("cut")
        await wait_until(lambda: push.state == "retrying", 2, "lost")
        await feed.send(2)
        await feed.leave()
        await wait_until(lambda: push.stream.is_ended, 2, "end")
        origin.listen()
        assert await pictures(player, 2) == [3, 4]
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"
        await wait_until(lambda: not manager.pushes and not origin.registry.streams, 2, "push gone")


async def test_end_of_a_publish_waits_for_a_dead_upstream_only_a_moment() -> None:
    async with Nodes() as nodes:
        origin, _, manager, feed = await forwarding(nodes)
        origin.stop_listening()
        origin.drop_connections()
        await feed.leave()
        await wait_until(lambda: not manager.pushes, 4, "push gone")
        assert manager.pool.connection_count == 0


async def test_publish_that_follows_at_once_on_the_one_before_goes_upstream_too() -> None:
    """The end of the one before is still on its way then."""
    async with Nodes() as nodes:
        origin, _, manager, feed = await forwarding(nodes)
        player = await nodes.player(origin)
        assert await pictures(player, 3) == [0, 1, 2]
        (first,) = manager.pushes.values()
        feed.client.delete_stream("s")
        feed.client.peer.send_command(0, "createStream", 8, None)
        feed.client.publish("s")
        feed.number = 10
        await feed.send(3)
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"
        await wait_until(lambda: [p.state for p in manager.pushes.values() if p is not first] == ["live"], 2, "pushed")
        assert await pictures(await nodes.player(origin), 3) == [10, 11, 12]


async def test_U8_dead_target_does_not_trouble_the_publisher_or_local_players() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        origin.stop_listening()
        manager = await edge.follow(origin.port)
        feed = await nodes.publisher(edge)
        await feed.send(5)
        await wait_until(lambda: [p.attempt_count for p in manager.pushes.values()] > [2], 2, "several attempts")
        origin.listen()
        await wait_until(lambda: any(s.queue.end for s in origin.registry.streams.values()), 3, "forwarded at last")
        assert edge.rtmp.ingest.publishers


async def test_page_says_how_long_nothing_has_got_through_not_how_long_the_last_attempt_takes() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port)
        await nodes.publisher(edge)
        (push,) = manager.pushes.values()
        assert push.describe(now_ms())["push_state"] == "connecting"
        await wait_until(lambda: push.state == "live", 2, "the push")
        shown = push.describe(now_ms() + 5000)
        endpoint = f"127.0.0.1:{origin.port}"
        assert (shown["push_state"], shown["push_to"], shown["push_error"]) == ("live", endpoint, "")
        assert shown["push_state_s"] in (5, 6)
        origin.stop_listening()
        origin.drop_connections()
        await wait_until(lambda: push.attempt_count > 4, 3, "some attempts")
        for state in ("retrying", "connecting"):
            push.state = state
            shown = push.describe(now_ms() + 9000)
            assert (shown["push_state"], shown["push_to"]) == ("retrying", endpoint)
            assert shown["push_state_s"] in (9, 10)
            assert shown["push_error"] == "connect: Connection refused"
        push.state = "retrying"
        origin.listen()
        await wait_until(lambda: push.state == "live", 3, "its return")
        assert push.describe(now_ms())["push_error"] == "", "it is over"


async def test_refused_for_good_is_told_to_the_publisher() -> None:
    async with Nodes() as nodes:
        origin = nodes.add("origin", hub={"reject_second_stream_when_republish": True})
        edge = nodes.add("edge")
        await nodes.publisher(origin)
        manager = await edge.follow(origin.port, fast_retry_count=1)
        feed = await nodes.publisher(edge)
        await feed.send(1)
        info = await status(feed.client, "NetStream.Publish.BadName")
        assert info["description"].startswith("the upstream refused the stream: NetStream.Publish.BadName ")
        assert manager.gave_up_count == 1
        await wait_until(lambda: not manager.pushes, 2, "push gone")


async def test_node_that_has_nothing_of_the_stream_is_given_all_that_is_held() -> None:
    """It stands in for a node that died, and the players behind that one stopped at a frame that we cannot know."""
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        origin.stop_listening()
        manager = await edge.follow(origin.port)
        feed = await nodes.publisher(edge)
        await feed.send(35)
        await wait_until(lambda: [p.attempt_count for p in manager.pushes.values()] > [1], 2, "several attempts")
        origin.listen()
        await wait_until(lambda: any(s.queue.end for s in origin.registry.streams.values()), 3, "forwarded at last")
        (stream,) = origin.registry.streams.values()
        assert [int(frame.payload[5:11]) for frame in stream.queue.frames] == list(range(35))


async def test_node_that_only_knows_that_a_publish_has_begun_is_given_its_headers() -> None:
    """It was cut off between the first mark and the first frame; what it asks for stands far behind the headers."""
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        origin.stop_listening()
        manager = await edge.follow(origin.port)
        feed = await nodes.publisher(edge)
        send(feed.client, VIDEO, 0, VIDEO_HEADER_BODY)
        await feed.send(20)
        (push,) = manager.pushes.values()
        await wait_until(lambda: push.stream.queue.end == 21, 2, "the pictures")
        assert push.stream.epoch is not None
        stream = origin.registry.find_or_create(push.key._replace(realm=LIVE_REALM), now_ms())
        gone = Publisher(stream, "gone", now_ms(), is_hop=True)
        stream.begin_publish(gone, Epoch(push.stream.epoch.id, 0, 15), now_ms())
        origin.registry.release_publisher(gone, now_ms(), "cut", is_loss=True)
        origin.listen()
        await wait_until(lambda: stream.queue.end, 3, "forwarded at last")
        assert [frame.payload for frame in stream.queue.headers_at(stream.queue.end)] == [VIDEO_HEADER_BODY]
        assert [int(frame.payload[5:11]) for frame in stream.queue.frames if not frame.kind] == list(range(15, 20))


async def test_node_that_has_lost_its_publisher_does_not_replace_one_that_has_it() -> None:
    """The publisher came back through another node; then the origin dies, and both push to the next one."""
    async with Nodes() as nodes:
        origin, left, right = (nodes.add(name) for name in ("origin", "left", "right"))
        home = nodes.add("home")
        await left.follow(origin.port)
        await right.follow(origin.port)
        await home.follow(left.port)
        feed = await nodes.publisher(home)
        await feed.send(3)
        await wait_until(lambda: any(s.queue.end for s in origin.registry.streams.values()), 2, "forwarded")
        assert home.manager is not None and left.manager is not None and right.manager is not None
        (push,) = home.manager.pushes.values()
        home.manager.aims.push._on_update((ServerNode("127.0.0.1", right.port),))
        assert push.connection is not None
        push.connection.abort("cut")
        await wait_until(lambda: [p.state for p in right.manager.pushes.values()] == ["live"], 2, "the other way")
        await feed.send(3)
        player = await nodes.player(origin)
        await pictures(player, 1)
        (late,) = left.manager.pushes.values()
        assert late.stream.publisher is None and late.connection is not None
        attempts = late.attempt_count
        late.connection.abort("cut")
        await wait_until(lambda: late.attempt_count > attempts and late.state == "live", 2, "its return")
        (stream,) = origin.registry.streams.values()
        feeding = stream.publisher
        assert feeding is not None
        await feed.send(4)
        number = 0
        while number < feed.number - 1:
            (number,) = await pictures(player, 1)
        assert stream.publisher is feeding
        assert stream.stats.gap_count == 0


async def test_publisher_that_was_lost_two_nodes_away_is_found_at_another_origin() -> None:
    """Shields behind rr: an edge dies, its encoders go to one that pushes by another shield to another origin."""
    async with Nodes() as nodes:
        first, second, left, right, home, far = (nodes.add(name) for name in ("o1", "o2", "m1", "m2", "e1", "e2"))
        await left.follow(first.port)
        await right.follow(second.port)
        await home.follow(left.port)
        feed = await nodes.publisher(home)
        await feed.send(3)
        await wait_until(lambda: any(s.queue.end for s in first.registry.streams.values()), 2, "forwarded")
        await far.follow(first.port, publisher_return_ms=60_000)
        player = await nodes.player(far)
        assert await pictures(player, 3) == [0, 1, 2]
        assert home.manager is not None and far.manager is not None
        (push,) = home.manager.pushes.values()
        home.manager.aims.push._on_update((ServerNode("127.0.0.1", right.port),))
        far.manager.aims.pull._on_update(tuple(ServerNode("127.0.0.1", origin.port) for origin in (first, second)))
        assert push.connection is not None
        push.connection.abort("cut")
        await feed.send(5)
        began = asyncio.get_running_loop().time()
        assert await pictures(player, 5) == [3, 4, 5, 6, 7]
        assert asyncio.get_running_loop().time() - began <= deadline(1.5)
        (stream,) = far.registry.streams.values()
        assert stream.stats.gap_count == 0


async def test_origin_that_is_new_learns_that_the_publisher_of_what_it_gets_is_lost() -> None:
    async with Nodes() as nodes:
        origin, middle, home = (nodes.add(name) for name in ("origin", "middle", "home"))
        origin.stop_listening()
        await middle.follow(origin.port)
        await home.follow(middle.port)
        feed = await nodes.publisher(home)
        await feed.send(3)
        await wait_until(lambda: any(s.queue.end for s in middle.registry.streams.values()), 2, "forwarded")
        home.stop_listening()
        home.drop_connections()
        assert home.manager is not None
        await home.manager.close()
        (held,) = middle.registry.streams.values()
        await wait_until(lambda: held.publisher is None, 2, "the loss")
        origin.listen()
        await wait_until(lambda: any(s.queue.end == 3 for s in origin.registry.streams.values()), 3, "what is held")
        (stream,) = origin.registry.streams.values()
        await wait_until(lambda: stream.has_lost_publisher, 1, "word of the loss")


async def test_second_publisher_at_another_edge_ends_the_first_one_where_that_is_wanted() -> None:
    """The first one's node would take the stream back, and the second one be refused."""
    async with Nodes() as nodes:
        origin = nodes.add("origin", hub={"stop_kickedoff_publisher": True, "republish_min_interval_ms": 100})
        shield, left, right = (nodes.add(name) for name in ("shield", "left", "right"))
        for edge, upstream in ((shield, origin), (left, shield), (right, origin)):
            await edge.follow(upstream.port)
        first = await nodes.publisher(left)
        await first.send(3)
        await wait_until(lambda: any(s.queue.end for s in origin.registry.streams.values()), 2, "forwarded")
        assert left.manager is not None and shield.manager is not None and right.manager is not None
        await asyncio.sleep(0.2)  # more than three intervals: a push that has lasted is tried again for long
        second = await nodes.publisher(right)
        await second.send(3)
        assert await status_of(first.client) == "NetStream.Publish.BadName"
        assert not left.manager.pushes and not shield.manager.pushes
        await asyncio.sleep(0.2)
        assert await pictures(await nodes.player(origin), 3) == [0, 1, 2]
        (push,) = right.manager.pushes.values()
        assert (push.state, push.attempt_count) == ("live", 1)


async def test_publishers_muted_at_an_edge_whose_push_is_replaced_do_not_replace_in_turn() -> None:
    """The edge would go back to the one that its publisher had replaced, and push that."""
    async with Nodes() as nodes:
        origin = nodes.add("origin", hub={"stop_kickedoff_publisher": True, "republish_min_interval_ms": 100})
        left, right = nodes.add("left"), nodes.add("right")
        for edge in (left, right):
            await edge.follow(origin.port)
        muted, seen = await nodes.publisher(left), await nodes.publisher(left)
        await seen.send(3)
        await wait_until(lambda: any(s.queue.end for s in origin.registry.streams.values()), 2, "forwarded")
        await asyncio.sleep(0.2)
        third = await nodes.publisher(right)
        await third.send(3)
        for replaced in (seen, muted):
            assert await status_of(replaced.client) == "NetStream.Publish.BadName"
        assert left.manager is not None and not left.manager.pushes
        assert await pictures(await nodes.player(origin), 3) == [0, 1, 2]


@pytest.mark.parametrize(("slate_at", "play_at"), ["oo", "lo", "lr"])
async def test_slide_of_a_slate_is_seen_when_the_show_ends(slate_at: str, play_at: str) -> None:
    """``o`` is the origin, ``l`` and ``r`` are edges of it. The slate's sound goes on, its next slide is far away."""
    async with asyncio.timeout(deadline(10)), Nodes() as nodes:
        where = {"o": nodes.add("origin"), "l": nodes.add("left"), "r": nodes.add("right")}
        for edge in (where["l"], where["r"]):
            await edge.follow(where["o"].port)
        slate = await nodes.publisher(where[slate_at])
        is_over = asyncio.Event()

        async def sound() -> None:
            for number in itertools.count():
                slate.client.peer.send(4, AUDIO, slate.client.message_stream_id, number * 20, b"\xaf\x01sound")
                await slate.client.peer.drain()
                await asyncio.sleep(0.02)
                if is_over.is_set():
                    return

        await slate.send(1)
        going_on = asyncio.create_task(sound())
        await wait_until(lambda: any(s.queue.end for s in where["o"].registry.streams.values()), 2, "the slate")
        player = await nodes.player(where[play_at])
        assert await pictures(player, 1) == [0]
        await asyncio.sleep(1.1)  # publishes that begin within a second are one moment
        show = await nodes.publisher(where["o"])
        show.number = 100
        await show.send(5)
        assert await pictures(player, 5) == [100, 101, 102, 103, 104]
        (stream,) = where["o"].registry.streams.values()
        await wait_until(lambda: stream.feed.muted[0].refused_count > 5, 3, "sound of the slate that nobody hears")
        await show.leave()
        assert await pictures(player, 1) == [0]
        assert await pictures(await nodes.player(where[play_at]), 1) == [0]
        is_over.set()
        await going_on


async def test_end_of_a_publish_that_waits_behind_its_frames_is_told_by_a_node_that_stops() -> None:
    """Else the origin takes it for a loss, and waits for the return."""
    async with Nodes() as nodes:
        origin, edge, manager, feed = await forwarding(nodes)
        # However long a busy machine takes for all of them.
        edge.context.config = replace(edge.context.config, reject_linger_ms=30_000)
        (upstream,) = manager.pool._open
        (at_origin,) = origin.context.connections
        at_origin.poll_reads(False)
        await feed.send(1, size=8_000_000)
        await wait_until(lambda: upstream.queued_bytes, 2, "more than the kernel takes")
        await manager.close()
        at_origin.poll_reads(True)
        await wait_until(lambda: not origin.registry.streams, 1, "the end")


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(
    ("words", "wanted", "count"),
    [("Fail to replace publisher 127.0.0.1:1", "refused", 3), ("Replaced by publisher from 127.0.0.1:1", "Kicked", 1)],
)
async def test_publish_that_media_server_refuses_ends_its_publisher(
    words: str, wanted: str, count: int, depth: int
) -> None:
    """It has one code for all it refuses, and who was replaced does not replace in turn."""
    async with Nodes() as nodes, Judge(lambda name: NOT_FOUND, is_multiplexing=True, answers_pings=False) as upstream:
        upstream.words = words
        edges = [nodes.add(f"edge{number}") for number in range(depth)]
        for edge, port in zip(edges, (upstream.port, *(edge.port for edge in edges)), strict=False):
            await edge.follow(port)
        feed = await nodes.publisher(edges[-1])
        code, description = await error_of(feed.client)
        assert code == "NetStream.Publish.BadName"
        assert wanted in description
        assert words in description
        asked = len(upstream.asked)
        await asyncio.sleep(0.2)
        assert len(upstream.asked) == asked
        if depth == 1:
            assert asked == count


async def test_refusal_of_the_publisher_before_does_not_end_the_one_that_there_is_now() -> None:
    async with Nodes() as nodes, Judge(lambda name: GOOD if "good" in name else REFUSED) as upstream:
        edge = nodes.add("edge", hub={"republish_min_interval_ms": 0})
        manager = await edge.follow(upstream.port, fast_retry_count=1, retry_interval_ms=100_000)
        upstream.judge = lambda name: SILENT
        await nodes.publisher(edge, "s?bad")
        await wait_until(lambda: upstream.names, 2, "the push")
        upstream.judge = lambda name: GOOD if "good" in name else REFUSED
        (push,) = manager.pushes.values()
        assert push.connection is not None
        push.connection.abort("cut")
        await wait_until(lambda: push.refused_count == 1, 2, "a refusal")
        good = await nodes.publisher(edge, "s?good")
        await wait_until(lambda: upstream.queries[-1:] == ["good"], 2, "the new publisher's turn")
        await wait_until(lambda: push.state == "live", 2, "the push again")
        await good.send(1)
        assert manager.gave_up_count == 0
