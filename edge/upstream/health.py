"""What we learned of the servers of a target: who is down, who is tried again, who has just come back.

A server that fails goes round this circle::

    up -> isolated -> checking -> trial -> slow start -> up

*Isolated*: an attempt failed, so nobody asks it for 100 ms. That doubles up to
30 s while it fails again within 30 s of its return, or in its trial (brpc's
isolation durations). *Checking*: plain connects test it at the end of the
isolation and each ``health_check_interval``, until one works; no request is used
for that. One that works before the isolation has ended does not shorten it.
*Trial*: it accepts connections, which a server that is stuck does as well. So
one request at a time asks it until one succeeds. *Slow start*: its share grows
from 10 % of the usual to all of it within ``slow_start_ms``; that of a server
that is new in a list in force does too.

A connection that breaks with streams on it is no failed attempt, but a reason to
look: one connect tells whether the server is down before a new stream finds out.

At most half of the servers of one priority are kept from everybody at a time; so
one server alone never is, and when all are down each has its turn. But a group
none of which is up has nothing to lose while another group works: nobody asks it.
What is learned is learned of an endpoint: one that is in the list twice, with
different tags, is up or down as one server. This module does no I/O:
``health_check`` makes the connects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from edge.upstream.config import UpstreamConfig
from naming.node import ServerNode

MIN_ISOLATION_MS = 100
MAX_ISOLATION_MS = 30000
#: Least share of a server in its slow start, so that it is tried at all.
MIN_SHARE_PCT = 10


@dataclass(slots=True)
class ServerHealth:
    """What we learned of one server; times are of the caller's clock, None where it has not come to that.

    Attributes:
        isolated_until_ms: nobody asks it before this moment.
        isolation_ms: length of the last isolation that was no repeat, 0 before the first.
        broken_at_ms: moment of the last failure that counted.
        revived_at_ms: moment of the first success after that.
        is_connectable: a connect has worked at the end of the isolation, or nobody makes any.
        is_shut: the last connect since the failure did not work.
        is_suspect: a connection with streams broke, and no connect has told since whether the server is down.
        trial_until_ms: a request is trying it out, at the longest until then.
        check_at_ms: moment of the next connect.
        check_began_ms: of the connect that is going on.
        slow_since_ms: when its slow start began.
        last_error: how the last failed attempt or connect ended, "" before the first.
        last_error_at_ms: moment of that.
    """

    isolated_until_ms: int = 0
    isolation_ms: int = 0
    broken_at_ms: int | None = None
    revived_at_ms: int | None = None
    is_connectable: bool = False
    is_shut: bool = False
    is_suspect: bool = False
    trial_until_ms: int = 0
    check_at_ms: int | None = None
    check_began_ms: int | None = None
    slow_since_ms: int | None = None
    ok_count: int = 0
    failure_count: int = 0
    check_count: int = 0
    last_error: str = ""
    last_error_at_ms: int | None = None

    @property
    def is_failing(self) -> bool:
        """It has not succeeded since its last failure."""
        return self.broken_at_ms is not None and self.revived_at_ms is None

    def is_down(self, now_ms: int) -> bool:
        """It is failing, and no connect has shown yet that it is back."""
        return self.is_failing and (self.is_shut or (not self.is_connectable and self.isolated_until_ms <= now_ms))

    def keeps_out_until_ms(self, now_ms: int) -> int:
        """End of its isolation or of the trial going on, 0 when there is neither."""
        until_ms = max(self.isolated_until_ms, self.trial_until_ms)
        return until_ms if self.is_failing and until_ms > now_ms else 0

    def is_out(self, now_ms: int) -> bool:
        """It is isolated, down or being tried out."""
        return self.keeps_out_until_ms(now_ms) > 0 or self.is_down(now_ms)

    def fail(self, now_ms: int, latency_ms: float) -> bool:
        """Take a failed attempt that began ``latency_ms`` ago; returns whether it is news."""
        self.failure_count += 1
        if self.broken_at_ms is not None and now_ms - latency_ms < self.broken_at_ms:
            return False  # began before the failure that isolated it
        if self.is_failing and not self.is_connectable:
            # Asked although it is down, for want of a better one: nothing new but that others have their turn first.
            self.isolated_until_ms = max(self.isolated_until_ms, now_ms + MIN_ISOLATION_MS)
        else:
            is_flapping = self.revived_at_ms is None or now_ms - self.revived_at_ms < MAX_ISOLATION_MS
            doubled_ms = 2 * self.isolation_ms if is_flapping else 0
            self.isolation_ms = min(max(doubled_ms, MIN_ISOLATION_MS), MAX_ISOLATION_MS)
            self.isolated_until_ms = now_ms + self.isolation_ms
            self.is_connectable = self.is_shut = False
        self.broken_at_ms, self.revived_at_ms, self.slow_since_ms = now_ms, None, None
        self.trial_until_ms = 0
        return True

    def succeed(self, now_ms: int) -> None:
        """Take a successful attempt: it is up, in its slow start after a failure."""
        self.ok_count += 1
        if not self.is_failing:
            if self.is_suspect:
                self.is_suspect, self.check_at_ms = False, None
            return
        self.revived_at_ms = now_ms
        self.isolated_until_ms = min(self.isolated_until_ms, now_ms)
        self.trial_until_ms = 0
        self.is_shut = False
        self.check_at_ms = None
        if self.slow_since_ms is None:
            self.slow_since_ms = now_ms

    def end_check(self, error: str, now_ms: int, interval_ms: int) -> None:
        """Take the end of a connect; ``error`` is "" when it worked."""
        began_ms, self.check_began_ms = self.check_began_ms, None
        if self.is_suspect and error:
            self.fail(now_ms, 0)
        self.is_suspect = False
        if not self.is_failing or began_ms is None:
            return
        self.is_shut = error != ""
        if self.is_shut:
            self.last_error, self.last_error_at_ms = f"health check: {error}", now_ms
            self.check_at_ms = max(began_ms + interval_ms, now_ms)
        elif self.isolated_until_ms > now_ms:
            self.check_at_ms = min(began_ms + interval_ms, self.isolated_until_ms)
        else:
            self.is_connectable, self.check_at_ms = True, None
            self.slow_since_ms = now_ms


def by_endpoint(servers: Iterable[ServerNode]) -> Mapping[str, Sequence[ServerNode]]:
    """The servers of each endpoint: more than one when it stands in the list with several tags."""
    found: dict[str, list[ServerNode]] = {}
    for server in servers:
        found.setdefault(server.endpoint, []).append(server)
    return found


def _group(servers_at: Mapping[str, Sequence[ServerNode]]) -> Sequence[Sequence[str]]:
    """The endpoints of each priority."""
    groups: dict[int, list[str]] = {}
    for endpoint, servers in servers_at.items():
        groups.setdefault(servers[0].priority, []).append(endpoint)
    return tuple(groups.values())


class HealthTable:
    """What we learned of each server of a list, and whom that keeps from being asked.

    Attributes:
        is_checked: whether somebody makes the connects that are due; else the
            first request after an isolation is the test.
    """

    __slots__ = (
        "_groups",
        "_has_slow_start",
        "_health",
        "_interval_ms",
        "_longest_attempt_ms",
        "_servers_at",
        "_slow_start_ms",
        "_unwell",
        "is_checked",
    )

    def __init__(self, config: UpstreamConfig, *, has_slow_start: bool) -> None:
        self._has_slow_start = has_slow_start
        self._apply(config)
        # The list, and what is known of it, by endpoint.
        self._servers_at: Mapping[str, Sequence[ServerNode]] = {}
        self._groups: Sequence[Sequence[str]] = ()  # the endpoints of each priority
        self._health: dict[str, ServerHealth] = {}
        self._unwell: dict[str, ServerHealth] = {}  # those of them that are failing or in their slow start
        self.is_checked = True

    def _apply(self, config: UpstreamConfig) -> None:
        self._interval_ms = config.health_check_interval * 1000
        self._longest_attempt_ms = config.timeout_ms
        self._slow_start_ms = config.slow_start_ms if self._has_slow_start else 0

    def reconfigure(self, config: UpstreamConfig, *, has_slow_start: bool) -> None:
        """Take other settings; a connect that is planned stays planned."""
        self._has_slow_start = has_slow_start
        self._apply(config)

    def follow(self, servers: tuple[ServerNode, ...], now_ms: int) -> None:
        """Take a list of servers: those that left are forgotten, those that are new begin slowly.

        The first list is an exception: nobody is new then. Nor is a server that was
        there with another tag, such as another weight.
        """
        before, now = self._servers_at, by_endpoint(servers)
        self._servers_at, self._groups = now, _group(now)
        for table in (self._health, self._unwell):
            for endpoint in table.keys() - now.keys():
                del table[endpoint]
        for endpoint in now:
            if before and endpoint not in before:
                self._health[endpoint] = self._unwell[endpoint] = ServerHealth(slow_since_ms=now_ms)
        if (len(before) > 1) == (len(now) > 1):
            return
        for health in self._unwell.values():
            if health.is_failing:
                health.is_connectable, health.check_at_ms = False, None
                self._plan_check(health, now_ms)

    def fail(self, server: ServerNode, latency_ms: float, now_ms: int, error: str) -> None:
        """Take a failed attempt at ``server`` that began ``latency_ms`` ago; one that is not in the list is ignored."""
        if server.endpoint not in self._servers_at:
            return
        health = self._health.setdefault(server.endpoint, ServerHealth())
        health.last_error, health.last_error_at_ms = error, now_ms
        if health.fail(now_ms, latency_ms):
            self._unwell[server.endpoint] = health
            self._plan_check(health, now_ms)

    def suspect(self, server: ServerNode, now_ms: int) -> None:
        """Take that a connection with streams to ``server`` broke: connect to it now, if anybody connects."""
        if server.endpoint not in self._servers_at or not self.is_checked or len(self._servers_at) < 2:
            return
        health = self._health.setdefault(server.endpoint, ServerHealth())
        if health.is_failing or health.is_suspect:
            return
        health.is_suspect, health.check_at_ms = True, now_ms
        self._unwell[server.endpoint] = health

    def succeed(self, server: ServerNode, now_ms: int) -> None:
        """Take a successful attempt; a server that is not in the list is ignored."""
        if server.endpoint in self._servers_at:
            self._health.setdefault(server.endpoint, ServerHealth()).succeed(now_ms)

    def begin_attempt(self, server: ServerNode, now_ms: int) -> None:
        """Take that a request asks ``server``; others wait for the end of it if that tries it out."""
        health = self._unwell.get(server.endpoint)
        if health is not None and health.is_failing and health.isolated_until_ms <= now_ms:
            health.trial_until_ms = now_ms + self._longest_attempt_ms

    # --- choice --------------------------------------------------------------

    def barred(self, now_ms: int) -> frozenset[ServerNode]:
        """The servers nobody may ask now.

        That is at most half of each group, but all of one in which none is up while one
        of another group is. When none is up anywhere it is at most half of the list.
        """
        if not any(health.is_failing for health in self._unwell.values()):
            return frozenset()
        out = {endpoint for endpoint, health in self._unwell.items() if health.is_out(now_ms)}
        dead = [group for group in self._groups if out.issuperset(group)]
        if len(dead) == len(self._groups):
            return self._listed(self._bar_half(tuple(self._servers_at), now_ms))
        alive = (group for group in self._groups if group not in dead)
        return self._listed(chain(*dead, *(self._bar_half(group, now_ms) for group in alive)))

    def _bar_half(self, group: Sequence[str], now_ms: int) -> Sequence[str]:
        """Of the endpoints ``group`` those to bar, at most half.

        First come those with the longest isolation or trial, then those that are
        down; the latter only while another one is up.
        """
        limit = len(group) // 2
        unwell = ((endpoint, self._unwell[endpoint]) for endpoint in group if endpoint in self._unwell)
        failing = [(endpoint, health) for endpoint, health in unwell if health.is_failing]
        waits = [(health.keeps_out_until_ms(now_ms), endpoint) for endpoint, health in failing]
        waits.sort(key=lambda pair: -pair[0])
        barred = [endpoint for until_ms, endpoint in waits if until_ms][:limit]
        if len(failing) < len(group):
            down = [endpoint for endpoint, health in failing if endpoint not in barred and health.is_down(now_ms)]
            barred.extend(down[: limit - len(barred)])
        return barred

    def out(self, now_ms: int) -> frozenset[ServerNode]:
        """The servers that are not up and not due for a trial, be they more than half."""
        return self._listed(endpoint for endpoint, health in self._unwell.items() if health.is_out(now_ms))

    def down(self, now_ms: int) -> frozenset[ServerNode]:
        """The servers that are known to be down, be they more than half."""
        return self._listed(endpoint for endpoint, health in self._unwell.items() if health.is_down(now_ms))

    def shut(self) -> frozenset[ServerNode]:
        """Those of them where the last connect did not work."""
        return self._listed(endpoint for endpoint, health in self._unwell.items() if health.is_shut)

    def _listed(self, endpoints: Iterable[str]) -> frozenset[ServerNode]:
        return frozenset(server for endpoint in endpoints for server in self._servers_at.get(endpoint, ()))

    def slow(self, now_ms: int) -> dict[ServerNode, int]:
        """The servers in their slow start, with the percentage of their usual share."""
        shares = {endpoint: self._share_pct(health, now_ms) for endpoint, health in self._unwell.items()}
        for endpoint in [endpoint for endpoint, share in shares.items() if share == 100]:
            del shares[endpoint]
            if not (self._unwell[endpoint].is_failing or self._unwell[endpoint].is_suspect):
                del self._unwell[endpoint]
        return {server: share for endpoint, share in shares.items() for server in self._servers_at.get(endpoint, ())}

    def _share_pct(self, health: ServerHealth, now_ms: int) -> int:
        if health.slow_since_ms is None or self._slow_start_ms <= 0:
            return 100
        elapsed_ms = now_ms - health.slow_since_ms
        return min(max(100 * elapsed_ms // self._slow_start_ms, MIN_SHARE_PCT), 100)

    # --- checks --------------------------------------------------------------

    def _plan_check(self, health: ServerHealth, now_ms: int) -> None:
        """After a failure: a connect at the end of the isolation, earlier when that is long."""
        if not self.is_checked or len(self._servers_at) < 2:
            health.is_connectable, health.is_shut, health.check_at_ms = True, False, None
        elif health.check_at_ms is None:
            health.check_at_ms = min(max(health.isolated_until_ms, now_ms), now_ms + self._interval_ms)

    def next_check_ms(self) -> int | None:
        """When the next connect is due, None when there is nobody to check."""
        return min((at_ms for at_ms, _ in self._planned()), default=None)

    def begin_checks(self, now_ms: int, limit: int) -> list[ServerNode]:
        """The servers to connect to now, ``limit`` at most; ``end_check`` follows for each of them."""
        due = sorted((pair for pair in self._planned() if pair[0] <= now_ms), key=lambda pair: pair[0])[:limit]
        for _, endpoint in due:
            health = self._unwell[endpoint]
            health.check_at_ms, health.check_began_ms = None, now_ms
            health.check_count += 1
        return [self._servers_at[endpoint][0] for _, endpoint in due]

    def end_check(self, server: ServerNode, error: str, now_ms: int) -> bool | None:
        """Take the end of a connect to ``server``; ``error`` is "" when it worked.

        Returns whether it is shut, None when that is what was known before.
        """
        health = self._health.get(server.endpoint)
        if health is None:
            return None
        was_shut = health.is_shut
        health.end_check(error, now_ms, self._interval_ms)
        return None if health.is_shut == was_shut else health.is_shut

    def _planned(self) -> Iterator[tuple[int, str]]:
        """Moment and endpoint of the connects that have not begun; one server has one at a time."""
        for endpoint, health in self._unwell.items():
            if health.check_at_ms is not None and health.check_began_ms is None:
                yield health.check_at_ms, endpoint

    # --- for the pages -------------------------------------------------------

    def describe(self, server: ServerNode, now_ms: int, *, is_barred: bool) -> dict[str, Any]:
        """Plain values, times in milliseconds unless named otherwise; ``is_barred`` as ``barred`` has it."""
        health = self._health.get(server.endpoint, ServerHealth())
        state, check_at_ms = self._state_of(health, now_ms, is_barred=is_barred), health.check_at_ms
        error_at_ms = health.last_error_at_ms
        return {
            "state": state,
            "last_error": health.last_error,
            "last_error_age_s": (now_ms - error_at_ms) // 1000 if error_at_ms is not None else None,
            "isolated_for_ms": health.isolated_until_ms - now_ms if state == "isolated" else 0,
            "check_in_ms": max(check_at_ms - now_ms, 0) if check_at_ms is not None else 0,
            "check_count": health.check_count,
            # In a trial one request at a time, however long it lasts.
            "share_pct": 0 if state in ("isolated", "checking", "trial") else self._share_pct(health, now_ms),
            "ok_count": health.ok_count,
            "failure_count": health.failure_count,
        }

    def _state_of(self, health: ServerHealth, now_ms: int, *, is_barred: bool) -> str:
        """One of the states of the module, or ``failing``: it fails, and is asked as if it did not."""
        if not health.is_failing:
            return "up" if self._share_pct(health, now_ms) == 100 else "slow start"
        if len(self._servers_at) < 2:
            return "failing"
        if health.is_down(now_ms):
            return "checking"
        if health.isolated_until_ms > now_ms:
            return "isolated" if is_barred else "failing"
        return "trial"
