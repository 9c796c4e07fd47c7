"""Puts together what the pages for debugging work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from edge.builtin.config import DebugConfig
from edge.builtin.debugging import Debugging
from edge.net.listed import Listed
from edge.profiling.runs import Profiler
from edge.service.spans import SpanRing

if TYPE_CHECKING:
    from edge.httpd.routes import Route


def new_debugging(
    config: DebugConfig,
    loop: asyncio.AbstractEventLoop,
    *,
    spans: SpanRing,
    connections: Callable[[], Iterable[Listed]],
    routes: Callable[[], Iterable[Route]],
) -> Debugging:
    """Made in the thread of ``loop``; whoever asked closes its profiler."""
    return Debugging(config, loop, Profiler(loop, max_kept=config.max_profiles_kept), spans, connections, routes)
