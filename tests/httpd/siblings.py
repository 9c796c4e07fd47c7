"""Two nodes that send each other their viewers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from edge.httpd.steer import Steering
from tests.harness.clock import deadline, wait_until
from tests.runtime.nodes import RunningNode, running


def base_of(node: RunningNode) -> str:
    """Its base URL."""
    return f"http://127.0.0.1:{node.port()}"


def pathway_of(node: RunningNode) -> str:
    return f"127.0.0.1_{node.port()}"


@asynccontextmanager
async def siblings(
    folder: Path, *flags: str, run: Callable[..., AbstractAsyncContextManager[RunningNode]] = running
) -> AsyncIterator[tuple[RunningNode, RunningNode]]:
    """Two nodes with these flags that know each other, and themselves; ``run`` starts each."""
    file = folder / "siblings"
    async with AsyncExitStack() as stack:
        options = (f"-hls_siblings=file://{file}", "-hls_steer_ttl_s=1", *flags)
        one, other = [await stack.enter_async_context(run(*options)) for _ in range(2)]
        file.write_text(f"{base_of(one)} # the first\n{base_of(other)}\n")
        for node in (one, other):
            await node.get("/health")
        for node in (one, other):
            steering = node.node.steering
            assert steering is not None

            def has_found(steering: Steering = steering) -> bool:
                return steering._siblings.own_base() != "" and len(steering._siblings.others()) == 1

            await wait_until(has_found, deadline(5), "the siblings")
        try:
            yield one, other
        finally:  # or each would wait for the other's connections to go
            for node in (one, other):
                await node.close()
