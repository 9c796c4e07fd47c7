"""Flags of the live streams: identity, publishers, timestamps and the frame queue."""

from __future__ import annotations

from edge.flags.classes import LIVE, NEW, VHOST
from edge.flags.registry import FlagValues, define_bool, define_int32, define_int64, define_string, pick, value_of
from edge.hub.config import HubConfig

_TOPIC = "hub"

define_string(
    "default_vhost",
    "_",
    "Vhost of clients that name none: an address, localhost, this host's name, __defaultVhost__ or nothing.",
    topic=_TOPIC,
)
define_string("default_app", "bdms_default_app", "App of a URL without one.", topic=_TOPIC)
define_bool(
    "reject_second_stream_when_republish",
    False,
    "Refuse a second publisher of a live stream; by default it replaces the first. Wins over "
    "-stop_kickedoff_publisher.",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
)
define_bool(
    "stop_kickedoff_publisher",
    False,
    "Stop the publisher that was replaced; by default it stays connected and its frames are dropped.",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
)
define_int32(
    "republish_min_interval_ms",
    1000,
    "A stream's publisher is replaced at most once in this time.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_string(
    "original_timestamp_domains",
    "",
    "Blank-separated vhosts whose players by RTMP get the publisher's timestamps.",
    topic=_TOPIC,
    reload=NEW,
)
define_string(
    "keep_duration_domains",
    "",
    "Blank-separated vhosts whose metadata keeps its duration; it is removed for all others.",
    topic=_TOPIC,
    reload=LIVE,
)
define_int32(
    "timestamp_offset",
    0,
    "Added to every audio and video timestamp sent to players by RTMP.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    scope=VHOST,
)
define_bool(
    "gop_cache",
    True,
    "A new player begins with the newest keyframe; false: with what comes next, for the least delay, and sees a "
    "picture when a keyframe comes. HLS and other nodes begin with keyframes all the same.",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
)
define_string(
    "time_jitter",
    "full",
    "What is done to a publisher's timestamps. full: they begin at 0, and a step above -max_jitter_ms is replaced; "
    "zero: they begin at 0, and steps stay; off: steps stay, and players by RTMP get the publisher's own timestamps.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
    choices=("full", "zero", "off"),
)
define_bool(
    "mix_correct",
    False,
    "Put sound and picture of a publisher into order of time: each waits for the other kind, while fewer than 10 "
    "messages, 1000 ms and 4 MiB wait.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_int32(
    "min_buffering_ms",
    0,
    "A new player starts at the newest keyframe that is at least this old: a longer start buffer for more delay.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int32(
    "max_cached_keyframes",
    1,
    "Groups of pictures kept per stream, at least.",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
)
define_int32(
    "max_cached_frames", 32768, "Frames kept per stream, at most.", topic=_TOPIC, reload=LIVE, scope=VHOST, lower=1
)
define_int32(
    "min_cached_frames_without_keyframes",
    128,
    "Frames kept of a stream without keyframes (audio only).",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
    lower=1,
)
define_int32(
    "max_jitter_ms",
    5000,
    "A timestamp step above this is replaced by -frame_interval_ms.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=1,
)
define_int32(
    "frame_interval_ms",
    40,
    "Timestamp step that replaces an impossible one.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=1,
    upper=60000,
)
define_int32(
    "gop_cache_max_bytes",
    33554432,
    "Most bytes of frames kept per stream.",
    topic=_TOPIC,
    unit="bytes",
    reload=LIVE,
    scope=VHOST,
    lower=65536,
)
define_int32(
    "log_retain_ms",
    10000,
    "Sent media are kept this long where a node plays the stream, pushes it or has within 30 s; elsewhere only as far "
    "as a slow player stands, and no longer.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int64(
    "log_max_bytes",
    33554432,
    "Most bytes kept of one stream in one output form.",
    topic=_TOPIC,
    unit="bytes",
    reload=LIVE,
    scope=VHOST,
    lower=65536,
)
define_int32(
    "queue_length_s",
    30,
    "A player that falls further behind jumps to the newest keyframe.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    scope=VHOST,
    lower=1,
)
define_int32(
    "keyframe_wait_ms",
    5000,
    "A new player waits this long for a keyframe before it is given what there is.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int32(
    "publisher_grace_ms",
    0,
    "Players and clock of a stream are kept this long for a publisher that comes back; 0 ends them at once.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int32(
    "publisher_return_ms",
    10000,
    "An edge that was told of the end of a stream keeps its players this long while it asks again.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int32(
    "publish_normal_timeout_ms",
    5000,
    "Ask a publisher that has sent no media for this long by a ping whether it is still there.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "publish_ping_timeout_ms",
    3000,
    "End a silent publisher when this long after the ping neither a byte of it has come nor its kernel's "
    "acknowledgement.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int32(
    "publish_silent_timeout_ms",
    0,
    "End a publisher that has sent no media for this long, although it is there; 0 lets it stay, as slides need it.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int32(
    "publish_kickoff_for_idle_s",
    0,
    "End a publisher whose stream nobody has used for this long: no player, no other node, no HLS, no files. 0 lets it "
    "stay.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int32(
    "publish_firstpkt_timeout_ms",
    20000,
    "End a publisher whose first frame takes longer.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "keep_pulling_seconds",
    0,
    "A pull goes on this long after its last player has left.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_int32(
    "max_metadata_per_s",
    10,
    "More metadata messages of one publisher within a second are dropped.",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
    lower=1,
)
define_int32(
    "missing_cache_ms",
    2000,
    "A stream that was not found, and a query that was refused, are answered so for this long without asking the "
    "upstream, unless a player waits.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)


def hub_config(flags: FlagValues) -> HubConfig:
    """Settings of the live streams."""
    return pick(
        HubConfig,
        flags,
        hls=value_of(flags, "hls") or bool(value_of(flags, "hls_path")),  # files are cut as well
        original_timestamp_domains=frozenset(value_of(flags, "original_timestamp_domains").split()),
        keep_duration_domains=frozenset(value_of(flags, "keep_duration_domains").split()),
    )
