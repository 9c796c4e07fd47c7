"""Attempts of pulls and pushes: time-outs, retries, and the server that is passed over."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest

from naming.node import ServerNode
from tests.harness.fault_proxy import FaultProxy
from tests.harness.relay import ForeignRelay
from tests.net.serving import Nodes, pictures, wait_until


async def black_hole() -> tuple[asyncio.Server, int]:
    """A server that takes connections and never answers."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_U3_server_that_does_not_answer_is_left_for_another() -> None:
    hole, port = await black_hole()
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(port, origin.port, timeout_ms=60)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        for name in ("s", "s"):
            assert await pictures(await nodes.player(edge, name), 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        assert pull.server is not None
        assert pull.server.port == origin.port
    hole.close()
    await hole.wait_closed()


async def test_attempts_follow_the_policy_while_nobody_answers() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        origin.stop_listening()
        manager = await edge.follow(origin.port, fast_retry_count=2, retry_interval_ms=40)
        await nodes.player(edge)
        await wait_until(lambda: manager.pulls, 2, "pull")
        (pull,) = manager.pulls.values()
        await wait_until(lambda: pull.attempt_count >= 3, 2, "fast retries")
        before = pull.attempt_count
        await asyncio.sleep(0.05)
        assert pull.attempt_count - before <= 2
        assert pull.state in ("retrying", "connecting")
        assert pull.last_error
        origin.listen()
        feed = await nodes.publisher(origin)
        await feed.send(3)
        await wait_until(lambda: pull.state == "live", 3, "back")


async def test_closed_link_makes_no_more_attempts() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        origin.stop_listening()
        manager = await edge.follow(origin.port)
        await nodes.player(edge)
        await wait_until(lambda: manager.pulls, 2, "pull")
        (pull,) = manager.pulls.values()
        pull.close()
        pull.close()
        count = pull.attempt_count
        await asyncio.sleep(0.05)
        assert (pull.state, pull.attempt_count) == ("closed", count)


async def test_giving_up_after_the_longest_retry() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        origin.stop_listening()
        manager = await edge.follow(origin.port, max_retry_duration_ms=80, retry_interval_ms=20)
        await nodes.player(edge)
        await wait_until(lambda: manager.gave_up_count, 3, "gives up")
        assert manager.pulls == {}
        await wait_until(lambda: not edge.registry.streams, 2, "players told")


async def test_target_knows_how_many_streams_run_at_a_server() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        assert await pictures(await nodes.player(edge), 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()

        def count() -> int:
            return pull.target.snapshot(0)["servers"][0]["streams_count"]

        assert count() == 1
        pull.close()
        assert count() == 0


async def test_streams_of_a_shared_connection_that_are_answered_in_turn_are_not_asked_for_again() -> None:
    """After a reset a busy server answers a thousand of them within seconds; asking again would only add to it."""
    count, timeout_ms = 60, 400
    async with Nodes() as nodes, FaultProxy(0) as proxy:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        proxy.retarget(origin.port)
        manager = await edge.follow(proxy.port, timeout_ms=timeout_ms)
        await nodes.player(edge, "first")
        await wait_until(lambda: [pull.state for pull in manager.pulls.values()] == ["waiting"], 2, "the first pull")
        proxy.down.rate_bps, proxy.down.slice_bytes = 100_000, 500
        began = asyncio.get_running_loop().time()
        for number in range(count):
            await nodes.player(edge, f"s{number}")
        await wait_until(lambda: len(manager.pulls) == count + 1, 3, "all pulls")

        def are_answered() -> bool:
            return all(pull.state == "waiting" for pull in manager.pulls.values())

        await wait_until(are_answered, 10, "all answers")
        assert asyncio.get_running_loop().time() - began > 2 * timeout_ms / 1000, "too fast to show anything"
        assert {pull.attempt_count for pull in manager.pulls.values()} == {1}
        assert manager.pool.connect_count == 1


async def test_log_says_that_it_works_again_and_where(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        await edge.follow(origin.port)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        (line,) = [message for message in caplog.messages if " runs " in message]
        assert re.fullmatch(rf"pull key=_/live/s upstream=127.0.0.1:{origin.port} runs after_ms=\d+ attempts=1", line)
        origin.stop_listening()
        origin.drop_connections()
        await wait_until(lambda: "ended end=lost" in caplog.text, 2, "the loss")
        origin.listen()
        feed = await nodes.publisher(origin)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
        (line,) = [message for message in caplog.messages if "works again" in message]
        assert re.fullmatch(
            rf"pull key=_/live/s upstream=127.0.0.1:{origin.port} works again after_ms=\d+ attempts=\d+", line
        )


async def test_first_answer_of_a_naming_service_is_used_at_once() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port, retry_interval_ms=60_000)
        target = manager.aims.pull
        servers = target.servers
        target._on_update(())
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        await wait_until(lambda: [pull.attempt_count for pull in manager.pulls.values()] == [3], 2, "attempts in vain")
        target._on_update(servers)
        assert await pictures(player, 3) == [0, 1, 2]


async def test_N13_server_without_the_stream_is_passed_over_for_it_and_for_no_other() -> None:
    """While there is another, and for disable_server_duration."""
    async with Nodes() as nodes:
        empty, origin, edge = nodes.add("empty"), nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(empty.port, origin.port, disable_server_duration=60)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        first = ServerNode("127.0.0.1", empty.port)
        for _ in range(6):
            player = await nodes.player(edge)
            assert await pictures(player, 3) == [0, 1, 2]
            (pull,) = manager.pulls.values()
            asked = pull.attempt_count
            player.peer.abort()
            await wait_until(lambda: not manager.pulls, 2, "the end of the pull")
            if asked == 2:
                break
        else:
            raise AssertionError("rr has never asked the empty server first")
        now_ms = edge.context.now_ms()
        assert manager.aims.pull.is_passed_over(first, "_/live/s", now_ms)
        assert not manager.aims.pull.is_passed_over(first, "_/live/other", now_ms)
        for _ in range(4):
            player = await nodes.player(edge)
            assert await pictures(player, 3) == [0, 1, 2]
            (pull,) = manager.pulls.values()
            assert pull.attempt_count == 1
            player.peer.abort()
            await wait_until(lambda: not manager.pulls, 2, "the end of the pull")


async def test_server_that_works_again_may_be_asked_first_after_the_next_loss() -> None:
    """What was tried in vain counts for one search, not for the life of the stream."""
    async with Nodes() as nodes:
        dead, origin, edge = nodes.add("dead"), nodes.add("origin"), nodes.add("edge")
        dead.stop_listening()
        manager = await edge.follow(dead.port, origin.port, disable_server_duration=0)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        assert not pull._excluded


@pytest.mark.parametrize("leaver", [0, 1], ids=["first", "second"])
async def test_player_that_leaves_while_a_connection_is_made_leaves_no_connection_without_a_stream(leaver: int) -> None:
    """The second stream waits to hear whether it may share the connection of the first, and it may not."""
    async with Nodes() as nodes, ForeignRelay() as relay, FaultProxy(relay.port) as proxy:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        relay.source_url = f"rtmp://127.0.0.1:{origin.port}/live"
        proxy.down.is_flowing.clear()
        manager = await edge.follow(proxy.port, timeout_ms=5000)
        players = []
        for name in ("a", "b"):
            players.append(await nodes.player(edge, name))
            await wait_until(lambda: len(manager.pulls) == len(players), 2, "pull")
        players[leaver].peer.abort()
        await wait_until(lambda: len(manager.pulls) == 1, 2, "one left")
        proxy.down.is_flowing.set()
        await wait_until(lambda: relay.player_count == 1, 2, "the other plays")
        await asyncio.sleep(0.1)
        assert (manager.pool.connection_count, manager.pool.connect_count) == (1, 1)
