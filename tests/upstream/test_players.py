"""One pull for many players, each with a query of its own that the origin judges."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest

from edge.net.aio import now_ms
from edge.service.refusal import Reason
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline
from tests.harness.judge import CLOSE, GOOD, NOT_FOUND, REFUSED, SILENT, Judge
from tests.harness.ports import free_port
from tests.net.serving import Node, Nodes, error_of, pictures, status_of, wait_until
from tests.upstream.test_pull import pull_of

BRPC = {"stream_multiplexing": True}


def by_token(verdict: str) -> Any:
    """What a judge says who lets the good in."""
    return lambda name: GOOD if "good" in name else verdict


def cut(edge: Node) -> None:
    """Break all its connections to upstreams."""
    for connection in list(edge.context.connections):
        if connection.role == "upstream":
            connection.abort("cut")


async def is_closed(client: RtmpClient) -> bool:
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            await asyncio.wait_for(client.next_message(), deadline(3))
    return True


async def edge_of(nodes: Nodes, port: int, *, depth: int = 1, **config: Any) -> Node:
    """An edge of the server on ``port``, or the last of a chain of them."""
    config = {"first_data_timeout_ms": 100, "disable_server_duration": 0, **config}
    for number in range(depth):
        edge = nodes.add(f"edge{number}")
        await edge.follow(port, **config)
        port = edge.port
    return edge


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(
    ("verdict", "order"),
    [
        (REFUSED, "bad first"),
        *((verdict, order) for verdict in (NOT_FOUND, CLOSE, SILENT) for order in ("bad first", "good first")),
    ],
)
@pytest.mark.parametrize("is_multiplexing", [False, True], ids=["one", "many"])
async def test_first_token_is_bad(verdict: str, order: str, is_multiplexing: bool, depth: int) -> None:
    async with Nodes() as nodes, Judge(by_token(verdict), is_multiplexing=is_multiplexing) as origin:
        edge = await edge_of(nodes, origin.port, depth=depth)
        if order == "bad first":
            bad = await nodes.player(edge, "s?token=stolen")
            await wait_until(lambda: origin.asked, 2, "the first attempt")
            good = await nodes.player(edge, "s?token=good")
        else:
            origin.judge = lambda name: verdict  # the publisher is not there yet
            good = await nodes.player(edge, "s?token=good")
            await wait_until(lambda: origin.asked, 2, "the first attempt")
            bad = await nodes.player(edge, "s?token=stolen")
            await wait_until(lambda: "token=stolen" in origin.queries, 5, "the second player's turn")
            origin.judge = by_token(verdict)
        await pictures(good, 3)
        if verdict == REFUSED:
            assert await error_of(bad) == (REFUSED, origin.words)
            assert await is_closed(bad)
        else:
            await pictures(bad, 3)  # one stream for all who wait
        assert set(origin.queries) == {"token=good", "token=stolen"}


@pytest.mark.parametrize("depth", [1, 2])
async def test_running_stream_is_one_for_all(depth: int) -> None:
    async with Nodes() as nodes, Judge(by_token(REFUSED)) as origin:
        edge = await edge_of(nodes, origin.port, depth=depth)
        good = await nodes.player(edge, "s?token=good")
        await pictures(good, 3)
        bad = await nodes.player(edge, "s?token=stolen")
        await pictures(bad, 3)
        await pictures(good, 30)
        assert origin.queries == ["token=good"]


async def test_after_a_cut_those_with_a_refused_token_are_told_and_the_others_go_on() -> None:
    async with Nodes() as nodes, Judge(by_token(REFUSED)) as origin:
        edge = await edge_of(nodes, origin.port, retry_interval_ms=200)
        good = await nodes.player(edge, "s?token=good")
        await pictures(good, 3)
        bad = [await nodes.player(edge, f"s?token=bad{number % 5}") for number in range(10)]
        for player in bad:
            await pictures(player, 3)
        other = await nodes.player(edge, "s?other=good")
        last = await nodes.player(edge, "s?token=bad9")
        await pictures(last, 3)
        cut(edge)
        assert await error_of(last) == (REFUSED, origin.words)
        await pictures(good, 300)
        await pictures(other, 3)
        assert origin.queries[1:3] == ["token=bad9", "other=good"]
        for player in bad:
            await pictures(player, 3)


async def test_only_who_brought_a_refused_query_is_told_and_three_in_a_row_make_a_pause() -> None:
    async with Nodes() as nodes, Judge(lambda name: REFUSED) as origin:
        origin.judge = lambda name: SILENT
        edge = await edge_of(nodes, origin.port, retry_interval_ms=300, first_data_timeout_ms=0)
        players = {name: await nodes.player(edge, f"s?{name}") for name in ("good", "a", "b", "c", "d")}
        twin = await nodes.player(edge, "s?d")
        await wait_until(lambda: len(edge.registry.streams) == 1, 2, "the pull")
        (stream,) = edge.registry.streams.values()
        await wait_until(lambda: stream.player_count == 6, 2, "all players")
        origin.judge = by_token(REFUSED)
        origin.asked.clear()
        began = now_ms()
        cut(edge)
        await pictures(players["good"], 3)
        assert now_ms() - began >= 300
        assert origin.queries == ["d", "c", "b", "a", "good"]
        for player in (twin, *(players[name] for name in "abcd")):
            assert await error_of(player) == (REFUSED, origin.words)
        assert edge.context.counters["error_upstream_refused_count"] == 5


async def test_pull_ends_when_all_its_players_have_been_refused() -> None:
    async with Nodes() as nodes, Judge(lambda name: REFUSED) as origin:
        edge = await edge_of(nodes, origin.port)
        for name in ("s?a", "s?b", "s"):
            assert await error_of(await nodes.player(edge, name)) == (REFUSED, origin.words)
        await wait_until(lambda: not edge.registry.streams, 2, "the end of the stream")
        assert edge.manager is not None
        assert not edge.manager.pulls


@pytest.mark.parametrize("waits", [True, False])
async def test_refusal_is_remembered_for_a_moment_and_of_that_query_only(waits: bool) -> None:
    async with Nodes() as nodes, Judge(by_token(REFUSED if waits else NOT_FOUND)) as origin:
        edge = await edge_of(nodes, origin.port, pull_wait_for_stream=waits)
        assert (await error_of(await nodes.player(edge, "s?bad")))[0] == (REFUSED if waits else NOT_FOUND)
        asked = len(origin.asked)
        assert (await error_of(await nodes.player(edge, "s?bad")))[0] == (REFUSED if waits else NOT_FOUND)
        assert len(origin.asked) == asked
        await pictures(await nodes.player(edge, "s?good"), 3)
        await pictures(await nodes.player(edge, "s?bad"), 3)  # what runs is one stream for all


@pytest.mark.parametrize("verdict", [NOT_FOUND, CLOSE])
async def test_without_waiting_each_query_is_tried_before_its_players_are_told(verdict: str) -> None:
    async with Nodes() as nodes, Judge(lambda name: SILENT) as origin:
        edge = await edge_of(nodes, origin.port, pull_wait_for_stream=False, first_data_timeout_ms=0)
        good, *_ = [await nodes.player(edge, f"s?{name}") for name in ("good", "a", "b", "c", "d")]
        await wait_until(lambda: origin.asked and len(pull_of(edge).stream.roster) == 5, 2, "all players")
        origin.judge = by_token(verdict)
        cut(edge)
        await pictures(good, 3)


async def test_another_server_is_asked_before_a_query_is_refused() -> None:
    async with Nodes() as nodes, Judge(lambda name: REFUSED) as stern, Judge(by_token(REFUSED)) as fair:
        edge = nodes.add("edge")
        await edge.follow(stern.port, fair.port)
        for number in range(2):
            await pictures(await nodes.player(edge, f"s{number}?good"), 3)
            assert await error_of(await nodes.player(edge, f"t{number}?bad")) == (REFUSED, fair.words)
        assert len(stern.asked) + len(fair.asked) >= 6


async def test_many_with_one_query_are_asked_for_once() -> None:
    async with Nodes() as nodes, Judge(lambda name: NOT_FOUND) as origin:
        edge = await edge_of(nodes, origin.port, retry_interval_ms=100_000)
        players = [await nodes.player(edge, "s?a") for _ in range(8)]
        await wait_until(lambda: edge.registry.streams and pull_of(edge).stream.player_count == 8, 2, "all")
        await asyncio.sleep(0.1)
        assert len(origin.asked) == 3  # the first attempt and the fast ones
        assert not any(player.peer.received_bytes == 0 for player in players)


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_tree_that_waits_for_its_publisher_asks_once_however_many_tokens_there_are(depth: int) -> None:
    async with Nodes() as nodes:
        origin = nodes.add("origin")
        edge = await edge_of(nodes, origin.port, depth=depth)
        first = await nodes.player(edge, "s?token=0")
        await wait_until(lambda: edge.registry.streams and pull_of(edge).state == "waiting", 2, "the pull waits")
        others = [await nodes.player(edge, f"s?token={number}") for number in range(1, 6)]
        await asyncio.sleep(0.5)
        assert [pull_of(node).attempt_count for node in nodes.nodes if node is not origin] == [1] * depth
        feed = await nodes.publisher(origin)
        await feed.send(3)
        for player in (first, *others):
            assert await pictures(player, 3) == [0, 1, 2]


async def test_who_joins_all_the_time_with_a_bad_token_keeps_nobody_out() -> None:
    async with Nodes() as nodes, Judge(lambda name: NOT_FOUND) as origin:
        edge = await edge_of(nodes, origin.port, retry_interval_ms=40)
        good = await nodes.player(edge, "s?good")
        for number in range(30):
            await nodes.player(edge, f"s?bad{number}")
            await asyncio.sleep(0.03)
            if number == 15:
                origin.judge = by_token(NOT_FOUND)
        await pictures(good, 3)


@pytest.mark.parametrize("verdict", [REFUSED, NOT_FOUND])
async def test_queries_are_never_logged_or_shown(verdict: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Nodes() as nodes, Judge(lambda name: verdict) as origin:
        origin.words = "not with token=hush4711, hush4711!"
        edge = await edge_of(nodes, origin.port, depth=2, retry_interval_ms=400)  # what lasts twice that is a publish
        await nodes.player(edge, "s?token=hush4711")
        publisher = await nodes.publisher(edge, "p?token=hush4711")
        await wait_until(lambda: len(origin.asked) >= 4, 3, "attempts")
        await error_of(publisher.client)
        assert "hush4711" not in caplog.text
        for node in nodes.nodes:
            assert node.manager is not None
            assert "hush4711" not in str(node.manager.servers())


# --- the whole of what a client said -----------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("form", ["plain", "unified", "simplified"])
@pytest.mark.parametrize("verb", ["play", "publish"])
async def test_token_in_the_url_of_the_server_reaches_the_origin(verb: str, form: str, depth: int) -> None:
    rows = (
        ("live?secret=8/4=&time=3C", "s", "secret=8/4=&time=3C"),
        ("live?secret=8/4=", "s?time=3C", "time=3C&secret=8/4="),
        ("live", "s?secret=8/4=&time=3C", "secret=8/4=&time=3C"),
        ("live/?secret=8/4=&vhost=_&only-audio=1&idcpassed=1", "s?time=3C&app=live", "time=3C&secret=8/4="),
    )
    async with Nodes() as nodes, Judge(by_token(GOOD)) as origin:
        port = origin.port
        for number in range(depth):
            edge = nodes.add(f"edge{number}")
            is_simplified = form == "simplified" and number > 0
            await edge.follow(port, unified_play_connections=form == "unified", simplified_rtmp_play=is_simplified)
            port = edge.port
        for number, (app, name, wanted) in enumerate(rows):
            names = {"play": nodes.player, "publish": nodes.publisher}[verb]
            name = name.replace("s", f"s{number}", 1)
            await names(edge, name, tcUrl=f"rtmp://127.0.0.1/{app}", app=app)
            await wait_until(lambda number=number: len(origin.asked) > number, 3, "the request")
            more = "&app=live" if form == "unified" and verb == "play" else ""
            assert origin.asked[-1] == f"s{number}?{wanted}{more}"


async def test_slash_in_the_query_of_the_server_is_no_part_of_the_name() -> None:
    sign = "c2/VydmVy+X3Rp/bWU9=="
    async with Nodes() as nodes:
        origin = nodes.add("origin")
        for number, (url, app, wanted) in enumerate(
            (
                (f"live?sign={sign}", "live", "s0"),
                (f"live?sign={sign}", f"live?sign={sign}", "s1"),
                (f"live/hall?sign={sign}", "live", "hall/s2"),
                (f"live?vhost=_/hall?sign={sign}", f"live?vhost=_/hall?sign={sign}", "hall/s3"),
            )
        ):
            feed = await nodes.publisher(origin, f"s{number}", tcUrl=f"rtmp://127.0.0.1/{url}", app=app)
            await feed.send(3)
            await wait_until(lambda wanted=wanted: wanted in str(list(origin.registry.streams)), 2, wanted)
            assert str(list(origin.registry.streams)[-1]) == f"_/live/{wanted}"
            player = await nodes.player(origin, wanted, tcUrl="rtmp://127.0.0.1/live?sign=b3Ro/ZXI=")
            assert await pictures(player, 3) == [0, 1, 2]


# --- publishes -----------------------------------------------------------------------


async def test_push_carries_what_its_present_publisher_said() -> None:
    async with Nodes() as nodes, Judge(by_token(REFUSED)) as origin:
        edge = nodes.add("edge", hub={"republish_min_interval_ms": 0})
        await edge.follow(origin.port, fast_retry_count=1, retry_interval_ms=100_000, publisher_return_ms=100_000)
        first = await nodes.publisher(edge, "s?token=good1")
        await wait_until(lambda: len(origin.names) == 1, 2, "the push")
        origin.judge = lambda name: GOOD if "good2" in name else REFUSED
        second = await nodes.publisher(edge, "s?token=good2")
        cut(edge)
        await wait_until(lambda: len(origin.names) == 2, 2, "the push again")
        assert origin.queries == ["token=good1", "token=good2"]
        assert edge.manager is not None
        assert edge.manager.gave_up_count == 0
        await first.send(1)
        await second.send(1)


# --- clients of brpc -----------------------------------------------------------------


async def test_brpc_client_is_told_of_a_stream_that_nobody_has_and_the_pull_goes_on_for_others() -> None:
    async with Nodes() as nodes:
        origin = nodes.add("origin")
        edge = await edge_of(nodes, origin.port)
        viewer = await nodes.player(edge)
        for _ in range(2):
            told = await nodes.player(edge, "s", **BRPC)
            assert (await error_of(told))[0] == NOT_FOUND
        told.play("s")
        assert (await error_of(told))[0] == NOT_FOUND  # it is still connected
        feed = await nodes.publisher(origin)
        await feed.send(3)
        assert await pictures(viewer, 3) == [0, 1, 2]
        last = await nodes.player(edge, "s", **BRPC)
        assert await pictures(last, 3) == [0, 1, 2]


@pytest.mark.parametrize("depth", [1, 2])
async def test_brpc_client_is_told_when_a_foreign_origin_has_nothing_for_its_query(depth: int) -> None:
    async with Nodes() as nodes, Judge(by_token(NOT_FOUND)) as origin:
        edge = await edge_of(nodes, origin.port, depth=depth)
        viewer = await nodes.player(edge, "s?bad1")
        told = await nodes.player(edge, "s?bad2", **BRPC)
        assert (await error_of(told))[0] == NOT_FOUND
        served = await nodes.player(edge, "s?good", **BRPC)
        await pictures(served, 3)
        await pictures(viewer, 3)


async def test_brpc_client_is_told_after_a_while_of_silence() -> None:
    async with Nodes() as nodes, Judge(lambda name: SILENT) as origin:
        edge = await edge_of(nodes, origin.port, pull_nodata_timeout_ms=100)
        viewer = await nodes.player(edge, "s")
        told = await nodes.player(edge, "s", **BRPC)
        assert (await error_of(told))[0] == NOT_FOUND
        origin.judge = by_token(GOOD)
        cut(edge)
        await pictures(viewer, 3)


@pytest.mark.parametrize("depth", [0, 1, 2])
async def test_brpc_client_is_told_the_end_of_a_broadcast_at_once(depth: int) -> None:
    async with Nodes() as nodes:
        origin = nodes.add("origin")
        edge = await edge_of(nodes, origin.port, depth=depth, publisher_return_ms=3000) if depth else origin
        feed = await nodes.publisher(origin)
        await feed.send(3)
        viewer, told = await nodes.player(edge), await nodes.player(edge, "s", **BRPC)
        paused = await nodes.player(edge, "s", **BRPC)
        for player in (viewer, told, paused):
            assert await pictures(player, 3) == [0, 1, 2]
        paused.peer.send_command(paused.message_stream_id, "pause", 0, None, True, 0)
        assert await status_of(paused) == "NetStream.Pause.Notify"
        await feed.leave()
        for player in (told, paused):
            assert (await error_of(player))[0] == NOT_FOUND
        if depth:
            assert edge.registry.streams, "the others are kept"
        again = await nodes.publisher(origin)
        await again.send(3)
        if depth:
            assert await pictures(viewer, 3) == [0, 1, 2]
        told.play("s")
        assert await pictures(told, 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("verdict", "depth", "wanted"),
    [
        (NOT_FOUND, 1, Reason.NOT_FOUND),
        (NOT_FOUND, 2, Reason.NOT_FOUND),
        (SILENT, 1, Reason.SILENT),
        (SILENT, 2, Reason.SILENT),
        (CLOSE, 1, Reason.UNREACHABLE),
        ("nobody listens", 1, Reason.UNREACHABLE),
        ("nobody listens", 2, Reason.SILENT),
    ],
)
async def test_why_a_player_has_got_nothing(verdict: str, depth: int, wanted: Reason) -> None:
    """What a player by HTTP is answered when it does not wait any longer."""
    async with Nodes() as nodes, Judge(lambda name: verdict, is_multiplexing=True) as origin:
        edge = await edge_of(nodes, free_port() if verdict == "nobody listens" else origin.port, depth=depth)
        manager = edge.manager
        assert manager is not None
        await nodes.player(edge, "s?token=1")
        await wait_until(lambda: manager.pulls, 2, "the pull")
        stream = pull_of(edge).stream

        def is_as_wanted() -> bool:
            return manager.why_nothing(stream, "token=1").reason is wanted

        await wait_until(is_as_wanted, 5, f"{wanted} as the reason")
        assert str(stream.key) in manager.why_nothing(stream, "token=1").detail
