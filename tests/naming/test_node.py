"""Identity and text of a server."""

from __future__ import annotations

from naming.node import ServerNode


def test_endpoint_text() -> None:
    assert ServerNode("10.0.0.1", 80).endpoint == "10.0.0.1:80"
    assert ServerNode("::1", 80).endpoint == "[::1]:80"


def test_tag_is_part_of_the_identity() -> None:
    assert ServerNode("10.0.0.1", 80, "a") != ServerNode("10.0.0.1", 80, "b")
    assert len({ServerNode("10.0.0.1", 80), ServerNode("10.0.0.1", 80)}) == 1
