"""Asking upstreams about clients: nothing while no flag and no vhost says so, and the parts once one does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from edge.access.config import AccessConfig
from edge.access.gate import ASK
from edge.errors import NoServerError
from edge.hooks.config import HookConfig, HookLimits
from edge.net.aio import now_ms

if TYPE_CHECKING:
    from edge.access.gates import Gates
    from edge.hooks.answer import Answer
    from edge.hooks.asking import UpstreamEvent, UpstreamQuestions, UpstreamRule
    from edge.hooks.figures import Figures
    from edge.hub.key import StreamKey
    from edge.runtime.unit import ServiceUnit
    from edge.service.rules import Rulebook
    from edge.service.service import Service


@lru_cache(1024)
def _config_for(hooks: HookConfig, address: str, reused_s: int) -> HookConfig:
    """Whom to ask, as hooks are asked; nobody is let in for want of an answer."""
    url = (address if "://" in address else f"rtmp://{address}",)
    cache_s = max(hooks.hook_cache_s, reused_s)
    return replace(hooks, hooks_on_play=url, hooks_on_publish=url, hook_failure="deny", hook_cache_s=cache_s)


class _Asker:
    """Of one service."""

    def __init__(self, unit: ServiceUnit, book: Rulebook, limits: HookLimits) -> None:
        from edge.hooks.asking import UpstreamQuestions, UpstreamRule
        from edge.hooks.figures import Figures
        from edge.hooks.places import Places

        self._unit = unit
        self._book = book
        self.figures: Figures = Figures(now_ms, "upstream")
        self.questions: UpstreamQuestions = UpstreamQuestions(
            self._ask, self.figures, Places(limits.hook_max_calls), now_ms
        )
        self.rule: UpstreamRule = UpstreamRule(unit.service, self.questions, self._config_of, now_ms)

    def asks_about(self, key: StreamKey) -> bool:
        """Whether clients of a stream are asked about."""
        rules = self._book.rules_of(key)
        is_wanted = rules is not None and rules.of(AccessConfig).auth_upstream == ASK
        return is_wanted and self._unit.service.source_of(key) is not None

    def _config_of(self, key: StreamKey) -> HookConfig | None:
        from edge.hooks.asking import REUSED_S

        upstream, rules = self._unit.upstream, self._book.rules_of(key)
        if upstream is None or rules is None or not self.asks_about(key):
            return None
        try:
            address = upstream.target_of(key, is_play=True).address.shown
        except NoServerError:
            return None
        return _config_for(rules.of(HookConfig), address, REUSED_S)

    async def _ask(self, event: UpstreamEvent, within_ms: int) -> Answer:
        from edge.hooks.answer import No, Unusable, Yes
        from edge.hooks.event import Action
        from edge.rtmp.events import MayAsked
        from edge.service.refusal import Refusal
        from edge.upstream.asking import Question, ask_upstream

        upstream = self._unit.upstream
        if upstream is None:
            return Unusable("there is no upstream")
        asked = MayAsked(
            0,
            event.action is Action.PUBLISH,
            "",
            event.ip,
            event.page_url,
            event.authorization,
            event.suffix,
            event.protocol,
            event.user_agent,
            event.hops,
        )
        said = await ask_upstream(upstream, Question(event.key, event.param, asked), within_ms)
        if said is None:
            return Yes()
        return No(said.said, said.detail, said) if isinstance(said, Refusal) else Unusable(said.why, said.is_said)


class UpstreamAsking:
    """The part of a node that asks upstreams about clients."""

    def __init__(
        self, units: Sequence[ServiceUnit], gates: Sequence[Gates], book: Rulebook, limits: HookLimits
    ) -> None:
        self._units = units
        self._gates = gates
        self._book = book
        self._limits = limits
        self._askers: list[_Asker] = []
        self._plug()

    def take(self, limits: HookLimits) -> None:
        """The book is another since a reload, and so may these be."""
        self._limits = limits
        self._plug()

    def _plug(self) -> None:
        """Ask behind the gates of this node, and before all that asks somebody else; nobody where nobody is asked."""
        asks = any(rules.of(AccessConfig).auth_upstream == ASK for rules in self._book.all_rules())
        if asks and not self._askers:
            self._askers = [_Asker(unit, self._book, self._limits) for unit in self._units]
        for asker, unit, gates in zip(self._askers, self._units, self._gates, strict=False):
            asker.questions.places.limit = self._limits.hook_max_calls
            service, rule, admission = unit.service, asker.rule, unit.service.admission
            if asks is (rule in admission.rules):
                continue
            if not asks:
                admission.rules.remove(rule)
                admission.entry_rules.remove(rule)
                service.watchers.remove(rule)
                continue
            before = [each for each in (service.guard, gates) if each is not None and each in admission.rules]
            admission.rules.insert(len(before), rule)
            admission.entry_rules.insert(int(gates in admission.entry_rules), rule)
            service.watchers.append(rule)

    def guards_play(self, service: Service, key: StreamKey) -> bool:
        """Whether the upstream is asked about the viewers of a stream."""
        for asker, unit in zip(self._askers, self._units, strict=False):
            if unit.service is service:
                return asker.asks_about(key)
        return False

    async def close(self) -> None:
        """Ask nobody any more."""
        for asker in self._askers:
            await asker.questions.close()

    def counters(self) -> Mapping[str, float]:
        """By name; nothing where nobody has been asked."""
        if not self._askers:
            return {}
        results, counts = Counter[str](), Counter[str]()
        for asker in self._askers:
            counts.update(asker.figures.counts)
            for (_, result), number in asker.figures.by_result.items():
                results[result] += number
        return {
            "upstream_asked_yes_count": results["yes"],
            "upstream_asked_no_count": results["no"],
            "upstream_asked_failed_count": results["failed"],
            "upstream_asked_cached_count": counts["hook_cached_count"],
            "upstream_asked_graced_count": counts["hook_graced_count"],
        }
