"""Who asks."""

from __future__ import annotations

from tests.service.fakes import NODE, VIEWER


def test_node_of_ours_is_known_by_its_id() -> None:
    assert (NODE.is_hop, VIEWER.is_hop) == (True, False)
