"""Identity and text of a server."""

from __future__ import annotations

from naming.node import ServerNode


def test_endpoint_text() -> None:
    assert ServerNode("10.0.0.1", 80).endpoint == "10.0.0.1:80"
    assert ServerNode("::1", 80).endpoint == "[::1]:80"


def test_tag_is_part_of_the_identity() -> None:
    assert ServerNode("10.0.0.1", 80, "a") != ServerNode("10.0.0.1", 80, "b")
    assert len({ServerNode("10.0.0.1", 80), ServerNode("10.0.0.1", 80)}) == 1


def test_server_that_becomes_a_spare_one_is_the_same_server() -> None:
    assert ServerNode("10.0.0.1", 80, priority=20) == ServerNode("10.0.0.1", 80)
    assert len({ServerNode("10.0.0.1", 80, "a", 10), ServerNode("10.0.0.1", 80, "a", 20)}) == 1
