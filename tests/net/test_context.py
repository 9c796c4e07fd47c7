"""What the connections of one loop share."""

from __future__ import annotations

from tests.net.serving import Nodes


async def test_numbers_count_up() -> None:
    async with Nodes() as nodes:
        context = nodes.add().context
        assert [context.next_connection_number() for _ in range(3)] == [1, 2, 3]
