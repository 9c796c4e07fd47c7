"""The hooks of a node: nothing while no flag and no vhost names any, and all that they share once one does."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.hooks.config import HookConfig, HookLimits
from edge.net.aio import TaskOwner, now_ms, spawn, wall_ms
from edge.runtime.asking import UpstreamAsking
from edge.runtime.hook_files import read_secrets
from edge.runtime.reload import Prepared

if TYPE_CHECKING:
    from edge.access.gates import Gates
    from edge.facts.metrics import Sample
    from edge.hls_disk.store import Listed
    from edge.hooks.caller import HttpCaller
    from edge.hooks.desk import HookDesk
    from edge.hooks.judge import Judge, Signing
    from edge.hooks.teller import Teller
    from edge.hub.histogram import Histogram
    from edge.hub.key import StreamKey
    from edge.runtime.settings import Settings
    from edge.runtime.unit import ServiceUnit
    from edge.service.rules import Rulebook
    from edge.service.service import Service

logger = logging.getLogger(__name__)


def hook_configs(book: Rulebook) -> Iterator[HookConfig]:
    """Of all streams of a book, equal ones once."""
    yield from {rules.of(HookConfig) for rules in book.all_rules()}


class _Parts:
    """What there is once there are hooks."""

    def __init__(self, units: Sequence[ServiceUnit], limits: HookLimits, server_id: str) -> None:
        from edge.hooks.caller import HttpCaller
        from edge.hooks.desk import HookDesk
        from edge.hooks.figures import Figures
        from edge.hooks.judge import Judge, Signing
        from edge.hooks.places import Places
        from edge.hooks.teller import Teller

        self.figures = Figures(now_ms)
        self.caller: HttpCaller = HttpCaller()
        self.signing: Signing = Signing(lambda: secrets.token_hex(12), wall_ms)
        self.places = Places(limits.hook_max_calls)
        self.judge: Judge = Judge(self.caller, self.signing, self.figures, self.places, now_ms)
        self.teller: Teller = Teller(self.caller, self.signing, self.figures, limits.hook_max_calls, now_ms)
        self.desks: list[HookDesk] = [
            HookDesk(unit.service, self.judge, self.teller, server_id=server_id, now_ms=now_ms) for unit in units
        ]
        for desk in self.desks:
            desk.attach()


class Hooks:
    """Those of all services of a node.

    Attributes:
        limits: of the process.
        next_book: returns the rulebook that a reload is going to bring.
        asking: asks upstreams, which is much like asking hooks.
    """

    def __init__(
        self, units: Sequence[ServiceUnit], settings: Settings, book: Rulebook, gates: Sequence[Gates] = ()
    ) -> None:
        """``gates``: of the units, which are asked before. Raises ConfigError for a secret that cannot be read."""
        self.limits = settings.hook_limits
        self._units = units
        self._book = book
        self._server_id = settings.hostname
        self._hls_path = settings.hls_disk.hls_path
        self._tasks = TaskOwner("hooks")
        self._parts: _Parts | None = None
        configs = list(hook_configs(book))
        self.next_book: Callable[[], Rulebook] = lambda: book
        self._take(configs, read_secrets(configs))
        self.asking = UpstreamAsking(units, gates, book, self.limits)

    def _take(self, configs: Sequence[HookConfig], found: dict[str, bytes]) -> None:
        """Be asked from now on, if anybody is to be called, and go on if that was so before."""
        if self._parts is None and any(config.is_on for config in configs):
            self._parts = _Parts(self._units, self.limits, self._server_id)
        if self._parts is None:
            return
        self._parts.signing.secrets = found
        self._parts.places.limit = self._parts.teller.limit = self.limits.hook_max_calls
        self._parts.judge.keep_only(url for config in configs for url in config.all_urls())

    def start(self) -> None:
        """Load what calls need beside the loop, if there are hooks."""
        if self._parts is not None:
            spawn(self._load(self._parts.caller), name="hook-client", owner=self._tasks)

    async def _load(self, caller: HttpCaller) -> None:
        try:
            await caller.load()
        except ImportError as error:
            logger.error("hooks cannot be called: %s", error)

    def prepare(self, new: Settings) -> Prepared:
        """Read the secrets again; raises ConfigError where one cannot be used. The book is another by the commit."""
        found = read_secrets(hook_configs(self.next_book()))

        def commit() -> None:
            self.limits = new.hook_limits
            self._take(list(hook_configs(self._book)), found)
            self.asking.take(self.limits)
            self.start()

        return Prepared(commit)

    def read_again(self) -> None:
        """The secrets may have changed under the same names; what cannot be used leaves all as it was."""
        if self._parts is None:
            return
        try:
            self._parts.signing.secrets = read_secrets(hook_configs(self._book))
        except ConfigError as error:
            logger.error("%s; what was read before stays in force", error.detail)

    def guards_play(self, service: Service, key: StreamKey) -> bool:
        """Whether somebody is asked about the viewers of a stream."""
        if self.asking.guards_play(service, key):
            return True
        rules = service.rulebook.rules_of(key) if self._parts is not None else None
        return rules is not None and bool(rules.of(HookConfig).hooks_on_play)

    def on_listed(self, key: StreamKey, listed: Listed) -> None:
        """A segment of HLS has been written, and stands in its playlist."""
        if self._parts is None:
            return
        from edge.hooks.event import Segment

        folder = Path(self._hls_path)
        segment = Segment(
            listed.seq,
            listed.duration_ms / 1000,
            file=str(folder / listed.path),
            url=listed.path,
            m3u8=str(folder / listed.playlist),
            m3u8_url=listed.playlist,
            cwd=str(Path.cwd()),
        )
        self._parts.desks[0].on_segment_listed(key, segment)

    def tick(self, now: int) -> None:
        """Once a second."""
        if self._parts is not None:
            for desk in self._parts.desks:
                desk.tick(now)

    async def close(self) -> None:
        """Tell what is still to be told within ``-hook_drain_ms``, and end."""
        parts = self._parts
        await self._tasks.close()
        await self.asking.close()
        if parts is None:
            return
        for desk in parts.desks:
            await desk.close()
        await parts.judge.close()
        await parts.teller.drain(self.limits.hook_drain_ms / 1000)
        await parts.caller.close()

    # --- what is shown ---------------------------------------------------------

    def counters(self) -> Mapping[str, float]:
        """By name; nothing without hooks."""
        parts, asked = self._parts, self.asking.counters()
        if parts is None:
            return asked
        return {
            **asked,
            "hook_calls_in_progress": parts.places.taken_count,
            "hook_left_alone_count": parts.judge.open_count,
            "hook_sessions": sum(desk.session_count for desk in parts.desks),
            "hook_answers_kept": len(parts.judge.memory),
            "hook_events_waiting": len(parts.teller.lanes),
            "hook_events_dropped_count": parts.teller.lanes.dropped_count,
            **{
                name: parts.figures.counts[name]
                for name in ("hook_cached_count", "hook_graced_count", "hook_allowed_count", "hook_denied_count")
            },
        }

    def samples(self) -> Iterator[Sample]:
        """Calls by event and result."""
        from edge.facts.metrics import Sample

        if self._parts is not None:
            for (action, result), number in sorted(self._parts.figures.by_result.items()):
                yield Sample("hook_calls", number, (action, result))

    @property
    def took(self) -> Histogram | None:
        """How long calls took; None without hooks."""
        return self._parts.figures.took if self._parts is not None else None
