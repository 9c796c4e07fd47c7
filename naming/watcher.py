"""What all naming services share: order, bounds, keeping the last list, telling what changed."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

from naming import registry
from naming.base import AddressResolver, NamingContext, NamingError, NamingOptions, NamingService
from naming.endpoint import is_usable
from naming.node import ServerNode
from naming.resolver import Resolver
from naming.state import SourceState
from naming.static import StaticService
from naming.url import Address

_log = logging.getLogger(__name__)

# Repeats of one warning are summed up for this long.
_WARN_INTERVAL_S = 60.0
# Addresses named of those that came or left, so that a line of the log stays one.
_MAX_NAMED = 3

OnUpdate = Callable[[tuple[ServerNode, ...]], None]


def sort_key(node: ServerNode) -> tuple[int, int, int, str]:
    """The order of brpc's lists: it decides who is first for rr and who wins a tie on a hash ring.

    IPv4 addresses compare as the little-endian number of their network-order
    bytes (10.0.1.1 < 10.0.0.2), IPv6 ones stand behind them; then port, then tag.
    """
    address = ipaddress.ip_address(node.host)
    order = "little" if address.version == 4 else "big"
    return address.version, int.from_bytes(address.packed, order), node.port, node.tag  # type: ignore[arg-type]


class Watcher:
    """Follows one address and hands on each *changed* list of servers.

    The list is sorted, free of repeats and of addresses nobody can connect to,
    and holds at most ``ns_max_servers``; servers of the lowest priority number come
    first, and an endpoint that has two of them is in the list with the lower one. Outages keep it; so do empty answers
    unless ``ns_ignore_empty_list`` is off. ``servers`` is the list in force.

    Attributes:
        failed_count: rounds of the source without an answer (``ns_failed``).
        skipped_count: answers of which parts were left out, such as bad lines (``ns_skipped``).
        empty_count: empty answers that were not applied (``ns_empty``).
        fault: why the address can never work, or "".
    """

    __slots__ = (
        "_accepts",
        "_address",
        "_answered",
        "_context",
        "_empty_warning",
        "_failed_warning",
        "_label",
        "_leaving",
        "_name",
        "_on_update",
        "_options",
        "_resolver",
        "_service",
        "_skipped_warning",
        "_sleep",
        "_state",
        "_task",
        "_trim_warning",
        "empty_count",
        "failed_count",
        "fault",
        "servers",
        "skipped_count",
    )

    def __init__(
        self,
        address: Address,
        on_update: OnUpdate,
        *,
        options: NamingOptions | None = None,
        resolver: AddressResolver | None = None,
        accepts: Callable[[ServerNode], bool] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``on_update`` is called on the loop; servers that ``accepts`` refuses are left out.

        Raises NamingError for a scheme that is not built.
        """
        self._address, self._resolver, self._sleep = address, resolver, sleep
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._name = f"{host}:{address.port}" if address.is_plain else address.name
        self._options = options or NamingOptions()
        self._context = self._new_context()
        self._service: NamingService = self._new_service()
        shown_name = self._name if address.is_plain else address.shown.partition("://")[2]
        self._label = f'{type(self._service).__name__}("{shown_name}")'
        self._on_update = on_update
        self._accepts = accepts
        self._task: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()  # those that other settings have ended
        self._answered = asyncio.Event()
        self._failed_warning = _Warning("ns_failed")
        self._empty_warning = _Warning("ns_empty")
        self._skipped_warning = _Warning("ns_skipped")
        self._trim_warning = _Warning("ns_trimmed")
        self._state = SourceState()
        self.servers: tuple[ServerNode, ...] = ()
        self.failed_count = 0
        self.skipped_count = 0
        self.empty_count = 0
        self.fault = ""

    def _new_context(self) -> NamingContext:
        resolver = self._resolver or Resolver(timeout_ms=self._options.dns_timeout_ms)
        return NamingContext(self._options, resolver, self._note_failure, self._sleep, self._note_skipped)

    def _new_service(self) -> NamingService:
        if self._address.is_plain:
            return StaticService(self._context)
        return registry.create(self._address.scheme, self._context)

    def reconfigure(self, options: NamingOptions) -> None:
        """Take other settings: the source is asked anew by them, and the list in force stays meanwhile."""
        if options == self._options:
            return
        self._options = options
        self._context = self._new_context()
        self._service = self._new_service()
        if self._task is not None and not self._task.done():
            old, self._task = self._task, self._begin()
            old.cancel()
            self._leaving.add(old)
            old.add_done_callback(self._leaving.discard)

    @property
    def has_answer(self) -> bool:
        """The source has answered once, be it with an empty list."""
        return self._state.has_answered

    def describe(self) -> dict[str, Any]:
        """The source for the pages: what it last said, and whether the list in force is an old one."""
        source = self._state.describe()
        return {
            "state": source.pop("state"),
            "servers_count": len(self.servers),
            "failed_count": self.failed_count,
            "empty_count": self.empty_count,
            "skipped_count": self.skipped_count,
            **source,
        }

    async def start(self, *, within_ms: int = 5000) -> bool:
        """Begin, and wait for the first answer or first failure, no longer than ``within_ms``.

        Returns whether there is an answer. Without one the list is empty and
        following goes on.
        """
        if self._task is None:
            self._task = self._begin()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_ms / 1000):
                await self._answered.wait()
        if not self.has_answer:
            _log.warning("%s: no answer yet, starting with an empty list", self._label, extra={"cause": self._label})
        return self.has_answer

    def _begin(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._run(), name=f"naming {self._label}")

    def stop(self) -> None:
        """Hand on no list from now on; ``close`` is to follow."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Stop following; the list stays as it is. Safe to call again."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        await asyncio.gather(*self._leaving, *([task] if task is not None else []), return_exceptions=True)

    def apply(self, answer: Iterable[ServerNode]) -> None:
        """Take one full answer of the source."""
        servers = self._trim(answer)
        was_first, was_failing = not self.has_answer, self._state.is_failing
        is_kept = not servers and bool(self.servers) and self._options.ns_ignore_empty_list
        after_ms = self._state.answer(is_kept=is_kept)
        self._answered.set()
        if was_failing:
            again = "" if was_first else " again"
            _log.info("%s answers%s after_ms=%d, %d servers", self._label, again, after_ms, len(servers))
        if is_kept:
            self.empty_count += 1
            self._empty_warning.note(f"{self._label}: empty answer, keeping {len(self.servers)} servers")
            return
        if not servers and was_first:
            _log.warning("%s: the first answer has no servers", self._label, extra={"cause": self._label})
        if _in_full(servers) != _in_full(self.servers):
            _log.info("%s: %s", self._label, _describe_change(self.servers, servers))
            self._on_update(servers)
        self.servers = servers  # last: a change that could not be handed on is handed on with the next answer

    async def _run(self) -> None:
        """Follow the name for ever; a fault of a service's own code is logged and tried again."""
        service = self._service
        while True:
            try:
                answers = cast(AsyncGenerator[Sequence[ServerNode], None], service.watch(self._name))
                async with contextlib.aclosing(answers):
                    async for answer in answers:
                        self.apply(answer)
            except NamingError as error:
                self.fault = str(error)
                self._state.end(self.fault)
                _log.error("%s can never work: %s", self._label, error, extra={"cause": self._label})
                self._answered.set()
                return
            except Exception:
                _log.exception("%s: the naming service failed", self._label)
                self._note_failure("internal error")
            await self._context.sleep(self._options.ns_access_interval)

    def _trim(self, answer: Iterable[ServerNode]) -> tuple[ServerNode, ...]:
        """Sort, merge repeats, and leave out what cannot be used."""
        distinct = _best_of_each(map(_with_canonical_host, answer))
        usable = [node for node in distinct if is_usable(node.host, node.port)]
        accepted = [node for node in usable if self._accepts is None or self._accepts(node)]
        if len(accepted) < len(distinct):
            self._trim_warning.note(
                f"{self._label}: {len(distinct) - len(usable)} unusable servers and "
                f"{len(usable) - len(accepted)} of our own addresses left out"
            )
        limit = self._options.ns_max_servers
        if len(accepted) > limit:
            self._trim_warning.note(f"{self._label}: {len(accepted)} servers, only {limit} are used")
        return tuple(sorted(accepted, key=lambda node: (node.priority, sort_key(node)))[:limit])

    def _note_failure(self, detail: str) -> None:
        self.failed_count += 1
        self._state.fail(detail)
        self._failed_warning.note(f"{self._label}: {detail}; keeping {len(self.servers)} servers")
        self._answered.set()

    def _note_skipped(self, detail: str) -> None:
        self.skipped_count += 1
        self._skipped_warning.note(f"{self._label}: {detail}")


