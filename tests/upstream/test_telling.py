"""What pulls and pushes tell: whom they asked, what came of it, and how they stand."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from edge.hub.key import StreamKey
from edge.net.rtmp.client import LinkEnd
from edge.service.report import node_report
from edge.service.story import Kind
from edge.upstream.target import Target
from edge.upstream.telling import kind_of, words_of
from naming.node import ServerNode
from tests.harness.ports import free_port
from tests.net.serving import Node, Nodes, wait_until

KEY = StreamKey("_", "live", "s")


@pytest.mark.parametrize(
    ("end", "text", "kind"),
    [
        (LinkEnd.LOST, "connect: Connection refused", Kind.DOWN),
        (LinkEnd.LOST, "connect timeout", Kind.TIMED_OUT),
        (LinkEnd.TIMEOUT, "no answer in 1001 ms", Kind.TIMED_OUT),
        (LinkEnd.LOST, "handshake_timeout: 0 bytes in 1000 ms", Kind.TIMED_OUT),
        (LinkEnd.LOST, "connect_timeout: connect not answered within 1000 ms", Kind.TIMED_OUT),
        (LinkEnd.TIMEOUT, "upstream_tls: no end of the handshake in 1000 ms", Kind.TLS),
        (LinkEnd.LOST, "upstream_tls: unknown CA", Kind.TLS),
        (LinkEnd.REFUSED, "upstream_tls: redirected to plain text at rtmp://h, which is not followed: x", Kind.TLS),
        (LinkEnd.LOST, "closed by the peer", Kind.CLOSED),
        (LinkEnd.LOST, "reset: Connection reset by peer", Kind.CLOSED),
        (LinkEnd.LOST, "it speaks HTTP, not RTMP", Kind.FOREIGN),
        (LinkEnd.LOST, "rtmp_version: S0 is 83, not 3", Kind.FOREIGN),
        (LinkEnd.LOST, "chunk: no header", Kind.FOREIGN),
        (LinkEnd.LOST, "no server", Kind.NO_SERVER),
        (LinkEnd.LOST, "shutdown", Kind.CLOSED),
        (LinkEnd.LOST, "NetConnection.Connect.Closed Shutdown: server is stopping", Kind.CLOSED),
        (LinkEnd.TIMEOUT, "silent for 6000 ms and answers no ping", Kind.MUTE),
        (LinkEnd.TIMEOUT, "asking again", Kind.MUTE),
        (LinkEnd.NO_DATA, "no data, trying another server", Kind.MUTE),
        (LinkEnd.REFUSED, "NetStream.Play.Failed token", Kind.REFUSED),
        (LinkEnd.REFUSED, "NetConnection.Connect.Rejected no", Kind.REFUSED),
        (LinkEnd.REFUSED, "more than 5 redirects, the last to rtmp://h: x", Kind.BAD_REDIRECT),
        (LinkEnd.LOST, "redirected to h, which has no address", Kind.BAD_REDIRECT),
        (LinkEnd.LOOP, "redirected in a circle, to h:1935", Kind.LOOP),
        (LinkEnd.LOOP, "proxy_loop: it comes from here", Kind.LOOP),
        (LinkEnd.NOT_FOUND, "NetStream.Play.StreamNotFound no", Kind.NOT_FOUND),
        (LinkEnd.UNPUBLISHED, "publisher is gone", Kind.PUBLISHER_LEFT),
        (LinkEnd.KICKED, "Kicked: other", Kind.KICKED),
    ],
)
def test_what_an_end_is_told_as(end: LinkEnd, text: str, kind: Kind) -> None:
    assert kind_of(end, text) is kind


def test_words() -> None:
    assert words_of(Kind.DOWN, "h:1", "refused") == "server h:1 takes no connection: refused"
    assert words_of(Kind.NO_SERVER, "", "the list is empty") == "the list is empty"


def told(node: Node) -> list[tuple[Kind, str]]:
    """Kinds and servers of the story, the oldest first."""
    return [(entry.kind, entry.server) for entry in reversed(node.service.chronicle.stories.of_stream(KEY))]


def kinds_now(node: Node) -> list[Kind]:
    assert node.manager is not None
    return [each.kind for each in node.manager.insight(KEY).conditions]


async def test_pull_that_comes_to_run() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add(name="origin"), nodes.add(name="edge")
        await edge.follow(origin.port)
        await nodes.player(edge)
        server = f"127.0.0.1:{origin.port}"
        await wait_until(lambda: kinds_now(edge) == [Kind.WAITING], 3, "the wait")
        feed = await nodes.publisher(origin)
        await feed.send(3)
        await wait_until(lambda: told(edge)[-1:] == [(Kind.RUNS, server)], 3, "the data")
        assert kinds_now(edge) == []
        assert told(edge) == [
            *((Kind.ASKED, server), (Kind.JOINED, ""), (Kind.WAITING, server), (Kind.RUNS, server)),
        ]
        assert edge.manager is not None
        (way,) = edge.manager.insight(KEY).ways
        assert (way.use, way.state, way.server, way.error, way.attempt_count) == ("pull", "live", server, "", 1)
        ((endpoint, neighbour),) = edge.manager.insight(KEY).neighbours
        assert (endpoint, neighbour.edge_id) == (server, "origin")
        await feed.leave()
        await wait_until(lambda: Kind.PUBLISHER_LEFT in {kind for kind, _ in told(edge)}, 3, "its end")


async def test_server_that_takes_no_connection() -> None:
    async with Nodes() as nodes:
        edge, port = nodes.add(name="edge"), free_port()
        await edge.follow(port)
        await nodes.player(edge)
        await wait_until(lambda: kinds_now(edge) == [Kind.DOWN], 3, "the attempt")
        assert (Kind.DOWN, f"127.0.0.1:{port}") in told(edge)
        assert edge.manager is not None and edge.manager.insight(KEY).neighbours == ()
        report = node_report(edge.service, KEY, edge.context.now_ms())
        assert "takes no connection: connect: Connection refused" in report.conditions[0].text


async def test_no_server_in_the_list_is_told_in_the_words_of_the_list() -> None:
    async with Nodes() as nodes:
        edge = nodes.add(name="edge")
        await edge.follow(proxy_to="file:///nowhere/servers")
        await nodes.player(edge)
        await wait_until(lambda: Kind.NAMING in {kind for kind, _ in told(edge)}, 3, "the attempt")
        assert kinds_now(edge) == [Kind.NAMING]
        story = edge.service.chronicle.stories.of_stream(KEY)
        newest = next(entry for entry in story if entry.kind is Kind.NAMING)
        assert "file:///nowhere/servers gives no answer" in newest.text


async def test_push_is_told_under_the_name_of_its_stream() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add(name="origin"), nodes.add(name="edge")
        await edge.follow(origin.port)
        feed = await nodes.publisher(edge)
        await feed.send(3)
        server = f"127.0.0.1:{origin.port}"
        await wait_until(lambda: (Kind.RUNS, server) in told(edge), 3, "the push")
        assert edge.manager is not None
        assert [way.use for way in edge.manager.insight(KEY).ways] == ["push"]
        origin.stop_listening()
        origin.drop_connections()
        await wait_until(lambda: kinds_now(edge) == [Kind.DOWN], 3, "its end")


async def test_query_of_a_player_is_not_told() -> None:
    async with Nodes() as nodes:
        edge = nodes.add(name="edge")
        await edge.follow(free_port())
        await nodes.player(edge, "s?token=secret77")
        await wait_until(lambda: kinds_now(edge) == [Kind.DOWN], 3, "the attempt")
        assert "secret77" not in str(edge.service.chronicle.stories.of_stream(KEY))


async def test_node_without_a_pull_asks_on_a_connection_that_is_still_open() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add(name="origin"), nodes.add(name="edge")
        await edge.follow(origin.port)
        await nodes.player(edge, "other")
        assert edge.manager is not None
        await wait_until(lambda: edge.manager.pool.open_connections(), 3, "a connection")  # type: ignore[union-attr]
        await wait_until(lambda: edge.manager.insight(KEY).neighbours, 3, "its answer")  # type: ignore[union-attr]
        assert edge.manager.insight(KEY).ways == ()


async def test_fault_is_that_of_the_server_that_failed_and_not_of_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Nodes() as nodes:
        silent, edge, port = await asyncio.start_server(_holds, "127.0.0.1", 0), nodes.add(name="edge"), free_port()
        other = silent.sockets[0].getsockname()[1]
        manager = await edge.follow(port, other, timeout_ms=30_000)
        _ask_first(monkeypatch, port)
        await nodes.player(edge)
        await wait_until(lambda: manager.pulls and manager.pulls[KEY].last_error, 3, "the first server")
        pull = manager.pulls[KEY]
        await wait_until(lambda: pull.server is not None and pull.server.port == other, 3, "the other server")
        (condition,) = manager.insight(KEY).conditions
        assert condition.kind is Kind.DOWN and f"127.0.0.1:{port} takes no connection" in condition.text
        (way,) = manager.insight(KEY).ways
        assert way.server == f"127.0.0.1:{other}" and way.error.startswith(f"127.0.0.1:{port}: connect")
        silent.close()


def _ask_first(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Wherever the turn begins, the first to be asked is the server on ``port``."""
    select, asked = Target.select, [port]

    def chosen(target: Target, *args: Any, **options: Any) -> ServerNode | None:
        server = select(target, *args, **options)
        while asked and server is not None and server.port != asked[0]:
            server = select(target, *args, **options)
        asked.clear()
        return server

    monkeypatch.setattr(Target, "select", chosen)


async def _holds(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()
