"""Flags of listening, accepting, sending and the process."""

from __future__ import annotations

from edge.flags.classes import LIVE, NEW, VHOST
from edge.flags.registry import (
    FlagValues,
    define_bool,
    define_double,
    define_int32,
    define_int64,
    define_list,
    define_port_list,
    define_string,
    pick,
    value_of,
)
from edge.net.config import NetConfig

_TOPIC = "server"

define_int32(
    "port",
    8079,
    "Main port: RTMP and HTTP are told apart on it by their first bytes. 0 lets the kernel choose. When it changes the "
    "new one is opened before the old one is closed, and who is connected stays.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
    upper=65535,
)
define_int32(
    "internal_port",
    -1,
    "A second port for operators. When set (above 0), pages, metrics and every change of state live only there and the "
    "main port answers 403 to them; streams are served on both. -1 opens none.",
    topic=_TOPIC,
    lower=-1,
    upper=65535,
)
define_port_list(
    "listen",
    (),
    "Further ports that serve all that -port serves, such as 1935,19350.",
    topic=_TOPIC,
    reload=LIVE,
)
define_string(
    "upgrade_socket",
    "",
    "Path of a private unix socket by which a new process takes over from this one: python -m edge.tools.upgrade PATH "
    "has this process start it, edge -takeover=PATH is one that was started by hand. Empty: none.",
    topic=_TOPIC,
)
define_string(
    "takeover",
    "",
    "Take the listening sockets, players and publishers of the process with this -upgrade_socket over, which then "
    "ends; until all is in its place that one goes on. fd:N is an inherited socket, as the old process passes it.",
    topic=_TOPIC,
)
define_int32(
    "upgrade_timeout_ms",
    30000,
    "A new process that is not ready to take over within this is given up; the old one goes on.",
    topic=_TOPIC,
    unit="ms",
    lower=1000,
    upper=600000,
)
define_int32(
    "upgrade_pause_ms",
    3000,
    "All connections stand still while they are handed over, at most so long; then the new process is given up.",
    topic=_TOPIC,
    unit="ms",
    lower=100,
    upper=60000,
)
define_int32(
    "upgrade_hls_max_mb",
    512,
    "Segments of HLS that a new process takes over, of all streams; those of further streams it makes anew of the "
    "frames held. Both processes hold them for a moment. 0: none.",
    topic=_TOPIC,
    unit="MB",
    lower=0,
    upper=65536,
)
define_list(
    "bind", (), "Numeric addresses to listen on, IPv4 or IPv6, for all ports. Empty: all addresses.", topic=_TOPIC
)
define_int32(
    "server_idle_timeout",
    -1,
    "Close an accepted connection that neither reads nor writes for longer than this; -1 or 0 never does.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    lower=-1,
)
define_int32(
    "accept_per_turn",
    64,
    "Connections accepted per turn of the loop, so that a storm of them cannot starve the streams.",
    topic=_TOPIC,
    reload=LIVE,
    lower=1,
    upper=65536,
)
define_int32(
    "reserved_fds",
    64,
    "File descriptors kept from clients for upstreams, files and the internal port.",
    topic=_TOPIC,
    lower=0,
    upper=1048576,
)
define_int32(
    "max_connections",
    0,
    "Most client connections at a time; one more is accepted and closed at once. 0: the descriptor limit less "
    "-reserved_fds.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
)
define_int32(
    "max_connections_per_ip",
    0,
    "Most client connections of one address; 0 sets no limit.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
)
define_int32(
    "protocol_detect_timeout_ms",
    5000,
    "Close a connection whose first bytes do not tell its protocol in this time.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "tcp_user_timeout_ms",
    35000,
    "Close a connection whose peer acknowledges nothing that was sent for this long; not below -send_timeout_ms.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "send_timeout_ms",
    30000,
    "Close a player that takes no byte for this long.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "slow_player_max_jumps",
    0,
    "Close a player that had to jump to a newer keyframe more often than this within a minute; 0 = never: jumping "
    "closes nobody, making no progress for send_timeout_ms does.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
)
define_int32(
    "max_player_buffer_bytes",
    4194304,
    "Most bytes kept for one player beside the shared log.",
    topic=_TOPIC,
    unit="bytes",
    reload=LIVE,
    lower=65536,
)
define_int64(
    "socket_max_unwritten_bytes",
    67108864,
    "Most unsent bytes of one connection that does not play from the shared log, such as one that carries many "
    "streams; beyond it the connection counts as slow.",
    topic=_TOPIC,
    unit="bytes",
    lower=65536,
)
define_int32(
    "socket_send_buffer_size",
    -1,
    "Kernel send buffer of accepted connections (SO_SNDBUF), of which Linux makes twice as much; -1 or 0 leaves it to "
    "the kernel, which is better for all but very many slow players.",
    topic=_TOPIC,
    unit="bytes",
    reload=NEW,
    lower=-1,
)
define_int32(
    "flush_interval_ms",
    -1,
    "Players are written to this often: 0 as messages are read, above 0 at that interval, -1 at once while they are "
    "few, then merged by reading publishers 14 to 18 ms late, in turns up to 110 ms, and up to 350 ms by "
    "-flush_cpu_pct.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=-1,
    upper=10000,
)
define_int32(
    "flush_cpu_pct",
    20,
    "Share of one core that the calls of sending may take before -flush_interval_ms=-1 makes fewer of them.",
    topic=_TOPIC,
    unit="%",
    reload=LIVE,
    lower=1,
    upper=90,
)
define_int32(
    "ingest_tick_ms",
    20,
    "From 24 publishers on they are read together this often, up to 74 ms with very many. Fewer are read so, "
    "18 ms late at most, where -flush_interval_ms=-1 merges messages for players: 0 switches both off.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=0,
    upper=1000,
)
define_int32(
    "parse_budget_us",
    5000,
    "Longest time one connection's input may take in one turn of the loop; the rest waits for the next.",
    topic=_TOPIC,
    unit="us",
    reload=LIVE,
    lower=100,
    upper=1000000,
)
define_int32(
    "end_flush_ms",
    2000,
    "When a stream ends its players are sent what is queued for at most this long.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=0,
    upper=60000,
)
define_int32(
    "reject_linger_ms",
    100,
    "A refused RTMP peer has this long to read the reason before its connection ends.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=0,
    upper=60000,
)
define_int32(
    "max_publish_kbps",
    0,
    "Most a publisher may send on average; 0 sets no limit.",
    topic=_TOPIC,
    unit="kbit/s",
    reload=LIVE,
    scope=VHOST,
    lower=0,
)
define_bool(
    "rtmp_proxy_protocol",
    False,
    "Expect the PROXY header, version 1 or 2, before the first byte of each connection that a load balancer of "
    "-trusted_proxies makes to a public port; whoever else sends one is refused. For all protocols, TLS included.",
    topic=_TOPIC,
    reload=LIVE,
)
define_list(
    "trusted_proxies",
    (),
    "Load balancers and reverse proxies that may say who their client is, as addresses or networks such as "
    "10.0.0.0/8: by the PROXY header (-rtmp_proxy_protocol), and in HTTP by X-Forwarded-For or Forwarded. That client "
    "then counts for -max_connections_per_ip and stands in logs, pages and bills.",
    topic=_TOPIC,
    reload=LIVE,
)
define_int32(
    "workers", 1, "Processes that share the ports; a stream lives in one of them.", topic=_TOPIC, lower=1, upper=1024
)
define_int64(
    "max_memory_mb",
    0,
    "Memory that the process is to stay below: from 85 % of it newcomers are refused, from 92 % streams keep one group "
    "of pictures only, from 97 % the slowest players are closed. 0: 80 % of what the control group or the machine has.",
    topic=_TOPIC,
    unit="MiB",
    reload=LIVE,
    lower=0,
)
define_int32(
    "overload_lag_ms",
    200,
    "Refuse newcomers while two of the last ten turns of the loop, a tenth of a second each, were late by this; from "
    "1000 on streams keep one group of pictures only.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    is_zero_off=True,
    lower=0,
)
define_bool(
    "circuit_breaker",
    True,
    "Refuse newcomers while the process is overloaded, by -max_memory_mb or -overload_lag_ms, and say so to them.",
    topic=_TOPIC,
    reload=LIVE,
)
define_double(
    "loop_stall_warn_ms",
    100.0,
    "Warn of a turn of the loop that takes longer than this; 0 never does.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=0.0,
)


def net_config(flags: FlagValues) -> NetConfig:
    """Settings of sockets, listener and fan-out.

    ``tcp_user_timeout_ms`` is raised to ``send_timeout_ms``: a shorter one would
    let the kernel end slow players before they had their time.
    """
    user_timeout_ms = value_of(flags, "tcp_user_timeout_ms")
    if user_timeout_ms:
        user_timeout_ms = max(user_timeout_ms, value_of(flags, "send_timeout_ms"))
    return pick(NetConfig, flags, tcp_user_timeout_ms=user_timeout_ms)
