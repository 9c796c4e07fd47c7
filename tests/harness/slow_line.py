"""Two edges of one origin that send each other their viewers, the first behind a line as wide as a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.clock import deadline, wait_until_sync
from tests.harness.fault_proxy import FaultProxy
from tests.harness.server import EdgeServer

#: Little, so that what the line does not carry stays with the node.
_HELD_BYTES = 8192
_SLICE_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Edges:
    """All are processes; viewers reach the first edge by the line only, its pages too.

    Attributes:
        base, other_base: URLs by which viewers reach the edges.
    """

    line: FaultProxy
    origin: EdgeServer
    node: EdgeServer
    other: EdgeServer
    base: str
    other_base: str

    async def needed_bps(self, seconds: float) -> float:
        """Bits per second that viewers take over the line, by what they do in a time."""
        began, before = time.monotonic(), self.line.down.passed_bytes
        await asyncio.sleep(seconds)
        return (self.line.down.passed_bytes - before) * 8 / (time.monotonic() - began)

    def narrow(self, bits_per_s: float) -> None:
        """Let no more go over the line, for all together; each connection gets its share."""
        self.line.down.slice_bytes, self.line.down.total_bps = _SLICE_BYTES, int(bits_per_s)


@asynccontextmanager
async def edges(folder: Path, *origin_flags: str) -> AsyncIterator[Edges]:
    """Start all, and wait until the edges know each other."""
    siblings = folder / "siblings"
    siblings.write_text("")
    async with AsyncExitStack() as stack:
        origin = stack.enter_context(EdgeServer(*origin_flags))
        flags = (f"-proxy_to=127.0.0.1:{origin.port}", f"-hls_siblings=file://{siblings}")
        flags += ("-ns_access_interval=1", "-http_preload")
        node, other = [stack.enter_context(EdgeServer(*flags, has_internal_port=False)) for _ in range(2)]
        line = await stack.enter_async_context(FaultProxy(node.port, holds_bytes=_HELD_BYTES))
        base, other_base = f"http://{line.address}", f"http://{other.address}"
        siblings.write_text(f"{base}\n{other_base}\n")
        for each in (node, other):

            def knows_the_other(each: EdgeServer = each) -> bool:
                return each.counters().get("hls_sibling_up_count") == 1

            await asyncio.to_thread(wait_until_sync, knows_the_other, deadline(10), "the siblings")
        yield Edges(line, origin, node, other, base, other_base)
