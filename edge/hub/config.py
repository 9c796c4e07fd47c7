"""Settings of the live streams; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HubConfig:
    """Queue, start-frame, identity and republish rules.

    Times in milliseconds unless the name says otherwise. The fields bear the
    names of the flags that set them.
    """

    default_vhost: str = "_"
    default_app: str = "bdms_default_app"
    reject_second_stream_when_republish: bool = False
    stop_kickedoff_publisher: bool = False
    republish_min_interval_ms: int = 1000
    original_timestamp_domains: frozenset[str] = frozenset()
    keep_duration_domains: frozenset[str] = frozenset()
    timestamp_offset: int = 0
    gop_cache: bool = True
    time_jitter: str = "full"
    mix_correct: bool = False
    min_buffering_ms: int = 0
    max_cached_keyframes: int = 1
    max_cached_frames: int = 32768
    min_cached_frames_without_keyframes: int = 128
    max_jitter_ms: int = 5000
    frame_interval_ms: int = 40
    gop_cache_max_bytes: int = 33554432
    log_retain_ms: int = 10000
    log_max_bytes: int = 33554432
    queue_length_s: int = 30
    keyframe_wait_ms: int = 5000
    publisher_grace_ms: int = 0
    publisher_return_ms: int = 10000
    publish_normal_timeout_ms: int = 5000
    publish_firstpkt_timeout_ms: int = 20000
    publish_ping_timeout_ms: int = 3000
    publish_silent_timeout_ms: int = 0
    publish_kickoff_for_idle_s: int = 0
    keep_pulling_seconds: int = 0
    max_metadata_per_s: int = 10
    missing_cache_ms: int = 2000
    max_name_bytes: int = 512
    hls: bool = True
    hls_fragment_s: float = 2.0
    hls_td_ratio: float = 1.0
    hls_aof_ratio: float = 4.0
    hls_wait_keyframe: bool = True
    hls_part_ms: int = 300
    hls_max_segment_bytes: int = 52428800