def _with_canonical_host(node: ServerNode) -> ServerNode:
    """The node with its IPv6 address written in the one way that is hashed, whatever its source writes."""
    return replace(node, host=str(ipaddress.IPv6Address(node.host))) if ":" in node.host else node


def _best_of_each(nodes: Iterable[ServerNode]) -> set[ServerNode]:
    """The servers without repeats; nobody stands by for itself."""
    nodes = list(nodes)
    best: dict[str, int] = {}
    for node in nodes:
        best[node.endpoint] = min(node.priority, best.get(node.endpoint, node.priority))
    return {node for node in nodes if node.priority == best[node.endpoint]}


def _in_full(nodes: Iterable[ServerNode]) -> set[tuple[ServerNode, int, str]]:
    """All that makes a list another one, be it equal."""
    return {(node, node.priority, node.name) for node in nodes}


class _Warning:
    """One kind of warning, written at most once a minute with the count of what was left unsaid."""

    __slots__ = ("_kind", "_quiet_count", "_quiet_until")

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._quiet_until = float("-inf")
        self._quiet_count = 0

    def note(self, text: str) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            self._quiet_count += 1
            return
        more = f" ({self._quiet_count} more since)" if self._quiet_count else ""
        # Of several sources each has its own.
        _log.warning("reason=%s %s%s", self._kind, text, more, extra={"cause": str(id(self))})
        self._quiet_until = now + _WARN_INTERVAL_S
        self._quiet_count = 0


def _describe_change(before: Sequence[ServerNode], after: Sequence[ServerNode]) -> str:
    """Such as ``added 2 (10.0.0.1:1935, 10.0.0.2:1935) removed 1 (...)``; a weight is a tag, a group is a priority.

    The addresses come in the order of the lists.
    """
    old, new = ({node.endpoint: node for node in nodes} for nodes in (before, after))
    changed = {node.endpoint for node in set(before) ^ set(after)}
    groups = {
        "added": [endpoint for endpoint in new if endpoint not in old],
        "removed": [endpoint for endpoint in old if endpoint not in new],
        "retagged": [endpoint for endpoint in new if endpoint in old and endpoint in changed],
        "regrouped": [each for each, node in new.items() if old.get(each, node).priority != node.priority],
        "renamed": [each for each, node in new.items() if old.get(each, node).name != node.name],
    }
    return " ".join(f"{word} {len(group)} ({_some(group)})" for word, group in groups.items() if group)


def _some(endpoints: Sequence[str]) -> str:
    """The first few of them."""
    return ", ".join([*endpoints[:_MAX_NAMED], *(["..."] if len(endpoints) > _MAX_NAMED else [])])
