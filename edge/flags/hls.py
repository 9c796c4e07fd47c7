"""Flags of HLS."""

from __future__ import annotations

from edge.flags.classes import VHOST
from edge.flags.registry import (
    FlagValues,
    define_bool,
    define_double,
    define_int32,
    define_int64,
    define_string,
    pick,
)
from edge.hls.config import HlsConfig
from edge.hls_disk.config import DiskConfig

_TOPIC = "hls"

define_bool(
    "hls", True, "Serve streams as HLS: /APP/STREAM.m3u8, .classic.m3u8 and .ll.m3u8.", topic=_TOPIC, scope=VHOST
)
define_string(
    "hls_default",
    "two-level",
    "What /APP/STREAM.m3u8 is: media-server's two-level scheme of short segments that are sent while they grow, or "
    "classic segments. Both have a name of their own besides: .classic.m3u8, .ll.m3u8 (low latency).",
    topic=_TOPIC,
    scope=VHOST,
    choices=("two-level", "classic"),
)
define_double(
    "hls_fragment_s",
    2.0,
    "Intended length of a segment of classic and low-latency HLS; it ends at a keyframe. The origin's value holds on "
    "all nodes behind it.",
    topic=_TOPIC,
    scope=VHOST,
    unit="s",
    lower=0.1,
    upper=600,
)
define_double(
    "hls_window_s",
    30.0,
    "How much of a stream the playlists of classic and low-latency HLS list, at least three segments.",
    topic=_TOPIC,
    scope=VHOST,
    unit="s",
    lower=0.1,
    upper=3600,
)
define_double(
    "hls_td_ratio",
    1.0,
    "A segment ends at the next keyframe once it has this part of -hls_fragment_s.",
    topic=_TOPIC,
    scope=VHOST,
    lower=0.1,
    upper=100,
)
define_double(
    "hls_aof_ratio",
    4.0,
    "A segment of a stream with pictures ends without a keyframe once it is this many times -hls_fragment_s long.",
    topic=_TOPIC,
    scope=VHOST,
    lower=1,
    upper=100,
)
define_bool(
    "hls_wait_keyframe",
    True,
    "Segments end at keyframes; false: at any picture once they are long enough.",
    topic=_TOPIC,
    scope=VHOST,
)
define_bool(
    "hls_use_fmp4",
    False,
    "Classic segments are fragmented MP4 instead of MPEG-TS: what HEVC and AV1 need in browsers.",
    topic=_TOPIC,
    scope=VHOST,
)
define_bool(
    "hls_low_latency",
    True,
    "Serve /APP/STREAM.ll.m3u8: parts of -hls_part_ms, for players of low-latency HLS.",
    topic=_TOPIC,
    scope=VHOST,
)
define_int32(
    "hls_part_ms",
    300,
    "Longest part of a segment of low-latency HLS; the origin's value holds on all nodes behind it.",
    topic=_TOPIC,
    scope=VHOST,
    unit="ms",
    lower=20,
    upper=5000,
)
define_string(
    "hls_entry_prefix",
    "",
    "What URIs in playlists begin with, as http://cdn.example.com; empty: they are relative.",
    topic=_TOPIC,
    scope=VHOST,
)
define_int32(
    "hls_session_s",
    43200,
    "A viewer of a stream that asks for a credential (-play_auth) may play on so long with the URLs of its playlist, "
    "up to ten minutes more; then it asks for the entry playlist again.",
    topic=_TOPIC,
    unit="s",
    lower=60,
    upper=31536000,
)
define_int32(
    "hls_viewer_timeout_ms",
    30000,
    "Viewers of a stream count as gone when no playlist of it was asked for in this time; its pull then ends.",
    topic=_TOPIC,
    unit="ms",
    lower=1000,
    upper=3600000,
)
define_int32(
    "hls_dispose_s",
    120,
    "How long the last playlist and its segments are served after the end of a stream, and how long their files "
    "below -hls_path stay; 0: served no longer, but the files stay for ever.",
    topic=_TOPIC,
    scope=VHOST,
    unit="s",
    lower=0,
    upper=86400,
)
define_int64(
    "ts_duration_ms",
    1042,
    "Intended length of a segment of the two-level scheme of HLS.",
    topic=_TOPIC,
    scope=VHOST,
    unit="ms",
    lower=100,
)
define_int64(
    "ts_max_stored",
    32,
    "Segments of the two-level scheme kept per stream, and most entries of its playlist.",
    topic=_TOPIC,
    scope=VHOST,
    lower=1,
    upper=10000,
)
define_int64(
    "ts_pre_generated",
    3,
    "Future HLS segments named in a playlist before they exist; below -ts_max_stored.",
    topic=_TOPIC,
    scope=VHOST,
    lower=0,
    upper=10000,
)
define_int64(
    "get_media_playlist_times",
    20,
    "A request for a media playlist of the two-level scheme waits at most so many times -retry_interval_ms, and "
    "at most -hls_playlist_wait_ms.",
    topic=_TOPIC,
    lower=1,
    upper=10000,
)
define_bool(
    "use_host_in_m3u8",
    True,
    "With -hls_user_session the URLs of master playlists name the request's host; false: this machine's address and "
    "port.",
    topic=_TOPIC,
    scope=VHOST,
)
define_bool(
    "hls_user_session",
    False,
    "Give every HLS client an id of its own; playlists then cannot be cached.",
    topic=_TOPIC,
    scope=VHOST,
)
define_int32(
    "hls_max_users",
    100000,
    "Most ids of HLS clients at a time, and most different queries by which streams are watched.",
    topic=_TOPIC,
    lower=1,
)
define_int32(
    "hls_segment_wait_ms",
    10000,
    "Longest wait of a request for a segment that is being made.",
    topic=_TOPIC,
    unit="ms",
    is_zero_off=True,
    lower=0,
)
define_int32(
    "hls_playlist_wait_ms",
    3000,
    "Longest wait of a request for the first playlist of a stream of which nothing has come; the first whole segment "
    "of one that is there is waited for longer, three target durations.",
    topic=_TOPIC,
    unit="ms",
    is_zero_off=True,
    lower=0,
)
define_int32(
    "hls_max_segment_bytes",
    52428800,
    "A segment is cut at this size.",
    topic=_TOPIC,
    scope=VHOST,
    unit="bytes",
    lower=65536,
)
define_string(
    "hls_path",
    "",
    "Write the segments and playlists of all streams below this directory too, for other servers to give out; empty: "
    "no files. Needs neither -hls nor viewers.",
    topic=_TOPIC,
    scope=VHOST,
)
define_string(
    "hls_m3u8_file",
    "[app]/[stream].m3u8",
    "Where below -hls_path the playlist of a stream is; variables: [vhost] [app] [stream].",
    topic=_TOPIC,
    scope=VHOST,
)
define_string(
    "hls_ts_file",
    "[app]/[stream]-[seq].ts",
    "Where below -hls_path segments are. Variables: those of -hls_m3u8_file, [seq] (needed), [duration] (ms), [epoch], "
    "and of the time of the first frame [2006] [01] [02] [15] [04] [05] [999] [timestamp] (ms).",
    topic=_TOPIC,
    scope=VHOST,
)
define_string(
    "hls_fmp4_file",
    "[app]/[stream]-[seq].m4s",
    "As -hls_ts_file, with -hls_use_fmp4.",
    topic=_TOPIC,
    scope=VHOST,
)
define_string(
    "hls_init_file",
    "[app]/[stream]-[digest].init.mp4",
    "Where below -hls_path decoder configurations are, with -hls_use_fmp4; variables: those of -hls_m3u8_file, "
    "[digest] (needed).",
    topic=_TOPIC,
    scope=VHOST,
)
define_int32(
    "hls_keep_s",
    0,
    "How long a file below -hls_path stays when its playlist lists it no more; 0: as long as the playlist, and one "
    "target duration.",
    topic=_TOPIC,
    scope=VHOST,
    unit="s",
    lower=0,
    upper=31536000,
)
define_bool(
    "hls_cleanup",
    True,
    "Remove files below -hls_path that have expired; false: those that playlists list no more stay for ever.",
    topic=_TOPIC,
    scope=VHOST,
)
define_string(
    "hls_on_error",
    "continue",
    "When a file below -hls_path cannot be written: continue with the next segment, ignore (no more files of this "
    "publish), or disconnect the publisher.",
    topic=_TOPIC,
    scope=VHOST,
    choices=("continue", "ignore", "disconnect"),
)
define_bool(
    "hls_end_list_on_unpublish",
    False,
    "Close the playlist below -hls_path when its stream ends, so that players leave; the next publish then begins a "
    "new one.",
    topic=_TOPIC,
    scope=VHOST,
)
define_int64(
    "hls_disk_queue_bytes",
    67108864,
    "Most bytes of segments that wait to be written below -hls_path; more are dropped.",
    topic=_TOPIC,
    unit="bytes",
    lower=1048576,
)


def disk_config(flags: FlagValues) -> DiskConfig:
    """Settings of HLS as files."""
    return pick(DiskConfig, flags)


def hls_config(flags: FlagValues) -> HlsConfig:
    """Settings of HLS."""
    return pick(HlsConfig, flags)
