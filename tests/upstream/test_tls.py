"""Upstreams over TLS: streams go through it whole, only who is believed gets any, and files may be renewed."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.errors import ConfigError, UpstreamTlsError
from edge.net.byte_stream import stream_of
from edge.net.config import TlsConfig
from edge.net.tls_client import TlsClientStream
from edge.upstream.config import UpstreamConfig
from edge.upstream.link import UpstreamLink
from edge.upstream.target import Target
from edge.upstream.tls import UpstreamTls
from naming.node import ServerNode
from tests.harness.fault_proxy import FaultProxy
from tests.naming.certificates import Authority, Pair
from tests.naming.fakes import FakeResolver
from tests.net.serving import Feed, Node, Nodes, error_of, pictures, wait_until
from tests.net.tls_pairs import authority, server_pair

# With what came first.
Script = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HANDSHAKE = 0x16


def showing(pair: Pair) -> ssl.SSLContext:
    """A server that shows ``pair`` to anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context


def front_of(node: Node, pair: Pair | None = None) -> FaultProxy:
    """TLS before the plain port of ``node``."""
    return FaultProxy(node.port, tls=showing(pair or server_pair()))


def config_of(**changes: Any) -> TlsConfig:
    """Belief in our authority."""
    return TlsConfig(**{"upstream_ca_file": authority().ca_file, **changes})


async def follow(edge: Node, port: int, *, host: str = "127.0.0.1", tls: TlsConfig | None = None, **config: Any) -> Any:
    """Make ``edge`` one of ``rtmps://host:port``."""
    return await edge.follow(proxy_to=f"rtmps://{host}:{port}", proxy_lb="", tls=tls or config_of(), **config)


def link_of(node: Node) -> UpstreamLink:
    assert node.manager is not None
    (link,) = (*node.manager.pulls.values(), *node.manager.pushes.values())
    return link


def last_error(node: Node) -> str:
    """Of the only stream; "" before there is one, or before an attempt has failed."""
    assert node.manager is not None
    links = [*node.manager.pulls.values(), *node.manager.pushes.values()]
    return links[0].last_error if links else ""


class Listener:
    """Follows a script on each connection and keeps what comes first."""

    def __init__(self, script: Script) -> None:
        self.heads: list[bytes] = []
        self.port = 0
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            self.heads.append(await reader.read(4096))
            await self._script(self.heads[-1], reader, writer)
        except OSError:
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def listening(script: Script) -> AsyncIterator[Listener]:
    listener = Listener(script)
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        await listener.close()


def says(data: bytes) -> Script:
    async def script(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return script


async def silence(_: bytes, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


def shakes_hands(context: ssl.SSLContext) -> Script:
    """Says why it refuses a client, which servers of asyncio keep to themselves."""

    async def script(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        data, is_refused = head, False
        while data and not is_refused:
            incoming.write(data)
            try:
                server.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                is_refused = True
            writer.write(outgoing.read())
            data = await reader.read(4096)
        writer.write_eof()
        await silence(b"", reader, writer)

    return script


# --- streams ---------------------------------------------------------------------


async def test_pull_over_tls_goes_on_after_a_cut_without_a_loss() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin) as front:
            await follow(edge, front.port)
            feed = await nodes.publisher(origin)
            await feed.send(3)
            player = await nodes.player(edge)
            assert await pictures(player, 3) == [0, 1, 2]
            for round_ in range(4):
                pull = link_of(edge)
                assert pull.connection is not None
                if round_ % 2:
                    await front.reset_all()
                else:
                    pull.connection.abort("cut")
                await feed.send(5, size=20000)
                first = 3 + 5 * round_
                assert await pictures(player, 5) == list(range(first, first + 5))
            (stream,) = edge.registry.streams.values()
            assert (stream.stats.gap_count, stream.stats.duplicate_count) == (0, 0)
            assert edge.context.counters["error_upstream_tls_count"] == 0


async def test_push_over_tls_goes_on_after_a_cut_without_a_loss() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin) as front:
            await follow(edge, front.port)
            feed = await nodes.publisher(edge)
            await feed.send(3)
            await wait_until(lambda: any(s.queue.end for s in origin.registry.streams.values()), 2, "forwarded")
            player = await nodes.player(origin)
            assert await pictures(player, 3) == [0, 1, 2]
            for round_ in range(3):
                push = link_of(edge)
                assert push.connection is not None
                push.connection.abort("cut")
                await feed.send(5, size=20000)
                first = 3 + 5 * round_
                assert await pictures(player, 5) == list(range(first, first + 5))
                await wait_until(lambda push=push: push.state == "live", 2, "live again")


async def test_record_that_was_changed_on_its_way_costs_no_frame() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin) as front, FaultProxy(front.port) as way:
            way.down.corrupt_at = 50000
            await follow(edge, way.port)
            feed = await nodes.publisher(origin)
            await feed.send(1)
            player = await nodes.player(edge)
            assert await pictures(player, 1) == [0]
            await feed.send(4, size=20000)
            assert await pictures(player, 4) == [1, 2, 3, 4]
            assert way.accepted_count >= 2
            assert edge.context.counters["error_upstream_tls_count"] >= 1
            (stream,) = edge.registry.streams.values()
            assert (stream.stats.gap_count, stream.stats.duplicate_count) == (0, 0)


