"""Flags of the RTMP sessions and their limits."""

from __future__ import annotations

from edge.flags.classes import NEW, VHOST
from edge.flags.registry import FlagValues, define_bool, define_int32, define_string, pick
from edge.rtmp.config import RtmpConfig

_TOPIC = "rtmp"

define_int32(
    "rtmp_server_chunk_size",
    60000,
    "Chunk size that the server announces and uses.",
    topic=_TOPIC,
    scope=VHOST,
    unit="bytes",
    lower=128,
    upper=16777215,
)
define_int32(
    "rtmp_server_window_ack_size",
    2500000,
    "Acknowledgement window and peer bandwidth that the server announces.",
    topic=_TOPIC,
    scope=VHOST,
    unit="bytes",
    lower=1,
)
define_bool(
    "rtmp_server_close_connection_on_error",
    True,
    "Close the connection of a refused or ended client, after it was told why; false ends only its stream. Clients "
    "that carry several streams on a connection always keep it.",
    topic=_TOPIC,
)
define_bool(
    "rtmp_client_use_simple_handshake",
    True,
    "Use the plain handshake towards upstreams; false uses the digest one.",
    topic=_TOPIC,
)
define_bool(
    "rtmp_send_data_start",
    False,
    "Tell players NetStream.Data.Start before the media. ffmpeg shows a data track for it, in most streams an empty "
    "one, on which recordings of all tracks fail.",
    topic=_TOPIC,
)
define_string(
    "user_defined_data_message", "", "Name of a data message to be treated as onMetaData is; empty: none.", topic=_TOPIC
)
define_int32(
    "handshake_timeout_ms",
    5000,
    "Close a connection whose handshake takes longer.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "rtmp_setup_timeout_ms",
    20000,
    "Close a connection that has neither played nor published this long after it was accepted.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "message_timeout_ms",
    30000,
    "Close a connection that takes longer to send one message, counted from its first byte.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "min_in_chunk_size",
    128,
    "Close a connection that announces smaller chunks, which cost time out of proportion.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=1,
    upper=16777215,
)
define_int32(
    "max_in_chunk_size",
    16777215,
    "A larger announced chunk size is taken as this one.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=128,
    upper=16777215,
)
define_int32(
    "max_message_bytes",
    10485760,
    "Close a connection at the header of a longer message. 16777215 and above switch the limit off.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=4096,
)
define_int32(
    "max_partial_bytes",
    16777216,
    "Most bytes of unfinished messages that one connection may hold, over all its chunk streams.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=4096,
)
define_int32(
    "max_command_bytes",
    65536,
    "Close a connection that sends a longer command.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=1024,
)
define_int32(
    "max_data_bytes",
    262144,
    "Pass over longer data messages, such as the keyframe index of a long film; the connection goes on.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=1024,
)
define_int32(
    "max_chunk_streams",
    1024,
    "Close a connection that uses more distinct chunk streams.",
    topic=_TOPIC,
    reload=NEW,
    lower=8,
    upper=65598,
)
define_int32(
    "max_unknown_messages",
    20,
    "Close a connection that sends more messages of unknown type.",
    topic=_TOPIC,
    reload=NEW,
    lower=0,
)
define_int32(
    "max_message_streams",
    4096,
    "Refuse createStream beyond so many message streams on a connection.",
    topic=_TOPIC,
    reload=NEW,
    lower=1,
)
define_int32(
    "max_name_bytes",
    512,
    "Refuse longer vhosts, apps and stream names.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=16,
    upper=65535,
)
define_int32(
    "max_url_bytes",
    4096,
    "Refuse longer tcUrls and stream names with their query.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=64,
    upper=65535,
)
define_int32("amf_max_depth", 128, "Deepest nesting of AMF values.", topic=_TOPIC, reload=NEW, lower=1, upper=256)
define_int32(
    "amf_max_string_size",
    67108864,
    "Longest AMF text.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=64,
)
define_int32(
    "amf_max_array_size", 65536, "Most elements of one AMF array or object.", topic=_TOPIC, reload=NEW, lower=1
)
define_int32("amf_max_values", 4096, "Most AMF values of one message.", topic=_TOPIC, reload=NEW, lower=16)


def rtmp_config(flags: FlagValues) -> RtmpConfig:
    """Settings and limits of the RTMP sessions."""
    return pick(RtmpConfig, flags)
