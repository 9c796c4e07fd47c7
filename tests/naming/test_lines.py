"""The ``address tag`` items."""

from __future__ import annotations

import pytest

from naming.base import NamingError
from naming.lines import Item, parse_item, parse_items


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1:80", Item("10.0.0.1", 80)),
        ("10.0.0.1:80   50", Item("10.0.0.1", 80, "50")),
        (" 10.0.0.1:80 a b  # note", Item("10.0.0.1", 80, "a b")),
        ("10.0.0.1:80 # note", Item("10.0.0.1", 80)),
        ("10.0.0.1:80#x", Item("10.0.0.1", 80)),
        ("10.0.0.1:80\r", Item("10.0.0.1", 80)),
        ("\t[::1]:80\tw1", Item("::1", 80, "w1")),
        ("host:80", Item("host", 80)),
        ("", None),
        ("   ", None),
        ("# comment", None),
    ],
)
def test_items(text: str, expected: Item | None) -> None:
    assert parse_item(text) == expected


@pytest.mark.parametrize("text", ["host", "host:0", "host:65536", "host:text", "50 host:80"])
def test_bad_items(text: str) -> None:
    with pytest.raises(NamingError, match="bad address"):
        parse_item(text)


def test_many_items_keep_the_first_of_equals_and_count_the_bad() -> None:
    items, faults = parse_items(["b:1", "", "bad", "a:1", "b:1", "b:1 w"])
    assert items == [Item("b", 1), Item("a", 1), Item("b", 1, "w")]
    assert len(faults) == 1 and '"bad"' in faults[0]