async def test_streams_share_a_connection_over_tls() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin) as front:
            manager = await follow(edge, front.port)
            feeds = {name: await nodes.publisher(origin, name) for name in ("s", "t")}
            for feed in feeds.values():
                await feed.send(3)
            for name in feeds:
                assert await pictures(await nodes.player(edge, name), 3) == [0, 1, 2]
            assert manager.pool.connection_count == front.accepted_count == 1


@pytest.mark.parametrize("is_simplified", [False, True])
async def test_simplified_form_and_named_vhosts_over_tls(is_simplified: bool) -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin) as front:
            await follow(edge, front.port, simplified_rtmp_play=is_simplified)
            feed = await nodes.publisher(origin, "s?vhost=v.test")
            await feed.send(3)
            assert await pictures(await nodes.player(edge, "s?vhost=v.test"), 3) == [0, 1, 2]
            pull = link_of(edge)
            url, _ = edge.manager.tc_url_of(pull.key, pull.server, is_play=True, is_tls=True)  # type: ignore[union-attr, arg-type]
            assert url == "rtmps://v.test/live"
            assert edge.manager.tc_url_of(  # type: ignore[union-attr]
                pull.key._replace(vhost="_"),
                pull.server,  # type: ignore[arg-type]
                is_play=False,
                is_tls=True,
            ) == (f"rtmps://127.0.0.1:{front.port}/live", "live")


async def test_frames_larger_than_a_record_and_than_the_socket_takes() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin) as front:
            await follow(edge, front.port)
            feed = await nodes.publisher(edge)
            await feed.send(3, size=3_000_000)
            await wait_until(lambda: any(s.queue.end == 3 for s in origin.registry.streams.values()), 5, "forwarded")
            assert await pictures(await nodes.player(origin), 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("proxy_to", "upstream_tls", "is_tls"),
    [
        ("rtmps://10.0.0.1", False, True),
        ("RTMPS://origin:1", True, True),
        ("rtmp://10.0.0.1", True, False),
        ("10.0.0.1:443", True, False),
        ("list://10.0.0.1:443", False, False),
        ("list://10.0.0.1:443", True, True),
        ("https://origin", False, False),
        ("https://origin", True, True),
    ],
)
def test_which_servers_are_reached_over_tls(proxy_to: str, upstream_tls: bool, is_tls: bool) -> None:
    """One server says so itself; the scheme of a naming URL says how servers are found."""
    target = Target(proxy_to, "rr", UpstreamConfig(upstream_tls=upstream_tls))
    assert (target.is_tls, target.why_unusable) == (is_tls, "")


# --- who is believed -------------------------------------------------------------


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


