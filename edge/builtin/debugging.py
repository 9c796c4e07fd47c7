"""What the pages for debugging work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.builtin.config import DebugConfig
from edge.net.listed import Listed
from edge.service.spans import SpanRing

if TYPE_CHECKING:
    from edge.httpd.routes import Route
    from edge.profiling.runs import Profiler


@dataclass(slots=True)
class Debugging:
    """One per process.

    Attributes:
        spans: what took how long lately.
        connections: those that are open.
        routes: what HTTP answers, and where.
    """

    config: DebugConfig
    loop: asyncio.AbstractEventLoop
    profiler: Profiler
    spans: SpanRing
    connections: Callable[[], Iterable[Listed]]
    routes: Callable[[], Iterable[Route]]

    def reconfigure(self, config: DebugConfig) -> None:
        """Take new settings; whether spans are made stays as ``/rpcz`` has it unless that flag has changed."""
        is_on = self.spans.is_on if config.enable_rpcz == self.config.enable_rpcz else config.enable_rpcz
        self.config = config
        self.profiler.max_kept = config.max_profiles_kept
        self.spans.configure(config)
        self.spans.is_on = is_on
