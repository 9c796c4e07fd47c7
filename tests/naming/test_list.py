"""``list://``: servers in the URL."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from naming.base import NamingError
from naming.list import ListService
from naming.node import ServerNode
from naming.url import parse_address
from naming.watcher import Watcher
from tests.naming.fakes import FakeResolver, Steps, make_context


async def first(service: ListService, name: str) -> list[ServerNode]:
    async with contextlib.aclosing(service.watch(name)) as answers:  # type: ignore[type-var]
        async for answer in answers:
            return list(answer)
    raise AssertionError("no answer")


async def test_items_in_the_order_written() -> None:
    resolver = FakeResolver(b=["10.0.0.2", "10.0.0.9"])
    nodes = await first(ListService(make_context(resolver)), "10.0.0.1:80 5,, b:81,[::1]:82,")
    assert nodes == [ServerNode("10.0.0.1", 80, "5"), ServerNode("10.0.0.2", 81), ServerNode("::1", 82)]


async def test_bad_items_are_skipped_and_told() -> None:
    faults: list[str] = []
    nodes = await first(ListService(make_context(on_failure=faults.append)), "10.0.0.1:80,nonsense,10.0.0.2:0")
    assert nodes == [ServerNode("10.0.0.1", 80)]
    assert len(faults) == 2


async def test_empty_list_is_an_answer() -> None:
    assert await first(ListService(make_context()), "") == []


async def test_unresolved_names_are_asked_again_and_then_no_more() -> None:
    resolver, steps, faults = FakeResolver(a=["10.0.0.1"]), Steps(), []
    answers: list[list[ServerNode]] = []
    is_complete = asyncio.Event()

    async def follow() -> None:
        async for answer in ListService(make_context(resolver, steps, faults.append)).watch("a:1,b:2"):
            answers.append(list(answer))
            if len(answers) == 2:
                is_complete.set()

    task = asyncio.get_running_loop().create_task(follow())
    await steps.reach_sleep()
    assert answers == [[ServerNode("10.0.0.1", 1)]] and len(faults) == 1 and steps.waits == [5]
    resolver.answers["b"] = ["10.0.0.2"]
    await steps.end_sleep()
    await is_complete.wait()
    assert answers[1] == [ServerNode("10.0.0.1", 1), ServerNode("10.0.0.2", 2)]
    assert resolver.asked == ["a", "b", "b"] and len(steps.waits) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_list_that_is_used_without_one_of_its_names_is_no_outage() -> None:
    steps = Steps()
    address = parse_address("list://a:1,b:2")
    resolver = FakeResolver(a=["10.0.0.1"])
    watcher = Watcher(address, lambda servers: None, resolver=resolver, sleep=steps.sleep)
    await watcher.start()
    assert (watcher.failed_count, watcher.skipped_count) == (0, 1) and watcher.describe()["state"] == "current"
    await watcher.close()


async def test_N1_nothing_resolved_is_an_outage_not_an_empty_list() -> None:
    steps, faults = Steps(), []
    answers = ListService(make_context(FakeResolver(), steps, faults.append)).watch("a:1")
    task = asyncio.get_running_loop().create_task(anext(answers))  # type: ignore[arg-type]
    await steps.reach_sleep()
    assert not task.done() and len(faults) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_check_name_names_the_bad_item() -> None:
    ListService(make_context()).check_name("a:1,b:2 5")
    with pytest.raises(NamingError, match='"b"'):
        ListService(make_context()).check_name("a:1,b")
    for name in ("", ",", " # 10.0.0.1:1"):
        with pytest.raises(NamingError, match="no servers"):
            ListService(make_context()).check_name(name)