async def test_server_of_a_list_is_believed_by_its_name() -> None:
    """Two servers by their names; the certificates have no address."""
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        pairs = [authority().sign(name, f"DNS:{name}.test") for name in ("one", "two")]
        async with front_of(origin, pairs[0]) as one, front_of(origin, pairs[1]) as two:
            resolver = FakeResolver(**{"one.test": ["127.0.0.1"], "two.test": ["127.0.0.1"]})
            target = f"list://one.test:{one.port},two.test:{two.port}"
            manager = await edge.follow(proxy_to=target, upstream_tls=True, tls=config_of(), resolver=resolver)
            for name in ("s", "t"):
                await (await nodes.publisher(origin, name)).send(3)
                assert await pictures(await nodes.player(edge, name), 3) == [0, 1, 2]
            assert (one.accepted_count, two.accepted_count) == (1, 1)
            assert [row["failure_count"] for row in manager.servers()] == [0, 0]


@pytest.mark.parametrize("balancer", ["rr", "wrr:default_weight=1", "la", "p2c", "c_murmurhash"])
def test_server_that_takes_another_name_is_believed_by_that(balancer: str) -> None:
    """To balancers it is the same."""
    target = Target("list://10.0.0.1:443,10.0.0.2:443", balancer, UpstreamConfig(upstream_tls=True))
    for name in ("a.test", "b.test"):
        target._on_update(tuple(ServerNode(f"10.0.0.{number}", 443, name=name) for number in (1, 2)))
        for _ in range(3):
            chosen = target.select("_/live/s", now_ms=0)
            assert chosen is not None and chosen.name == name


async def test_certificate_for_an_address_is_believed() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin, authority().sign("numeric", "IP:127.0.0.1")) as front:
            await follow(edge, front.port)
            await (await nodes.publisher(origin)).send(3)
            assert await pictures(await nodes.player(edge), 3) == [0, 1, 2]


async def test_without_verification_anybody_is_believed(stranger: Authority) -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin, stranger.sign("anybody", "DNS:other.test")) as front:
            await follow(edge, front.port, tls=TlsConfig(upstream_tls_verify=False))
            await (await nodes.publisher(origin)).send(3)
            assert await pictures(await nodes.player(edge), 3) == [0, 1, 2]


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_certificate_of_ours_is_shown_where_a_server_wants_one(maximum: ssl.TLSVersion) -> None:
    context, us = authority().server_context(server_pair()), authority().sign("us")
    context.maximum_version = maximum
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with FaultProxy(origin.port, tls=context) as front:
            await (await nodes.publisher(origin)).send(3)
            shown = config_of(upstream_cert_file=str(us.cert), upstream_key_file=str(us.key))
            await follow(edge, front.port, tls=shown)
            assert await pictures(await nodes.player(edge), 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("maximum", "words"),
    [
        (ssl.TLSVersion.TLSv1_2, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (ssl.TLSVersion.TLSv1_3, "the server wants a certificate of ours, -upstream_cert_file (TLSV13_"),
    ],
)
async def test_certificate_of_ours_that_is_missing_is_told_of(maximum: ssl.TLSVersion, words: str) -> None:
    context = authority().server_context(server_pair())
    context.maximum_version = maximum
    async with Nodes() as nodes, listening(shakes_hands(context)) as server:
        edge = nodes.add("edge")
        await follow(edge, server.port)
        await nodes.player(edge)
        await wait_until(lambda: last_error(edge), 2, "a failure")
        assert last_error(edge).startswith(f"upstream_tls: {words}")
        assert edge.manager is not None
        (row,) = edge.manager.servers()
        assert row["failure_count"] >= 1


# --- S10 -------------------------------------------------------------------------


def _shown(stranger: Authority, case: str) -> Pair:
    """The certificate of a server that is not to be believed."""
    if case == "wrong name":
        return authority().sign("wrong", "DNS:other.test, IP:127.0.0.9")
    if case == "expired":
        return authority().sign_between("expired", "20200101000000Z", "20210101000000Z")
    if case == "not yet valid":
        return authority().sign_between("early", "20900101000000Z", "20910101000000Z")
    return stranger.pair if case == "self-signed" else stranger.sign("known-to-a-stranger")


_CERTIFICATES = {
    "wrong name": "name mismatch: certificate is for other.test, 127.0.0.9, not 127.0.0.1",
    "expired": "certificate expired on 2021-01-01 00:00:00 UTC",
    "not yet valid": "certificate is not valid before 2090-01-01 00:00:00 UTC",
    "self-signed": "self-signed certificate",
    "unknown CA": "unknown CA",
}
_ANSWERS: dict[str, tuple[Script, str]] = {
    "HTTP in the open": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "plain text answer b'HTTP/1.1 400"),
    "RTMP in the open": (says(b"\x03" + bytes(3072)), "plain text answer b'\\x03"),
    "closed": (says(b""), ""),
    "old version": (says(b"\x15\x03\x01\x00\x02\x02\x46"), "protocol version: the server has no TLS 1.2 or later"),
    "silent": (silence, "no end of the handshake in "),
}


