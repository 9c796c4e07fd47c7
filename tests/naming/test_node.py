"""Identity and text of a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from naming.base import NamingContext
from naming.dns import HttpService
from naming.lines import parse_items
from naming.list import ListService
from naming.node import ServerNode
from naming.polling import ItemResolver
from naming.static import StaticService
from tests.naming.fakes import FakeResolver, Steps, make_context


def test_endpoint_text() -> None:
    assert ServerNode("10.0.0.1", 80).endpoint == "10.0.0.1:80"
    assert ServerNode("::1", 80).endpoint == "[::1]:80"


def test_tag_is_part_of_the_identity() -> None:
    assert ServerNode("10.0.0.1", 80, "a") != ServerNode("10.0.0.1", 80, "b")
    assert len({ServerNode("10.0.0.1", 80), ServerNode("10.0.0.1", 80)}) == 1


def test_server_that_becomes_a_spare_one_is_the_same_server() -> None:
    assert ServerNode("10.0.0.1", 80, priority=20) == ServerNode("10.0.0.1", 80)
    assert len({ServerNode("10.0.0.1", 80, "a", 10), ServerNode("10.0.0.1", 80, "a", 20)}) == 1


@pytest.mark.parametrize(
    ("service", "name"),
    [
        (StaticService, "one.example:1"),
        (HttpService, "one.example:1"),
        (ListService, "one.example:1"),
    ],
)
async def test_server_of_a_name_bears_it(service: Callable[[NamingContext], Any], name: str) -> None:
    """The certificate of a server is for the name by which it was found."""
    answers = service(make_context(FakeResolver(**{"one.example": ["10.0.0.1"]}), Steps())).watch(name)
    (server,) = await anext(answers)
    assert (server.host, server.name) == ("10.0.0.1", "one.example")
    await answers.aclose()


async def test_server_of_a_list_that_is_fetched_bears_its_name() -> None:
    context = make_context(FakeResolver(**{"one.example.": ["10.0.0.1"]}))
    items, _ = parse_items(["one.example.:1", "10.0.0.2:1"])
    servers = await ItemResolver(context).resolve(items)
    assert [server.name for server in servers] == ["one.example", ""]


def test_name_is_no_part_of_what_a_server_is() -> None:
    assert ServerNode("10.0.0.1", 1, name="a") == ServerNode("10.0.0.1", 1, name="b")
