"""Each known kind of hostile input has a number, which its test bears in its name; here is the list of all.

The letters say where it comes: HS in the handshake, C in chunks, A in AMF, M in commands, V in media, Q with
publishers and players, T in TCP, P in the first bytes, S in TLS, H in HTTP, G in HTTP/2 and gRPC, L in HLS, X at the
pages, R in the process and what it lives on, Y in the language, AU at the gates, VC in files by vhost. The defaults of
the limits that meet it are held here too.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import edge.flags.all  # noqa: F401 - defines the flags
from edge.flags.registry import new_flags, value_of

_TESTS = Path(__file__).parents[1]

# What concerns RTMP itself.
ROWS = {
    *(f"HS{number}" for number in range(1, 8)),
    *(f"C{number}" for number in range(1, 24)),
    *(f"A{number}" for number in range(1, 15)),
    *(f"M{number}" for number in range(1, 21)),
    *(f"V{number}" for number in range(1, 15)),
    *(f"Q{number}" for number in range(1, 11)),
}
# Of TCP and of TLS.
OTHER_ROWS = {*(f"T{number}" for number in range(1, 17)), *(f"S{number}" for number in range(1, 11))}
# Of the process, but for its end and its workers (R6, R8); and of the language.
PROCESS_ROWS = {
    *(f"R{number}" for number in (1, 2, 3, 4, 5, 7, 9, 10, 11, 12)),
    *(f"Y{number}" for number in range(1, 14)),
}
# Those of the first bytes, and of HTTP.
HTTP_ROWS = {*(f"P{number}" for number in range(1, 10)), *(f"H{number}" for number in range(1, 18))}
# Those of HTTP/2 and gRPC.
GRPC_ROWS = {f"G{number}" for number in range(1, 13)}
# Those of HLS; L10 is about segments on disk.
HLS_ROWS = {f"L{number}" for number in range(1, 10)}
# Those of the pages.
PAGE_ROWS = {"X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8", "X9", "X10"}
# Those of who may publish and play, and of files by vhost.
ACCESS_ROWS = {f"AU{number}" for number in range(1, 37)}
VHOST_ROWS = {f"VC{number}" for number in range(1, 23)}
ALL_ROWS = ACCESS_ROWS | VHOST_ROWS | ROWS | OTHER_ROWS | PROCESS_ROWS | HTTP_ROWS | GRPC_ROWS | HLS_ROWS | PAGE_ROWS
DEFAULTS = {
    "protocol_detect_timeout_ms": 5000,
    "ssl_handshake_timeout_ms": 5000,
    "max_pending_handshakes": 256,
    "strict_sni": False,
    "force_ssl": False,
    "handshake_timeout_ms": 5000,
    "rtmp_setup_timeout_ms": 20000,
    "tcp_user_timeout_ms": 35000,
    "accept_per_turn": 64,
    "reserved_fds": 64,
    "circuit_breaker": True,
    "max_memory_mb": 0,
    "overload_lag_ms": 200,
    "log_queue_lines": 10000,
    "trusted_proxies": (),
    "rtmp_proxy_protocol": False,
    "max_connections_per_ip": 0,
    "min_in_chunk_size": 128,
    "max_in_chunk_size": 16777215,
    "message_timeout_ms": 30000,
    "max_message_bytes": 10485760,
    "max_partial_bytes": 16777216,
    "max_command_bytes": 65536,
    "max_data_bytes": 262144,
    "max_chunk_streams": 1024,
    "amf_max_depth": 128,
    "amf_max_array_size": 65536,
    "amf_max_values": 4096,
    "max_unknown_messages": 20,
    "parse_budget_us": 5000,
    "max_message_streams": 4096,
    "max_name_bytes": 512,
    "max_url_bytes": 4096,
    "republish_min_interval_ms": 1000,
    "max_metadata_per_s": 10,
    "max_publish_kbps": 0,
    "max_player_buffer_bytes": 4194304,
    "slow_player_max_jumps": 0,  # jumping closes nobody; making no progress does
    "send_timeout_ms": 30000,
    "queue_length_s": 30,
    "publish_normal_timeout_ms": 5000,
    "publish_firstpkt_timeout_ms": 20000,
    "publish_ping_timeout_ms": 3000,
    "publish_silent_timeout_ms": 0,
    "max_jitter_ms": 5000,
    "gop_cache_max_bytes": 33554432,
    "max_cached_frames": 32768,
    "max_pulls": 10000,
    "missing_cache_ms": 2000,
    "http_header_timeout_ms": 10000,
    "http_max_header_bytes": 32768,
    "http_max_body_bytes": 1048576,
    "http_keepalive_ms": 60000,
    "http_max_requests": 10000,
    "write_stall_timeout_ms": 10000,
    "pull_nodata_timeout_ms": 10000,
    "h2_max_concurrent_streams": 100,
    "h2_max_resets": 100,
    "grpc_max_message_bytes": 4194304,
    "grpc_default_timeout_ms": 30000,
    "hls_max_users": 100000,
    "hls_segment_wait_ms": 10000,
    "hls_playlist_wait_ms": 3000,
    "hls_max_segment_bytes": 52428800,
    "max_profiling_seconds": 300,
    "enable_threads_service": False,
    "enable_dir_service": False,
    "admin_allowed_hosts": (),
    "auth_failures_per_min": 30,
    "auth_told_per_s": 20,
    "sign_skew_s": 30,
}


def rows_with_tests() -> set[str]:
    """The rows in the names of the tests: ``test_C3_...``, or several as ``test_Q7_Q8_...``."""
    rows: set[str] = set()
    for path in _TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                head = re.match(r"test_((?:[A-Z]+\d+_)*)", node.name)
                rows.update((head[1] if head else "").strip("_").split("_"))
    return rows - {""}


def test_every_row_has_a_test() -> None:
    assert sorted(ALL_ROWS - rows_with_tests()) == []


def test_every_named_row_is_of_the_catalogue() -> None:
    named = {row for row in rows_with_tests() if re.fullmatch(r"(HS|AU|VC|[CAMVQTSPHGLXRY])\d+", row)}
    assert sorted(named - ALL_ROWS - {"L10", "R6", "R8"}) == []


@pytest.mark.parametrize("name", DEFAULTS)
def test_default_is_that_of_the_table(name: str) -> None:
    assert value_of(new_flags(), name) == DEFAULTS[name]
