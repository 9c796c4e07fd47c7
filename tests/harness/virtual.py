"""Links in virtual time: the real attempts, retries, health and balancers over servers that follow a script.

Only the connections are not real: ``Fleet`` plays the pool, the clock and the servers.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from edge.hub.histogram import Histogram
from edge.hub.key import StreamKey
from edge.net.counters import Counters
from edge.net.rtmp.client import LinkEnd
from edge.service.spans import SpanRing
from edge.upstream.config import UpstreamConfig
from edge.upstream.link import UpstreamLink
from edge.upstream.target import Target
from naming.node import ServerNode

#: Latency of an answer from servers without another (ms).
LATENCY_MS = 5


@dataclass(slots=True)
class Timer:
    """One call in the future."""

    callback: Callable[[], Any]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Connection:
    """What a link sees of a connection."""

    def __init__(self, fleet: Fleet, link: Player, server: ServerNode) -> None:
        self.fleet, self.link, self.server = fleet, link, server
        self.number = len(fleet.players)
        self.is_connecting = True
        self.is_shaking_hands = False
        self.is_connected = False
        self.endpoint = server.endpoint
        self.edge_id = ""

    def close_now(self, reason: str) -> None:
        self.end(LinkEnd.LOST, reason)

    def close_link(self, link: UpstreamLink) -> None:
        self.is_connecting = False

    def last_turn_ms(self, link: UpstreamLink) -> int:
        return 0

    def end(self, end: LinkEnd, text: str) -> None:
        if self.link.connection is self:
            self.link.on_ended(end, text)

    def start(self) -> None:
        if self.link.connection is self:
            self.is_connecting = False
            self.link.on_started(self, 1, {})  # type: ignore[arg-type]


class Player(UpstreamLink):
    """A link that wants one key and notes when it got it.

    Attributes:
        came_ms, playing_ms: when it came; when it had its stream, None until then.
        asked: the servers asked, in order.
    """

    what = "pull"

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet = fleet
        self.came_ms = fleet.now_ms
        self.playing_ms: int | None = None
        self.asked: list[ServerNode] = []
        super().__init__(fleet.manager, StreamKey("_", "live", name), "", ())  # type: ignore[arg-type]

    @property
    def delay_ms(self) -> int:
        assert self.playing_ms is not None, f"{self.key} does not play, asked {len(self.asked)}: {self.last_error}"
        return self.playing_ms - self.came_ms

    def _waits(self) -> bool:
        return True

    def _share(self) -> bool:
        return False

    def _open(self, connection: Any) -> None:
        """The script of the server decides what follows."""

    def _started(self, connection: Any, info: dict[str, Any]) -> None:
        self.playing_ms = self.fleet.now_ms
        self.is_useful = True
        self.policy.on_link_useful()
        self.state = "live"

    def _give_up(self, why: str) -> None:
        raise AssertionError(f"{self.key} gave up: {why}")


class ScriptedChecks:
    """Health checks that begin and end when the test says so.

    Attributes:
        time_ms: what the clock shows.
        timers: calls to come, with their moments.
        going_on: what to tell of the connects that go on, by server.
        timeouts_ms: how long these may take.
    """

    def __init__(self) -> None:
        self.time_ms = 0
        self.timers: list[tuple[int, Timer]] = []
        self.going_on: dict[ServerNode, Callable[[str], None]] = {}
        self.timeouts_ms: list[int] = []
        self.is_closed = False

    @property
    def due_ms(self) -> list[int]:
        """Moments of the calls to come."""
        return [at_ms for at_ms, timer in self.timers if not timer.is_cancelled]

    def now_ms(self) -> int:
        return self.time_ms

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        self.timers.append((self.time_ms + delay_ms, timer))
        return timer

    def connect(self, server: ServerNode, timeout_ms: int, done: Callable[[str], None]) -> None:
        assert server not in self.going_on, "one connect per server at a time"
        self.going_on[server] = done
        self.timeouts_ms.append(timeout_ms)

    async def close(self) -> None:
        self.is_closed = True

    def begin(self) -> int:
        """Let time pass up to the next call; returns that time."""
        (at_ms,) = self.due_ms
        timer = self.timers[-1][1]
        self.timers.clear()
        self.time_ms = max(at_ms, self.time_ms)
        timer.callback()
        return self.time_ms

    def end(self, server: ServerNode, error: str) -> int:
        """Let the next connect begin in its time and end at once; returns that time."""
        self.begin()
        self.going_on.pop(server)(error)
        return self.time_ms


class VirtualChecks:
    """Health checks of a target whose servers are those of a fleet, named by ``fleet`` once it is there."""

    fleet: Fleet | None = None

    def now_ms(self) -> int:
        return self.fleet.now_ms if self.fleet is not None else 0

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Timer:
        assert self.fleet is not None
        return self.fleet.call_later(delay_ms, callback)

    def connect(self, server: ServerNode, timeout_ms: int, done: Callable[[str], None]) -> None:
        fleet = self.fleet
        assert fleet is not None
        fleet.checked[server] += 1
        match fleet.behaviour.get(server, "ok"):
            case "refuse":
                fleet.call_later(1, lambda: done("Connection refused"))
            case "silent":
                fleet.call_later(timeout_ms, lambda: done("no answer"))
            case _:
                fleet.call_later(1, lambda: done(""))

    async def close(self) -> None:
        self.fleet = None


@dataclass(slots=True)
class Fleet:
    """Servers, a clock, and players that come.

    Attributes:
        behaviour: by server: ``ok``, ``refuse`` (at once), ``silent`` (no answer to
            connecting), ``mute`` (connects, answers nothing), ``not_found``.
        latency_ms: of the answers, by server.
        asked: attempts at each server.
        checks, checked: what makes the target's health checks, None when nobody does; how often, by server.
    """

    target: Target
    config: UpstreamConfig = field(default_factory=UpstreamConfig)
    behaviour: dict[ServerNode, str] = field(default_factory=dict)
    latency_ms: dict[ServerNode, int] = field(default_factory=dict)
    asked: Counter[ServerNode] = field(default_factory=Counter)
    checks: VirtualChecks | None = None
    checked: Counter[ServerNode] = field(default_factory=Counter)
    players: list[Player] = field(default_factory=list)
    now_ms: int = 0
    manager: SimpleNamespace = field(init=False)
    _timers: list[tuple[int, int, Timer]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        if self.checks is not None:
            self.checks.fleet = self
        context = SimpleNamespace(
            now_ms=lambda: self.now_ms,
            call_later=self.call_later,
            counters=Counters(lambda: self.now_ms),
            spans=SpanRing(now_us=self._now_us, wall_us=self._now_us, entropy=bytes),
        )
        self.manager = SimpleNamespace(
            context=context,
            connect_ms=Histogram(),
            service=SimpleNamespace(log_prefix=""),
            config=self.config,
            target_of=lambda key, is_play: self.target,
            config_of=lambda key: self.config,
            jitter=random.Random(5).random,
            pool=SimpleNamespace(acquire=self._acquire, distrust=lambda connection: None),
            pace=lambda server, now_ms: 0,
            failed=lambda server: None,
            succeeded=lambda server: None,
            story=SimpleNamespace(
                asked=lambda link: None,
                ended=lambda link, end, text: None,
                runs=lambda link: None,
                redirected=lambda link, place: None,
            ),
            tc_url_of=lambda key, server, is_play, is_tls: ("", ""),
        )

    def _now_us(self) -> int:
        return self.now_ms * 1000

    def call_later(self, delay_ms: float, callback: Callable[[], Any]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (self.now_ms + int(delay_ms), next(self._order), timer))
        return timer

    def run(self, until_ms: int) -> None:
        """Let time pass."""
        while self._timers and self._timers[0][0] <= until_ms:
            self.now_ms, _, timer = heapq.heappop(self._timers)
            if not timer.is_cancelled:
                timer.callback()
        self.now_ms = until_ms

    def players_come(self, count: int, *, every_ms: int) -> list[Player]:
        """``count`` players of different streams, and the time that it takes."""
        came = []
        for _ in range(count):
            player = Player(self, f"s{len(self.players)}")
            self.players.append(player)
            came.append(player)
            player.start()
            self.run(self.now_ms + every_ms)
        return came

    def _acquire(self, link: Player, server: ServerNode, **_: Any) -> None:
        connection = Connection(self, link, server)
        self.asked[server] += 1
        link.asked.append(server)
        link.on_connected(connection)  # type: ignore[arg-type]
        match self.behaviour.get(server, "ok"):
            case "ok":
                self.call_later(self.latency_ms.get(server, LATENCY_MS), connection.start)
            case "refuse":
                self.call_later(1, lambda: connection.end(LinkEnd.LOST, "connection refused"))
            case "not_found":
                self.call_later(LATENCY_MS, lambda: connection.end(LinkEnd.NOT_FOUND, "no such stream"))
            case "mute":
                connection.is_connecting = False
            case other:
                assert other == "silent"
