"""One plain ``host:port``."""

from __future__ import annotations

import asyncio

from naming.node import ServerNode
from naming.static import StaticService
from tests.naming.fakes import FakeResolver, Steps, make_context


async def test_numeric_address_is_never_looked_up() -> None:
    resolver = FakeResolver()
    answers = StaticService(make_context(resolver)).watch("[::1]:1935")
    assert await anext(answers) == [ServerNode("::1", 1935)]
    assert resolver.asked == []
    await answers.aclose()  # type: ignore[attr-defined]


async def test_N3_keeps_its_address_while_the_order_changes_and_follows_a_move() -> None:
    resolver, steps, faults = FakeResolver(), Steps(), []
    seen: list[list[ServerNode]] = []

    async def follow() -> None:
        async for answer in StaticService(make_context(resolver, steps, faults.append)).watch("origin:1"):
            seen.append(list(answer))

    task = asyncio.get_running_loop().create_task(follow())
    await steps.reach_sleep()
    assert seen == [] and len(faults) == 1
    for answer in (["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.1"], ["10.0.0.3", "10.0.0.2"]):
        resolver.answers["origin"] = answer
        await steps.next_round()
    assert [nodes[0].host for nodes in seen] == ["10.0.0.1", "10.0.0.1", "10.0.0.3"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_check_name() -> None:
    StaticService(make_context()).check_name("host:1")
