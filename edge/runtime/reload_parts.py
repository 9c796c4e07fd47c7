"""How new settings reach each part of a node that runs, in the order in which they are changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.flags.book import FlagBook
from edge.flags.check import check
from edge.flags.gflags import Parsed, parse
from edge.net.aio import now_ms
from edge.runtime import logs
from edge.runtime.findings import findings
from edge.runtime.ports import Ports
from edge.runtime.reload import Part, Reloader, Simple
from edge.runtime.settings import Settings, build_settings
from edge.runtime.sources import Sources
from edge.runtime.targets import values_in_vain

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.builtin.debugging import Debugging
    from edge.runtime.node import Node


def new_reloader(node: Node, debugging: Callable[[], Debugging | None]) -> Reloader:
    """Who changes the flags of ``node``; ``debugging`` returns what its pages work with, once that is there."""

    def build(parsed: Parsed) -> Settings:
        return build_settings(parsed, values_in_vain(parsed))

    reloader = Reloader(
        FlagBook(node.settings.parsed, is_immutable=node.settings.pages.immutable_flags),
        parts_of(node, debugging),
        build=build,
        read=lambda parsed: parse(parsed.arguments),
        find=findings,
        check=check,
        owner=node.tasks,
    )
    reloader.on_read = node.reload_certificates
    reloader.on_refused = node.count_refused_reload
    return reloader


def parts_of(node: Node, debugging: Callable[[], Debugging | None]) -> list[Part]:
    """All parts; the last is the one that tells those who look at the settings whenever they need them."""

    def debug(new: Settings) -> None:
        found = debugging()
        if found is not None:
            found.reconfigure(new.debug)
        elif new.debug != node.settings.debug:
            node.context.spans.configure(new.debug)

    def log(new: Settings) -> None:
        if new.log != node.settings.log:
            logs.change(new.log)

    def logbook(new: Settings) -> None:
        if new.logbook != node.settings.logbook:
            node.stat_log.reconfigure(new.logbook, now_ms())

    def units(new: Settings) -> None:
        for unit in node.units:
            unit.reconfigure(new)

    def overload(new: Settings) -> None:
        node.overload.reconfigure(new.overload)

    servers = (node.reconfigure_network, units, node.reconfigure_http, node.reconfigure_grpc)
    takers = (*servers, overload, debug, log, logbook, node.take_settings)
    return [Ports(node), Sources(node), *(Simple(take) for take in takers)]
