"""Who may publish and play, in a process: the gates of each service, with their files, clocks and threads."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from edge.access.config import AccessConfig, GuardConfig
from edge.access.files import Files
from edge.access.gate import PLAY
from edge.access.gates import Gates, Surroundings
from edge.errors import ConfigError
from edge.hub.key import StreamKey
from edge.net.accepted import Accepted, Handler
from edge.net.aio import TaskOwner, call_in_thread, spawn, wall_ms
from edge.net.byte_stream import ListeningSocket
from edge.net.context import NetContext
from edge.net.floods import Floods
from edge.net.trust import trusted_proxies
from edge.runtime.access_check import open_door
from edge.runtime.access_files import key_urls, read_files
from edge.runtime.called_url import fault_of as fault_of_url
from edge.runtime.jwt_extra import missing_extra
from edge.runtime.reload import Prepared
from edge.runtime.rules import RuleChange
from edge.runtime.settings import Settings
from edge.service.refusal import Reason
from edge.service.rules import Rulebook
from edge.service.service import Service
from naming.url import without_secrets

if TYPE_CHECKING:
    from edge.runtime.jwt_fetch import KeyFetcher, KeyFetchers
    from edge.runtime.unit import ServiceUnit

logger = logging.getLogger(__name__)

#: Passwords that are looked at at a time, and that wait for it.
MAX_THREADS = 2
MAX_WAITING = 64


def access_configs(book: Rulebook) -> set[AccessConfig]:
    """The settings of all streams of a book."""
    return {rules.of(AccessConfig) for rules in book.all_rules()}


class PasswordThreads:
    """Does what takes long, a little of it at a time."""

    def __init__(self, owner: TaskOwner) -> None:
        self._owner = owner
        self._running = 0
        self._waiting: deque[tuple[Callable[[], bool], Callable[[bool | None], None]]] = deque()

    def run(self, work: Callable[[], bool], answer: Callable[[bool | None], None]) -> None:
        """See ``InThread``."""
        if self._running >= MAX_THREADS:
            if len(self._waiting) >= MAX_WAITING:
                answer(None)
            else:
                self._waiting.append((work, answer))
            return
        self._running += 1
        spawn(self._do(work, answer), name="password", owner=self._owner)

    async def _do(self, work: Callable[[], bool], answer: Callable[[bool | None], None]) -> None:
        try:
            answer(await call_in_thread(work, name="password"))
        finally:
            self._running -= 1
            if self._waiting:
                self.run(*self._waiting.popleft())


class Access:
    """A part of a node that settings reach while it runs.

    Attributes:
        gates: by unit, in their order.
        guard: settings of the whole node.
        own_permit_secret: of permits of HLS where the fleet has none; that of the process before, after an upgrade.
    """

    def __init__(
        self, settings: Settings, context: NetContext, units: Sequence[ServiceUnit], book: Rulebook, tasks: TaskOwner
    ) -> None:
        """Raises ConfigError for a file or a list that cannot be used."""
        self._context, self._units, self._book = context, units, book
        self.guard = settings.guard
        around = Surroundings(
            wall_s=lambda: wall_ms() / 1000,
            now_ms=context.now_ms,
            in_thread=PasswordThreads(tasks).run,
            secret=secrets.token_bytes(32),
            is_proxy=self._is_proxy,
        )
        self._fetchers: KeyFetchers | None = None
        self._is_started = False
        files, fetchers = self._read(access_configs(book), settings.guard)
        self._keep(fetchers)
        self.own_permit_secret, self._node_secret = secrets.token_bytes(32), files.node_secret
        self.gates = [
            Gates(self._config_of, files, settings.guard, around, default_vhost=settings.hub.default_vhost)
            for _ in units
        ]
        for unit, gates in zip(units, self.gates, strict=True):
            admission = unit.service.admission
            admission.hides, admission.on_refused = gates.hides, gates.refused
            unit.service.proves, unit.service.make_proof = gates.proves, gates.make_proof
            unit.service.trusts, unit.service.limits.needs_proof = gates.trusts, gates.needs_proof
        self._plug()

    def start(self) -> None:
        """Ask for keys of tokens, inside the loop; until they have come the tokens wait, or are refused."""
        self._is_started = True
        if self._fetchers is not None:
            self._fetchers.start()

    async def close(self) -> None:
        """Ask for nothing more."""
        if self._fetchers is not None:
            await self._fetchers.close()

    def tell_open_door(self, settings: Settings, port: int) -> None:
        """Warn at the start where anybody may publish."""
        text = open_door(self._book, settings.net.bind, port)
        if text:
            logger.warning("%s", text)

    def _is_proxy(self, host: str) -> bool:
        networks = self._context.config.trusted_proxies
        return bool(networks) and trusted_proxies(networks).is_trusted(host)

    def _config_of(self, key: StreamKey) -> AccessConfig | None:
        rules = self._book.rules_of(key)
        return rules.of(AccessConfig) if rules is not None else None

    def shuts_out(self, host: str) -> bool:
        """Whether nothing that comes from an address is looked at, at any of the services."""
        return any(gates.shuts_out(host) for gates in self.gates)

    def floods(self, sock: ListeningSocket) -> Floods:
        """What keeps addresses that are not looked at from costing much at a socket where clients come."""
        return Floods(sock, self._context, self.shuts_out, lambda: self.guard.auth_told_per_s)

    def guards_play(self, service: Service, key: StreamKey) -> bool:
        """Whether who plays a stream of a service must have a credential."""
        gates = self._gates_of(service)
        gate = gates.gate_of(key) if gates is not None else None
        return gate is not None and bool(gate.methods[PLAY])

    def asks_players(self, service: Service, key: StreamKey) -> bool:
        """Whether anything is asked of who plays a stream of a service: not all who ask get the same answer."""
        gates = self._gates_of(service)
        gate = gates.gate_of(key) if gates is not None else None
        return gate is not None and gate.asks_players

    def is_cdn(self, service: Service, key: StreamKey, said: Sequence[str]) -> bool | None:
        """See ``Gates.is_cdn``."""
        gates = self._gates_of(service)
        return gates.is_cdn(key, said) if gates is not None else None

    def _gates_of(self, service: Service) -> Gates | None:
        for unit, gates in zip(self._units, self.gates, strict=True):
            if unit.service is service:
                return gates
        return None

    def permit_secret(self) -> bytes:
        """Of the permits of HLS: that of the fleet, else one of this process and those that it hands over to."""
        return self._node_secret or self.own_permit_secret

    def token_keys(self) -> dict[str, bytes]:
        """What URLs have answered that keys of tokens come from, for the process that takes over from this one."""
        return self._fetchers.answers() if self._fetchers is not None else {}

    def take_token_keys(self, answers: Mapping[str, bytes]) -> None:
        """Begin with the keys of the process before this one, in case nobody gives them at present."""
        if self._fetchers is not None:
            self._fetchers.adopt(answers)

    def shutting(self, handler: Handler) -> Handler:
        """``handler`` for connections of addresses that are looked at; the others are closed before they say a word."""

        def serve(accepted: Accepted) -> None:
            if self.shuts_out(accepted.address.host):
                self._context.counters[f"error_{Reason.GUESSING.value}_count"] += 1
                accepted.wire.close()
            else:
                handler(accepted)

        return serve

    def counters(self) -> dict[str, int]:
        """For pages and metrics."""
        return {"auth_blocked_count": sum(gates.guessing.blocked_count for gates in self.gates)}

    # --- other settings ------------------------------------------------------------

    def prepare(self, book: Rulebook, guard: GuardConfig) -> Prepared:
        """Read the files that other settings name; raises ConfigError, and nothing has changed."""
        files, fetchers = self._read(access_configs(book), guard)
        return Prepared(lambda: self._take(files, fetchers, guard))

    def _read(self, configs: Iterable[AccessConfig], guard: GuardConfig) -> tuple[Files, dict[str, KeyFetcher]]:
        """What files hold, and who asks the others for keys; raises ConfigError, and nothing has changed."""
        configs = list(configs)
        urls, fetchers = key_urls(configs), dict[str, "KeyFetcher"]()
        for url in urls:
            if fault := fault_of_url(url) or missing_extra():
                raise ConfigError(f"-jwt_keys={without_secrets(url)}: {fault}")
        if urls and self._fetchers is None:
            from edge.runtime.jwt_fetch import KeyFetchers  # most do without

            self._fetchers = KeyFetchers()
            if self._is_started:
                self._fetchers.start()
        if self._fetchers is not None:
            fetchers = self._fetchers.prepare(urls)
        return read_files(configs, guard, {url: each.ring for url, each in fetchers.items()}), fetchers

    def _keep(self, fetchers: dict[str, KeyFetcher]) -> None:
        if self._fetchers is not None:
            self._fetchers.take(fetchers)

    def read_again(self) -> None:
        """The files may have changed under the same names; what cannot be used leaves all as it was."""
        try:
            files, fetchers = self._read(access_configs(self._book), self.guard)
        except ConfigError as error:
            logger.error("%s; what was read before stays in force", error.detail)
            return
        self._take(files, fetchers, self.guard)

    def _take(self, files: Files, fetchers: dict[str, KeyFetcher], guard: GuardConfig) -> None:
        self._keep(fetchers)
        self.guard, self._node_secret = guard, files.node_secret
        for gates in self.gates:
            gates.replace(files, guard)
        self._plug()

    def _plug(self) -> None:
        """Gates that ask nothing are not asked."""
        configs = access_configs(self._book)
        asks = any(not config.asks_nothing or config.stream_keys_file for config in configs)
        asks_pages = any(config.refer_all for config in configs)
        for unit, gates in zip(self._units, self.gates, strict=True):
            admission = unit.service.admission
            if asks is not (gates in admission.rules):
                if asks:  # behind the guard against overload, before all that asks somebody else
                    is_guarded = bool(admission.rules) and admission.rules[0] is unit.service.guard
                    admission.rules.insert(int(is_guarded), gates)
                    admission.entry_rules.insert(0, gates)
                else:
                    admission.rules.remove(gates)
                    admission.entry_rules.remove(gates)
            if asks_pages is not (gates in admission.connect_rules):
                if asks_pages:
                    admission.connect_rules.insert(0, gates)
                else:
                    admission.connect_rules.remove(gates)


class AccessChange:
    """The gates as a part that settings reach while the program runs; ``rules`` is made ready and changed before."""

    def __init__(self, access: Access, rules: RuleChange) -> None:
        self._access, self._rules = access, rules

    def prepare(self, new: Settings) -> Prepared:
        """See ``Part``."""
        return self._access.prepare(self._rules.prepared, new.guard)
