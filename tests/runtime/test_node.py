"""A node as a whole: it starts, serves, drains and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.net.aio import now_ms
from edge.net.config import TlsConfig
from edge.net.listener import PortBusyError
from edge.runtime.node import Node
from edge.runtime.unit import ServiceUnit
from naming.url import Address
from tests.harness.at_once import at_once
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline
from tests.harness.ports import free_port
from tests.net.conftest import open_sockets
from tests.net.live import ended, eventually, number_of, pictures, send_video, status, status_of
from tests.net.tls_pairs import plain_context, server_pair
from tests.runtime.nodes import RunningNode, running, settings_of


async def test_start_and_close_leave_nothing() -> None:
    async with running() as one:
        assert [listener.role for listener in one.node.listeners] == ["public"]
        with socket.create_connection(("127.0.0.1", one.port())):
            await eventually(lambda: one.node.limits.open_count == 1, "a silent connection")


async def test_closing_twice_and_before_the_start_is_harmless() -> None:
    loop = asyncio.get_running_loop()
    node = Node(settings_of(), loop)
    await node.close()
    async with running() as one:
        await one.node.close()


async def test_T12_busy_port_leaves_nothing_open() -> None:
    sockets = open_sockets()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        node = Node(settings_of(f"-internal_port={port}"), asyncio.get_running_loop())
        with pytest.raises(PortBusyError, match=str(port)):
            await node.start()
        assert not node.listeners
        await node.close()
    assert open_sockets() == sockets


async def test_published_pictures_reach_a_player() -> None:
    async with running() as one:
        publisher = await one.publisher(pictures=3)
        player = await one.player()
        send_video(publisher, 3)
        assert [number_of(m) for m in await pictures(player, 3) if m.type_id == 9] == [-1, 0, 1, 2, 3]


async def test_all_addresses_and_ports_are_listened_on() -> None:
    other = free_port()
    async with running(f"-listen={other}", "-bind=127.0.0.1,::1") as one:
        assert [listener.port for listener in one.node.listeners][2:] == [other, other]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, other)).close()


async def test_internal_port_alone_shows_the_guarded_pages() -> None:
    async with running(f"-internal_port={free_port()}") as one:
        for path in ("/status", "/streams", "/api/streams"):
            assert (await one.get(path))[0] in (403, 404), path
            assert (await one.get(path, "internal"))[0] == 200, path
        for role in ("public", "internal"):
            assert await one.get("/health", role) == (200, "OK\n")
            assert (await one.get("/healthz", role))[0] == 200
            assert await one.get("/readyz", role) == (200, "ready\n")


async def test_internal_port_serves_rtmp_too() -> None:
    async with running(f"-internal_port={free_port()}") as one:
        await one.publisher()
        assert number_of((await pictures(await one.player(role="internal"), 0))[-1]) == 0


async def test_edge_is_not_ready_before_the_first_answer_of_its_names() -> None:
    async with running("-proxy_to=list://127.0.0.1:1", "-proxy_lb=rr") as one:
        (unit,) = one.node.units
        assert unit.upstream is not None
        await eventually(lambda: unit.upstream and unit.upstream.has_answer, "the answer of a list")
        assert await one.get("/readyz") == (200, "ready\n")
    async with running("-proxy_to=nowhere.invalid:1") as one:
        code, text = await one.get("/readyz")
        assert (code, "no first answer" in text) == (503, True)
        assert (await one.get("/health"))[0] == 200


async def test_R6_draining_is_shown_to_balancers_and_refused_to_newcomers() -> None:
    async with running() as one:
        one.node.is_draining = one.node.units[0].service.is_draining = True
        assert await one.get("/health") == (503, "draining\n")
        code, text = await one.get("/readyz")
        assert (code, "draining" in text) == (503, True)
        with pytest.raises(Exception, match="Shutdown"):
            await one.client()


async def told_at_the_end(client: RtmpClient) -> list[str]:
    """Codes of all that the server says until its FIN."""
    await ended(client)
    return [status_of(message)["code"] for message in client.backlog if status_of(message)]


async def test_R6_publishers_and_players_are_told_of_the_end() -> None:
    async with running() as one:
        publisher = await one.publisher()
        player, waiting = await one.player(), await one.client()
        await pictures(player, 0)
        closing = asyncio.create_task(one.node.close())
        for client in (player, publisher):
            assert await told_at_the_end(client) == ["NetConnection.Connect.Closed"]
        assert await told_at_the_end(waiting) == []
        await asyncio.wait_for(closing, deadline(2))


async def test_R6_players_of_a_pull_are_told_of_the_end() -> None:
    async with running() as origin:
        await origin.publisher()
        async with running(f"-proxy_to=127.0.0.1:{origin.port()}") as one:
            player = await one.player()
            await pictures(player, 0)
            closing = asyncio.create_task(one.node.close())
            assert await told_at_the_end(player) == ["NetConnection.Connect.Closed"]
            await asyncio.wait_for(closing, deadline(2))


async def test_R6_a_client_that_does_not_read_delays_the_end_by_little() -> None:
    async with running() as one:
        await one.publisher()
        with socket.create_connection(("127.0.0.1", one.port())) as peer:
            peer.sendall(b"\x03" + bytes(1536))
            await eventually(lambda: len(one.node.context.connections) == 2, "the peer")
            began = now_ms()
            await one.node.close(wait_ms=200)
            assert now_ms() - began < deadline(1000)


async def merged(origin: RunningNode) -> tuple[str, str]:
    return f"-proxy_to=127.0.0.1:{origin.port()}", f"-cdn_merge_to=127.0.0.1:{free_port()}"


async def test_merge_tier_of_one_node_pulls_once_and_pushes_straight() -> None:
    async with running() as origin:
        await origin.publisher("far")
        async with running(*await merged(origin)) as one:
            front, merge = one.node.units
            assert (front.name, merge.name) == ("front", "merge")
            players = [await one.player("far") for _ in range(2)]
            for player in players:
                assert number_of((await pictures(player, 0))[-1]) == 0
            assert front.upstream and merge.upstream
            assert (len(front.upstream.pulls), len(merge.upstream.pulls)) == (1, 1)
            (row,) = [row for row in at_once(origin.facts.streams()) if row.stream == "far"]
            assert row.players == 1
            publisher = await one.publisher("near")
            await eventually(lambda: origin.node.units[0].rtmp.ingest.publishers, "the push")
            assert (len(front.upstream.pushes), len(merge.upstream.pushes)) == (1, 0)
            player = await origin.player("near")
            send_video(publisher, 1)
            assert number_of((await pictures(player, 1))[-1]) == 1
            player.peer.abort()


async def test_log_names_the_services_of_a_merge_tier_and_their_ids(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running() as origin:
        await origin.publisher("far")
        async with running(*await merged(origin)) as one:
            (alone,), (front, merge) = origin.node.units, one.node.units
            await pictures(await one.player("far"), 0)
            lines = caplog.messages
            assert f"service id={alone.service.service_id}" in lines
            source, tier = (address.shown for address in addresses_of(front, merge))
            assert f"front service id={front.service.service_id} pulls from {tier}, pushes to {source}" in lines
            assert f"merge service id={merge.service.service_id} pulls from {source}, pushes to {source}" in lines
            for label in ("play", "front play", "merge play"):
                assert re.search(rf"\[c\d+ 127\.0\.0\.1:\d+ {label} _/live/far\] play started", caplog.text), label


def addresses_of(front: ServiceUnit, merge: ServiceUnit) -> list[Address]:
    """Where the merge service pulls from, and where the front does."""
    return [unit.upstream.aims.pull.address for unit in (merge, front) if unit.upstream is not None]


@pytest.mark.parametrize("has_internal_port", [False, True])
async def test_merge_port_shows_no_admin_page(has_internal_port: bool) -> None:
    flags = (f"-internal_port={free_port()}",) if has_internal_port else ()
    async with running(f"-cdn_merge_to=127.0.0.1:{free_port()}", *flags) as one:
        for path in ("/", "/index", "/status", "/streams", "/api/streams", "/status.json"):
            status, body = await one.get(path, "merge")
            assert status in (403, 404), path
            assert "hostname" not in body
        assert (await one.get("/status", "merge"))[0] == 403
        for path in ("/health", "/version"):
            assert (await one.get(path, "merge"))[0] == 200, path
        for path in ("/healthz", "/readyz"):  # which say how it is going: on a busy machine the loop is late
            assert (await one.get(path, "merge"))[0] in (200, 503), path
        assert (await one.get("/status"))[0] == (403 if has_internal_port else 200)


async def test_merge_port_of_its_own_serves_the_merge_tier() -> None:
    async with running() as origin:
        await origin.publisher("far")
        async with running(*await merged(origin)) as one:
            player = await one.player("far", role="merge")
            assert number_of((await pictures(player, 0))[-1]) == 0
            front, merge = one.node.units
            assert front.upstream and merge.upstream
            assert (len(front.upstream.pulls), len(merge.upstream.pulls)) == (0, 1)


async def test_merge_tier_in_a_file_with_a_port_of_its_own(tmp_path: Path) -> None:
    port, members = free_port(), tmp_path / "merge.list"
    members.write_text(f"127.0.0.1:{port}\n")
    async with running() as origin:
        await origin.publisher("far")
        target = f"-cdn_merge_to=file://{members}"
        async with running(f"-proxy_to=127.0.0.1:{origin.port()}", target, f"-cdn_merge_port={port}") as one:
            player = await one.player("far")
            assert number_of((await pictures(player, 0))[-1]) == 0
            front, merge = one.node.units
            assert front.upstream and merge.upstream
            assert (len(front.upstream.pulls), len(merge.upstream.pulls)) == (1, 1)


async def test_idle_connections_are_closed_when_asked_for() -> None:
    async with running("-server_idle_timeout=1") as one:
        publisher, idle = await one.publisher(), await one.client()
        await eventually(lambda: one.node.units[0].registry.streams, "the stream")
        one.node._close_idle(now_ms() + 900)
        assert len(one.node.context.connections) == 2
        send_video(publisher, 1)
        await asyncio.sleep(0.02)
        busy = max(connection.last_read_ms for connection in one.node.context.connections)
        for connection in one.node.context.connections:
            if connection.role == "idle":
                connection.last_read_ms -= 500
        one.node._close_idle(busy + 900)
        assert await told_at_the_end(idle) == []
        assert [connection.role for connection in one.node.context.connections if connection.state == "open"] == [
            "publish"
        ]


async def keep_alive(one: RunningNode) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An HTTP connection that has had an answer and stays; one that was refused has had none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port())
    writer.write(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
    return reader, writer


async def test_connections_of_all_protocols_count_for_one_address() -> None:
    """Six that keep HTTP alive were served where two connections are allowed."""
    async with running("-max_connections_per_ip=3") as one:
        await one.client()
        kept = [await keep_alive(one) for _ in range(4)]
        for reader, _ in kept[:2]:
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for reader, _ in kept[2:]:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        assert one.node.context.counters["conn_rejected_count"] == 2
        rows = sorted((row.protocol, row.role) for row in at_once(one.facts.connections()))
        assert rows == [("http", "page"), ("http", "page"), ("rtmp", "idle")]
        for _, writer in kept:
            writer.close()
        await eventually(lambda: one.node.limits.open_count == 1, "room")
        assert (await one.get("/health"))[0] == 200


async def test_http_is_not_closed_by_the_time_limit_of_idle_connections() -> None:
    async with running("-server_idle_timeout=1") as one:
        reader, writer = await keep_alive(one)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        one.node._close_idle(now_ms() + 100_000)
        (connection,) = one.node.context.connections
        assert connection.state == "open"
        writer.close()


async def test_pages_tell_of_the_end_while_clients_take_their_leave() -> None:
    async with running("-reject_linger_ms=4000") as one:
        reader, writer = await keep_alive(one)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        client = await one.client()
        closing = asyncio.create_task(one.node.close(wait_ms=5000))
        await eventually(lambda: one.node.is_draining, "the end to begin")
        writer.write(b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\ndraining\n")
        client.peer.abort()
        writer.close()
        await closing


async def test_ticks_serve_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as one:
        seen: list[bool] = []
        (unit,) = one.node.units
        monkeypatch.setattr(unit, "tick", lambda now, *, is_full_second: seen.append(is_full_second))
        for _ in range(8):
            assert one.node._timer is not None
            one.node._timer.cancel()
            one.node._on_tick()
        assert seen == [False, False, False, True] * 2


async def test_pages_over_http_show_what_is_served() -> None:
    async with running() as one:
        await one.publisher()
        await eventually(lambda: one.node.units[0].registry.streams, "the stream")
        code, body = await one.get("/api/streams")
        (row,) = json.loads(body)["streams"]
        assert (code, row["key"], row["state"]) == (200, "_/live/s", "live")


@asynccontextmanager
async def ring() -> AsyncIterator[tuple[RunningNode, RunningNode]]:
    """Two nodes, each the upstream of the other."""
    ports = [free_port(), free_port()]
    async with running(f"-port={ports[0]}", f"-proxy_to=127.0.0.1:{ports[1]}") as first:
        await eventually(lambda: first.facts.readiness().is_ready, "the first to know the second")
        async with running(f"-port={ports[1]}", f"-proxy_to=127.0.0.1:{ports[0]}") as second:
            yield first, second


async def test_loop_is_counted_as_an_error_and_the_id_in_its_refusal_is_on_the_page() -> None:
    async with ring() as (first, second):
        player = await first.player("round")
        info = await status(player, "NetStream.Play.StreamNotFound")
        counters = [at_once(one.facts.counters()) for one in (first, second)]
        assert [each.get("error_proxy_loop_count") for each in counters] == [1, None]
        assert not any("proxy_loop_count" in each for each in counters)
        _, page = await first.get("/status")
        (row,) = at_once(first.facts.services())
        assert f" has passed {row.id} already" in info["description"] and row.id in page
        player.peer.abort()


def encrypted() -> tuple[str, ...]:
    """Flags of a node that takes TLS."""
    pair = server_pair()
    return "-https", f"-certificate={pair.cert}", f"-private_key={pair.key}"


async def get_encrypted(port: int, path: str) -> str:
    """Body of a page by https."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=plain_context(), server_hostname="localhost")
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    try:
        async with asyncio.timeout(deadline(3)):
            return (await reader.read()).decode().partition("\r\n\r\n")[2]
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_tls_is_taken_on_the_front_and_the_internal_port_alone() -> None:
    ports = (f"-internal_port={free_port()}", f"-cdn_merge_to=127.0.0.1:{free_port()}")
    async with running(*encrypted(), *ports) as one:
        assert "rtmps://localhost:" in await get_encrypted(one.port("internal"), "/")
        assert "rtmps://" not in (await one.get("/", "internal"))[1]
        assert await get_encrypted(one.port(), "/health") == "OK\n"
        with pytest.raises(ConnectionError):
            await get_encrypted(one.port("merge"), "/health")
        counters = at_once(one.facts.counters())
        assert (counters["tls_handshakes_count"], counters["error_tls_not_enabled_count"]) == (2, 1)
        assert 0 < counters["ssl_cert_expires_in_s"] <= 2 * 86400


