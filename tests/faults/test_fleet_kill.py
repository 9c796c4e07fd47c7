"""Any one process of a fleet dies: whoever still has a path to a live publisher plays on and misses nothing."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.fleet import Fleet
from tests.harness.player import SynthPlayer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_SEEDS = range(int(os.environ.get("FLEET_SEEDS", "2")))
_SCRIPT = Script(fps=10, gop=10, video_bytes=300, audio_start_ms=None)
_STREAM_COUNT = 10
_RETURN_MS = 3000


@dataclass(slots=True)
class _Broadcasts:
    """A fleet with streams published at all its edges and players of each at all of them.

    Attributes:
        publishers: by name of the stream.
        homes: name of the edge that each stream is published at.
        players: by edge and stream, those that play now.
        gone: players whose edge has died.
    """

    fleet: Fleet
    publishers: dict[str, SynthPublisher] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    players: dict[tuple[str, str], SynthPlayer] = field(default_factory=dict)
    gone: list[SynthPlayer] = field(default_factory=list)

    async def begin(self) -> None:
        edges = [name for name in self.fleet.nodes if name[0] == "e"]
        for number in range(_STREAM_COUNT):
            name = f"cam{number}"
            self.homes[name] = edges[number % len(edges)]
            url = self.fleet[self.homes[name]].rtmp_url("live", name)
            self.publishers[name] = SynthPublisher(url, _SCRIPT, does_reconnect=True)
        await asyncio.gather(*(publisher.start() for publisher in self.publishers.values()))
        for edge in edges:
            await self.play_at(edge)

    async def play_at(self, edge: str) -> None:
        """A player of every stream at an edge."""
        players = {(edge, name): SynthPlayer(self.fleet[edge].rtmp_url("live", name)) for name in self.publishers}
        self.players.update(players)
        await asyncio.gather(*(player.start() for player in players.values()))
        await asyncio.gather(*(player.wait_frames(3, 8) for player in players.values()))
        for player in players.values():
            assert "avc_header" in [kind for kind, _ in player.events], f"no header at {player.url}"

    def served(self, without: str = "") -> list[SynthPlayer]:
        """Players that have a path while ``without`` is dead."""
        return [
            player for (edge, name), player in self.players.items() if edge != without and self.homes[name] != without
        ]

    async def wait_all_served(self, players: Iterable[SynthPlayer], since: float, within_s: float) -> float:
        """Wait for a frame sent after ``since`` at each player."""
        waiting = list(players)

        def are_served() -> bool:
            waiting[:] = [each for each in waiting if not each.deliveries or each.deliveries[-1].frame.sent_at <= since]
            for each in waiting:
                each.assert_alive()
            return not waiting

        try:
            return await wait_until(are_served, deadline(within_s), "frames at every player")
        except AssertionError as error:
            raise AssertionError(f"{error}; none at {[player.url for player in waiting]} after {since:.1f}") from None

    async def kill_and_bring_back(self, victim: str) -> float:
        """Returns the seconds until every player with a path got what was sent after the death."""
        killed_at = time.monotonic()
        await self.fleet.kill(victim)
        took_s = await self.wait_all_served(self.served(victim), killed_at + 0.1, 3)
        await self.fleet.restart(victim)
        if victim[0] == "e":
            self.gone += [player for (edge, _), player in self.players.items() if edge == victim]
            await self.play_at(victim)
        # Also the players elsewhere of what is published at the edge that died: they have waited.
        await self.wait_all_served(self.players.values(), time.monotonic(), 4)
        return took_s

    def assert_nothing_lost_or_doubled(self) -> None:
        for player in (*self.players.values(), *self.gone):
            account = player.account
            assert not account.lost, f"{player.url} lost {account.lost_count} frames: {account.lost[:5]}"
            account.assert_in_order()
        for player in self.players.values():
            player.assert_alive()

    async def end(self) -> None:
        """End the broadcasts; every player of the fleet must end soon after."""
        ended_at = time.monotonic()
        await asyncio.gather(*(publisher.stop() for publisher in self.publishers.values()))
        players = list(self.players.values())
        limit_s = deadline(_RETURN_MS / 1000 + 2)
        await wait_until(lambda: all(player.has_ended for player in players), limit_s, "the end at every player")
        for player in players:
            assert player.ended_at is not None and player.ended_at - ended_at >= 0.5, "ended before it was told to wait"
            assert "NetStream.Play.UnpublishNotify" in player.statuses, player.statuses

    async def stop(self) -> None:
        everyone = (*self.publishers.values(), *self.players.values(), *self.gone)
        await asyncio.gather(*(each.stop() for each in everyone))


@asynccontextmanager
async def _broadcasting(*flags: str, **shape: object) -> AsyncIterator[_Broadcasts]:
    async with Fleet(f"-publisher_return_ms={_RETURN_MS}", *flags, **shape) as fleet:  # type: ignore[arg-type]
        broadcasts = _Broadcasts(fleet)
        try:
            await broadcasts.begin()
            yield broadcasts
        finally:
            await broadcasts.stop()


@pytest.mark.parametrize(
    ("shield_lb", "seed"), [*(("c_murmurhash", seed) for seed in _SEEDS), *(("rr", seed) for seed in _SEEDS[::2])]
)
async def test_U6_any_process_may_die(shield_lb: str, seed: int) -> None:
    """One of each tier in an order that the seed draws; ``FLEET_SEEDS`` says how many seeds.

    Behind ``rr`` no shield knows where another one has pushed a stream.
    """
    chance = random.Random(seed)
    origins = 2 if shield_lb == "rr" else 5
    async with _broadcasting(origins=origins, shields=2, edges=3, shield_lb=shield_lb) as broadcasts:
        by_tier: dict[str, list[str]] = {}
        for name in broadcasts.fleet.nodes:
            by_tier.setdefault(name[0], []).append(name)
        victims = [chance.choice(names) for names in by_tier.values()]
        chance.shuffle(victims)
        for victim in victims:
            took_s = await broadcasts.kill_and_bring_back(victim)
            assert took_s <= deadline(3), f"{took_s:.2f} s without {victim}"
            broadcasts.assert_nothing_lost_or_doubled()
        await broadcasts.end()


@pytest.mark.parametrize("how", ["stopped", "cut off"])
async def test_U6_shield_that_falls_silent_costs_no_frame(how: str) -> None:
    """By SIGSTOP, or behind a network that swallows everything; then it comes back."""
    flags = ("-upstream_stall_timeout_ms=600", "-timeout_ms=400")
    async with _broadcasting(*flags, edges=2, proxied=("m1",)) as broadcasts:
        fleet, began = broadcasts.fleet, time.monotonic()
        if how == "stopped":
            fleet["m1"].pause()
        else:
            await fleet.part("m1")
        await broadcasts.wait_all_served(broadcasts.served(), began + 0.1, 5)
        if how == "stopped":
            fleet["m1"].resume()
        else:
            await fleet.heal("m1")
        await broadcasts.wait_all_served(broadcasts.served(), time.monotonic() + 0.5, 3)
        broadcasts.assert_nothing_lost_or_doubled()
