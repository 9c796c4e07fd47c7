"""Settings of HLS; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HlsConfig:
    """Times in milliseconds, sizes in bytes, unless the name says otherwise.

    The fields bear the names of the flags that set them. How long segments and parts are is the
    origin's (``HubConfig``, ``CutRule``).
    """

    hls: bool = True
    hls_default: str = "two-level"
    hls_window_s: float = 30.0
    hls_use_fmp4: bool = False
    hls_low_latency: bool = True
    hls_entry_prefix: str = ""
    hls_viewer_timeout_ms: int = 30000
    hls_dispose_s: int = 120
    hls_max_users: int = 100000
    hls_segment_wait_ms: int = 10000
    hls_playlist_wait_ms: int = 3000
    hls_user_session: bool = False
    hls_session_s: int = 43200
    use_host_in_m3u8: bool = True
    ts_duration_ms: int = 1042
    ts_max_stored: int = 32
    ts_pre_generated: int = 3
    ts_pcr_lead_ms: int = 700
    get_media_playlist_times: int = 20
    retry_interval_ms: int = 1000
    defer_close_second: int = 10
