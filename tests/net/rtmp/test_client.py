"""The shell around client sessions: links on real connections to a real server."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock

import pytest

from edge.errors import UpstreamTlsError
from edge.hub.config import HubConfig
from edge.net.byte_stream import ByteStream
from edge.net.config import NetConfig
from edge.net.context import NetContext
from edge.net.rtmp.client import LinkEnd, RtmpClientConnection, _end_of, start_connect
from edge.net.rtmp.stream_writer import StreamWriter
from edge.net.tls_client import TlsClientStream
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import MediaReceived, StreamFailed
from edge.service.refusal import Reason, Refusal
from tests.harness.fault_proxy import FaultProxy
from tests.harness.ports import free_port
from tests.harness.wire import VIDEO
from tests.net.fakes import Source
from tests.net.live import LiveServer, eventually, number_of, pictures, send_video, serving
from tests.net.tls_pairs import believing, server_pair
from tests.service.fakes import NoSource


class Recorder:
    """A link that asks for nothing by itself and remembers what it is told."""

    def __init__(self) -> None:
        self.connections: list[RtmpClientConnection] = []
        self.started: list[tuple[int, dict[str, Any]]] = []
        self.media: list[MediaReceived] = []
        self.commits = 0
        self.ends: list[tuple[LinkEnd, str]] = []
        self.finished = 0

    def on_connected(self, connection: RtmpClientConnection) -> None:
        self.connections.append(connection)

    def on_started(self, connection: RtmpClientConnection, message_stream_id: int, info: dict[str, Any]) -> None:
        self.started.append((message_stream_id, info))

    def on_media(self, event: MediaReceived, now_ms: int) -> None:
        self.media.append(event)

    def on_commit(self) -> None:
        self.commits += 1

    def on_ended(self, end: LinkEnd, text: str) -> None:
        self.ends.append((end, text))

    def on_writer_finished(self) -> None:
        self.finished += 1

    def numbers(self) -> list[int]:
        """Of the pictures that came, headers left out."""
        found = [event for event in self.media if event.type_id == VIDEO]
        return [number for event in found if (number := number_of(event)) >= 0]  # type: ignore[arg-type]


class Dialer:
    """A context of its own, as another node has."""

    def __init__(self) -> None:
        self.context = NetContext(asyncio.get_running_loop(), NetConfig(flush_interval_ms=0))
        self.settled: list[bool] = []

    def dial(self, port: int, host: str = "127.0.0.1", **options: Any) -> RtmpClientConnection:
        connection = start_connect(
            self.context,
            host,
            port,
            endpoint=f"{host}:{port}",
            app="live",
            tc_url=f"rtmp://[{host}]/live" if ":" in host else f"rtmp://{host}/live",
            rtmp=RtmpConfig(),
            edge_id="a" * 16,
            **{"timeout_ms": 1000, **options},
        )
        connection.on_settled = lambda _, is_connected: self.settled.append(is_connected)
        return connection


@asynccontextmanager
async def dialing() -> AsyncIterator[Dialer]:
    """Connections that are gone at the end, whatever a test leaves open."""
    dialer = Dialer()
    context = dialer.context
    try:
        yield dialer
    finally:
        for connection in list(context.connections):
            connection.close_now("test over")
        left = len(context.poller)
        context.close()
    assert left == 0
    assert context.internal_error_count == 0


@pytest.mark.parametrize("is_simplified", [False, True])
async def test_play_is_started_fed_and_committed(is_simplified: bool) -> None:
    async with serving() as server, dialing() as dialer:
        publisher = await server.publisher()
        send_video(publisher, 0, is_keyframe=True)
        connection = dialer.dial(server.port, is_simplified=is_simplified)
        assert connection.is_connecting
        link = Recorder()
        connection.open_play(link, "s")
        await eventually(lambda: link.numbers() == [0], "the picture")
        assert not connection.is_connecting
        assert dialer.settled == [True]
        assert (connection.is_multiplexing, connection.edge_id) == (True, server.service.service_id)
        assert (connection.role, connection.link_count) == ("upstream", 1)
        assert len(link.started) == 1
        assert link.commits > 0
        send_video(publisher, 1)
        await eventually(lambda: link.numbers() == [0, 1], "the next")


async def test_streams_share_a_connection_and_end_one_by_one() -> None:
    async with serving() as server, dialing() as dialer:
        publishers = {name: await server.publisher(name) for name in ("a", "b")}
        for client in publishers.values():
            send_video(client, 0, is_keyframe=True)
        connection = dialer.dial(server.port)
        links = {name: Recorder() for name in publishers}
        for name, link in links.items():
            connection.open_play(link, name)
        await eventually(lambda: all(link.numbers() == [0] for link in links.values()), "both")
        assert len(server.connections) == 3
        connection.close_link(links["a"])
        assert connection.link_count == 1
        for client in publishers.values():
            send_video(client, 1)
        await eventually(lambda: links["b"].numbers() == [0, 1], "the other goes on")
        assert links["a"].numbers() == [0]
        assert links["a"].ends == [], "who leaves is not told"
        assert server.stream("a").player_count == 0


async def test_publisher_that_ends_ends_the_link_and_not_the_connection() -> None:
    async with serving() as server, dialing() as dialer:
        first, second = await server.publisher("a"), await server.publisher("b")
        connection = dialer.dial(server.port)
        a, b = Recorder(), Recorder()
        connection.open_play(a, "a")
        connection.open_play(b, "b")
        await eventually(lambda: a.started and b.started, "both")
        first.delete_stream("a")
        await eventually(lambda: a.ends, "the end")
        assert [end for end, _ in a.ends] == [LinkEnd.UNPUBLISHED]
        assert (b.ends, connection.state, connection.link_count) == ([], "open", 1)
        second.delete_stream("b")


async def test_a_publisher_that_has_not_come_may_be_waited_for() -> None:
    async with serving() as server, dialing() as dialer:
        link = Recorder()
        dialer.dial(server.port).open_play(link, "later")
        await eventually(lambda: link.started, "the start")
        assert link.started[0][1].get("missing") is True
        publisher = await server.publisher("later")
        send_video(publisher, 0, is_keyframe=True)
        await eventually(lambda: link.numbers() == [0], "the picture")


async def test_U_missing_stream_of_an_edge_is_not_found() -> None:
    async with serving(is_edge=True) as server, dialing() as dialer:
        server.service.source = NoSource(Refusal(Reason.NOT_FOUND, "not there"))
        link = Recorder()
        dialer.dial(server.port).open_play(link, "absent")
        await eventually(lambda: link.ends, "the end")
        assert link.ends == [(LinkEnd.NOT_FOUND, "NetStream.Play.StreamNotFound not there")]


@pytest.mark.parametrize(
    ("code", "words", "of_play", "of_publish"),
    [
        ("NetStream.Play.StreamNotFound", "Fail to find key=a", LinkEnd.NOT_FOUND, LinkEnd.REFUSED),
        ("NetStream.Play.StreamNotFound", "Fail to replace publisher 1.2.3.4:5", LinkEnd.NOT_FOUND, LinkEnd.REFUSED),
        ("NetStream.Play.StreamNotFound", "Replaced by publisher from 1.2.3.4:5", LinkEnd.NOT_FOUND, LinkEnd.KICKED),
        ("NetStream.Publish.BadName", "Kicked: Replaced by publisher from b", LinkEnd.KICKED, LinkEnd.KICKED),
        ("NetStream.Publish.BadName", "StreamBusy: a", LinkEnd.REFUSED, LinkEnd.REFUSED),
        ("NetStream.Play.Failed", "", LinkEnd.REFUSED, LinkEnd.REFUSED),
        ("NetStream.Play.StreamNotFound", "proxy_loop: a", LinkEnd.LOOP, LinkEnd.LOOP),
        ("NetConnection.Connect.Closed", "Shutdown", LinkEnd.LOST, LinkEnd.LOST),
    ],
)
def test_what_a_refusal_means(code: str, words: str, of_play: LinkEnd, of_publish: LinkEnd) -> None:
    event = StreamFailed(1, code, words, "")
    assert _end_of(event, is_publish=False) is of_play
    assert _end_of(event, is_publish=True) is of_publish


async def test_unused_connection_is_kept_for_a_moment_when_it_can_be_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.net.rtmp.client._KEEP_UNUSED_MS", 60)
    async with serving() as server, dialing() as dialer:
        publisher = await server.publisher()
        connection = dialer.dial(server.port)
        first, second = Recorder(), Recorder()
        connection.open_play(first, "s")
        await eventually(lambda: first.started, "the play")
        connection.close_link(first)
        await asyncio.sleep(0.01)
        assert connection.state == "open"
        connection.open_play(second, "s")
        await asyncio.sleep(0.08)
        assert (connection.state, bool(second.started)) == ("open", True)
        connection.close_link(second)
        await eventually(lambda: connection.state == "closed", "the end", 1)
        publisher.delete_stream("s")


async def test_link_that_waits_may_leave() -> None:
    async with serving() as server, dialing() as dialer:
        connection = dialer.dial(server.port)
        link = Recorder()
        connection.waiting.append(link)
        connection.close_link(link)
        assert connection.link_count == 0
        await eventually(lambda: connection.state == "closed", "nobody uses it")
        assert link.ends == []


# --- pushes ------------------------------------------------------------------


async def push(server: LiveServer, connection: RtmpClientConnection, source: Source) -> tuple[Recorder, StreamWriter]:
    link = Recorder()
    connection.open_publish(link, "s")
    await eventually(lambda: link.started, "the publish")
    return link, connection.open_writer(source.stream, link.started[0][0], server.rtmp.forms_of(60000).all)


async def test_push_writes_a_stream_to_its_end() -> None:
    async with serving() as server, dialing() as dialer:
        source = Source()
        source.headers()
        source.video(0, is_keyframe=True)
        connection = dialer.dial(server.port)
        link, writer = await push(server, connection, source)
        player = await server.player()
        source.video(40)
        assert [number_of(m) for m in await pictures(player, 2) if m.type_id == VIDEO] == [-1, 1, 2]
        source.video(80)
        source.stream.end("over")
        await eventually(lambda: link.finished, "all written")
        assert number_of((await pictures(player, 3))[-1]) == 3
        assert link.finished == 1
        connection.close_writer(writer)
        connection.close_link(link)
        await eventually(lambda: not server.has_stream(), "the end upstream")


async def test_push_that_the_upstream_refuses_says_why() -> None:
    async with serving(hub=HubConfig(reject_second_stream_when_republish=True)) as server, dialing() as dialer:
        await server.publisher()
        link = Recorder()
        dialer.dial(server.port).open_publish(link, "s")
        await eventually(lambda: link.ends, "the refusal")
        ((end, text),) = link.ends
        assert end is LinkEnd.REFUSED
        assert text.startswith("NetStream.Publish.BadName")


async def test_push_blocked_by_its_upstream_goes_on_when_it_reads() -> None:
    async with serving() as server, dialing() as dialer:
        source = Source()
        source.headers()
        source.video(0, is_keyframe=True)
        _, writer = await push(server, dialer.dial(server.port), source)
        (upstream,) = server.connections
        await eventually(lambda: server.stream().queue.frames, "the beginning")
        upstream.poll_reads(False)
        for number in range(1, 60):
            source.video(number * 40, size=200_000)
        await asyncio.sleep(0.02)
        assert writer.seq < source.stream.queue.end, "the rest waits in the stream, not in the connection"
        upstream.poll_reads(True)
        await eventually(lambda: server.stream().stats.video_frames == 60, "all of it")


# --- ends --------------------------------------------------------------------


async def test_refused_connect_is_a_loss_told_once() -> None:
    async with dialing() as dialer:
        link = Recorder()
        try:
            connection = dialer.dial(free_port())
        except OSError as error:  # the loopback may say so at once
            assert error.errno == errno.ECONNREFUSED
            return
        connection.open_play(link, "s")
        await eventually(lambda: link.ends, "the end")
        assert link.ends == [(LinkEnd.LOST, "connect: Connection refused")]
        assert (dialer.settled, connection.state) == ([False], "closed")


async def test_address_without_a_route_is_an_error_at_the_call() -> None:
    async with dialing() as dialer:
        with pytest.raises(OSError):
            dialer.dial(1, "256.0.0.1")
        assert not dialer.context.connections


async def test_silent_upstream_keeps_links_waiting_until_they_are_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with dialing() as dialer:
            connection = dialer.dial(silent.getsockname()[1])
            link = Recorder()
            connection.open_play(link, "s")
            await asyncio.sleep(0.05)
            assert (link.ends, dialer.settled) == ([], [])
            connection.close_now("connect timeout")
            assert link.ends == [(LinkEnd.LOST, "connect timeout")]
            assert dialer.settled == [False]


async def test_upstream_that_refuses_connect_refuses_newcomers_links() -> None:
    async with serving() as server, dialing() as dialer:
        server.service.is_draining = True
        connection = dialer.dial(server.port)
        links = [Recorder(), Recorder()]
        for link in links:
            connection.open_play(link, "s")
        connection.waiting.append(waiting := Recorder())
        await eventually(lambda: links[0].ends, "the refusal")
        for link in (*links, waiting):
            ((end, text),) = link.ends
            assert (end, "Shutdown" in text) == (LinkEnd.REFUSED, True)
        assert connection.state != "open"


async def test_upstream_that_goes_ends_every_link_once_as_lost() -> None:
    async with serving() as server, dialing() as dialer:
        publisher = await server.publisher()
        connection = dialer.dial(server.port)
        links = [Recorder(), Recorder()]
        for link in links:
            connection.open_play(link, "s")
        await eventually(lambda: all(link.started for link in links), "the plays")
        server.connections[-1].abort("gone")
        await eventually(lambda: links[1].ends, "the ends")
        assert [[end for end, _ in link.ends] for link in links] == [[LinkEnd.LOST]] * 2
        assert connection.link_count == 0
        publisher.delete_stream("s")


async def test_upstream_that_breaks_the_protocol_is_left_and_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with dialing() as dialer:
            link = Recorder()
            dialer.dial(listening.getsockname()[1]).open_play(link, "s")
            upstream, _ = await asyncio.to_thread(listening.accept)
            with upstream:
                upstream.sendall(b"SSH-2.0-OpenSSH_9.6\r\n" + bytes(4000))
                await eventually(lambda: link.ends, "the end")
            assert link.ends == [(LinkEnd.LOST, "rtmp_version: S0 is 83, not 3")]
            assert sum(count for name, count in dialer.context.counters.items() if name.startswith("error_")) == 1


@pytest.mark.parametrize("is_simplified", [False, True], ids=["handshake", "simplified"])
@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"<html>\r\n", b'<!DOCTYPE HTML PUBLIC "-//'])
async def test_upstream_that_speaks_http_is_called_so(
    answer: bytes, is_simplified: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with dialing() as dialer:
            link = Recorder()
            dialer.dial(listening.getsockname()[1], is_simplified=is_simplified).open_play(link, "s")
            upstream, _ = await asyncio.to_thread(listening.accept)
            with upstream:
                upstream.sendall(answer)
            await eventually(lambda: link.ends, "the end")
            assert link.ends == [(LinkEnd.LOST, "it speaks HTTP, not RTMP")]
            assert "reason=" not in caplog.text, "a line at each attempt, beside those of the links"


async def test_ping_shows_that_an_upstream_lives() -> None:
    async with serving() as server, dialing() as dialer:
        publisher = await server.publisher()
        connection = dialer.dial(server.port)
        link = Recorder()
        connection.open_play(link, "s")
        await eventually(lambda: link.started, "the play")
        assert (connection.has_ponged, connection.last_pong_ms) == (False, 0)
        connection.ping()
        await eventually(lambda: connection.has_ponged, "the pong")
        assert 0 <= connection.now_ms() - connection.last_pong_ms < 1000
        publisher.delete_stream("s")


async def test_ipv6_upstream() -> None:
    async with serving(host="::1") as server, dialing() as dialer:
        connection = dialer.dial(server.port, "::1")
        link = Recorder()
        connection.open_play(link, "later")
        await eventually(lambda: link.started, "the start")


async def test_upstream_that_never_answers_the_handshake_ends_with_its_connection() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    try:
        async with dialing() as dialer:
            link = Recorder()
            dialer.dial(listening.getsockname()[1], timeout_ms=100).open_play(link, "s")
            await eventually(lambda: link.ends, "the end")
            assert [end for end, _ in link.ends] == [LinkEnd.LOST]
    finally:
        listening.close()


async def test_last_turn_is_that_of_a_request_made_before() -> None:
    """A later one that has been answered means that the turn of the link is past."""
    async with serving() as server, dialing() as dialer:
        publisher = await server.publisher()
        connection = dialer.dial(server.port)
        first, second, third = Recorder(), Recorder(), Recorder()
        connection.open_play(first, "s")
        assert connection.last_turn_ms(first) == 0
        await eventually(lambda: first.started, "the first play")
        connection.open_play(second, "s")
        connection.open_play(third, "s")
        assert connection.last_turn_ms(first) == 0
        assert 0 < connection.last_turn_ms(second) == connection.last_turn_ms(third) <= connection.now_ms()
        await eventually(lambda: third.started, "the other plays")
        assert connection.last_turn_ms(second) == 0
        assert connection.last_turn_ms(Recorder()) == 0
        connection.close_link(second)
        assert connection.link_count == 2
        publisher.delete_stream("s")
        await eventually(lambda: first.ends and third.ends, "the ends")
        assert not second.ends


# --- over TLS --------------------------------------------------------------------


def over_tls(wire: ByteStream) -> TlsClientStream:
    """Towards 127.0.0.1, believing our authority."""
    return TlsClientStream(wire, believing(), "127.0.0.1")


def tls_front(port: int) -> FaultProxy:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_pair().cert, server_pair().key)
    return FaultProxy(port, tls=context)


async def silent_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass
    writer.close()


@pytest.mark.parametrize("slice_bytes", [1, 7, 65536])
async def test_handshake_of_tls_comes_in_pieces(slice_bytes: int) -> None:
    async with serving() as server, tls_front(server.port) as front, FaultProxy(front.port) as way, dialing() as dialer:
        way.down.slice_bytes = way.up.slice_bytes = slice_bytes
        publisher = await server.publisher()
        send_video(publisher, 0, is_keyframe=True)
        connection = dialer.dial(way.port, tls=over_tls, timeout_ms=20000)
        assert connection.is_connecting and not connection.is_shaking_hands and not connection.has_begun
        link = Recorder()
        connection.open_play(link, "s")
        await eventually(lambda: link.numbers() == [0], "the picture")
        assert connection.has_begun and not connection.is_shaking_hands
        assert dialer.settled == [True]
        send_video(publisher, 1)
        await eventually(lambda: link.numbers() == [0, 1], "the next")


async def test_silent_peer_has_the_time_of_the_connect_for_tls() -> None:
    server = await asyncio.start_server(silent_server, "127.0.0.1", 0)
    async with server, dialing() as dialer:
        connection = dialer.dial(server.sockets[0].getsockname()[1], tls=over_tls, timeout_ms=200)
        link = Recorder()
        connection.open_play(link, "s")
        await eventually(lambda: connection.is_shaking_hands, "TCP")
        await eventually(lambda: link.ends, "the end")
        ((end, text),) = link.ends
        assert (end, text.startswith("upstream_tls: no end of the handshake in ")) == (LinkEnd.LOST, True)
        assert dialer.settled == [False]
        assert dialer.context.counters["error_upstream_tls_count"] == 1


async def test_who_leaves_during_the_handshake_of_tls_closes_the_connection() -> None:
    server = await asyncio.start_server(silent_server, "127.0.0.1", 0)
    async with server, dialing() as dialer:
        connection = dialer.dial(server.sockets[0].getsockname()[1], tls=over_tls)
        link = Recorder()
        connection.open_play(link, "s")
        await eventually(lambda: connection.is_shaking_hands, "TCP")
        connection.close_link(link)
        await eventually(lambda: connection.state == "closed", "the end")
        assert link.ends == []


async def test_reset_during_the_handshake_of_tls() -> None:
    async with FaultProxy(1) as server, dialing() as dialer:
        server.mode = "reset"
        connection = dialer.dial(server.port, tls=over_tls)
        link = Recorder()
        connection.open_play(link, "s")
        await eventually(lambda: link.ends, "the end")
        ((end, text),) = link.ends
        assert end is LinkEnd.LOST
        assert text in ("connect: Connection reset by peer", "upstream_tls: Connection reset by peer in the handshake")


async def test_cut_of_tls_is_told_as_any_other() -> None:
    async with serving() as server, tls_front(server.port) as front, dialing() as dialer:
        connection = dialer.dial(front.port, tls=over_tls)
        link = Recorder()
        connection.open_play(link, "s")
        await eventually(lambda: connection.is_connected, "the connect")
        await front.reset_all()
        await eventually(lambda: link.ends, "the end")
        assert link.ends[0][0] is LinkEnd.LOST
        assert link.ends[0][1] in ("reset: Connection reset by peer", "closed by the peer")


async def test_tls_that_cannot_be_begun_leaves_no_socket() -> None:
    wires: list[ByteStream] = []

    def fail(wire: ByteStream) -> TlsClientStream:
        wires.append(wire)
        raise UpstreamTlsError("no")

    async with dialing() as dialer:
        with pytest.raises(UpstreamTlsError):
            dialer.dial(free_port(), tls=fail)
        assert [wire.fileno() for wire in wires] == [-1]


async def test_connection_that_cannot_be_watched_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    wires: list[ByteStream] = []

    def keep(wire: ByteStream) -> TlsClientStream:
        wires.append(over_tls(wire))
        return wires[0]  # type: ignore[return-value]

    async with dialing() as dialer:
        monkeypatch.setattr(dialer.context.poller, "add", Mock(side_effect=OSError(errno.ENOSPC, "no space")))
        with pytest.raises(OSError, match="no space"):
            dialer.dial(free_port(), tls=keep)
        monkeypatch.undo()
        assert [wire.fileno() for wire in wires] == [-1]
