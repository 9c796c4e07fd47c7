"""RTMP 302: where it leads, and that pulls and pushes go there within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.hub.key import LIVE_REALM, StreamKey
from edge.net.config import TlsConfig
from edge.upstream.redirect import Redirect, parse_redirect
from naming.base import NamingError
from tests.harness.fault_proxy import FaultProxy
from tests.harness.wire import COMMAND, RtmpPeer, WireError, decode_amf
from tests.net.serving import Nodes, pictures, status_of, wait_until
from tests.net.tls_pairs import server_pair
from tests.upstream.test_tls import HANDSHAKE, Script, config_of, follow, front_of, last_error, listening, showing

KEY = StreamKey("_", "live", "s", LIVE_REALM)


def read(url: str, key: StreamKey = KEY, query: str = "") -> Redirect:
    return parse_redirect(url, key, query, default_vhost="_")


@pytest.mark.parametrize(
    ("url", "tc_url", "app", "name"),
    [
        ("rtmp://h:1936/live", "rtmp://h:1936/live", "live", "s"),
        ("rtmp://h:1936/live/s", "rtmp://h:1936/live", "live", "s"),
        ("rtmp://h:1936/live/s/s", "rtmp://h:1936/live", "live", "s"),
        ("rtmp://h:1936/live/s?vhost=v", "rtmp://h:1936/live?vhost=v", "live", "s?vhost=v"),
        ("rtmp://h:1936/live?vhost=v&token=1", "rtmp://h:1936/live?vhost=v&token=1", "live", "s?vhost=v&token=1"),
        ("rtmp://h:1936/other/name", "rtmp://h:1936/other", "other", "name"),
        ("RTMP://u@h:1936", "rtmp://u@h:1936/live", "live", "s"),
    ],
)
def test_Q6_forms_of_the_url(url: str, tc_url: str, app: str, name: str) -> None:
    assert read(url) == Redirect("h", 1936, tc_url, app, name)


def test_port_vhost_and_query_of_the_client_are_kept() -> None:
    assert read("rtmp://[::1]/live") == Redirect("::1", 1935, "rtmp://[::1]/live", "live", "s")
    assert read("rtmp://h/live", query="token=1").name == "s?token=1"
    assert read("rtmp://h/live?token=2&a=3", query="token=1&b=4").name == "s?token=2&a=3&b=4"
    ours = KEY._replace(vhost="v.example")
    assert read("rtmp://h/live", ours).tc_url == "rtmp://v.example/live"
    assert read("rtmp://h/live?vhost=w", ours).tc_url == "rtmp://h/live?vhost=w"


def test_Q6_redirects_over_tls() -> None:
    assert read("rtmps://h/live?a=1") == Redirect("h", 443, "rtmps://h/live?a=1", "live", "s?a=1", is_tls=True)
    assert read("RTMPS://h:1/live/s", KEY._replace(vhost="v.test")).tc_url == "rtmps://v.test/live"


@pytest.mark.parametrize("url", ["rtmpt://h/live", "http://h/live", "h/live", "rtmp://h:0/live", "rtmp:///live"])
def test_url_that_cannot_be_followed(url: str) -> None:
    with pytest.raises(NamingError):
        read(url)


class Redirecting:
    """A server that sends everybody to ``url()``: at once with ``connect``, or with ``play`` and ``publish``."""

    def __init__(self, url: Callable[[], str], *, at_connect: bool, field: str = "redirect") -> None:
        self._url, self._at_connect, self._field = url, at_connect, field
        self.connect_count = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Redirecting:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _ex(self, code: str) -> dict[str, Any]:
        ex = {"code": 302, self._field: self._url()}
        return {"level": "error", "code": code, "description": "moved", "ex": ex}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = RtmpPeer(reader, writer)
        self.connect_count += 1
        try:
            await peer.handshake_as_server()
            while True:
                message = await peer.read_message()
                if message.type_id == COMMAND:
                    self._answer(peer, decode_amf(message.payload))
        except (OSError, asyncio.IncompleteReadError, WireError):
            pass
        finally:
            writer.transport.abort()

    def _answer(self, peer: RtmpPeer, values: list[Any]) -> None:
        command, transaction = values[0], values[1]
        if command == "connect" and self._at_connect:
            peer.send_command(0, "_error", transaction, None, self._ex("NetConnection.Connect.Rejected"))
        elif command == "connect":
            info = {"level": "status", "code": "NetConnection.Connect.Success", "description": ""}
            peer.send_command(0, "_result", transaction, {"fmsVer": "FMS/3,0,1,123"}, info)
        elif command == "createStream":
            peer.send_command(0, "_result", transaction, None, 1)
        elif command in ("play", "publish"):
            peer.send_command(1, "onStatus", 0, None, self._ex("NetStream.Play.Failed"))


@pytest.mark.parametrize("at_connect", [True, False], ids=["at_connect", "at_stream"])
@pytest.mark.parametrize(("field", "tail"), [("redirect", ""), ("redirect2", "/s"), ("redirect", "/s?vhost=_")])
async def test_U6_pull_follows_a_redirect(at_connect: bool, field: str, tail: str) -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        url = f"rtmp://127.0.0.1:{origin.port}/live{tail}"
        async with Redirecting(lambda: url, at_connect=at_connect, field=field) as server:
            await edge.follow(server.port, retry_interval_ms=5000)
            feed = await nodes.publisher(origin)
            await feed.send(3)
            player = await nodes.player(edge)
            assert await pictures(player, 3) == [0, 1, 2]
            assert server.connect_count == 1


@pytest.mark.parametrize("at_connect", [True, False], ids=["at_connect", "at_stream"])
async def test_U6_push_follows_a_redirect_to_a_name(at_connect: bool) -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with Redirecting(lambda: f"rtmp://localhost:{origin.port}/live", at_connect=at_connect) as server:
            await edge.follow(server.port, retry_interval_ms=5000)
            feed = await nodes.publisher(edge)
            await feed.send(3)
            await wait_until(lambda: origin.registry.streams, 2, "the push")
            player = await nodes.player(origin)
            assert await pictures(player, 3) == [0, 1, 2]


@pytest.mark.parametrize("at_connect", [True, False], ids=["at_connect", "at_stream"])
async def test_U6_redirect_to_self_is_a_loop(at_connect: bool) -> None:
    async with Nodes() as nodes:
        edge = nodes.add("edge")
        urls = [""]
        async with Redirecting(lambda: urls[0], at_connect=at_connect) as server:
            urls[0] = f"rtmp://127.0.0.1:{server.port}/live"
            manager = await edge.follow(server.port)
            player = await nodes.player(edge)
            while await status_of(player) != "NetStream.Play.StreamNotFound":
                pass
            await wait_until(lambda: not manager.pulls, 2, "no pull left")
            assert server.connect_count == 1


async def test_stream_that_is_sent_elsewhere_in_its_midst_is_live_there() -> None:
    """A pull that is taken for one that waits lets go of its upstream when a player leaves."""
    async with Nodes() as nodes:
        first, second, edge = (nodes.add(name) for name in ("first", "second", "edge"))
        manager = await edge.follow(first.port, retry_interval_ms=5000)
        for node in (first, second):
            await (await nodes.publisher(node)).send(3)
        assert await pictures(await nodes.player(edge), 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        pull.on_redirect(f"rtmp://127.0.0.1:{second.port}/live", "moved")
        assert pull.state == "connecting"
        await wait_until(lambda: pull.state == "live", 2, "live there")
        pull.on_redirect(f"rtmp://127.0.0.1:{first.port}/live", "moved back")
        await wait_until(lambda: pull.state == "waiting", 2, "back")
        assert pull.attempt_count == 1


async def test_U6_chain_of_redirects_has_an_end() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        feed = await nodes.publisher(origin)
        await feed.send(3)
        last = Redirecting(lambda: f"rtmp://127.0.0.1:{origin.port}/live", at_connect=True)
        second = Redirecting(lambda: f"rtmp://127.0.0.1:{last.port}/live", at_connect=False)
        first = Redirecting(lambda: f"rtmp://127.0.0.1:{second.port}/live", at_connect=True)
        async with last, second, first:
            manager = await edge.follow(first.port, max_redirects=2, retry_interval_ms=100)
            player = await nodes.player(edge)
            await wait_until(lambda: first.connect_count >= 2, 4, "another attempt")
            (pull,) = manager.pulls.values()
            assert "more than 2 redirects" in pull.last_error
            player.peer.abort()
            await wait_until(lambda: not manager.pulls, 2, "the pull to end")
            again = nodes.add("again")
            await again.follow(first.port, max_redirects=3)
            assert await pictures(await nodes.player(again), 3) == [0, 1, 2]


# --- over TLS -------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_redirect_to_tls_is_followed_over_tls(host: str) -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with (
            front_of(origin) as front,
            Redirecting(lambda: f"rtmps://{host}:{front.port}/live", at_connect=True) as server,
        ):
            await edge.follow(server.port, tls=config_of(), retry_interval_ms=5000)
            await (await nodes.publisher(origin)).send(3)
            assert await pictures(await nodes.player(edge), 3) == [0, 1, 2]
            assert front.accepted_count == 1


def parts_ways(plain: Callable[[], int], encrypted: Callable[[], int]) -> Script:
    """One port for both, as ours are: passes on to the port of what a client speaks."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def script(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = encrypted() if head[0] == HANDSHAKE else plain()
        behind, before = await asyncio.open_connection("127.0.0.1", port)
        try:
            before.write(head)
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, before))
                group.create_task(pump(behind, writer))
        finally:
            before.transport.abort()

    return script


