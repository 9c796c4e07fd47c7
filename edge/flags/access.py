"""Flags of who may publish and play."""

from __future__ import annotations

from edge.access.config import AccessConfig, GuardConfig
from edge.flags.classes import NEW, VHOST
from edge.flags.registry import FlagValues, define_bool, define_int32, define_list, define_string, pick

_TOPIC = "access"
_LISTS = {
    "publish_allow": "Addresses and networks (CIDR) that may publish, or all; empty: those that -publish_deny has not.",
    "publish_deny": "Addresses and networks (CIDR) that may not publish, or all; it goes before -publish_allow.",
    "play_allow": "Addresses and networks (CIDR) that may play, or all; empty: those that -play_deny has not.",
    "play_deny": "Addresses and networks (CIDR) that may not play, or all; it goes before -play_allow.",
    "refer_all": "Hosts of pages that may connect, publish and play: example.com and all below it, .example.com those "
    "below it only, none for who comes from no page. Empty: all.",
    "refer_play": "The same of pages that may play; -refer_all has to admit them too.",
    "refer_publish": "The same of pages that may publish; -refer_all has to admit them too.",
    "publish_auth": "How publishers show that they may: key (a secret stream key), sign (a signed URL), user (name and "
    "password), jwt (a token); any one of those listed suffices. Empty: all may.",
    "play_auth": "How players show that they may: sign (a signed URL), user (name and password), jwt (a token); any "
    "one of those listed suffices. Empty: all may.",
}

for _name, _help in _LISTS.items():
    define_list(_name, (), _help, topic=_TOPIC, reload=NEW, scope=VHOST)
define_string(
    "stream_keys_file",
    "",
    "File of secret stream keys, a line each: [vhost/]app/stream KEY-OR-sha256:HASH. Who publishes app/KEY feeds "
    "app/stream, and nobody learns the key. Read again at a reload.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_string(
    "users_file",
    "",
    "File of users, a line each: name:HASH:actions[:paths[:addresses]], HASH as edge-ctl user new makes it. Read again "
    "at a reload.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_string(
    "sign_keys_file",
    "",
    "File of keys of signed URLs, one per line: all are taken, the first one signs. Read again at a reload.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_string(
    "sign_scheme",
    "edge",
    "How URLs are signed: edge, tencent, wangsu, aliyun-a, aliyun-c, huawei-d, nginx, nms, lal, or a template "
    "HASH:ENCODING:PARAMETERS:TEXT:TIME such as md5:hex:sum,t:{key}{path}{t}:dec; several with commas between.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_int32(
    "sign_ttl_s",
    0,
    "How long a signed URL is valid whose scheme may say when it was made (wangsu, aliyun-a, aliyun-c, templates); 0: "
    "the time in it is its end.",
    topic=_TOPIC,
    unit="s",
    reload=NEW,
    scope=VHOST,
    lower=0,
)
define_int32(
    "sign_skew_s",
    30,
    "Clocks of signers, of URLs and of tokens, may differ by so much.",
    topic=_TOPIC,
    unit="s",
    reload=NEW,
    scope=VHOST,
    lower=0,
    upper=86400,
)
define_string(
    "jwt_keys",
    "",
    "Keys of tokens (JWT): a file of public keys in PEM, of a set (JWKS), or of lines HS256 SECRET, read again at a "
    "reload; or the http:// or https:// URL of a set, asked at the start and every 10 minutes. Needs the extra auth.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_string(
    "jwt_issuer",
    "",
    "Issuer (iss) that a token has to name; empty: any that signs with a key of -jwt_keys.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_list(
    "jwt_audience",
    (),
    "Audiences (aud) of which a token has to name one; empty: a token that names any is refused.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_bool(
    "auth_end_at_expiry",
    False,
    "End a session when the signed URL or the token that let it in ends; by default the time is looked at once.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_string(
    "auth_upstream",
    "pass",
    "What an edge tells its upstream of what let a client in: pass (all of its query), off (nothing), ask (all of it, "
    "and the upstream is asked about each client before it is let in; -hook_timeout_ms, -hook_cache_s and "
    "-hook_grace_s hold for its answers as for those of hooks).",
    topic=_TOPIC,
    choices=("pass", "off", "ask"),
    reload=NEW,
    scope=VHOST,
)
define_string(
    "hls_cdn_secret_file",
    "",
    "File of secrets, one per line, of CDNs that check viewers themselves: who sends Authorization: Bearer SECRET is "
    "served HLS without gates and permits, in answers that caches may keep; with a wrong one 403. Read again at a "
    "reload.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_int32(
    "auth_failures_per_min",
    30,
    "After so many wrong credentials of an address in a minute all of it is refused for a minute, unlooked at; an IPv6 "
    "/64 is one address.",
    topic=_TOPIC,
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_int32(
    "auth_told_per_s",
    20,
    "Most connections a second that are told so, of an address that is out of -auth_failures_per_min; others are "
    "closed unread, and on Linux the kernel drops its further attempts to connect until the second is over.",
    topic=_TOPIC,
    reload=NEW,
    is_zero_off=True,
    lower=0,
)
define_string(
    "node_secret_file",
    "",
    "File with the secret by which nodes of a fleet know each other: who proves it is judged no second time. The same "
    "on all of them. Read again at a reload.",
    topic=_TOPIC,
    reload=NEW,
)
define_list(
    "trusted_nodes",
    (),
    "Addresses and networks (CIDR) of nodes that cannot prove themselves, and are judged by their address alone.",
    topic=_TOPIC,
    reload=NEW,
)


def access_config(flags: FlagValues) -> AccessConfig:
    """Settings of the gates, for all streams that no vhost says otherwise of."""
    return pick(AccessConfig, flags)


def guard_config(flags: FlagValues) -> GuardConfig:
    """Settings of the gates of the whole node."""
    return pick(GuardConfig, flags)
