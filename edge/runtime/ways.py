"""What becomes of streams whose vhost has another upstream since a reload, or one at last, or none any more.

Pulls and pushes go over to another upstream. What a vhost's becoming an origin, or an edge, means for streams that
live is nothing: they go on as they are until they end, and newcomers of theirs join them; others go the new way.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from edge.hub.key import PUBLISH_REALM
from edge.hub.stream import Stream
from edge.upstream.config import UpstreamConfig
from naming.url import without_secrets

if TYPE_CHECKING:
    from edge.runtime.unit import ServiceUnit

logger = logging.getLogger(__name__)

# In one reload: of thousands of vhosts that change alike nobody reads more.
_MAX_TOLD = 20


def tell_ways(units: Iterable[ServiceUnit]) -> None:
    """Say it of each vhost with streams; the rulebook has changed already, and the streams have not heard of it."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    for unit in units:
        if not unit.rulebook.has_vhosts:
            continue
        for stream in unit.registry.streams.values():
            rules = unit.rulebook.rules_of(stream.key)
            before, now = stream.rules.of(UpstreamConfig), rules.of(UpstreamConfig) if rules is not None else None
            if now is None or (before.proxy_to, before.proxy_lb) == (now.proxy_to, now.proxy_lb):
                continue
            goes = _goes_over(stream) and bool(now.proxy_to)
            found[stream.key.vhost, before.proxy_to, now.proxy_to, "go over" if goes else "stay until they end"] += 1
    for (vhost, before_text, now_text, what), number in list(found.items())[:_MAX_TOLD]:
        text = "vhost %s has another upstream: streams=%d %s from=%s to=%s"
        shown = (without_secrets(each) or "-" for each in (before_text, now_text))
        logger.info(text, vhost, number, what, *shown, extra={"cause": vhost})


def _goes_over(stream: Stream) -> bool:
    """It comes from, or goes to, an upstream."""
    return stream.pull is not None or stream.key.realm == PUBLISH_REALM
