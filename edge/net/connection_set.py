"""Connections that are open, and how many of them come from each address."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar


class FromHost(Hashable, Protocol):
    """A connection with an address that does not change."""

    @property
    def host(self) -> str:
        """Numeric address of the peer; "" of one that is not counted by it."""
        ...


Member = TypeVar("Member", bound=FromHost)


class ConnectionSet(Generic[Member]):
    """A set, in the order of coming, that counts its members by address as they come and go."""

    __slots__ = ("_counts", "_members")

    def __init__(self) -> None:
        self._members: dict[Member, None] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members)

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def add(self, member: Member) -> None:
        """It is open; harmless when it is a member already."""
        if member in self._members:
            return
        self._members[member] = None
        host = member.host
        if host:
            self._counts[host] = self._counts.get(host, 0) + 1

    def discard(self, member: Member) -> None:
        """It is over; harmless when it is no member."""
        if member not in self._members:
            return
        del self._members[member]
        host = member.host
        if host:
            left = self._counts[host] - 1
            if left:
                self._counts[host] = left
            else:
                del self._counts[host]

    def count_from(self, host: str) -> int:
        """Members whose peer is ``host``."""
        return self._counts.get(host, 0)