async def _assert_the_next_one_serves(nodes: Nodes, bad_port: int, words: str) -> None:
    """A server that is not believed fails as one that refuses connections, and the other serves all streams."""
    origin, edge = nodes.add("origin"), nodes.add("edge")
    async with front_of(origin) as good:
        target = f"list://127.0.0.1:{bad_port},127.0.0.1:{good.port}"
        manager = await edge.follow(proxy_to=target, upstream_tls=True, tls=config_of(), timeout_ms=1000)
        for name in ("s", "t"):
            await (await nodes.publisher(origin, name)).send(3)
            assert await pictures(await nodes.player(edge, name), 3) == [0, 1, 2]
        rows = {row["endpoint"]: row for row in manager.servers()}
        row = rows[f"127.0.0.1:{bad_port}"]
        assert row["last_error"].startswith(f"upstream_tls: {words}")
        assert row["failure_count"] >= 1 and row["ok_count"] == 0
        assert rows[f"127.0.0.1:{good.port}"]["failure_count"] == 0


@pytest.mark.parametrize("case", _CERTIFICATES)
async def test_S10_certificate_that_is_not_believed(stranger: Authority, case: str) -> None:
    async with Nodes() as nodes:
        other = nodes.add("other")
        await (await nodes.publisher(other)).send(3)
        async with front_of(other, _shown(stranger, case)) as bad:
            await _assert_the_next_one_serves(nodes, bad.port, _CERTIFICATES[case])
        assert len(other.context.connections) == 1, "nothing of RTMP has come through but from the publisher"


@pytest.mark.parametrize("case", _ANSWERS)
async def test_S10_server_that_does_not_shake_hands_is_not_spoken_to_in_plain_text(case: str) -> None:
    script, words = _ANSWERS[case]
    async with Nodes() as nodes, listening(script) as bad:
        await _assert_the_next_one_serves(nodes, bad.port, words)
        # Health checks connect and leave.
        heads = [head for head in bad.heads if head]
        assert heads and {head[0] for head in heads} == {HANDSHAKE}


async def test_S10_node_of_ours_without_tls() -> None:
    async with Nodes() as nodes:
        plain = nodes.add("plain")
        await (await nodes.publisher(plain)).send(3)
        await _assert_the_next_one_serves(nodes, plain.port, "")


async def test_S10_player_is_told_and_the_page_shows_why(stranger: Authority) -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin, stranger.pair) as bad:
            await follow(edge, bad.port, pull_wait_for_stream=False)
            code, text = await error_of(await nodes.player(edge))
            assert code == "NetStream.Play.StreamNotFound"
            assert text.endswith("no server could give the stream: upstream_tls: self-signed certificate")
            assert edge.context.counters["error_upstream_tls_count"] == 3


