"""Flags of the builtin pages and the statistics."""

from __future__ import annotations

from dataclasses import dataclass

from edge.flags.classes import LIVE, NEW
from edge.flags.registry import FlagValues, define_bool, define_int32, define_list, pick, value_of
from edge.logbook.config import LogbookConfig, parse_stages

_TOPIC = "builtin"


@dataclass(frozen=True, slots=True)
class PagesConfig:
    """Settings of the pages; the fields bear the names of the flags that set them."""

    show_streams_in_vars: bool = False
    save_series: bool = True
    max_shown_connections: int = 1024
    immutable_flags: bool = False


define_bool("show_streams_in_vars", False, "Show two variables per stream on /vars.", topic=_TOPIC, reload=LIVE)
define_bool("save_series", True, "Record how the numbers on /vars were, for 30 days.", topic=_TOPIC, reload=LIVE)
define_int32(
    "max_shown_connections",
    1024,
    "Connections in each of the tables of /connections, which shows all with ?givemeall.",
    topic=_TOPIC,
    reload=LIVE,
    lower=1,
)
define_int32(
    "dump_stats_interval",
    -1,
    "Write the table of streams to the log this often, and the billing events; 0 or below writes neither.",
    topic=_TOPIC,
    unit="s",
    reload=LIVE,
    lower=-1,
)
define_bool("log_stats", False, "Write a [CONN_STATS] line per connection every 10 s.", topic=_TOPIC)
define_bool(
    "immutable_flags",
    False,
    "Refuse every change of a flag through the pages; SIGHUP reads the flagfiles again nevertheless.",
    topic=_TOPIC,
)
define_list(
    "admin_allowed_hosts",
    (),
    "Host names under which browsers see and change state, beside addresses, localhost and this host's name.",
    topic=_TOPIC,
    reload=NEW,
)
define_bool("log_error_text", False, "Log why a client was stopped.", topic=_TOPIC, reload=LIVE)
define_bool("log_connection_close", False, "Log the end of every connection.", topic=_TOPIC, reload=LIVE)
define_bool(
    "log_idle_connection_close",
    False,
    "Log the connections closed by -server_idle_timeout.",
    topic=_TOPIC,
    reload=LIVE,
)
define_int32(
    "pithy_print_ms",
    10000,
    "Per stage (publish, play, pull, push, hls) write one line this often, about one of its clients in turn; 0 writes "
    "none.",
    topic=_TOPIC,
    unit="ms",
    reload=LIVE,
    lower=0,
)
define_list(
    "pithy_print_stage",
    (),
    "Intervals of single stages in ms, such as publish:1100,play:1300, instead of -pithy_print_ms.",
    topic=_TOPIC,
    reload=LIVE,
)


def logbook_config(flags: FlagValues) -> LogbookConfig:
    """Settings of the lines at intervals; raises ValueError where -pithy_print_stage makes no sense."""
    stages = parse_stages(value_of(flags, "pithy_print_stage"))
    return pick(LogbookConfig, flags, pithy_print_stage=stages)


def pages_config(flags: FlagValues) -> PagesConfig:
    """Settings of the pages."""
    return pick(PagesConfig, flags)
