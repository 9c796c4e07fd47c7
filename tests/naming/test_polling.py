"""The loop and the parts that several naming services share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from naming.base import NamingContext, NamingError, NamingOptions
from naming.lines import Item
from naming.node import ServerNode
from naming.polling import ItemResolver, poll, read_items
from tests.naming.fakes import FakeResolver, Steps, make_context


async def test_failures_are_told_yield_nothing_and_keep_the_interval() -> None:
    steps, faults = Steps(), []
    results: list[list[ServerNode] | NamingError] = [NamingError("out"), [ServerNode("10.0.0.1", 1)]]

    async def fetch() -> Sequence[ServerNode]:
        result = results.pop(0)
        if isinstance(result, NamingError):
            raise result
        return result

    answers = poll(make_context(steps=steps, on_failure=faults.append), fetch, lambda: 30)
    first = asyncio.get_running_loop().create_task(anext(answers))  # type: ignore[arg-type]
    await steps.end_sleep()
    assert await first == [ServerNode("10.0.0.1", 1)] and faults == ["out"]
    second = asyncio.get_running_loop().create_task(anext(answers))  # type: ignore[arg-type]
    await steps.reach_sleep()
    assert steps.waits == [5, 30]
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


def test_N4_lines_of_every_kind() -> None:
    faults: list[str] = []
    text = (
        "\ufeff# head\r\n10.0.0.1:80 5\r\n10.0.0.2:0\n10.0.0.3:65536\n10.0.0.4:x\n\n10.0.0.5:80#c\n10.0.0.6:81 a b # n"
    )
    items = read_items(text, make_context(on_failure=faults.append))
    assert items == [Item("10.0.0.1", 80, "5"), Item("10.0.0.5", 80), Item("10.0.0.6", 81, "a b")]
    assert len(faults) == 1 and faults[0].startswith("3 bad lines skipped")


def test_N4_nothing_valid_is_no_empty_list() -> None:
    with pytest.raises(NamingError, match="none of 2 lines"):
        read_items("<html>\n</html>\n", make_context())
    assert read_items("# nobody today\n", make_context()) == []


async def test_N1_a_name_keeps_its_address_through_an_outage() -> None:
    faults: list[str] = []
    names = FakeResolver(a=["10.0.0.1", "10.0.0.9"], b=["10.0.0.2"])
    resolver = ItemResolver(make_context(names, on_failure=faults.append))
    items = [Item("a", 1), Item("b", 2, "5"), Item("::1", 3)]
    expected = [ServerNode("10.0.0.1", 1), ServerNode("10.0.0.2", 2, "5"), ServerNode("::1", 3)]
    assert await resolver.resolve(items) == expected
    names.answers = {"a": ["10.0.0.9", "10.0.0.1"]}
    assert await resolver.resolve(items) == expected
    assert len(faults) == 1
    assert await resolver.resolve([]) == []


async def test_N1_nobody_has_an_address() -> None:
    with pytest.raises(NamingError, match='cannot resolve "a"'):
        await ItemResolver(make_context()).resolve([Item("a", 1)])


async def test_N1_no_name_answers_and_nothing_is_new() -> None:
    faults: list[str] = []
    names = FakeResolver(a=["10.0.0.1"], b=["10.0.0.2"])
    resolver = ItemResolver(make_context(names, on_failure=faults.append))
    both = [Item("a", 1), Item("b", 2)]
    await resolver.resolve(both)
    names.answers.clear()
    with pytest.raises(NamingError, match="none of 2 names has an answer"):
        await resolver.resolve(both)
    assert await resolver.resolve(both[:1]) == [ServerNode("10.0.0.1", 1)], "a list that has changed counts"
    assert len(faults) == 1
    with pytest.raises(NamingError, match="none of 1 names"):
        await resolver.resolve(both[:1])


async def test_N3_names_beyond_the_limit_are_told() -> None:
    faults: list[str] = []
    names = FakeResolver(a=["10.0.0.1"], b=["10.0.0.2"])
    context = NamingContext(NamingOptions(ns_max_servers=1), names, faults.append)
    assert await ItemResolver(context).resolve([Item("a", 1), Item("b", 2)]) == [ServerNode("10.0.0.1", 1)]
    assert faults == ["2 names, only 1 are looked up"]
