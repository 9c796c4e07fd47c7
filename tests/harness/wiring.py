"""What lies between the nodes of a fleet, and how it fails: namespaces where they can be made, relays elsewhere."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from tests.harness.fault_proxy import FaultProxy
from tests.harness.netns import Network

_LOOPBACK = "127.0.0.1"


class Cut(enum.Enum):
    """How a node is cut off from all the others. Players and publishers still reach it, but for ``UNPLUGGED``."""

    UNPLUGGED = "its link is down"
    SILENT = "nothing that it or the others send to each other arrives"
    DEAF = "nothing that the others send to it arrives"
    MUTE = "nothing that it sends to the others arrives"

    @property
    def loses_to(self) -> bool:
        """Whether what is sent to the node is lost."""
        return self is not Cut.MUTE

    @property
    def loses_from(self) -> bool:
        """Whether what the node sends is lost."""
        return self is not Cut.DEAF


class Wiring(Protocol):
    """Between nodes that are known by name."""

    async def start(self, ports: Mapping[str, int], links: Iterable[tuple[str, str]]) -> None:
        """``ports``: where each node takes connections of others; ``links``: who connects to whom."""

    async def stop(self) -> None:
        """Remove it; does nothing where it has not been started."""

    def host(self, name: str) -> str:
        """Address at which the test reaches a node."""

    def launcher(self, name: str) -> tuple[str, ...]:
        """What to put before the command of a node."""

    def address(self, viewer: str, name: str) -> str:
        """``host:port`` at which one node asks another."""

    async def cut(self, name: str, how: Cut) -> None:
        """Cut a node off."""

    async def mend(self, name: str) -> None:
        """Undo :meth:`cut`."""


class Namespaces:
    """Each node is a host of its own, and every one may be cut off."""

    def __init__(self) -> None:
        self._network = Network()
        self._ports: Mapping[str, int] = {}
        self._cuts: dict[str, Cut] = {}

    async def start(self, ports: Mapping[str, int], _: Iterable[tuple[str, str]]) -> None:
        self._ports = ports
        self._network = Network(*ports)
        await asyncio.to_thread(self._network.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self._network.stop)

    def host(self, name: str) -> str:
        return self._network.address(name)

    def launcher(self, name: str) -> tuple[str, ...]:
        return self._network.launcher(name)

    def address(self, _: str, name: str) -> str:
        return f"{self.host(name)}:{self._ports[name]}"

    async def cut(self, name: str, how: Cut) -> None:
        assert not self._cuts, "one cut at a time"
        self._cuts[name] = how
        await asyncio.to_thread(self._change, name, how, is_cut=True)

    async def mend(self, name: str) -> None:
        await asyncio.to_thread(self._change, name, self._cuts.pop(name), is_cut=False)

    def _change(self, name: str, how: Cut, *, is_cut: bool) -> None:
        network = self._network
        if how is Cut.UNPLUGGED:
            (network.unplug if is_cut else network.plug)(name)
            return
        change = network.lose if is_cut else network.deliver
        others = [other for other in self._ports if other != name]
        if how.loses_from:
            change(name, others)
        if how.loses_to:
            for other in others:
                change(other, [name])


class Relays:
    """All are on the loopback; a relay stands on every way to and from the nodes that may be cut off.

    Less than a network: when a relay falls silent, the kernel goes on accepting
    and acknowledging, and a link that was cut is reset when it is mended.
    """

    def __init__(self, cuttable: Sequence[str] = ()) -> None:
        self._cuttable = cuttable
        self._ports: Mapping[str, int] = {}
        self._before: dict[str, FaultProxy] = {}
        self._ahead: dict[tuple[str, str], FaultProxy] = {}

    async def start(self, ports: Mapping[str, int], links: Iterable[tuple[str, str]]) -> None:
        self._ports = ports
        for name in self._cuttable:
            self._before[name] = await _relay_to(ports[name])
        for viewer, name in links:
            if viewer in self._cuttable:
                port = self._before[name].port if name in self._before else ports[name]
                self._ahead[viewer, name] = await _relay_to(port)

    async def stop(self) -> None:
        for relay in (*self._before.values(), *self._ahead.values()):
            await relay.stop()

    def host(self, _: str) -> str:
        return _LOOPBACK

    def launcher(self, _: str) -> tuple[str, ...]:
        return ()

    def address(self, viewer: str, name: str) -> str:
        relay = self._ahead.get((viewer, name)) or self._before.get(name)
        return relay.address if relay is not None else f"{_LOOPBACK}:{self._ports[name]}"

    def _relays(self, name: str) -> list[FaultProxy]:
        return [self._before[name], *(relay for (viewer, _), relay in self._ahead.items() if viewer == name)]

    async def cut(self, name: str, how: Cut) -> None:
        for relay in self._relays(name):
            is_before = relay is self._before[name]
            if how.loses_to and how.loses_from:
                relay.mode = "black_hole"
            if how.loses_to:
                (relay.up if is_before else relay.down).is_flowing.clear()
            if how.loses_from:
                (relay.down if is_before else relay.up).is_flowing.clear()

    async def mend(self, name: str) -> None:
        for relay in self._relays(name):
            relay.mode = "relay"
            for way in (relay.up, relay.down):
                way.is_flowing.set()
            await relay.reset_all()


async def _relay_to(port: int) -> FaultProxy:
    relay = FaultProxy(port)
    await relay.start()
    return relay
