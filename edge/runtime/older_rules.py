"""Who goes on after a reload that would judge newcomers otherwise than him: by vhost, how many these are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from edge.access.config import AccessConfig
from edge.hooks.config import HookConfig
from edge.hub.rules import StreamRules

if TYPE_CHECKING:
    from edge.runtime.unit import ServiceUnit
    from edge.service.grants import Play, Publish


def older_rules(units: Iterable[ServiceUnit]) -> Counter[str]:
    """By vhost, plays and publishes of clients that were let in by other rules than newcomers are.

    A node that has proved to be one of ours is judged by none of them.
    """
    found: Counter[str] = Counter()
    for unit in units:
        for grant in _grants(unit):
            now = grant.stream.rules
            if grant.rules is not now and not grant.client.is_proven and _who_may(grant.rules) != _who_may(now):
                found[grant.stream.key.vhost] += 1
    return found


def _grants(unit: ServiceUnit) -> Iterator[Play | Publish]:
    yield from unit.service.publishes.values()
    for stream in unit.registry.streams.values():
        yield from stream.roster.plays()


def _who_may(rules: StreamRules) -> tuple[object, ...]:
    """What decides about newcomers; the rest of a stream's settings is its own, and reaches who is there."""
    hooks = rules.of(HookConfig)
    return rules.of(AccessConfig), hooks.hooks_on_connect, hooks.hooks_on_publish, hooks.hooks_on_play
