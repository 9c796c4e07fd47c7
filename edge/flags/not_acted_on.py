"""Flags that are accepted, so that flagfiles keep working, and do nothing yet.

Whoever sets one is told so in one line at start. A flag leaves the list in the
commit that makes it work.
"""

from __future__ import annotations

from collections.abc import Iterable

NOT_ACTED_ON: frozenset[str] = frozenset(
    {
        # listening and process
        "rtmp_proxy_protocol",
        "workers",
        "pid_file",
        "port_file",
        "socket_send_buffer_size",
        "grace_start_wait_ms",
        "grace_final_wait_ms",
        "grace_max_wait_s",
        "graceful_quit_on_sigterm",
        "max_memory_mb",
        "overload_lag_ms",
        "circuit_breaker",
        "loop_stall_warn_ms",
        # upstream and naming
        "defer_close_second",
        # HTTP, HLS, gRPC
        "max_body_size",
        "http_body_compress_threshold",
        "cdn_probe_file",
        "ts_duration_ms",
        "ts_max_stored",
        "ts_pre_generated",
        "get_media_playlist_times",
        "use_host_in_m3u8",
        "hls_user_session",
        "hls_max_users",
        "hls_segment_wait_ms",
        "hls_playlist_wait_ms",
        "hls_max_segment_bytes",
        "h2_max_concurrent_streams",
        "h2_max_resets",
        "grpc_max_message_bytes",
        "grpc_default_timeout_ms",
        # pages and statistics
        "show_streams_in_vars",
        "dump_stats_interval",
        "log_stats",
        "immutable_flags",
        "admin_allowed_hosts",
        "log_error_text",
        "log_connection_close",
        "log_idle_connection_close",
        # logging
        "async_log",
    }
)


def used_in_vain(names: Iterable[str]) -> tuple[str, ...]:
    """Those of ``names``, the flags that were set, that do nothing yet; sorted."""
    return tuple(sorted(NOT_ACTED_ON.intersection(names)))
