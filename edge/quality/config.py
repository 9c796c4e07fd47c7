"""Settings of what players report, and of content steering; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QualityConfig:
    """The fields bear the names of the flags that set them; sizes in bytes, times in seconds."""

    cmcd: bool = True
    cmcd_max_sessions: int = 10000
    cmcd_session_timeout_s: int = 60
    cmcd_max_body_bytes: int = 65536
    cmcd_max_lines: int = 100
    cmcd_max_line_bytes: int = 8192
    cmcd_max_keys: int = 64
    viewer_stall_alarm_pct: int = 10
    hls_siblings: str = ""
    hls_steer_ttl_s: int = 5
    hls_steer_load_pct: int = 85
    hls_steer_return_pct: int = 65
    hls_steer_late_pct: int = 50
    hls_steer_hold_s: int = 60
