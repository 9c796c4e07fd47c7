"""A part of the fleet is cut off and comes back: players stay, and miss nothing that is still held.

Each node is a host of its own where the machine lets us make networks; elsewhere
relays between the nodes fall silent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.fleet import Fleet
from tests.harness.netns import has_namespaces
from tests.harness.player import SynthPlayer
from tests.harness.synth import Script, SynthPublisher
from tests.harness.wiring import Cut

pytestmark = pytest.mark.faults

_SCRIPT = Script(fps=10, gop=10, video_bytes=300, audio_start_ms=None)
_STREAMS_PER_EDGE = 4
_MAX_STREAMS_PER_EDGE = 24
_CUT_S = 3.0
_SHORT_CUT_S = 2.0
#: TCP sends again 6.2 s after the loss, and then not before 12.6 s; what a shield says of an idle publisher
#: (-publish_normal_timeout_ms) 8.0 and 11.2 s after it. Less than -log_retain_ms.
_LONG_CUT_S = 8.5
#: A second of silence is noticed, and looked for once a second.
_FLAGS = ("-upstream_stall_timeout_ms=600", "-timeout_ms=400")
_NOTICED_S = 2.0


@dataclass(slots=True)
class _Audience:
    """Streams published at every edge, and a player of each at all edges or at those named.

    Attributes:
        publishers: by the edge they publish at and the name of the stream.
        players: by the edge they are at, and the edge and name of the stream.
    """

    fleet: Fleet
    fronts: Sequence[str] = ("e1", "e2")
    publishers: dict[tuple[str, str], SynthPublisher] = field(default_factory=dict)
    players: dict[tuple[str, str, str], SynthPlayer] = field(default_factory=dict)

    async def begin(self, through: Iterable[str]) -> None:
        """Publish and play until all of ``through`` have a stream: where a name hashes to depends on the ports."""
        first = 0
        while True:
            await self._broadcast(range(first, first + _STREAMS_PER_EDGE))
            first += _STREAMS_PER_EDGE
            held = await asyncio.gather(*(asyncio.to_thread(self.fleet[node].streams) for node in through))
            if all(held):
                return
            assert first < _MAX_STREAMS_PER_EDGE, f"nothing goes through one of {through}"

    async def _broadcast(self, numbers: Iterable[int]) -> None:
        """Streams of these numbers at every edge, each with its players."""
        edges = [name for name in self.fleet.nodes if name[0] == "e"]
        homes = {f"{home}cam{number}": home for home in edges for number in numbers}
        publishers = {
            (home, name): SynthPublisher(self.fleet[home].rtmp_url("live", name), _SCRIPT)
            for name, home in homes.items()
        }
        self.publishers.update(publishers)
        await asyncio.gather(*(publisher.start() for publisher in publishers.values()))
        players = {
            (edge, home, name): SynthPlayer(self.fleet[edge].rtmp_url("live", name))
            for edge in self.fronts
            for name, home in homes.items()
        }
        self.players.update(players)
        await asyncio.gather(*(player.start() for player in players.values()))
        await asyncio.gather(*(player.wait_frames(3, 8) for player in players.values()))

    def independent_of(self, lost: str) -> list[SynthPlayer]:
        """Players with a path that does not need a node."""
        if lost[0] == "o" and len(self.fleet.tier("o")) == 1:
            return []
        return [player for (edge, home, _), player in self.players.items() if lost not in (edge, home)]

    async def wait_served(self, players: Iterable[SynthPlayer], since: float, within_s: float) -> float:
        """Wait for a frame sent after ``since`` at each player; return the seconds it took."""
        waiting = list(players)

        def are_served() -> bool:
            waiting[:] = [player for player in waiting if player.deliveries[-1].frame.sent_at <= since]
            return not waiting

        try:
            return await wait_until(are_served, deadline(within_s), "frames at every player")
        except AssertionError as error:
            late = [
                f"{player.url}, the last {since - player.deliveries[-1].frame.sent_at:.1f} s old" for player in waiting
            ]
            raise AssertionError(f"{error}: {late}") from None

    async def live_through(self, lost: str, how: Cut, cut_s: float = _CUT_S) -> None:
        """Part and heal; whoever needs the node gets nothing meanwhile, all others do, and at the end all."""
        independent = self.independent_of(lost)
        dependent = [player for player in self.players.values() if player not in independent]
        began = time.monotonic()
        await self.fleet.part(lost, how)
        await asyncio.sleep(0.3)
        others_s = await self.wait_served(independent, time.monotonic(), _NOTICED_S + 3)
        await asyncio.sleep(began + cut_s - time.monotonic())
        for player in dependent:
            age_s = time.monotonic() - player.deliveries[-1].frame.sent_at
            assert age_s > cut_s - 2, f"{player.url} has a frame that is {age_s:.1f} s old in spite of the cut"
        await self.fleet.heal(lost)
        took_s = await self.wait_served(self.players.values(), time.monotonic(), 3)
        print(
            f"{lost} {how.name}: who can do without served after {others_s:.2f} s, all {took_s:.2f} s after its return"
        )
        await self.wait_served(self.players.values(), time.monotonic() + 0.5, 3)

    def assert_complete(self) -> None:
        """All are still connected, and every player has each frame once and in order."""
        for publisher in self.publishers.values():
            assert publisher.error is None, f"publisher at {publisher.url}: {publisher.error!r}"
        for player in self.players.values():
            player.assert_alive()
            try:
                player.account.assert_complete()
            except AssertionError as error:
                raise AssertionError(f"{player.url}: {error}") from None

    async def stop(self) -> None:
        everyone = (*self.publishers.values(), *self.players.values())
        await asyncio.gather(*(each.stop() for each in everyone))


@asynccontextmanager
async def _audience(
    *lost: str, origins: int = 1, fronts: Sequence[str] = ("e1", "e2"), in_namespaces: bool | None = None
) -> AsyncIterator[_Audience]:
    is_network = has_namespaces() if in_namespaces is None else in_namespaces
    async with Fleet(*_FLAGS, origins=origins, edges=2, proxied=lost, in_namespaces=is_network) as fleet:
        audience = _Audience(fleet, fronts)
        try:
            await audience.begin(lost)
            yield audience
            audience.assert_complete()
        finally:
            await audience.stop()


async def test_U6_shield_that_is_cut_off_and_comes_back_costs_no_frame() -> None:
    """First one; then the other, which has taken its streams, hears all and only its answers are lost."""
    async with _audience("m1", "m2") as audience:
        await audience.live_through("m1", Cut.UNPLUGGED)
        await audience.live_through("m2", Cut.MUTE, _SHORT_CUT_S)


async def test_U6_origin_that_is_cut_off_and_comes_back_costs_no_frame() -> None:
    """Another origin takes its place, and it comes back with the streams that it had."""
    async with _audience("o1", origins=2) as audience:
        await audience.live_through("o1", Cut.UNPLUGGED)


async def test_U6_edge_cut_off_from_its_shields_with_publishers_and_players_costs_no_frame() -> None:
    async with _audience("e1") as audience:
        await audience.live_through("e1", Cut.SILENT)
        await audience.live_through("e1", Cut.DEAF, _SHORT_CUT_S)


async def test_U6_all_flows_at_once_after_an_origin_was_cut_off_for_long() -> None:
    async with _audience("o1") as audience:
        await audience.live_through("o1", Cut.SILENT, _LONG_CUT_S)


async def test_U6_all_flows_at_once_after_an_edge_that_only_publishes_was_cut_off_for_long() -> None:
    """No pull over the same connection notices the silence in the place of its pushes."""
    async with _audience("e1", fronts=["e2"]) as audience:
        await audience.live_through("e1", Cut.SILENT, _LONG_CUT_S)


async def test_U6_edge_behind_relays_that_fall_silent_costs_no_frame() -> None:
    """The way of machines that lend us no network."""
    async with _audience("e1", in_namespaces=False) as audience:
        await audience.live_through("e1", Cut.SILENT, _SHORT_CUT_S)
