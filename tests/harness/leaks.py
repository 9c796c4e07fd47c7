"""Whether servers give back what a scenario made them hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import EdgeServer

_HELD = ("pull_count", "push_count", "upstream_connection_count", "stream_count", "player_count", "publisher_count")


async def assert_gives_back(nodes: Sequence[EdgeServer], within_s: float = 5.0) -> None:
    """Within ``within_s`` no node holds a pull, push, upstream connection or stream, nor a task of theirs."""
    await asyncio.gather(*(asyncio.to_thread(_wait_for_nothing, node, within_s) for node in nodes))


def _wait_for_nothing(node: EdgeServer, within_s: float) -> None:
    held: dict[str, float] = {}

    def holds_nothing() -> bool:
        counters = node.counters()
        held.clear()
        held.update({name: counters[name] for name in _HELD if counters.get(name)})
        # The request for the counters is itself one task.
        if counters["task_count"] > 2:
            held["task_count"] = counters["task_count"]
        return not held

    try:
        wait_until_sync(holds_nothing, deadline(within_s), "everything given back")
    except AssertionError as error:
        raise AssertionError(f"{error}: port {node.port} still holds {held}") from None
    assert node.counters()["error_internal_count"] == 0
