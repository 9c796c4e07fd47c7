"""Which server to ask: a followed list, a balancer, and what we learned of each server.

Four things keep a server from being chosen. *Health*: an attempt there failed;
it is barred, or stepped over while another is up, until it has shown that it is
back (``health``). *Slow start*: it is back, and gets a part of its share only,
but for the hashing balancers, whose keys have one owner. *Passing over*: it gave
no data for one stream key, so it is asked for that key only when there is no
other, for ``disable_server_duration``. *Exclusion*: the caller has tried it for
this request. Where servers have priorities, those of a higher number are spare
ones, for requests for which these four leave nobody of a lower one (``group``).
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import mmh3

from edge.errors import ConfigError, NoServerError
from edge.upstream.config import UpstreamConfig
from edge.upstream.group import Rank, ServerGroup, Standing, in_order
from edge.upstream.health import HealthTable, by_endpoint
from edge.upstream.health_check import CheckIO, HealthChecker, TcpChecks
from lb import registry as balancers
from lb.base import BalancerError, LoadBalancer
from lb.weights import choosable, who_is_left_out
from naming import registry as services
from naming.base import AddressResolver, NamingError, NamingOptions
from naming.node import ServerNode
from naming.url import Address, parse_address
from naming.watcher import Watcher

_log = logging.getLogger(__name__)

# (endpoint, key) pairs passed over at a time: bounds memory when many keys fail at once.
MAX_DISABLED = 65536
# What a warning shows of a long list.
_MAX_SHOWN = 80


class Target:
    """The servers that ``-proxy_to`` or ``-cdn_merge_to`` names.

    Attributes:
        address: the target as configured.
        flag: the one that names it.
        is_tls: its servers are reached over TLS.
        on_found: called when the list has servers for the first time, or again.
        why_unusable: "not acted on yet: ..." when a part of it is not built, else "".
    """

    __slots__ = (
        "_accepts",
        "_by_endpoint",
        "_checker",
        "_checks",
        "_choosable",
        "_create_balancer",
        "_disable_ms",
        "_disabled",
        "_entropy",
        "_groups",
        "_had_answer",
        "_has_owners",
        "_has_recovery",
        "_health",
        "_is_learning",
        "_lb",
        "_loads",
        "_resolver",
        "_servers",
        "_watcher",
        "address",
        "flag",
        "is_tls",
        "on_found",
        "why_unusable",
    )

    def __init__(
        self,
        proxy_to: str,
        proxy_lb: str,
        config: UpstreamConfig,
        *,
        naming: NamingOptions | None = None,
        resolver: AddressResolver | None = None,
        accepts: Callable[[ServerNode], bool] | None = None,
        entropy: Callable[[int], int] = random.randrange,
        checks: CheckIO | None = None,
        flag: str = "proxy_to",
    ) -> None:
        """Read the configuration; nothing is looked up before ``start``.

        ``accepts`` tells servers that may be used from our own addresses;
        ``entropy(n)`` is a uniform integer in ``[0, n)``; ``checks`` connects to servers
        that are down, by TCP unless given. Raises ConfigError, naming the valid words,
        for a bad address, scheme, balancer or parameter.
        """
        try:
            self.address: Address = parse_address(proxy_to)
        except NamingError as error:
            raise ConfigError(str(error)) from error
        self.is_tls = self.address.is_tls or (config.upstream_tls and not self.address.is_plain)
        self.flag = flag
        self.on_found: Callable[[], None] | None = None
        self._accepts, self._resolver = accepts, resolver
        self._had_answer = False
        self._servers: tuple[ServerNode, ...] = ()
        self._choosable: tuple[ServerNode, ...] = ()  # those with a weight, for a balancer that needs one
        self._groups: tuple[ServerGroup, ...] = ()  # the best first
        self._by_endpoint: Mapping[str, Sequence[ServerNode]] = {}
        self._loads: Counter[ServerNode] = Counter()  # streams of ours that run there now
        self._disabled: dict[tuple[str, str], int] = {}  # until when, by endpoint and key; in order of that moment
        self._watcher: Watcher | None = None
        self._lb = proxy_lb or "rr"
        self._entropy = entropy
        self._create_balancer = self._find_balancer(entropy, config.chash_num_replicas)
        traits = balancers.traits_of(self._lb)
        self._is_learning = traits.is_learning
        self._has_recovery = traits.may_recover and self._lb.partition(":")[2].strip() != ""
        self._has_owners = self._create_balancer is not None and traits.has_owners
        self._health = HealthTable(config, has_slow_start=self._has_slow_start)
        self._checks = checks or TcpChecks()
        self._checker = HealthChecker(self._health, self._checks, timeout_ms=0)
        self._apply(config)
        self.why_unusable = self._find_missing()
        if not self.why_unusable:
            self._watcher = self._new_watcher(naming)

    def _new_watcher(self, naming: NamingOptions | None) -> Watcher:
        return Watcher(self.address, self._on_update, options=naming, resolver=self._resolver, accepts=self._accepts)

    @property
    def _has_slow_start(self) -> bool:
        return self._create_balancer is not None and not self._has_owners

    def _apply(self, config: UpstreamConfig) -> None:
        self._disable_ms = config.disable_server_duration * 1000
        self._checker.timeout_ms = config.health_check_timeout_ms

    def reconfigure(self, config: UpstreamConfig, naming: NamingOptions) -> None:
        """Take other settings; the servers, and what is known of them, stay."""
        self._apply(config)
        self._health.reconfigure(config, has_slow_start=self._has_slow_start)
        if self._watcher is not None:
            self._watcher.reconfigure(naming)

    def aim(self, other: Target, naming: NamingOptions) -> Watcher | None:
        """Take the address and the balancer of ``other``, which has not been started; ``start`` is to follow.

        The servers in force stay until the new source has answered, and what runs stays where it runs: that is then
        a change of the list as any other. Returns who followed the old source, for the caller to close.
        """
        left, self._had_answer = self._watcher, self.has_answer
        if left is not None:
            left.stop()
        self.address, self.is_tls, self.why_unusable = other.address, other.is_tls, other.why_unusable
        self._lb, self._create_balancer = other._lb, other._create_balancer
        self._is_learning, self._has_recovery = other._is_learning, other._has_recovery
        self._has_owners = other._has_owners
        self._watcher = self._new_watcher(naming) if not self.why_unusable else None
        self._groups = ()
        self._choose_among(self._servers)
        return left

    @property
    def servers(self) -> tuple[ServerNode, ...]:
        """The list in force, in brpc's order."""
        return self._servers

    @property
    def has_answer(self) -> bool:
        """Whether the naming service has answered; true for good once it has."""
        return self._had_answer or (self._watcher is not None and self._watcher.has_answer)

    async def start(self, *, within_ms: int = 5000) -> bool:
        """Begin to follow the servers; waits for the first answer or failure, at most ``within_ms``.

        Returns whether there is an answer. False is no error: following goes on.
        """
        return self._watcher is not None and await self._watcher.start(within_ms=within_ms)

    async def close(self) -> None:
        """Stop following and checking. Safe to call again."""
        if self._watcher is not None:
            await self._watcher.close()
        await self._checker.close()

    def select(
        self, key_text: str, excluded: Collection[ServerNode] = (), *, now_ms: int, passed_over_for: str = ""
    ) -> ServerNode | None:
        """Choose a server for the stream key.

        None when the list is empty, or when a balancer with a recovery refuses as all are or were down.
        The server is of the best group, the one of the lowest priority number, that has one to offer.
        ``passed_over_for`` is the key that servers are passed over for where it is another one.

        ``excluded`` are the servers tried for this request, the last one at the end:
        one of them is chosen again only when nothing else is up, and then the one
        that was tried first, so that each has its turn however the balancer chooses.
        Raises NoServerError with ``why_unusable`` when that is set.
        """
        if self.why_unusable:
            raise NoServerError(self.why_unusable)
        if not self._servers:
            return None
        if self._create_balancer is None:
            return self._servers[0]
        slow = {server for server, share in self._health.slow(now_ms).items() if self._entropy(100) >= share}
        standing = self._standing(passed_over_for or key_text, now_ms, excluded, frozenset(slow))
        code, shut = _code_of(key_text), self._health.shut() if self._is_learning else frozenset()
        if self._has_recovery and len(self._groups) > 1:
            for group in self._groups:
                group.note_outage(standing, now_ms)
        for group in in_order(self._groups, standing):
            chosen = group.select(code, standing, now_ms, shut=shut, loads=self._loads)
            if chosen is not None:
                self._health.begin_attempt(chosen, now_ms)
                return self._now(chosen)  # what a balancer keeps is equal, and may bear the name of before
        return None

    def _standing(
        self,
        key_text: str,
        now_ms: int,
        excluded: Collection[ServerNode] = (),
        slow: frozenset[ServerNode] = frozenset(),
    ) -> Standing:
        """What speaks against servers, for a request for the key."""
        health = self._health
        tried = tuple(each for server in excluded for each in self._by_endpoint.get(server.endpoint, ()))
        passed_over = self._passed_over(key_text, now_ms)
        return Standing(health.barred(now_ms), health.down(now_ms), health.out(now_ms), passed_over, tried, slow)

    def _now(self, server: ServerNode) -> ServerNode:
        """The server as the list has it now: callers keep one for as long as a stream runs, and it may change."""
        listed = self._by_endpoint.get(server.endpoint, ())
        return next((each for each in listed if each == server), listed[0] if listed else server)

    def home_of(self, key_text: str, now_ms: int) -> ServerNode | None:
        """The server that a key belongs to; None where the balancer knows no owners, or when the owner is down or full.

        Full is one that carries its part already, with a ``load_factor``. The owner
        is one of the group that the next request for the key would go to.
        """
        if not self._has_owners or not self._groups:
            return None
        standing = self._standing(key_text, now_ms)
        group = in_order(self._groups, standing)[0]
        return group.owner_of(_code_of(key_text), now_ms, standing.barred | standing.down, self._loads)

    def is_away(self, server: ServerNode, key_text: str, now_ms: int) -> bool:
        """Whether a stream at ``server`` belongs elsewhere.

        That is to its owner; from a spare server to one of a better group; to any that is still in the list.
        """
        if server.endpoint not in self._by_endpoint:
            return bool(self._servers)
        priority = self._by_endpoint[server.endpoint][0].priority
        if len(self._groups) > 1:
            standing = self._standing(key_text, now_ms)
            better = (group for group in self._groups if group.priority < priority)
            if any(group.rank(standing) is Rank.FRESH for group in better):
                return True
        home = self.home_of(key_text, now_ms)
        return home is not None and home.endpoint != server.endpoint and home.priority <= priority

    def is_passed_over(self, server: ServerNode, key_text: str, now_ms: int) -> bool:
        """Whether ``server`` has lately had no data for the key."""
        return self._disabled.get((server.endpoint, key_text), 0) > now_ms

    def report(self, server: ServerNode, ok: bool, latency_ms: float, now_ms: int, error: str = "") -> None:
        """Tell how an attempt to connect ended; ``error`` is for the pages.

        ``ok`` means that the server answered the setup of a connection or stream, be
        it with a refusal; ``latency_ms`` is the time the attempt took.
        """
        if server.endpoint not in self._by_endpoint:
            return  # left the list while it was being tried
        server = self._now(server)
        if ok:
            self._health.succeed(server, now_ms)
        else:
            self._health.fail(server, latency_ms, now_ms, error)
        self._checker.wake()
        for group in self._groups:
            if group.priority == server.priority:
                group.balancer.feedback(server, latency_ms, ok, now_ms)

    def suspect(self, server: ServerNode, now_ms: int) -> None:
        """Tell that a connection with a stream of ours to ``server`` broke: a check is to say whether it is down."""
        self._health.suspect(server, now_ms)
        self._checker.wake()

    def occupy(self, server: ServerNode) -> None:
        """A stream runs at ``server`` from now on; ``vacate`` follows when it ends."""
        self._loads[self._now(server)] += 1

    def vacate(self, server: ServerNode) -> None:
        """A stream has ended there."""
        server = self._now(server)
        if server not in self._loads:  # has left the list since, under another tag
            server = next((other for other in self._loads if other.endpoint == server.endpoint), server)
        self._loads[server] -= 1
        if self._loads[server] <= 0:
            del self._loads[server]

    def disable(self, server: ServerNode, key_text: str, now_ms: int) -> None:
        """Pass ``server`` over for this key while there is another, for ``disable_server_duration``."""
        if self._disable_ms <= 0:
            return
        pair = server.endpoint, key_text
        self._disabled.pop(pair, None)  # to the end: the order is that of the moments
        self._disabled[pair] = now_ms + self._disable_ms
        self._forget_disabled(now_ms)

    def has_alternative(self, server: ServerNode, key_text: str, *, now_ms: int) -> bool:
        """Whether another server is up and not passed over for this key."""
        passed_over = self._passed_over(key_text, now_ms)
        return any(other.endpoint != server.endpoint and other not in passed_over for other in self._up(now_ms))

    @property
    def may_be_anywhere(self) -> bool:
        """Whether a stream may come to any of several servers: no balancer says which is its owner."""
        return not self._has_owners and len(self._by_endpoint) > 1

    def has_unasked(self, asked: Collection[str], now_ms: int) -> bool:
        """Whether a server is up that is none of the endpoints ``asked``, and might have what they have not.

        With a balancer that hashes a stream has an owner, and the next ones on the
        ring stand in for it: to ask everybody would be of no use.
        """
        if self._has_owners:
            return False
        return any(server.endpoint not in asked for server in self._up(now_ms))

    def _up(self, now_ms: int) -> list[ServerNode]:
        """The servers that may be chosen, and are not down as far as we know."""
        out = self._health.barred(now_ms) | self._health.down(now_ms)
        return [server for server in self._choosable if server not in out]

    def has(self, server: ServerNode) -> bool:
        """Whether its endpoint is in the list."""
        return server.endpoint in self._by_endpoint

    def snapshot(self, now_ms: int) -> dict[str, Any]:
        """The data of the pages: plain values, times in milliseconds."""
        barred = self._health.barred(now_ms)
        disabled = Counter(endpoint for (endpoint, _), until_ms in self._disabled.items() if until_ms > now_ms)
        watcher, choosable_now = self._watcher, frozenset(self._choosable)
        rows = [self._describe(server, server in barred, disabled[server.endpoint], now_ms) for server in self._servers]
        for server, row in zip(self._servers, rows, strict=True):
            if server not in choosable_now:
                row["share_pct"] = 0
        return {
            "target": self.address.shown,
            "balancer": self._lb if self._create_balancer is not None else "",
            "why_unusable": self.why_unusable or (watcher.fault if watcher else ""),
            "has_answer": self.has_answer,
            "naming_failed_count": watcher.failed_count if watcher else 0,
            "naming_empty_count": watcher.empty_count if watcher else 0,
            "naming_skipped_count": watcher.skipped_count if watcher else 0,
            "servers": rows + self._leaving(now_ms),
        }

    def naming(self) -> dict[str, Any]:
        """The source of the list for the pages, see :class:`naming.state.SourceState`."""
        if self.why_unusable or self._watcher is None:
            return {"state": "unusable", "servers_count": len(self._servers), "last_error": self.why_unusable}
        return self._watcher.describe()

    def _leaving(self, now_ms: int) -> list[dict[str, Any]]:
        """The servers off the list where streams of ours still run."""
        left = sorted((each for each in self._loads if each.endpoint not in self._by_endpoint), key=str)
        return [{**self._describe(each, False, 0, now_ms), "state": "leaving", "share_pct": 0} for each in left]

    def _describe(self, server: ServerNode, is_barred: bool, disabled_count: int, now_ms: int) -> dict[str, Any]:
        health = self._health.describe(server, now_ms, is_barred=is_barred)
        return {
            "endpoint": server.endpoint,
            "state": health.pop("state"),
            "last_error": health.pop("last_error"),
            "last_error_age_s": health.pop("last_error_age_s"),
            "tag": server.tag,
            "priority": server.priority,
            "streams_count": self._loads[server],
            "disabled_keys_count": disabled_count,
            **health,
        }

    def _passed_over(self, key_text: str, now_ms: int) -> frozenset[ServerNode]:
        if not self._disabled:
            return frozenset()
        return frozenset(server for server in self._servers if self.is_passed_over(server, key_text, now_ms))

    def _forget_disabled(self, now_ms: int) -> None:
        while self._disabled:
            pair, until_ms = next(iter(self._disabled.items()))
            if until_ms > now_ms and len(self._disabled) <= MAX_DISABLED:
                return
            del self._disabled[pair]

    def _on_update(self, servers: tuple[ServerNode, ...]) -> None:
        had_servers = bool(self._servers)
        left_out = set(self._servers).difference(self._choosable)
        self._servers = servers
        self._by_endpoint = by_endpoint(servers)
        # What is known of a server outlives a change of its tag.
        loads, self._loads = self._loads, Counter()
        for server, count in loads.items():
            self._loads[self._now(server)] += count
        self._choose_among(servers)
        self._tell_left_out(left_out)
        self._health.follow(self._choosable, self._checks.now_ms())
        self._checker.wake()
        if servers and not had_servers and self.on_found is not None:
            self.on_found()

    def _choose_among(self, servers: tuple[ServerNode, ...]) -> None:
        self._choosable = choosable(self._lb, servers) if self._create_balancer is not None else servers
        self._groups = self._regroup()

    def _tell_left_out(self, before: Collection[ServerNode]) -> None:
        """Warn of servers that the balancer never chooses, unless they are those of ``before`` and there are others."""
        left_out = set(self._servers).difference(self._choosable)
        if left_out and (left_out != before or not self._choosable):
            shown = self.address.shown[:_MAX_SHOWN]
            _log.warning("%s: %s", shown, who_is_left_out(self._lb, self._servers), extra={"cause": shown})

    def _regroup(self) -> tuple[ServerGroup, ...]:
        """The groups of the list, the best first; one that was there before goes on with what it knows."""
        if self._create_balancer is None:
            return ()
        known, groups = {group.priority: group for group in self._groups}, []
        for priority in sorted({server.priority for server in self._servers}):
            group = known.get(priority) or ServerGroup(priority, self._create_balancer())
            group.follow(self._servers, self._choosable)
            groups.append(group)
        return tuple(groups)

    def _find_balancer(self, entropy: Callable[[int], int], replicas: int) -> Callable[[], LoadBalancer] | None:
        """What creates a balancer, one for each group; None for one plain server."""
        name, _, params = self._lb.partition(":")
        if not balancers.is_known(name):
            raise ConfigError(f'unknown load balancer "{self._lb}" (valid: {", ".join(balancers.known())})')
        if self.address.is_plain:
            return None
        if balancers.traits_of(name).has_owners and "replicas=" not in params:
            params = f"{params} replicas={replicas}"
        create = partial(balancers.create, f"{name}:{params}", entropy=entropy)
        try:
            create()
        except BalancerError as error:
            raise ConfigError(str(error)) from error
        return create

    def _find_missing(self) -> str:
        """What of the configuration is known and not built."""
        if self.address.is_plain or services.is_built(self.address.scheme):
            return ""
        return f'not acted on yet: naming scheme "{self.address.scheme}"'


def _code_of(key_text: str) -> int:
    """What balancers hash a stream key to."""
    return mmh3.hash(key_text.encode("utf-8", "surrogatepass"), 0, signed=False)
