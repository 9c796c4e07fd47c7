"""Origins, shields and edges as processes, and what may happen to them.

Edges pull from and push to the shields, shields the origins; both tiers place a
stream by its key (``c_murmurhash``), the shields unless told otherwise. A shield is an edge of the origins in the
middle, or the merge service of a process that is a front as well.

They run on the loopback, or each in a network namespace of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from tests.harness.ports import free_port
from tests.harness.server import EdgeServer
from tests.harness.wiring import Cut, Namespaces, Relays, Wiring

_STARTS_AT_A_TIME = 3
_START_WITHIN_S = 15.0


class Fleet:
    """Nodes by name: ``o1`` ... origins, ``m1`` ... shields, ``e1`` ... edges.

    With ``is_merge_tier`` the shields are merge services: ``m1`` ... are fronts too,
    and name each other by ``-cdn_merge_to``, each with its own port last, since the
    number after the last colon is the port of its own merge service.

    A node may be parted from the others if it is named in ``proxied``; with
    ``in_namespaces`` (see :func:`tests.harness.netns.has_namespaces`) any one may,
    and by more than a relay that falls silent.

    Attributes:
        nodes: every process, origins first.
        merge_ports: of the merge services, by name.
    """

    def __init__(
        self,
        *flags: str,
        origins: int = 1,
        shields: int = 2,
        edges: int = 3,
        is_merge_tier: bool = False,
        shield_lb: str = "c_murmurhash",
        proxied: Sequence[str] = (),
        in_namespaces: bool = False,
    ) -> None:
        self._flags, self._is_merge_tier, self._shield_lb = flags, is_merge_tier, shield_lb
        self._counts = {"o": origins, "m": shields, "e": edges}
        self.nodes: dict[str, EdgeServer] = {}
        self.merge_ports: dict[str, int] = {}
        self._wiring: Wiring = Namespaces() if in_namespaces else Relays(proxied)

    def tier(self, letter: str) -> list[EdgeServer]:
        """The nodes of a tier in order."""
        return [node for name, node in self.nodes.items() if name[0] == letter]

    @property
    def fronts(self) -> list[EdgeServer]:
        """Where players go."""
        return [*(self.tier("m") if self._is_merge_tier else ()), *self.tier("e")]

    def __getitem__(self, name: str) -> EdgeServer:
        return self.nodes[name]

    async def __aenter__(self) -> Fleet:
        names = [f"{letter}{number + 1}" for letter, count in self._counts.items() for number in range(count)]
        ports = _distinct_ports(2 * len(names))
        if self._is_merge_tier:
            self.merge_ports = dict(zip((name for name in names if name[0] == "m"), ports[len(names) :], strict=False))
        own = dict(zip(names, ports, strict=False))
        links = [(name, above) for name in names for above in names if above[0] == self._tier_above(name)]
        try:
            await self._wiring.start({**own, **self.merge_ports}, links)
            for name, port in own.items():
                host, launcher = self._wiring.host(name), self._wiring.launcher(name)
                self.nodes[name] = EdgeServer(*self._flags, port=port, host=host, launcher=launcher)
            for name, node in self.nodes.items():
                node.flags = (*self._upstream_flags(name), *node.flags)
            await _few_at_a_time(asyncio.to_thread(node.start, _START_WITHIN_S) for node in self.nodes.values())
        except BaseException as error:
            await self.__aexit__(type(error))
            raise
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        """All are asked to leave at once, then each is judged."""
        for node in self.nodes.values():
            node.ask_to_leave()
        ends = [asyncio.to_thread(node.__exit__, kind) for node in self.nodes.values()]
        faults = [fault for fault in await asyncio.gather(*ends, return_exceptions=True) if fault is not None]
        await self._wiring.stop()
        assert not faults or kind is not None, "\n".join(map(str, faults))

    def _tier_above(self, name: str) -> str:
        return "" if name[0] == "o" else "m" if name[0] == "e" and self._counts["m"] else "o"

    def _list_of(self, viewer: str, letter: str, last: str = "") -> str:
        names = sorted((name for name in self.nodes if name[0] == letter), key=lambda name: name == last)
        return "list://" + ",".join(self._wiring.address(viewer, name) for name in names)

    def _upstream_flags(self, name: str) -> tuple[str, ...]:
        if name[0] == "o":
            return ()
        lb = self._shield_lb if name[0] == "m" else "c_murmurhash"
        flags: tuple[str, ...] = (f"-proxy_to={self._list_of(name, self._tier_above(name))}", f"-proxy_lb={lb}")
        if name in self.merge_ports:
            flags += (f"-cdn_merge_to={self._list_of(name, 'm', last=name)}", "-cdn_merge_lb=c_murmurhash")
        return flags

    async def kill(self, *names: str) -> None:
        """SIGKILL."""
        for name in names:
            await asyncio.to_thread(self.nodes[name].kill)

    async def restart(self, name: str) -> None:
        """Start a killed node again on its ports."""
        await asyncio.to_thread(self.nodes[name].restart, _START_WITHIN_S)

    async def part(self, name: str, how: Cut = Cut.SILENT) -> None:
        """Cut a node off from all others, as a broken network does: nothing is refused or reset."""
        await self._wiring.cut(name, how)

    async def heal(self, name: str) -> None:
        """Undo :meth:`part`."""
        await self._wiring.mend(name)

    async def rows(self, letter: str) -> list[dict[str, Any]]:
        """The streams of all running nodes of a tier."""
        nodes = [node for node in self.tier(letter) if node.is_running]
        found = await asyncio.gather(*(asyncio.to_thread(node.streams) for node in nodes))
        return [row for rows in found for row in rows]

    async def pulls_at_origins(self) -> Counter[str]:
        """How often each stream is being played at the origins, streams that nobody plays left out."""
        return Counter({row["stream"]: row["players"] for row in await self.rows("o") if row["players"]})


def _distinct_ports(count: int) -> list[int]:
    ports: dict[int, None] = {}
    while len(ports) < count:
        ports[free_port()] = None
    return list(ports)


async def _few_at_a_time(starts: Iterable[Awaitable[None]]) -> None:
    gate = asyncio.Semaphore(_STARTS_AT_A_TIME)

    async def through_gate(start: Awaitable[None]) -> None:
        async with gate:
            await start

    # Those that are starting when one fails are waited for, else nobody would end them.
    for failure in await asyncio.gather(*map(through_gate, starts), return_exceptions=True):
        if failure is not None:
            raise failure
