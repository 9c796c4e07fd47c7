"""Flags of the builtin pages and the statistics."""

from __future__ import annotations

from edge.flags.registry import define_bool, define_int32, define_list

_TOPIC = "builtin"

define_bool("show_streams_in_vars", False, "Show two variables per stream on /vars.", topic=_TOPIC, is_reloadable=True)
define_int32(
    "dump_stats_interval",
    -1,
    "Write the table of streams to the log this often, and the billing events; 0 or below writes neither.",
    topic=_TOPIC,
    unit="s",
    is_reloadable=True,
    lower=-1,
)
define_bool("log_stats", False, "Write a [CONN_STATS] line per connection every 10 s.", topic=_TOPIC)
define_bool("immutable_flags", False, "Refuse every change of a flag through the pages.", topic=_TOPIC)
define_list(
    "admin_allowed_hosts",
    (),
    "Host names under which pages may change state, beside addresses, localhost and this host's name.",
    topic=_TOPIC,
    is_reloadable=True,
)
define_bool("log_error_text", False, "Log why a client was stopped.", topic=_TOPIC, is_reloadable=True)
define_bool("log_connection_close", False, "Log the end of every connection.", topic=_TOPIC, is_reloadable=True)
define_bool(
    "log_idle_connection_close",
    False,
    "Log the connections closed by -server_idle_timeout.",
    topic=_TOPIC,
    is_reloadable=True,
)
