"""Flags of HTTP, HTTP/2 and gRPC."""

from __future__ import annotations

from edge.control.config import GrpcConfig
from edge.flags.classes import NEW, VHOST
from edge.flags.registry import FlagValues, define_bool, define_int32, define_int64, define_string, pick, value_of
from edge.httpd.config import HttpConfig
from edge.net.config import Http2Config

_TOPIC = "httpd"
_GRPC = "grpc"

define_int32(
    "http_header_timeout_ms",
    10000,
    "Answer 408 to a request whose head takes longer, counted from its first byte.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "http_max_header_bytes",
    32768,
    "Longest head of a request.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=1024,
    upper=1048576,
)
define_int32(
    "http_max_body_bytes",
    1048576,
    "Longest body of a request; not above -max_body_size.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=0,
)
define_int64(
    "max_body_size",
    67108864,
    "Longest body of a request by HTTP, whatever -http_max_body_bytes says.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=0,
)
define_int32(
    "http_keepalive_ms",
    60000,
    "Close an HTTP connection that waits longer for its next request.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "http_max_requests",
    10000,
    "Requests answered on one connection before it is closed.",
    topic=_TOPIC,
    reload=NEW,
    lower=1,
)
define_int32(
    "write_stall_timeout_ms",
    10000,
    "Close an HTTP connection that takes no byte of a finite answer for this long; players have -send_timeout_ms.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "http_body_compress_threshold",
    512,
    "Pages of text from this size on, up to 1 MiB, are compressed with gzip for clients that accept it.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=0,
)
define_string(
    "cdn_probe_file",
    "baidu-cdn-probe.gif",
    "Path, without its leading slash, that answers 200 to the probe of a CDN; empty for none.",
    topic=_TOPIC,
)

define_bool(
    "http_preload",
    False,
    "Load HTTP and the pages right after the start: 17 MB more memory, and the first request waits for no loading.",
    topic=_TOPIC,
)
define_bool(
    "http_flv", True, "Serve streams as FLV, in HTTP and in WebSocket: /APP/STREAM.flv.", topic=_TOPIC, scope=VHOST
)
define_bool("http_ts", True, "Serve streams as MPEG-TS: /APP/STREAM.ts.", topic=_TOPIC, scope=VHOST)
define_string(
    "http_flv_missing",
    "wait",
    "What a player by HTTP is told of a stream that the upstream does not have: wait up to -pull_nodata_timeout_ms for "
    "its publisher, or 404 at once.",
    topic=_TOPIC,
    scope=VHOST,
    choices=("wait", "404"),
)
define_int32(
    "ts_pcr_lead_ms",
    700,
    "How far the clock of MPEG-TS runs behind pictures and sound: so long a receiver may buffer.",
    topic=_TOPIC,
    unit="ms",
    lower=0,
    upper=10000,
)

define_int32(
    "h2_max_concurrent_streams",
    100,
    "Requests in progress on one HTTP/2 connection.",
    topic=_GRPC,
    reload=NEW,
    lower=1,
)
define_int32(
    "h2_max_resets",
    100,
    "Close an HTTP/2 connection that cancels more requests within 10 s.",
    topic=_GRPC,
    reload=NEW,
    lower=1,
)
define_int32(
    "grpc_max_message_bytes",
    4194304,
    "Longest gRPC message.",
    topic=_GRPC,
    unit="bytes",
    reload=NEW,
    lower=1024,
)
define_int32(
    "grpc_default_timeout_ms",
    30000,
    "Longest gRPC call that names no deadline of its own.",
    topic=_GRPC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "grpc_max_watches",
    64,
    "Those who watch health by gRPC at the same time, on each kind of port; others are answered RESOURCE_EXHAUSTED.",
    topic=_GRPC,
    reload=NEW,
    lower=1,
)
define_int32(
    "grpc_max_watches_per_ip",
    16,
    "Of -grpc_max_watches, those of one address, which leaves others room.",
    topic=_GRPC,
    reload=NEW,
    lower=1,
)
define_int32(
    "grpc_max_calls_per_ip",
    100,
    "gRPC calls in progress of one address that comes by no internal port, health and watches among them; more are "
    "answered RESOURCE_EXHAUSTED.",
    topic=_GRPC,
    reload=NEW,
    is_zero_off=True,
    lower=0,
)


def http_config(flags: FlagValues, version: str = "", hostname: str = "") -> HttpConfig:
    """Settings of the HTTP side; ``version`` is what the pages show, ``hostname`` the name of this machine."""
    is_internal_port_set = value_of(flags, "internal_port") > 0
    hosts = tuple(value_of(flags, "admin_allowed_hosts"))
    return pick(
        HttpConfig,
        flags,
        is_internal_port_set=is_internal_port_set,
        version=version,
        hostname=hostname,
        admin_allowed_hosts=hosts,
    )


def http2_config(flags: FlagValues) -> Http2Config:
    """Limits of connections of HTTP/2."""
    return pick(Http2Config, flags)


def grpc_config(flags: FlagValues) -> GrpcConfig:
    """Settings of control by gRPC."""
    return pick(GrpcConfig, flags, is_internal_port_set=value_of(flags, "internal_port") > 0)