async def test_redirect_to_tls_on_the_same_port_is_no_circle() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with (
            front_of(origin) as front,
            Redirecting(lambda: f"rtmps://127.0.0.1:{door.port}/live", at_connect=True) as server,
            listening(parts_ways(lambda: server.port, lambda: front.port)) as door,
        ):
            await edge.follow(door.port, tls=config_of(), retry_interval_ms=5000)
            await (await nodes.publisher(origin)).send(3)
            assert await pictures(await nodes.player(edge), 3) == [0, 1, 2]
            assert server.connect_count == 1


async def test_server_behind_tls_that_redirects_to_itself_is_a_circle(caplog: pytest.LogCaptureFixture) -> None:
    async with Nodes() as nodes:
        edge = nodes.add("edge")
        async with (
            Redirecting(lambda: f"rtmps://127.0.0.1:{front.port}/live", at_connect=True) as server,
            FaultProxy(server.port, tls=showing(server_pair())) as front,
        ):
            await follow(edge, front.port)
            await nodes.player(edge)
            await wait_until(lambda: "redirected in a circle" in caplog.text, 3, "a failure")
            assert server.connect_count == 1


async def test_S10_redirect_from_tls_to_plain_text_is_not_followed() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        await (await nodes.publisher(origin)).send(3)
        async with (
            Redirecting(lambda: f"rtmp://127.0.0.1:{origin.port}/live", at_connect=False) as server,
            FaultProxy(server.port, tls=showing(server_pair())) as front,
        ):
            await follow(edge, front.port)
            await nodes.player(edge)
            await wait_until(lambda: last_error(edge), 3, "a failure")
            words = f"upstream_tls: redirected to plain text at rtmp://127.0.0.1:{origin.port}, which is not followed"
            assert last_error(edge).startswith(words)
        assert len(origin.context.connections) == 1


async def test_redirect_whose_files_cannot_be_read_fails_in_words(tmp_path: Path) -> None:
    async with Nodes() as nodes:
        edge = nodes.add("edge")
        async with Redirecting(lambda: "rtmps://127.0.0.1:9/live", at_connect=True) as server:
            await edge.follow(server.port, tls=TlsConfig(upstream_ca_file=str(tmp_path / "absent")))
            await nodes.player(edge)
            await wait_until(lambda: "absent" in last_error(edge), 3, "a failure")
            assert last_error(edge).startswith("upstream_tls: -upstream_ca_file=")
