"""Settings of the pages for debugging; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DebugConfig:
    """The fields bear the names of the flags that set them."""

    max_profiling_seconds: int = 300
    max_profiles_kept: int = 8
    max_flame_graph_width: int = 1200
    enable_threads_service: bool = False
    enable_dir_service: bool = False
    dir_service_root: str = ""
    enable_rpcz: bool = False
    rpcz_max_spans: int = 2000
    rpcz_keep_span_seconds: int = 3600
    rpcz_save_span_min_latency_us: int = 0