async def test_forced_tls_leaves_the_internal_and_the_merge_port_plain() -> None:
    ports = (f"-internal_port={free_port()}", f"-cdn_merge_to=127.0.0.1:{free_port()}")
    async with running(*encrypted(), "-force_ssl", *ports) as one:
        assert [(await one.get("/health", role))[0] for role in ("public", "internal", "merge")] == [400, 200, 200]
        for role in ("internal", "merge"):
            await one.client(role)
        assert "rtmps://" in (await one.get("/", "internal"))[1]
        assert await get_encrypted(one.port(), "/health") == "OK\n"


async def test_certificates_are_looked_at_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(*encrypted()) as one:
        assert one.node.tls is not None
        looks: list[tuple[int, int]] = []
        monkeypatch.setattr(one.node.tls, "check_files", lambda *times: looks.append(times))
        for _ in range(8):
            assert one.node._timer is not None
            one.node._timer.cancel()
            one.node._on_tick()
        assert len(looks) == 2


async def test_rtmp_inside_tls_is_shown_as_such_and_told_of_the_end() -> None:
    async with running(*encrypted()) as one:
        connecting = asyncio.open_connection("127.0.0.1", one.port(), ssl=plain_context(), server_hostname="localhost")
        reader, writer = await connecting
        writer.write(b"\x03" + bytes(1536))
        await asyncio.wait_for(reader.readexactly(3073), deadline(3))
        (row,) = at_once(one.facts.connections())
        assert (row.protocol, row.peer) == ("rtmps", "127.0.0.1:{}".format(writer.get_extra_info("sockname")[1]))
        closing = asyncio.create_task(one.node.close())
        assert await asyncio.wait_for(reader.read(), deadline(3)) == b""
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        await closing


async def test_S6_certificate_that_cannot_be_read_leaves_nothing_open() -> None:
    with pytest.raises(ConfigError, match=r"none\.pem"):
        Node(replace(settings_of(), tls=TlsConfig(https=True, certificate=("none.pem",))), asyncio.get_running_loop())


async def test_probe_of_a_cdn_and_flash_are_answered_on_every_port() -> None:
    async with running(f"-internal_port={free_port()}", "-cdn_probe_file=probe.txt") as one:
        for role in ("public", "internal"):
            assert await one.get("/probe.txt", role) == (200, "Service is fine")
            assert (await one.get("/crossdomain.xml", role))[0] == 200
            assert (await one.get("/baidu-cdn-probe.gif", role))[0] == 404
        assert (await one.get("/play/live/s"))[0] == 403
        assert (await one.get("/play/live/s", "internal"))[0] == 200
    # A page goes before it, and nothing breaks.
    async with running("-cdn_probe_file=version") as one:
        assert "fine" not in (await one.get("/version"))[1]
