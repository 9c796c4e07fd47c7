"""Flags that may change while the node runs, and how each reaches what it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.flags.book import FlagBook
from edge.flags.check import check
from edge.flags.gflags import Parsed
from edge.net.aio import now_ms
from edge.net.context import NetContext
from edge.runtime import logs
from edge.runtime.late_http import LateHttp
from edge.runtime.settings import Settings, build_settings
from edge.runtime.stat_log import StatLog
from edge.runtime.targets import values_in_vain

if TYPE_CHECKING:
    from edge.builtin.debugging import Debugging

#: Read from the settings of the network each time, so that a change acts from then on.
_NET = (
    *("accept_per_turn", "max_connections_per_ip", "max_publish_kbps", "protocol_detect_timeout_ms"),
    *("log_connection_close", "log_error_text", "log_idle_connection_close", "reject_linger_ms", "server_idle_timeout"),
)
#: Of HTTP connections that come from then on.
_HTTP = (
    *("admin_allowed_hosts", "http_header_timeout_ms", "http_keepalive_ms", "http_max_body_bytes"),
    *("http_max_header_bytes", "http_max_requests", "write_stall_timeout_ms"),
)
_PAGES = ("max_shown_connections", "save_series", "show_streams_in_vars")
_LOG = ("minloglevel", "v", "vmodule")
_LOGBOOK = ("dump_stats_interval", "pithy_print_ms", "pithy_print_stage")
_DEBUG = (
    *("enable_rpcz", "max_flame_graph_width", "max_profiles_kept", "max_profiling_seconds"),
    *("rpcz_keep_span_seconds", "rpcz_save_span_min_latency_us"),
)
LIVE = frozenset((*_NET, *_HTTP, *_PAGES, *_LOG, *_LOGBOOK, *_DEBUG))


class Changeable(Protocol):
    """The parts of a node that flags reach."""

    settings: Settings
    context: NetContext
    http: LateHttp
    stat_log: StatLog


def flag_book(node: Changeable, debugging: Debugging) -> FlagBook:
    """The flags that a node has been started with."""

    def apply(parsed: Parsed) -> None:
        put_into_force(node, debugging, build_settings(parsed, values_in_vain(parsed)))

    is_immutable = node.settings.pages.immutable_flags
    return FlagBook(node.settings.parsed, live=LIVE, check=check, apply=apply, is_immutable=is_immutable)


def put_into_force(node: Changeable, debugging: Debugging, settings: Settings) -> None:
    """Hand new settings to those who read them while they work; what is read at the start stays as it is."""
    before, node.settings = node.settings, settings
    node.context.config = settings.net
    if node.http.service is not None:
        node.http.service.reconfigure(settings.http)
    if settings.log != before.log:
        logs.change(settings.log)
    if settings.logbook != before.logbook:
        node.stat_log.reconfigure(settings.logbook, now_ms())
    debugging.reconfigure(settings.debug)
