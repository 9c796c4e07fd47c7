"""Each flag that may change while the node runs acts, by whichever way it is changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from tests.harness.client import RtmpClient
from tests.net.live import eventually, pictures, send_video
from tests.runtime.nodes import RunningNode, running


async def change(one: RunningNode, name: str, value: str) -> None:
    status, text = await one.get(f"/flags/{name}?setvalue={value}")
    assert (status, text) == (200, f"Set `{name}' to {value}\n")


@pytest.fixture
def levels() -> Iterator[None]:
    """Levels of loggers are of the whole process."""
    names = ("", "edge", "naming", "lb")
    before = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


async def test_one_that_is_not_among_them_is_refused() -> None:
    async with running() as one:
        assert (await one.get("/flags/internal_port?setvalue=1"))[0] == 403


async def test_max_connections_per_ip_acts() -> None:
    async with running() as one:
        await change(one, "max_connections_per_ip", "1")
        await eventually(lambda: not one.node.context.connections, "the end of the request")
        await one.client()
        with pytest.raises((OSError, EOFError, asyncio.IncompleteReadError)):
            await RtmpClient.open(f"rtmp://127.0.0.1:{one.port()}/live/s")


async def test_what_the_network_reads_each_time_is_replaced() -> None:
    async with running() as one:
        for name, value in (
            ("accept_per_turn", 5),
            ("log_connection_close", True),
            ("log_error_text", True),
            ("log_idle_connection_close", True),
            ("max_publish_kbps", 77),
            ("protocol_detect_timeout_ms", 4321),
            ("reject_linger_ms", 321),
        ):
            await change(one, name, str(value).lower())
            assert getattr(one.node.context.config, name) == value
            assert getattr(one.node.settings.net, name) == value


async def test_server_idle_timeout_acts() -> None:
    async with running() as one:
        client = await one.client()
        await change(one, "server_idle_timeout", "1")
        await eventually(lambda: not one.node.context.connections, "the end of those that are idle", 8)
        client.peer.abort()


async def test_http_takes_new_limits_for_the_next_connection() -> None:
    async with running() as one:
        await change(one, "http_max_header_bytes", "1024")
        long = "/health?" + "x" * 10
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port())
        writer.write(f"GET {long} HTTP/1.1\r\nHost: a\r\nX-Long: {'y' * 2000}\r\nConnection: close\r\n\r\n".encode())
        assert b" 431 " in (await reader.readline())
        writer.close()
        for name, value in (
            ("admin_allowed_hosts", "a,b"),
            ("http_header_timeout_ms", "9000"),
            ("http_keepalive_ms", "8000"),
            ("http_max_body_bytes", "7000"),
            ("http_max_requests", "6"),
            ("write_stall_timeout_ms", "5000"),
        ):
            await change(one, name, value)
            assert one.node.http.service is not None
            found = getattr(one.node.http.service._config, name)
            assert found == (("a", "b") if name == "admin_allowed_hosts" else int(value))


async def test_pages_take_theirs() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        assert "video_bytes_second" not in (await one.get("/vars"))[1]
        await change(one, "show_streams_in_vars", "true")
        assert "_live_s_video_bytes_second : " in (await one.get("/vars"))[1]
        await one.client()
        await change(one, "max_shown_connections", "1")
        assert "more: ?givemeall" in (await one.get("/connections"))[1]
        await change(one, "save_series", "false")
        await one.facts._variables.sample()
        assert (await one.get("/vars/connection_count?series"))[0] == 500


@pytest.mark.usefixtures("levels")
async def test_the_log_takes_its_detail() -> None:
    async with running() as one:
        await change(one, "v", "1")
        assert logging.getLogger("edge").getEffectiveLevel() == logging.DEBUG
        await change(one, "minloglevel", "2")
        assert logging.getLogger("edge").getEffectiveLevel() == logging.ERROR
        await change(one, "minloglevel", "0")
        await change(one, "v", "0")
        await change(one, "vmodule", "rtmp_server=1")
        assert logging.getLogger("edge").getEffectiveLevel() == logging.DEBUG


async def test_what_is_written_at_intervals_takes_its_own() -> None:
    async with running() as one:
        await change(one, "dump_stats_interval", "5")
        await change(one, "pithy_print_ms", "0")
        await change(one, "pithy_print_stage", "play:1300")
        config = one.node.stat_log._config
        assert (config.dump_stats_interval, config.pithy_print_ms) == (5, 0)
        assert config.pithy_print_stage == {"play": 1300}
        status, text = await one.get("/flags/pithy_print_stage?setvalue=plays:1")
        assert status == 403, text
        assert one.node.stat_log._config is config


async def test_pages_for_debugging_take_theirs() -> None:
    async with running() as one:
        await change(one, "enable_rpcz", "true")
        assert one.node.context.spans.is_on
        await one.get("/rpcz/disable")
        for name, value in (
            ("max_flame_graph_width", 300),
            ("max_profiles_kept", 3),
            ("max_profiling_seconds", 4),
            ("rpcz_keep_span_seconds", 5),
            ("rpcz_save_span_min_latency_us", 6),
        ):
            await change(one, name, str(value))
            assert getattr(one.debugging().config, name) == value
        assert not one.node.context.spans.is_on, "the page has switched them off"
        assert one.debugging().profiler.max_kept == 3


async def test_players_are_written_to_at_the_new_interval_whatever_it_was() -> None:
    async with running() as one:
        publisher, players = await one.publisher(), [await one.player() for _ in range(3)]
        number = 0
        for interval in ("0", "200", "0", "30", "-1", "500", "0"):
            await change(one, "flush_interval_ms", interval)
            for _ in range(3):
                number += 1
                send_video(publisher, number)
            for player in players:
                await pictures(player, number)


async def test_a_stream_that_runs_holds_no_more_than_its_new_limits() -> None:
    async with running() as one:
        publisher = await one.publisher(pictures=60)
        (stream,) = one.node.units[0].registry.streams.values()
        await eventually(lambda: stream.queue.end - stream.queue.base >= 60, "the frames")
        await change(one, "max_cached_frames", "5")
        send_video(publisher, 60)
        await eventually(lambda: stream.queue.end - stream.queue.base <= 6, "their going")
