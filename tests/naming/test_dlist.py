"""``dlist://``: names that move."""

from __future__ import annotations

import contextlib

import pytest

from naming.base import NamingError
from naming.dlist import DynamicListService
from naming.node import ServerNode
from tests.naming.fakes import FakeResolver, make_context


async def at_once(seconds: float) -> None:
    """A sleep without waiting."""


async def test_names_are_looked_up_each_interval_and_bad_items_told_once() -> None:
    faults: list[str] = []
    names = FakeResolver(a=["10.0.0.1"])
    context = make_context(names, on_failure=faults.append)
    object.__setattr__(context, "sleep", at_once)
    async with contextlib.aclosing(DynamicListService(context).watch("a:1 7,10.0.0.5:2,bad")) as answers:  # type: ignore[type-var]
        assert await anext(answers) == [ServerNode("10.0.0.1", 1, "7"), ServerNode("10.0.0.5", 2)]
        names.answers["a"] = ["10.0.0.2"]
        assert await anext(answers) == [ServerNode("10.0.0.2", 1, "7"), ServerNode("10.0.0.5", 2)]
    assert len(faults) == 1


def test_check_name() -> None:
    with pytest.raises(NamingError, match="port is missing"):
        DynamicListService(make_context()).check_name("a:1,b")
