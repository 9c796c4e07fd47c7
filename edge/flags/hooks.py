"""Flags of HTTP callbacks."""

from __future__ import annotations

from edge.flags.classes import NEW, VHOST
from edge.flags.registry import FlagValues, define_int32, define_list, define_string, pick
from edge.hooks.config import HookConfig, HookLimits

_TOPIC = "hooks"
_EVENTS = {
    "connect": "asked whether an RTMP client may connect, before it is answered",
    "close": "told that an RTMP client has left that was let in",
    "publish": "asked who may publish, before the stream begins",
    "unpublish": "told that a publish is over that was let in",
    "play": "asked who may play, before anything is sent; of HLS at the playlist that a viewer begins with",
    "stop": "told that a play is over that was let in",
    "update": "asked each -hook_update_s whether a session may go on",
    "hls": "told of each segment of HLS that is written below -hls_path, once its playlist lists it",
    "hls_notify": "asked by GET for each such segment, one of them in turn; [app] [stream] [ts_url] [param] "
    "[server_id] [service_id] in it are filled in",
    "dvr": "told of recordings; nothing is recorded yet",
}
for _event, _what in _EVENTS.items():
    define_list(
        f"hooks_on_{_event}",
        (),
        f"URLs, {_what}. Credentials in a URL are sent as Basic.",
        topic=_TOPIC,
        reload=NEW,
        scope=VHOST,
    )
define_string(
    "hook_form",
    "srs",
    "What bodies and answers look like: srs (3.0 and later), srs1 (before), nginx (as nginx-rtmp), mediamtx.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
    choices=("srs", "srs1", "nginx", "mediamtx"),
)
define_int32(
    "hook_timeout_ms",
    3000,
    "Longest that a question takes, all its URLs together; connecting may take a third of it.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    scope=VHOST,
    lower=10,
    upper=60000,
)
define_string(
    "hook_failure",
    "deny",
    "What a question without a usable answer means, where no yes of before stands.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
    choices=("deny", "allow"),
)
define_int32(
    "hook_grace_s",
    60,
    "How long a yes stands for the very same question while there is no usable answer, counted from the end of the "
    "session that it let in; 0: not at all.",
    topic=_TOPIC,
    unit="s",
    reload=NEW,
    scope=VHOST,
    lower=0,
    upper=86400,
)
define_int32(
    "hook_cache_s",
    0,
    "How long a yes is taken for the very same question without asking; 0: each is asked. A lifetime_s in the answer "
    "wins.",
    topic=_TOPIC,
    unit="s",
    reload=NEW,
    scope=VHOST,
    lower=0,
    upper=86400,
)
define_int32(
    "hook_update_s",
    30,
    "From one on_update of a session to the next.",
    topic=_TOPIC,
    unit="s",
    reload=NEW,
    scope=VHOST,
    lower=1,
    upper=86400,
)
define_string(
    "hook_secret_file",
    "",
    "File with a secret that signs calls as Standard Webhooks do: a line of 16 characters or more, or whsec_ and "
    "base64; empty: they are not signed.",
    topic=_TOPIC,
    reload=NEW,
    scope=VHOST,
)
define_int32(
    "hook_max_calls",
    256,
    "Most questions in progress at a time, and as many events; more wait within their -hook_timeout_ms.",
    topic=_TOPIC,
    reload=NEW,
    lower=1,
    upper=10000,
)
define_int32(
    "hook_drain_ms",
    2000,
    "At the end, longest to go on telling hooks what has happened.",
    topic=_TOPIC,
    unit="ms",
    reload=NEW,
    lower=0,
    upper=60000,
)


def hook_config(flags: FlagValues) -> HookConfig:
    """Whom to call."""
    return pick(HookConfig, flags)


def hook_limits(flags: FlagValues) -> HookLimits:
    """Limits of the process."""
    return pick(HookLimits, flags)
