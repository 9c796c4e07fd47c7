"""Connections that are none, with markup in every place a peer controls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from edge.net.listed import ConnectionFacts, Listed, SocketFacts
from edge.net.system import TcpInfo
from tests.builtin.sample import EVIL

FACTS = ConnectionFacts(7, "10.0.0.9:51234", "rtmp", "play", None, ("_/live/a",), 0, 100, 200)
SOCKET = SocketFacts(
    number=7,
    fd=11,
    state="open",
    local="10.0.0.1:1935",
    idle_ms=5,
    is_encrypted=False,
    is_polled=True,
    is_blocked=True,
    queued_bytes=0,
    behind_bytes=0,
    unsent_bytes=0,
    unacknowledged_bytes=None,
    read_limit_bytes=65536,
    tcp=TcpInfo(1, 23, 11, 10, 1448, 2, 0, 3),
)


class FakeConnection:
    def __init__(self, number: int, *, is_evil: bool = False, **changes: Any) -> None:
        facts = replace(FACTS, peer=EVIL, protocol=EVIL, role=EVIL, keys=(EVIL, EVIL)) if is_evil else FACTS
        self.number, self.state = number, changes.get("state", "open")
        self._facts, self._socket = replace(facts, number=number), replace(SOCKET, number=number, **changes)

    def describe(self) -> ConnectionFacts:
        return self._facts

    def describe_socket(self) -> SocketFacts:
        return self._socket


def connections(*given: FakeConnection) -> tuple[Listed, ...]:
    return cast("tuple[Listed, ...]", given)
