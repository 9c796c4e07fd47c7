"""Which server to ask: a followed list, a balancer, and what we learned of each server.

Three things keep a server from being chosen. *Isolation*: a connect failed, so
nobody asks it for a while that doubles from 100 ms to 30 s as it goes on
failing; at most half of the list is isolated at a time, so one server alone
never is (brpc's isolation durations). Here the first request after the wait is
the health check, and nobody else asks before its end or ``timeout_ms``.
*Passing over*: it gave no data for one stream key, so it is asked for that key
only when there is no other, for ``disable_server_duration``. *Exclusion*: the
caller has tried it for this request.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import mmh3

from edge.errors import ConfigError, NoServerError
from edge.upstream.config import UpstreamConfig
from lb import registry as balancers
from lb.base import BalancerError, LoadBalancer, SelectRequest
from naming import registry as services
from naming.base import AddressResolver, NamingError, NamingOptions
from naming.node import ServerNode
from naming.url import Address, parse_address
from naming.watcher import Watcher

_log = logging.getLogger(__name__)

MIN_ISOLATION_MS = 100
MAX_ISOLATION_MS = 30000
# (server, key) pairs passed over at a time: bounds memory when many keys fail at once.
MAX_DISABLED = 65536
# Balancers with a ring, whose points per server have a flag of their own.
_HASHING = frozenset(("c_murmurhash", "c_md5", "c_ketama"))


@dataclass(slots=True)
class _Health:
    """What we learned of one server; times are of the caller's clock.

    Attributes:
        isolated_until_ms: nobody asks it before this moment.
        isolation_ms: length of the last isolation, 0 before the first.
        broken_at_ms: moment of the last failure that counted, None before the first.
        revived_at_ms: moment of the first success after that, None while it has not come.
        last_error: how the last failed attempt ended, "" before the first.
    """

    isolated_until_ms: int = 0
    isolation_ms: int = 0
    broken_at_ms: int | None = None
    revived_at_ms: int | None = None
    ok_count: int = 0
    failure_count: int = 0
    last_error: str = ""

    def fail(self, now_ms: int, latency_ms: float) -> None:
        """Take a failed attempt that began ``latency_ms`` ago."""
        self.failure_count += 1
        if self.broken_at_ms is not None and now_ms - latency_ms < self.broken_at_ms:
            return  # began before the failure that isolated it: no news
        is_flapping = self.revived_at_ms is None or now_ms - self.revived_at_ms < MAX_ISOLATION_MS
        if self.isolation_ms and is_flapping:
            self.isolation_ms = min(2 * self.isolation_ms, MAX_ISOLATION_MS)
        else:
            self.isolation_ms = MIN_ISOLATION_MS
        self.broken_at_ms, self.revived_at_ms = now_ms, None
        self.isolated_until_ms = now_ms + self.isolation_ms

    def succeed(self, now_ms: int) -> None:
        """Take a successful attempt: the isolation ends."""
        self.ok_count += 1
        if self.broken_at_ms is not None and self.revived_at_ms is None:
            self.revived_at_ms = now_ms
        self.isolated_until_ms = min(self.isolated_until_ms, now_ms)

    def begin_attempt(self, now_ms: int, longest_ms: int) -> None:
        """Take that an attempt begins; after an isolation it is the health check, and others wait for its end."""
        if self.broken_at_ms is not None and self.revived_at_ms is None and self.isolated_until_ms <= now_ms:
            self.isolated_until_ms = now_ms + longest_ms


class Target:
    """The servers that ``-proxy_to`` or ``-cdn_merge_to`` names.

    Attributes:
        address: the target as configured.
        why_unusable: "not acted on yet: ..." when a part of it is not built, else "".
        warnings: what an operator should know of the configuration; logged once here.
    """

    __slots__ = (
        "_balancer",
        "_disable_ms",
        "_disabled",
        "_has_owners",
        "_health",
        "_lb",
        "_loads",
        "_longest_attempt_ms",
        "_servers",
        "_watcher",
        "address",
        "warnings",
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
    ) -> None:
        """Read the configuration; nothing is looked up before ``start``.

        ``accepts`` tells servers that may be used from our own addresses;
        ``entropy(n)`` is a uniform integer in ``[0, n)``. Raises ConfigError,
        naming the valid words, for a bad address, scheme, balancer or parameter.
        """
        try:
            self.address: Address = parse_address(proxy_to)
        except NamingError as error:
            raise ConfigError(str(error)) from error
        self._disable_ms = config.disable_server_duration * 1000
        self._longest_attempt_ms = config.timeout_ms
        self._servers: tuple[ServerNode, ...] = ()
        self._health: dict[ServerNode, _Health] = {}
        self._loads: Counter[ServerNode] = Counter()  # streams of ours that run there now
        self._disabled: dict[tuple[ServerNode, str], int] = {}  # until when; in order of that moment
        self._watcher: Watcher | None = None
        self._lb = proxy_lb or "rr"
        self.warnings = self._find_warnings(proxy_lb)
        for warning in self.warnings:
            _log.warning("%s", warning)
        self._balancer = self._make_balancer(entropy, config.chash_num_replicas)
        self.why_unusable = self._find_missing()
        if self.address.is_plain or services.is_built(self.address.scheme):
            self._watcher = Watcher(self.address, self._on_update, options=naming, resolver=resolver, accepts=accepts)

    @property
    def servers(self) -> tuple[ServerNode, ...]:
        """The list in force, in brpc's order."""
        return self._servers

    @property
    def has_answer(self) -> bool:
        """Whether the naming service has answered; true for good once it has."""
        return self._watcher is not None and self._watcher.has_answer

    async def start(self, *, within_ms: int = 5000) -> bool:
        """Begin to follow the servers; waits for the first answer or failure, at most ``within_ms``.

        Returns whether there is an answer. False is no error: following goes on.
        """
        return self._watcher is not None and await self._watcher.start(within_ms=within_ms)

    async def close(self) -> None:
        """Stop following. Safe to call again."""
        if self._watcher is not None:
            await self._watcher.close()

    def select(self, key_text: str, excluded: Collection[ServerNode] = (), *, now_ms: int) -> ServerNode | None:
        """Choose a server for the stream key; None when the list is empty or all are down.

        ``excluded`` are the servers tried for this request, the last one at the end:
        one of them is chosen again only when nothing else is up, and then the one
        that was tried first, so that each has its turn however the balancer chooses.
        Raises NoServerError with ``why_unusable`` when that is set.
        """
        servers = self._servers
        if self.why_unusable:
            raise NoServerError(self.why_unusable)
        if not servers:
            return None
        unavailable = self._isolated(now_ms)
        tried = frozenset(excluded)
        avoided = tried | self._passed_over(key_text, now_ms)
        # Where all that are up have failed this key, those not yet tried for this request come first.
        if avoided != tried and all(server in avoided or server in unavailable for server in servers):
            avoided = tried
        up = frozenset(servers) - unavailable if tried else frozenset()
        if up and tried >= up:
            avoided = up - {next(server for server in excluded if server in up)}
        if self._balancer is None:
            return servers[0]
        code = mmh3.hash(key_text.encode("utf-8", "surrogatepass"), 0, signed=False)
        chosen = self._balancer.select(servers, SelectRequest(code, avoided, unavailable, now_ms, self._loads))
        if chosen in self._health:
            self._health[chosen].begin_attempt(now_ms, self._longest_attempt_ms)
        return chosen

    def home_of(self, key_text: str, now_ms: int) -> ServerNode | None:
        """The server that a key belongs to, if it is up; None where the balancer knows no owners.

        With a ``load_factor`` a key may be elsewhere on purpose, so there are none either.
        """
        if self._balancer is None or not self._has_owners or not self._servers:
            return None
        code = mmh3.hash(key_text.encode("utf-8", "surrogatepass"), 0, signed=False)
        home = self._balancer.select(self._servers, SelectRequest(code, now_ms=now_ms))
        return None if home is None or home in self._isolated(now_ms) else home

    def report(self, server: ServerNode, ok: bool, latency_ms: float, now_ms: int, error: str = "") -> None:
        """Tell how an attempt to connect ended; ``error`` is for the pages.

        ``ok`` means that the server answered the setup of a connection or stream, be
        it with a refusal; ``latency_ms`` is the time the attempt took.
        """
        if server not in self._servers:
            return  # left the list while it was being tried
        health = self._health.setdefault(server, _Health())
        if ok:
            health.succeed(now_ms)
        else:
            health.fail(now_ms, latency_ms)
            health.last_error = error
        if self._balancer is not None:
            self._balancer.feedback(server, latency_ms, ok, now_ms)

    def occupy(self, server: ServerNode) -> None:
        """A stream runs at ``server`` from now on; ``vacate`` follows when it ends."""
        self._loads[server] += 1

    def vacate(self, server: ServerNode) -> None:
        """A stream has ended there."""
        self._loads[server] -= 1
        if self._loads[server] <= 0:
            del self._loads[server]

    def disable(self, server: ServerNode, key_text: str, now_ms: int) -> None:
        """Pass ``server`` over for this key while there is another, for ``disable_server_duration``."""
        if self._disable_ms <= 0:
            return
        pair = server, key_text
        self._disabled.pop(pair, None)  # to the end: the order is that of the moments
        self._disabled[pair] = now_ms + self._disable_ms
        self._forget_disabled(now_ms)

    def has_alternative(self, server: ServerNode, key_text: str, *, now_ms: int) -> bool:
        """Whether another server is up and not passed over for this key."""
        barred = self._isolated(now_ms) | self._passed_over(key_text, now_ms)
        return any(other != server and other not in barred for other in self._servers)

    def is_passed_over(self, server: ServerNode, key_text: str, now_ms: int) -> bool:
        """Whether ``server`` has lately had no data for the key."""
        return self._disabled.get((server, key_text), 0) > now_ms

    def snapshot(self, now_ms: int) -> dict[str, Any]:
        """The data of the pages: plain values, times in milliseconds."""
        isolated = self._isolated(now_ms)
        disabled = Counter(server for (server, _), until_ms in self._disabled.items() if until_ms > now_ms)
        watcher = self._watcher
        return {
            "target": self.address.shown,
            "balancer": self._lb if self._balancer is not None else "",
            "why_unusable": self.why_unusable or (watcher.fault if watcher else ""),
            "has_answer": self.has_answer,
            "naming_failed_count": watcher.failed_count if watcher else 0,
            "naming_empty_count": watcher.empty_count if watcher else 0,
            "naming_skipped_count": watcher.skipped_count if watcher else 0,
            "servers": [
                self._describe(server, server in isolated, disabled[server], now_ms) for server in self._servers
            ],
        }

    def _describe(self, server: ServerNode, is_isolated: bool, disabled_count: int, now_ms: int) -> dict[str, Any]:
        health = self._health.get(server, _Health())
        return {
            "endpoint": server.endpoint,
            "tag": server.tag,
            "state": "isolated" if is_isolated else "up",
            "isolated_for_ms": health.isolated_until_ms - now_ms if is_isolated else 0,
            "streams_count": self._loads[server],
            "ok_count": health.ok_count,
            "failure_count": health.failure_count,
            "disabled_keys_count": disabled_count,
            "last_error": health.last_error,
        }

    def _isolated(self, now_ms: int) -> frozenset[ServerNode]:
        """The servers nobody may ask now: those with the longest wait, at most half of the list."""
        waiting = [
            (health.isolated_until_ms, server)
            for server, health in self._health.items()
            if health.isolated_until_ms > now_ms
        ]
        limit = len(self._servers) // 2
        if len(waiting) > limit:
            waiting.sort(key=lambda pair: -pair[0])
        return frozenset(server for _, server in waiting[:limit])

    def _passed_over(self, key_text: str, now_ms: int) -> frozenset[ServerNode]:
        if not self._disabled:
            return frozenset()
        return frozenset(server for server in self._servers if self._disabled.get((server, key_text), 0) > now_ms)

    def _forget_disabled(self, now_ms: int) -> None:
        while self._disabled:
            pair, until_ms = next(iter(self._disabled.items()))
            if until_ms > now_ms and len(self._disabled) <= MAX_DISABLED:
                return
            del self._disabled[pair]

    def _on_update(self, servers: tuple[ServerNode, ...]) -> None:
        self._servers = servers
        self._health = {server: health for server, health in self._health.items() if server in servers}

    def _find_warnings(self, proxy_lb: str) -> tuple[str, ...]:
        if self.address.is_plain and proxy_lb:
            return (f'"{self.address.shown}" is one server: load balancer "{proxy_lb}" is not used',)
        if not self.address.is_plain and not proxy_lb:
            return (f'"{self.address.shown}" has no load balancer, using rr',)
        return ()

    def _make_balancer(self, entropy: Callable[[int], int], replicas: int) -> LoadBalancer | None:
        """The balancer; None for one plain server."""
        name, _, params = self._lb.partition(":")
        self._has_owners = False
        if not balancers.is_known(name):
            raise ConfigError(f'unknown load balancer "{self._lb}" (valid: {", ".join(balancers.known())})')
        if self.address.is_plain:
            return None
        self._has_owners = name.lower() in _HASHING and "load_factor=" not in params
        if name.lower() in _HASHING and "replicas=" not in params:
            params = f"{params} replicas={replicas}"
        try:
            return balancers.create(f"{name}:{params}", entropy=entropy)
        except BalancerError as error:
            raise ConfigError(str(error)) from error

    def _find_missing(self) -> str:
        """What of the configuration is known and not built."""
        if self.address.is_tls:
            return "not acted on yet: rtmps://"
        if self.address.is_plain or services.is_built(self.address.scheme):
            return ""
        return f'not acted on yet: naming scheme "{self.address.scheme}"'
