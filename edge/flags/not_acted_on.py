"""Flags that are accepted, so that flagfiles keep working, and do nothing yet.

Whoever sets one is told so in one line at start. A flag leaves the list in the
commit that makes it work.
"""

from __future__ import annotations

from collections.abc import Iterable

NOT_ACTED_ON: frozenset[str] = frozenset(
    {
        # listening and process
        "workers",
        # hooks: nothing is recorded yet
        "hooks_on_dvr",
    }
)

#: Flags that may stand in a vhost, and have one value for all of them as yet; a file that says otherwise is told so.
#: A flag leaves the list in the commit that makes it act by vhost.
NOT_BY_VHOST: frozenset[str] = frozenset(
    {
        # httpd and hls
        *("hls_cleanup", "hls_default", "hls_dispose_s", "hls_end_list_on_unpublish", "hls_entry_prefix"),
        *("hls_fmp4_file", "hls_init_file", "hls_keep_s", "hls_low_latency", "hls_m3u8_file", "hls_on_error"),
        *("hls_path", "hls_ts_file", "hls_use_fmp4", "hls_user_session", "hls_window_s"),
        *("http_flv", "http_flv_missing", "http_ts", "ts_duration_ms", "ts_max_stored", "ts_pre_generated"),
        "use_host_in_m3u8",
        # net and rtmp
        *("flush_interval_ms", "ingest_tick_ms", "max_publish_kbps"),
        *("rtmp_server_chunk_size", "rtmp_server_window_ack_size"),
        # upstream
        *("max_retry_duration_ms", "proxy_lb", "proxy_to", "pull_nodata_timeout_ms", "pull_wait_for_stream"),
    }
)


def used_in_vain(names: Iterable[str]) -> tuple[str, ...]:
    """Those of ``names``, the flags that were set, that do nothing yet; sorted."""
    return tuple(sorted(NOT_ACTED_ON.intersection(names)))
