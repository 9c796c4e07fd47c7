"""The servers of one priority: how good a choice from them is now, and that choice.

Servers of a higher number stand by for those of a lower one (RFC 2782), so a
request goes to the best group that has a server which is up, has not been tried
for it, and is not passed over for its key. When no group has one, what is given up
first is the same as within a group: a server without data is asked before one that
is down, and one that is down before one that was tried already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from lb.base import LoadBalancer, SelectRequest
from naming.node import ServerNode


class Rank(IntEnum):
    """The best that a group can offer a request, best first."""

    FRESH = 0  #: a server against which nothing speaks
    WITHOUT_DATA = 1  #: one that is passed over for the key
    DOWN = 2  #: one that is down or isolated, and may be asked all the same
    TRIED = 3  #: one that was tried for this request
    NOBODY = 4


@dataclass(frozen=True, slots=True)
class Standing:
    """What speaks against servers, for one request.

    Attributes:
        barred: nobody may ask them.
        down: known to be down.
        out: down, isolated or being tried out, be they more than are barred.
        passed_over: had no data for the key lately.
        tried: for this request, the last one at the end.
        slow: in their slow start, and this is no request for them.
    """

    barred: frozenset[ServerNode] = frozenset()
    down: frozenset[ServerNode] = frozenset()
    out: frozenset[ServerNode] = frozenset()
    passed_over: frozenset[ServerNode] = frozenset()
    tried: tuple[ServerNode, ...] = ()
    slow: frozenset[ServerNode] = frozenset()


class ServerGroup:
    """The servers of one priority and their balancer, which keeps what it has learned while the list changes.

    Attributes:
        servers: all of them, in the order of the list.
        choosable: those with a weight, for a balancer that needs one.
    """

    __slots__ = ("balancer", "choosable", "priority", "servers")

    def __init__(self, priority: int, balancer: LoadBalancer) -> None:
        self.priority = priority
        self.balancer = balancer
        self.servers: tuple[ServerNode, ...] = ()
        self.choosable: tuple[ServerNode, ...] = ()

    def follow(self, servers: Iterable[ServerNode], choosable: Iterable[ServerNode]) -> None:
        """Take the servers of a list, and those of them that may be chosen, of whatever priority."""
        ours = tuple(server for server in servers if server.priority == self.priority)
        if ours != self.servers:  # else it stays the same object, which balancers take for the same list at once
            self.servers = ours
        self.choosable = tuple(server for server in choosable if server.priority == self.priority)

    def rank(self, standing: Standing) -> Rank:
        """The best that it can offer."""
        up = [server for server in self.choosable if server not in standing.barred]
        untried = [server for server in up if server not in standing.tried]
        if not untried:
            return Rank.TRIED if up else Rank.NOBODY
        healthy = [server for server in untried if server not in standing.out]
        if not healthy:
            return Rank.DOWN
        is_known = all(server in standing.passed_over for server in healthy)
        return Rank.WITHOUT_DATA if is_known else Rank.FRESH

    def select(
        self,
        code: int,
        standing: Standing,
        now_ms: int,
        *,
        shut: frozenset[ServerNode],
        loads: Mapping[ServerNode, int],
    ) -> ServerNode | None:
        """Choose a server for a key that is hashed to ``code``; ``shut`` are those that the balancer is to forget."""
        request = SelectRequest(code, self._avoided(standing), standing.barred, now_ms, loads, standing.out)
        return self.balancer.select(self._offered(standing.barred, shut), request)

    def note_outage(self, standing: Standing, now_ms: int) -> None:
        """Let a balancer that recovers little by little know that all are down, while requests go to other groups."""
        if standing.out.issuperset(self.choosable):
            everybody = frozenset(self.servers)
            self.balancer.select(self.servers, SelectRequest(unavailable=everybody, now_ms=now_ms, down=everybody))

    def owner_of(
        self, code: int, now_ms: int, barred: frozenset[ServerNode], loads: Mapping[ServerNode, int]
    ) -> ServerNode | None:
        """The server that a hashing balancer names for ``code``, None when it is barred or carries its part already."""
        owner = self.balancer.select(self.servers, SelectRequest(code, now_ms=now_ms))
        if owner is None or owner in barred:
            return None
        chosen = self.balancer.select(self.servers, SelectRequest(code, now_ms=now_ms, loads=loads))
        return owner if chosen == owner else None

    def _avoided(self, standing: Standing) -> frozenset[ServerNode]:
        """The servers to step over: as many as leave one to choose, the worst reasons first."""
        up = [server for server in self.choosable if server not in standing.barred]
        tried = frozenset(standing.tried)
        down = tried | standing.down
        known = down | standing.passed_over
        for avoided in (known | standing.slow, known, down, tried):
            if not all(server in avoided for server in up):
                return avoided
        oldest = next((server for server in standing.tried if server in up), None)
        return frozenset(server for server in up if server != oldest)

    def _offered(self, barred: frozenset[ServerNode], shut: frozenset[ServerNode]) -> tuple[ServerNode, ...]:
        """The list for the balancer: one that learns forgets servers that are shut.

        Else its memory of their failures would keep them from being tried for
        minutes after they are back. Their slow start keeps that within bounds.
        """
        offered = tuple(server for server in self.servers if server not in shut)
        return self.servers if not shut or barred.issuperset(offered) else offered


def in_order(groups: Sequence[ServerGroup], standing: Standing) -> list[ServerGroup]:
    """The groups in the order in which to ask them; ``groups`` are sorted by priority.

    Where all have been tried it is the turn of the server that was tried first.
    """
    if len(groups) < 2:
        return list(groups)
    oldest = next((server for server in standing.tried if server not in standing.barred), None)
    ranks = {group.priority: group.rank(standing) for group in groups}

    def order(group: ServerGroup) -> tuple[Rank, bool]:
        rank = ranks[group.priority]
        return rank, rank is Rank.TRIED and oldest not in group.choosable

    return sorted(groups, key=order)
