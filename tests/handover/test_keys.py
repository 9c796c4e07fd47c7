"""Sockets are known by what was asked for."""

from __future__ import annotations

from edge.handover.keys import SocketKey


def test_a_port_of_the_kernels_choice_is_found_by_its_role() -> None:
    opened = {SocketKey("", 0, "public"): 1, SocketKey("", 0, "internal"): 2}
    assert opened[SocketKey("", 0, "internal")] == 2
    assert SocketKey("::1", 0, "public") not in opened
