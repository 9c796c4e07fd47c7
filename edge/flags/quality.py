"""Flags of what players report, and of content steering."""

from __future__ import annotations

from edge.flags.registry import FlagValues, define_bool, define_int32, define_string, pick
from edge.quality.config import QualityConfig

_TOPIC = "quality"

define_bool(
    "cmcd",
    True,
    "Count what players report of themselves (CMCD): with their requests for HLS, and by POST to /-/cmcd; false: such "
    "a POST is answered 410, at which players stop.",
    topic=_TOPIC,
)
define_int32(
    "cmcd_max_sessions",
    10000,
    "Most viewers whose reports are kept apart; for one more the one that has been silent longest is forgotten.",
    topic=_TOPIC,
    lower=1,
    upper=1000000,
)
define_int32(
    "cmcd_session_timeout_s",
    60,
    "A viewer who has not reported for this time is forgotten.",
    topic=_TOPIC,
    unit="s",
    lower=1,
    upper=86400,
)
define_int32(
    "cmcd_max_body_bytes",
    65536,
    "Longest body of events that is read.",
    topic=_TOPIC,
    unit="bytes",
    lower=1024,
    upper=1048576,
)
define_int32("cmcd_max_lines", 100, "Most events in one body; more are left out.", topic=_TOPIC, lower=1, upper=10000)
define_int32(
    "cmcd_max_line_bytes",
    8192,
    "Longest report; a longer one is left out.",
    topic=_TOPIC,
    unit="bytes",
    lower=256,
    upper=65536,
)
define_int32(
    "cmcd_max_keys", 64, "Most keys in a report; one with more is left out.", topic=_TOPIC, lower=8, upper=1000
)
define_int32(
    "viewer_stall_alarm_pct",
    10,
    "When the players of this part of the viewers who report, ten at least, have run dry in the last minute, the log "
    "warns (reason=viewers_stall) and edge_viewer_stall_alarm is 1; 0: never.",
    topic=_TOPIC,
    unit="%",
    lower=0,
    upper=100,
)
define_string(
    "hls_siblings",
    "",
    "Public base URLs, scheme://host[:port][/prefix], of the nodes that viewers of HLS may play from, this one among "
    "them, by a naming URL: list://http://a:8079,http://b:8079 or file://edges.txt, a line each. Classic and "
    "low-latency playlists then bear content steering: a node that drains or is loaded sends its viewers to the "
    "others. Empty: no steering.",
    topic=_TOPIC,
)
define_int32(
    "hls_steer_ttl_s",
    5,
    "How often a player asks where to play from, with -hls_siblings.",
    topic=_TOPIC,
    unit="s",
    lower=1,
    upper=3600,
)
define_int32(
    "hls_steer_load_pct",
    85,
    "From this edge_load_ratio in percent on a node sends viewers elsewhere, a quarter more of them each "
    "-hls_steer_ttl_s; 0: for no load.",
    topic=_TOPIC,
    unit="%",
    lower=0,
    upper=1000,
)
define_int32(
    "hls_steer_return_pct",
    65,
    "Below this edge_load_ratio in percent the viewers come back, a quarter of them each -hls_steer_ttl_s.",
    topic=_TOPIC,
    unit="%",
    lower=0,
    upper=1000,
)
define_int32(
    "hls_steer_late_pct",
    50,
    "From this part of the media on that go out slower than they are played, of three viewers at least, a node sends "
    "all viewers elsewhere, as its line is too slow; they come back after -hls_steer_hold_s, a quarter of them each "
    "-hls_steer_ttl_s; 0: however many.",
    topic=_TOPIC,
    unit="%",
    lower=0,
    upper=100,
)
define_int32(
    "hls_steer_hold_s",
    60,
    "A viewer whose player has run dry at its node plays from another one for this time, and so do all of a node that "
    "sends media too late.",
    topic=_TOPIC,
    unit="s",
    lower=0,
    upper=86400,
)


def quality_config(flags: FlagValues) -> QualityConfig:
    """Settings of what players report, and of content steering."""
    return pick(QualityConfig, flags)
