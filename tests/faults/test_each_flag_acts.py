"""Of each flag that acts while the program runs: the files are read again, and its owner answers with the new value.

All flags are changed by one reading, on a node that has a publisher, a pull, TLS and HTTP already. Who is to answer
is in ``ROWS``; a flag without a row fails.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.access.config import AccessConfig
from edge.facts.records import ReloadFacts
from edge.flags.book import is_settable
from edge.flags.classes import Reload
from edge.flags.registry import DEFINITIONS
from edge.httpd.config import HttpConfig
from edge.hub.config import HubConfig
from edge.net.config import NetConfig
from edge.net.listed import Listed
from edge.service.config import LimitConfig
from tests.harness.ports import free_port
from tests.net.live import eventually
from tests.net.tls_pairs import server_pair
from tests.runtime.nodes import RunningNode, running


@dataclass
class Seen:
    """A node whose flags have been changed.

    Attributes:
        newcomer: the server's end of a connection that came after that.
    """

    one: RunningNode
    newcomer: Listed

    @property
    def node(self) -> Any:
        return self.one.node

    @property
    def unit(self) -> Any:
        return self.node.units[0]

    @property
    def stream(self) -> Any:
        """One that was there before."""
        return next(iter(self.unit.registry.streams.values()))

    @property
    def pull(self) -> Any:
        return next(iter(self.unit.upstream.pulls.values()))

    @property
    def target(self) -> Any:
        return self.unit.upstream.aims.pull


Owner = Callable[[Seen], Any]

# Those who keep whole settings; a flag that is read at use is asked of each that reads it.
NET: tuple[Owner, ...] = (lambda seen: seen.node.context.config, lambda seen: seen.node.context.fanout._config)
HUB: tuple[Owner, ...] = (
    lambda seen: seen.stream.config,
    lambda seen: seen.unit.service.hub,
    lambda seen: seen.unit.service.rulebook.root.of(HubConfig),
)
RTMP: tuple[Owner, ...] = (
    lambda seen: seen.newcomer._session._config,  # type: ignore[attr-defined]
    lambda seen: seen.newcomer._session._reader._config,  # type: ignore[attr-defined]
    lambda seen: seen.unit.upstream.pool._rtmp,
)
PULLS: tuple[Owner, ...] = (lambda seen: seen.unit.upstream.config, lambda seen: seen.pull.policy._config)
NAMING: tuple[Owner, ...] = (
    lambda seen: seen.target._watcher._options,
    lambda seen: seen.target._watcher._service._context.options,
    lambda seen: seen.node.steering._siblings._naming,
)
HTTP: tuple[Owner, ...] = (lambda seen: seen.node.http.service._config, lambda seen: seen.node._live._config)
LIMITS: tuple[Owner, ...] = (lambda seen: seen.stream.rules.of(LimitConfig),)
HTTP2: tuple[Owner, ...] = (lambda seen: seen.node.settings.http2,)
GRPC: tuple[Owner, ...] = (lambda seen: seen.node.grpc._config,)
DEBUG: tuple[Owner, ...] = (lambda seen: seen.one.debugging().config,)
LOGBOOK: tuple[Owner, ...] = (lambda seen: seen.node.stat_log._config, lambda seen: seen.node.stat_log._stages.config)
OVERLOAD: tuple[Owner, ...] = (lambda seen: seen.node.overload.config,)
PAGES: tuple[Owner, ...] = (lambda seen: seen.node.settings.pages,)
GATES: tuple[Owner, ...] = (lambda seen: seen.node.rulebook.root.of(AccessConfig),)
GUARD: tuple[Owner, ...] = (lambda seen: seen.node.access.guard,)
SAMPLES = Path(__file__).parents[2] / "flagfiles" / "access"
LOG: tuple[Owner, ...] = (lambda seen: seen.node.settings.log,)
HOOKS: tuple[Owner, ...] = (lambda seen: seen.node.hooks._parts.desks[0].config_of(seen.stream.key),)


@dataclass(frozen=True)
class Row:
    """How a flag is changed, and who answers.

    Attributes:
        text: another value than the default.
        value: what the field of the settings then is.
        owners: those whose settings have it.
        derived: what was made of it elsewhere, to be equal to ``answer``.
    """

    text: str
    value: Any
    owners: tuple[Owner, ...]
    derived: Owner | None = None
    answer: Any = None


def many(owners: tuple[Owner, ...], **values: Any) -> dict[str, Row]:
    """Rows of flags that are read at use."""
    values = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
    return {name: Row(texts[name], value, owners) for name, value in values.items()}


def lists(owners: tuple[Owner, ...], **texts: str) -> dict[str, Row]:
    """Rows of flags that are lists."""
    return {name: Row(text, (text,), owners) for name, text in texts.items()}


PORT, FURTHER = free_port(), free_port()

ROWS: dict[str, Row] = {
    **many(
        GATES,
        auth_end_at_expiry=True,
        auth_upstream="off",
        hls_cdn_secret_file=SAMPLES / "cdn.secrets",
        jwt_issuer="https://issuer.example",
        jwt_keys=SAMPLES / "jwt.keys",
        sign_keys_file=SAMPLES / "sign.keys",
        sign_scheme="nms",
        sign_skew_s=31,
        sign_ttl_s=32,
        stream_keys_file=SAMPLES / "stream.keys",
        users_file=SAMPLES / "users",
    ),
    **lists(
        GATES,
        jwt_audience="edge",
        play_allow="127.0.0.0/8",
        play_auth="sign",
        play_deny="192.0.2.1",
        publish_allow="127.0.0.0/8",
        publish_auth="key",
        publish_deny="192.0.2.2",
        refer_all="none",
        refer_play="none",
        refer_publish="none",
    ),
    **many(GUARD, auth_failures_per_min=33, auth_told_per_s=34, node_secret_file=SAMPLES / "node.secret"),
    **lists(GUARD, trusted_nodes="192.0.2.3"),
    **many(
        NET,
        accept_per_turn=5,
        end_flush_ms=1234,
        log_connection_close=True,
        log_error_text=True,
        log_idle_connection_close=True,
        max_connections_per_ip=77,
        max_player_buffer_bytes=777777,
        max_publish_kbps=77777,
        parse_budget_us=777,
        protocol_detect_timeout_ms=4321,
        reject_linger_ms=321,
        rtmp_proxy_protocol=True,
        send_timeout_ms=32100,
        server_idle_timeout=3210,
        slow_player_max_jumps=7,
    ),
    "port": Row(str(PORT), PORT, NET, lambda seen: seen.one.port(), PORT),
    "listen": Row(
        str(FURTHER),
        (FURTHER,),
        NET,
        lambda seen: [each.port for each in seen.node.listeners if each.role == "public"],
        [PORT, FURTHER],
    ),
    "tcp_user_timeout_ms": Row(
        "45678",
        45678,
        NET,
        lambda seen: seen.newcomer.wire.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),  # type: ignore[attr-defined]
        45678,
    ),
    "socket_send_buffer_size": Row(
        "65536",
        65536,
        NET,
        lambda seen: seen.newcomer.wire.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) in (65536, 2 * 65536),  # type: ignore[attr-defined]
        True,
    ),
    "flush_interval_ms": Row("30", 30, NET, lambda seen: seen.node.context.fanout.interval_ms, 30),
    "flush_cpu_pct": Row("33", 33, NET, lambda seen: seen.node.context.fanout._flush._pct, 33),
    "max_connections": Row("123", 123, NET, lambda seen: seen.node.limits.max_connections, 123),
    "loop_stall_warn_ms": Row("12345.5", 12345.5, NET, lambda seen: seen.node.lag.warn_ms, 12345.5),
    "max_pending_handshakes": Row("7", 7, (), lambda seen: seen.node.tls.handshaker._queue.max_pending, 7),
    "ssl_handshake_timeout_ms": Row("7777", 7777, (), lambda seen: seen.node.tls.handshaker._queue.timeout_ms, 7777),
    **many(
        HUB,
        gop_cache=False,
        mix_correct=True,
        keep_pulling_seconds=7,
        keyframe_wait_ms=4321,
        log_retain_ms=4321,
        max_cached_frames=4321,
        max_cached_keyframes=3,
        max_metadata_per_s=7,
        min_buffering_ms=321,
        min_cached_frames_without_keyframes=77,
        missing_cache_ms=4321,
        publish_firstpkt_timeout_ms=54321,
        publish_kickoff_for_idle_s=54321,
        publish_normal_timeout_ms=54321,
        publish_ping_timeout_ms=4321,
        publish_silent_timeout_ms=54321,
        publisher_grace_ms=4321,
        queue_length_s=33,
        reject_second_stream_when_republish=True,
        stop_kickedoff_publisher=True,
        timestamp_offset=77,
    ),
    "ingest_tick_ms": Row("7", 7, (lambda seen: seen.stream.rules.of(NetConfig),)),
    "publisher_return_ms": Row("4321", 4321, (*HUB, *PULLS)),
    "keep_duration_domains": Row("a.example", frozenset({"a.example"}), HUB),
    "original_timestamp_domains": Row("b.example", frozenset({"b.example"}), HUB),
    "republish_min_interval_ms": Row("4321", 4321, HUB, lambda seen: seen.stream.feed.min_interval_ms, 4321),
    "max_jitter_ms": Row("4321", 4321, HUB),
    "time_jitter": Row("zero", "zero", HUB, lambda seen: seen.stream.timeline._max_jitter_ms > 4321, True),
    "frame_interval_ms": Row("33", 33, HUB, lambda seen: seen.stream.timeline._frame_interval_ms, 33),
    "gop_cache_max_bytes": Row("7777777", 7777777, HUB, lambda seen: seen.stream._max_bytes, 7777777),
    "log_max_bytes": Row("8888888", 8888888, HUB),
    **many(
        RTMP,
        amf_max_array_size=777,
        amf_max_depth=77,
        amf_max_string_size=777,
        amf_max_values=777,
        handshake_timeout_ms=4321,
        max_chunk_streams=77,
        max_command_bytes=7777,
        max_data_bytes=7777,
        max_in_chunk_size=77777,
        max_message_bytes=7777777,
        max_message_streams=77,
        max_partial_bytes=77777777,
        max_unknown_messages=7,
        max_url_bytes=777,
        message_timeout_ms=54321,
        min_in_chunk_size=77,
        rtmp_setup_timeout_ms=54321,
    ),
    "max_name_bytes": Row("77", 77, (*RTMP, *HUB)),
    "max_forward_hops": Row("7", 7, (*RTMP, *PULLS)),
    **many(
        PULLS,
        connect_timeout_ms=777,
        disable_server_duration=7,
        fast_retry_count=7,
        first_data_timeout_ms=4321,
        health_check_interval=7,
        max_pull_queries=7,
        max_pulls=77,
        max_redirects=7,
        max_retry_duration_ms=777777,
        max_search_servers=7,
        pull_wait_for_stream=False,
        restart_retry_ms=77,
        simplified_rtmp_play=True,
        slow_start_ms=777,
        unified_play_connections=True,
        upstream_stall_timeout_ms=4321,
    ),
    "health_check_timeout_ms": Row("777", 777, PULLS, lambda seen: seen.target._checker.timeout_ms, 777),
    "max_connects_per_s": Row("77", 77, PULLS, lambda seen: seen.unit.upstream._rebalancer.moves_per_call, 77),
    "pull_nodata_timeout_ms": Row("7777", 7777, (*PULLS, *HTTP, lambda seen: seen.stream.rules.of(HttpConfig))),
    "retry_interval_ms": Row("777", 777, PULLS, lambda seen: seen.node.hls._two_level._config.retry_interval_ms, 777),
    "timeout_ms": Row("2345", 2345, PULLS, lambda seen: seen.unit.upstream.pool._timeout_ms, 2345),
    "upstream_tls_verify": Row("false", False, (lambda seen: seen.unit._tls._config,)),
    "proxy_to": Row(
        "list://127.0.0.1:3", "list://127.0.0.1:3", PULLS, lambda seen: seen.target.address.name, "127.0.0.1:3"
    ),
    "proxy_vhost": Row("up.example", "up.example", PULLS),
    "proxy_lb": Row("random", "random", PULLS, lambda seen: seen.target._lb, "random"),
    "dns_timeout_ms": Row("4321", 4321, NAMING, lambda seen: seen.unit.upstream._resolver._timeout_s, 4.321),
    **many(
        NAMING,
        ns_access_interval=7,
        ns_fetch_timeout_ms=4321,
        ns_ignore_empty_list=False,
        ns_max_body_bytes=7777,
        ns_max_servers=77,
    ),
    **many(
        HTTP,
        http_header_timeout_ms=4321,
        http_body_compress_threshold=777,
        http_keepalive_ms=4321,
        max_body_size=777777,
        http_max_body_bytes=7777,
        http_max_header_bytes=7777,
        http_max_requests=77,
        write_stall_timeout_ms=4321,
    ),
    **many(
        LIMITS, max_players=77, max_streams=77, max_players_per_stream=77, max_publishers_per_ip=77, max_out_kbps=777777
    ),
    **many((*HTTP2, *GRPC), h2_max_concurrent_streams=77),
    **many(HTTP2, h2_max_resets=77),
    **many(GRPC, grpc_max_message_bytes=77777, grpc_default_timeout_ms=7777),
    **many(GRPC, grpc_max_calls_per_ip=77, grpc_max_watches=77, grpc_max_watches_per_ip=7),
    "admin_allowed_hosts": Row("a.example,b.example", ("a.example", "b.example"), HTTP),
    **many(
        DEBUG,
        max_flame_graph_width=300,
        max_profiling_seconds=7,
        rpcz_keep_span_seconds=77,
        rpcz_save_span_min_latency_us=7,
    ),
    "enable_rpcz": Row("true", True, DEBUG, lambda seen: seen.node.context.spans.is_on, True),
    "max_profiles_kept": Row("3", 3, DEBUG, lambda seen: seen.one.debugging().profiler.max_kept, 3),
    "trusted_proxies": Row("10.0.0.0/8,192.0.2.1", ("10.0.0.0/8", "192.0.2.1"), NET),
    **many(OVERLOAD, overload_lag_ms=321),
    "circuit_breaker": Row("false", False, OVERLOAD, lambda seen: seen.node.overload.guard._is_on, False),
    "max_memory_mb": Row("7777", 7777, OVERLOAD, lambda seen: seen.node.overload.guard.limit_bytes, 7777 << 20),
    **many(LOGBOOK, dump_stats_interval=7, pithy_print_ms=7777),
    "pithy_print_stage": Row("play:1300", {"play": 1300}, LOGBOOK),
    **many(PAGES, max_shown_connections=77, save_series=False, show_streams_in_vars=True),
    "minloglevel": Row("1", 1, LOG, lambda seen: logging.getLogger().level, logging.WARNING),
    "v": Row("1", 1, LOG),
    "vmodule": Row("a=1", "a=1", LOG),
}

ROWS |= {
    name: Row("http://127.0.0.1:1/", ("http://127.0.0.1:1/",), HOOKS)
    for name in DEFINITIONS
    if name.startswith("hooks_on_") and name != "hooks_on_dvr"  # there is nothing to tell yet
}
ROWS |= many(
    HOOKS,
    hook_form="nginx",
    hook_timeout_ms=777,
    hook_failure="allow",
    hook_grace_s=7,
    hook_cache_s=7,
    hook_update_s=7,
)
ROWS["hook_secret_file"] = Row(__file__, __file__, HOOKS)
ROWS["hook_drain_ms"] = Row("777", 777, (lambda seen: seen.node.hooks.limits,))
ROWS["hook_max_calls"] = Row(
    "77",
    77,
    (lambda seen: seen.node.hooks.limits,),
    lambda seen: (seen.node.hooks._parts.places.limit, seen.node.hooks._parts.teller.limit),
    (77, 77),
)

SETTABLE = sorted(name for name, definition in DEFINITIONS.items() if is_settable(definition))


def test_each_flag_that_acts_while_the_program_runs_has_a_row() -> None:
    assert sorted(ROWS) == SETTABLE, "see the docstring"
    assert {DEFINITIONS[name].reload for name in ROWS} == {Reload.LIVE, Reload.NEW}
    for name, row in ROWS.items():
        assert DEFINITIONS[name].parser.parse(row.text) != DEFINITIONS[name].default, name


async def _change_all(path: Path) -> tuple[ReloadFacts, dict[str, list[tuple[Any, Any]]]]:
    """What came of the reading, and by flag what each owner answers, beside what it should."""
    pair = server_pair()
    tls = ("-https", f"-certificate={pair.cert}", f"-private_key={pair.key}", "-flush_interval_ms=-1")
    edge = ("-proxy_to=list://127.0.0.1:1,127.0.0.1:2", "-proxy_lb=rr", "-hls_siblings=list://http://127.0.0.1:1")
    async with running(*edge, *tls, "-circuit_breaker", f"-flagfile={path}") as one:
        await one.get("/health")
        await one.publisher("s", pictures=2)
        waiting = await one.client()
        waiting.play("t")
        await eventually(lambda: bool(one.node.units[0].upstream and one.node.units[0].upstream.pulls), "the pull")
        _write(path)
        report = await one.reloader.reload("SIGHUP")
        known = set(one.node.context.connections)
        await one.client()
        (newcomer,) = [each for each in one.node.context.connections if each not in known and not _leads_out(each)]
        seen = Seen(one, newcomer)
        answers = {name: list(_answers(name, row, seen)) for name, row in ROWS.items()}
    return report, answers


def _write(path: Path) -> None:
    path.write_text("".join(f"-{name}={row.text}\n" for name, row in ROWS.items()))


def _leads_out(connection: Listed) -> bool:
    return not hasattr(connection, "rtmp")


def _answers(name: str, row: Row, seen: Seen) -> Iterator[tuple[Any, Any]]:
    for owner in row.owners:
        yield getattr(owner(seen), name), row.value
    if row.derived is not None:
        yield row.derived(seen), row.answer


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ReloadFacts, dict[str, list[tuple[Any, Any]]]]]:
    path = tmp_path_factory.mktemp("flags") / "edge.flags"
    path.touch()
    names = ("", "edge", "naming", "lb")
    before = {name: logging.getLogger(name).level for name in names}
    yield asyncio.run(_change_all(path))
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_one_reading_changes_all_and_says_so(outcome: tuple[ReloadFacts, Any]) -> None:
    report, _ = outcome
    assert (report.state, report.error) == ("done", "")
    assert list(report.changed) == SETTABLE
    assert (report.kept, report.needs_restart) == ((), ())


@pytest.mark.parametrize("name", SETTABLE)
def test_its_owner_answers_with_the_new_value(
    name: str, outcome: tuple[ReloadFacts, dict[str, list[tuple[Any, Any]]]]
) -> None:
    answers = outcome[1][name]
    assert answers, "nobody has been asked"
    assert [found for found, _ in answers] == [wanted for _, wanted in answers]