async def test_S10_push_is_not_sent_to_who_is_not_believed(stranger: Authority) -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        async with front_of(origin, stranger.pair) as bad:
            await follow(edge, bad.port)
            await (await nodes.publisher(edge)).send(3)
            await wait_until(
                lambda: any(each.attempt_count > 3 for each in edge.manager.pushes.values()), 3, "some attempts"
            )
            assert last_error(edge) == "upstream_tls: self-signed certificate"
        assert not origin.context.connections and not origin.registry.streams


async def test_streams_that_wait_for_one_silent_server_are_told_the_same() -> None:
    async with Nodes() as nodes, listening(silence) as silent:
        edge = nodes.add("edge")
        manager = await follow(edge, silent.port, timeout_ms=300)
        for name in ("s", "t"):
            await nodes.player(edge, name)
        await wait_until(
            lambda: len(manager.pulls) == 2 and all(p.last_error for p in manager.pulls.values()), 3, "both"
        )
        for pull in manager.pulls.values():
            assert pull.last_error.startswith("upstream_tls: no end of the handshake in ")


# --- files -----------------------------------------------------------------------


def _context_of(tls: UpstreamTls) -> ssl.SSLContext:
    with stream_of(socket.socket()) as sock:
        wire = tls.wrap(sock, "origin.test")
        assert isinstance(wire, TlsClientStream)
    return tls._context  # type: ignore[return-value]


def test_files_are_read_again_when_they_have_changed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    shutil.copy(authority().ca_file, file)
    tls = UpstreamTls(TlsConfig(upstream_ca_file=str(file)))
    tls.load()
    first = _context_of(tls)
    assert _context_of(tls) is first
    shutil.copy(server_pair().cert, other)
    os.replace(other, file)
    with caplog.at_level(logging.INFO):
        second = _context_of(tls)
    assert second is not first and _context_of(tls) is second
    assert caplog.messages == ["upstream TLS files loaded"]


def test_files_that_became_useless_leave_what_was_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A key is renewed before or behind its certificate, or a tool writes rubbish."""
    cert, key = tmp_path / "us.pem", tmp_path / "us.key"
    old, new = authority().sign("old"), authority().sign("new")
    shutil.copy(old.cert, cert), shutil.copy(old.key, key)
    tls = UpstreamTls(config_of(upstream_cert_file=str(cert), upstream_key_file=str(key)))
    first = _context_of(tls)
    shutil.copy(new.key, key)
    assert _context_of(tls) is first and _context_of(tls) is first
    (message,) = caplog.messages
    assert message.startswith("upstream TLS files kept reason=reload_failed -upstream_cert_file: ")
    shutil.copy(new.cert, cert)
    assert _context_of(tls) is not first
    key.unlink()
    assert _context_of(tls) is tls._context
    assert len(caplog.messages) == 2


def test_files_that_cannot_be_used_at_first(tmp_path: Path) -> None:
    tls = UpstreamTls(TlsConfig(upstream_ca_file=str(tmp_path / "ca.pem")))
    with pytest.raises(ConfigError, match="-upstream_ca_file="):
        tls.load()
    with pytest.raises(UpstreamTlsError, match="-upstream_ca_file="):
        _context_of(tls)
    shutil.copy(authority().ca_file, tmp_path / "ca.pem")
    _context_of(tls)


def test_host_that_no_certificate_can_be_for() -> None:
    with pytest.raises(UpstreamTlsError), stream_of(socket.socket()) as sock:
        UpstreamTls(config_of()).wrap(sock, ".")


async def test_renewed_authority_counts_for_the_next_attempt(tmp_path: Path, stranger: Authority) -> None:
    file = tmp_path / "ca.pem"
    shutil.copy(stranger.ca_file, file)
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        feed: Feed = await nodes.publisher(origin)
        await feed.send(3)
        async with front_of(origin) as front:
            await follow(edge, front.port, tls=config_of(upstream_ca_file=str(file)))
            player = await nodes.player(edge)
            await wait_until(lambda: last_error(edge) == "upstream_tls: unknown CA", 3, "a failure")
            shutil.copy(authority().ca_file, file)
            assert await pictures(player, 3) == [0, 1, 2]
