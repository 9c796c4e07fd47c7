"""Attempts of pulls and pushes: time-outs, retries, and the server that is passed over."""

from __future__ import annotations

import asyncio

from tests.harness.fault_proxy import FaultProxy
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
