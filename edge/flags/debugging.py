"""Flags of the pages for debugging, with the names of brpc where it has them."""

from __future__ import annotations

from edge.builtin.config import DebugConfig
from edge.flags.classes import LIVE
from edge.flags.registry import FlagValues, define_bool, define_int32, define_string, pick

_TOPIC = "builtin"

define_int32(
    "max_profiling_seconds",
    300,
    "Longest run of a profiler; who asks for more gets this. 0 refuses all profiles.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    lower=0,
    upper=3600,
)
define_int32(
    "max_profiles_kept",
    8,
    "Finished profiles that are held in memory to be shown again.",
    topic=_TOPIC,
    reload=LIVE,
    lower=1,
    upper=32,
)
define_int32(
    "max_flame_graph_width",
    1200,
    "Width of flame graphs.",
    topic=_TOPIC,
    unit="px",
    reload=LIVE,
    lower=200,
    upper=10000,
)
define_bool("enable_threads_service", False, "Show the stacks of all threads at /threads.", topic=_TOPIC)
define_bool("enable_dir_service", False, "Show the files below -dir_service_root at /dir.", topic=_TOPIC)
define_string(
    "dir_service_root", "", "The folder that /dir shows; empty: that in which the server was started.", topic=_TOPIC
)

define_bool(
    "enable_rpcz",
    False,
    "Record how long connects, plays, publishes, pulls and pushes take, and show it at /rpcz.",
    topic=_TOPIC,
    reload=LIVE,
)
define_int32(
    "rpcz_max_spans", 2000, "Spans that are held in memory, of about 1 KB each.", topic=_TOPIC, lower=1, upper=100000
)
define_int32(
    "rpcz_keep_span_seconds",
    3600,
    "Older spans are not shown any more.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    lower=1,
)
define_int32(
    "rpcz_save_span_min_latency_us",
    0,
    "Quicker spans are not recorded.",
    topic=_TOPIC,
    unit="us",
    reload=LIVE,
    lower=0,
)


def debug_config(flags: FlagValues) -> DebugConfig:
    """Settings of the pages for debugging."""
    return pick(DebugConfig, flags)
