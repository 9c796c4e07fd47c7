"""How new settings reach each part of a node that runs, in the order in which they are changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.flags.book import FlagBook
from edge.flags.check import check
from edge.flags.gflags import Parsed
from edge.net.aio import now_ms
from edge.runtime import logs
from edge.runtime.access import AccessChange
from edge.runtime.command_line import read_command_line
from edge.runtime.findings import findings
from edge.runtime.hls_files import new_disk_hls
from edge.runtime.ports import Ports
from edge.runtime.reload import OnChange, Part, Reloader, Simple
from edge.runtime.rules import RuleChange
from edge.runtime.settings import Settings, build_settings
from edge.runtime.sources import Sources
from edge.runtime.targets import values_in_vain
from edge.runtime.unit import new_source
from edge.runtime.vhosts_gone import end_gone
from edge.runtime.ways import tell_ways
from naming.url import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.builtin.config import DebugConfig
    from edge.builtin.debugging import Debugging
    from edge.runtime.node import Node
    from edge.upstream.config import UpstreamConfig


def new_reloader(node: Node, debugging: Callable[[], Debugging | None]) -> Reloader:
    """Who changes the flags of ``node``; ``debugging`` returns what its pages work with, once that is there."""

    def build(parsed: Parsed) -> Settings:
        return build_settings(parsed, values_in_vain(parsed))

    def upstream(new: Settings, config: UpstreamConfig) -> None:
        new_source(new, node.context, config)

    rules = RuleChange(node, upstream, node.settings.parsed.vhosts)
    reloader = Reloader(
        FlagBook(node.settings.parsed, is_immutable=node.settings.pages.immutable_flags, mask=without_secrets),
        parts_of(node, debugging, rules),
        build=build,
        read=lambda parsed: read_command_line(parsed.arguments),
        find=findings,
        check=check,
        owner=node.tasks,
        ahead=rules.ahead,
    )
    reloader.on_read = node.read_files_again
    reloader.on_refused = node.count_refused_reload
    return reloader


def parts_of(node: Node, debugging: Callable[[], Debugging | None], rules: RuleChange) -> list[Part]:
    """All parts; the last is the one that tells those who look at the settings whenever they need them."""

    start = node.settings
    node.hooks.next_book = lambda: rules.prepared

    def debug(config: DebugConfig) -> None:
        found = debugging()
        if found is not None:
            found.reconfigure(config)
        else:
            node.context.spans.configure(config)

    def units(new: Settings) -> None:
        for unit in node.units:
            unit.reconfigure(new)

    def overload(new: Settings) -> None:
        node.overload.reconfigure(new.overload)

    return [
        Ports(node),
        Sources(node),
        rules,
        AccessChange(node.access, rules),
        node.hooks,
        Simple(node.reconfigure_network),
        Simple(lambda _: tell_ways(node.units)),
        Simple(units),
        Simple(lambda new: end_gone(node.units, new)),
        Simple(lambda _: _begin_hls_files(node)),
        Simple(node.reconfigure_http),
        Simple(node.reconfigure_grpc),
        Simple(overload),
        OnChange(lambda new: new.debug, debug, start),
        OnChange(lambda new: new.log, logs.change, start),
        OnChange(lambda new: new.logbook, lambda config: node.stat_log.reconfigure(config, now_ms()), start),
        Simple(node.take_settings),
    ]


def _begin_hls_files(node: Node) -> None:
    """Have the streams written whose vhosts want files since a reload."""
    if node.hls_disk is None:
        node.hls_disk = new_disk_hls(node.rulebook, node.units, node.loop, node.hooks.on_listed)
        if node.hls_disk is None:
            return
        node.hls_disk.start()
    node.hls_disk.look_again()
