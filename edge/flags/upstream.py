"""Flags of pulling, pushing, merging and naming."""

from __future__ import annotations

from edge.flags.classes import LIVE, NEW, VHOST
from edge.flags.registry import FlagValues, define_bool, define_int32, define_int64, define_string, pick
from edge.upstream.config import UpstreamConfig
from lb import registry as balancers

_TOPIC = "upstream"

define_string(
    "proxy_to",
    "",
    "Empty makes this server an origin. Else it is an edge of this upstream: host:port, [v6]:port, rtmp://host[:port], "
    "rtmps://host[:port] over TLS, or a naming URL such as list://a:1935,b:1935 or http://name:port.",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
)
define_string(
    "proxy_lb",
    "",
    f"Balancer for the servers of -proxy_to, needed with a naming URL: {', '.join(balancers.known())}, perhaps with "
    "parameters as in c_md5:replicas=200.",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
)
define_string(
    "proxy_vhost",
    "",
    "Vhost by which the servers of -proxy_to know the streams that come from and go to them; empty: as they are known "
    "here. [vhost] stands for that name.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_string(
    "cdn_merge_to",
    "",
    "Addresses of the merge tier, in the forms of -proxy_to; without -cdn_merge_port the number after the last colon "
    "is also the port of the merge service of this process. Empty: no merge tier.",
    topic=_TOPIC,
)
define_int32(
    "cdn_merge_port",
    -1,
    "Port of the merge service of this process; -1: the number after the last colon of -cdn_merge_to.",
    topic=_TOPIC,
    lower=-1,
    upper=65535,
)
define_string("cdn_merge_lb", "", "Balancer for -cdn_merge_to, by key: c_murmurhash or c_md5.", topic=_TOPIC)
define_bool(
    "upstream_tls",
    False,
    "Reach the servers of naming services over TLS too: those of -proxy_to and of -cdn_merge_to, where these are "
    "naming URLs. One server is reached so as rtmps://host:port.",
    topic=_TOPIC,
)
define_bool(
    "share_play_connection",
    True,
    "Pulls from the same upstream server share one connection where it can carry several streams.",
    topic=_TOPIC,
)
define_bool(
    "share_publish_connection",
    True,
    "Pushes to the same upstream server share one connection where it can carry several streams.",
    topic=_TOPIC,
)
define_bool(
    "unified_play_connections",
    False,
    "Pulls of all vhosts and apps may share a connection; the upstream must read them from the stream name's query.",
    topic=_TOPIC,
    reload=NEW,
)
define_bool(
    "simplified_rtmp_play",
    False,
    "Pull without handshake and without waiting for answers; the upstream must know this way of starting.",
    topic=_TOPIC,
    reload=NEW,
)
define_int32(
    "timeout_ms",
    1000,
    "Longest attempt to open a stream at an upstream, from connecting to its answer.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=1,
)
define_int32(
    "connect_timeout_ms",
    -1,
    "Longest TCP connect to an upstream; -1 or 0: a third of -timeout_ms.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=-1,
)
define_int32(
    "fast_retry_count",
    2,
    "Retries at once, each at another server, before those at intervals.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
    upper=1000,
)
define_int32(
    "max_search_servers",
    32,
    "A stream that a server does not have is asked for at once at so many others, before any retry; not with a "
    "balancer that hashes.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
    upper=1024,
)
define_int32(
    "max_pull_queries",
    8,
    "Different queries of waiting players that one round of attempts of a pull takes in turn: the newest, the oldest "
    "and some of those between. Who brings ever new ones cannot put the others off for longer.",
    topic=_TOPIC,
    reload=NEW,
    lower=5,
    upper=1000,
)
define_int32(
    "retry_interval_ms",
    1000,
    "Shortest time between two retries of a stream after the fast ones.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=1,
)
define_int32(
    "restart_retry_ms",
    100,
    "In place of -retry_interval_ms for 5 s after the end of an upstream that has said that it stops, for most often "
    "it is started again at once.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "max_retry_duration_ms",
    -1,
    "A lost pull or push is retried this long; -1: until its clients leave; 0: not at all.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    lower=-1,
)
define_bool(
    "pull_wait_for_stream",
    True,
    "Go on retrying a pull that never had data while a player waits; false gives up after 1 + -fast_retry_count "
    "attempts.",
    topic=_TOPIC,
    reload=LIVE,
    scope=VHOST,
)
define_int32(
    "pull_nodata_timeout_ms",
    10000,
    "An HTTP request, and a brpc client, wait this long for a stream's first frame.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    scope=VHOST,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "first_data_timeout_ms",
    3000,
    "Ask an upstream whether it lives, or leave it, when a pull has no first frame after this time.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "upstream_stall_timeout_ms",
    5000,
    "Ask an upstream whether it lives when a running pull receives nothing for this time.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    is_zero_off=True,
    lower=0,
)
define_int64(
    "disable_server_duration",
    5,
    "A server that had no data for a stream is passed over for that stream this long while there is another.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    lower=0,
    upper=86400,
)
define_int32(
    "rebalance_after_ms",
    30000,
    "A pull that runs at another server than the owner of its key (hashing balancers), or at one that has left the "
    "list, goes where it belongs when it has been away this long; only between nodes of ours.",
    topic=_TOPIC,
    unit="ms",
    is_zero_off=True,
    lower=0,
)
define_int32(
    "max_connects_per_s",
    50,
    "Connects per second to one upstream server after failures. As many streams a second, lost or awaited, are asked "
    "for at all servers, and as many pulls a second move.",
    topic=_TOPIC,
    reload=LIVE,
    lower=1,
)
define_int32(
    "max_pulls",
    10000,
    "Streams pulled at a time; a player of one more is refused.",
    topic=_TOPIC,
    reload=LIVE,
    lower=1,
)
define_int32(
    "max_redirects",
    3,
    "Redirects of an upstream followed for one attempt.",
    topic=_TOPIC,
    reload=LIVE,
    lower=0,
    upper=20,
)
define_int32(
    "max_forward_hops",
    4,
    "Refuse a stream that has passed more servers of ours.",
    topic=_TOPIC,
    reload=NEW,
    lower=1,
    upper=64,
)
define_int32(
    "health_check_interval",
    3,
    "Interval of connects to a server that failed, to find out when it is back; there are none to a server alone.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    lower=1,
    upper=86400,
)
define_int32(
    "health_check_timeout_ms",
    500,
    "Longest connect of -health_check_interval; a server that takes longer is still down.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=1,
)
define_int32(
    "slow_start_ms",
    10000,
    "A server that is back, or new in the list, gets about 10 % of its usual share of new streams, growing to all of "
    "it in this time, while others are up: if it fails under load, few players meet that. Not with a hashing balancer.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "defer_close_second",
    10,
    "An unused HTTP connection to another node, by which an edge fetches what it lacks of HLS, is kept this long; 0: "
    "it is closed at once. RTMP connections that nobody uses are closed at once in any case.",
    topic=_TOPIC,
    unit="s",
    lower=0,
)
define_bool(
    "upstream_tls_verify",
    True,
    "Check the certificate and name of an upstream reached over TLS; off: whoever answers in its place is believed.",
    topic=_TOPIC,
    reload=NEW,
)
define_int32(
    "ns_access_interval",
    5,
    "Interval of asking a naming service again.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    lower=1,
)
define_int32(
    "dns_timeout_ms",
    5000,
    "Longest look-up of a name.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=1,
)
define_int32(
    "ns_fetch_timeout_ms",
    5000,
    "Longest fetch of a server list.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "ns_max_body_bytes",
    1048576,
    "Largest server list that is read.",
    topic=_TOPIC,
    unit="bytes",
    reload=LIVE,
    lower=1024,
)
define_int32(
    "ns_max_servers", 1024, "Most servers taken from one list.", topic=_TOPIC, reload=LIVE, lower=1, upper=65536
)
define_bool(
    "ns_ignore_empty_list",
    True,
    "Keep the last servers when a naming service answers with none.",
    topic=_TOPIC,
    reload=LIVE,
)
define_int32(
    "remote_file_timeout_ms",
    1000,
    "Longest fetch of the list of a remotefile:// target; -ns_fetch_timeout_ms bounds it too.",
    topic=_TOPIC,
    unit="ms",
    lower=1,
)
define_int32(
    "remote_file_connect_timeout_ms",
    -1,
    "Longest TCP connect to the server of a remotefile:// target; -1: a third of -remote_file_timeout_ms.",
    topic=_TOPIC,
    unit="ms",
    lower=-1,
)
define_int32(
    "consul_retry_interval_ms",
    500,
    "Shortest time between two questions to Consul after a failure.",
    topic=_TOPIC,
    unit="ms",
    lower=1,
)
define_int32(
    "chash_num_replicas",
    100,
    "Points of one server on the ring of a hashing balancer that has no parameter replicas; a multiple of 4 for "
    "c_ketama.",
    topic=_TOPIC,
    lower=1,
    upper=10000,
)


def upstream_config(flags: FlagValues) -> UpstreamConfig:
    """Settings of pulls and pushes."""
    return pick(UpstreamConfig, flags)
