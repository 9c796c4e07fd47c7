"""Puts a node together with what tells of it: the node knows no page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from edge.facts.records import ServiceFacts
from edge.net.aio import spawn_lasting
from edge.net.byte_stream import ListeningSocket
from edge.runtime.gather import Gatherer
from edge.runtime.node import Node
from edge.runtime.orders import OrderTaker
from edge.runtime.reload import Reloader
from edge.runtime.reload_parts import new_reloader
from edge.runtime.settings import Settings
from edge.runtime.why import Why

if TYPE_CHECKING:
    from edge.builtin.debugging import Debugging
    from edge.control.config import GrpcConfig
    from edge.control.server import ControlServers
    from edge.httpd.routes import Route
    from edge.runtime.upgrade import Upgrader

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A node and those who look at it.

    Attributes:
        facts: what it tells of itself.
        debugging: for the pages for debugging; there once HTTP is.
        reloader: changes its flags.
        orders: carries out what it is told to do.
        upgrader: hands all over to a new process.
    """

    node: Node
    facts: Gatherer
    debugging: Callable[[], Debugging]
    reloader: Reloader
    orders: OrderTaker
    upgrader: Callable[[], Upgrader]

    async def start(self, passed: Sequence[tuple[ListeningSocket, str]] = ()) -> None:
        """Listen, and say which services there are; arguments and errors are those of ``Node.start``."""
        await self.node.start(passed)
        spawn_lasting(self.facts.watch, name="variables", owner=self.node.tasks)
        spawn_lasting(self.facts.looks.run, name="history", owner=self.node.tasks)
        for service in self.facts.service_facts():
            logger.info("%s", service_line(service))


def service_line(facts: ServiceFacts) -> str:
    """What the log says of a service at start: its name, where there are two, its id and its upstreams."""
    name = f"{facts.service} " if facts.service else ""
    sides = f" pulls from {facts.pulls_from}, pushes to {facts.pushes_to}" if facts.pulls_from else ""
    return f"{name}service id={facts.id}{sides}"


def assemble(settings: Settings, loop: asyncio.AbstractEventLoop) -> Daemon:
    """Make all parts; nothing listens yet. Raises ConfigError when a file that is named cannot be used."""
    node = Node(settings, loop)
    made_debugging: Debugging | None = None
    reloader = new_reloader(node, lambda: made_debugging)
    facts = Gatherer(node, reloads=lambda: reloader.reports, in_force=lambda: reloader.book.in_force)
    orders = OrderTaker(node, reloader)
    why = Why(node.units, node.context)

    def debugging() -> Debugging:
        nonlocal made_debugging
        if made_debugging is not None:
            return made_debugging
        from edge.runtime.debugging import new_debugging

        made_debugging = made = new_debugging(
            node.settings.debug,
            loop,
            spans=node.context.spans,
            connections=lambda: node.context.connections,
            routes=lambda: node.http.service.routes if node.http.service is not None else (),
        )
        node.owned_by_pages.append(made.profiler)
        return made

    @cache
    def upgrader() -> Upgrader:
        from edge.runtime.upgrade import Upgrader  # most processes end without

        return Upgrader(node, lambda: node.on_handed_over())

    def page_routes() -> list[Route]:
        # Imported by the thread that loads HTTP.
        from edge.builtin.page import PageContext
        from edge.builtin.site import site_routes

        debugging()
        return site_routes(PageContext(facts, debugging, reloader.book, orders, why))

    def make_control(config: GrpcConfig) -> ControlServers:
        from edge.control.context import ControlContext
        from edge.control.server import ControlServers

        return ControlServers(ControlContext(facts, orders, reloader.book, why), node.context, config)

    node.page_routes = page_routes
    node.grpc.maker = make_control
    node.upgrade = lambda: upgrader().upgrade()
    return Daemon(node, facts, debugging, reloader, orders, upgrader)
