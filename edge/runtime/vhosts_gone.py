"""Streams of vhosts that a reload has taken away, or switched off."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from edge.runtime.orders import end_stream
from edge.runtime.settings import Settings
from edge.runtime.unit import ServiceUnit
from edge.service.refusal import Reason, Refusal

logger = logging.getLogger(__name__)

#: What clients are told, by the word first.
GONE_TEXT = "VhostNotFound: nobody is served at this vhost any more"
_GONE = Refusal(Reason.NO_VHOST, "nobody is served at this vhost any more")


def end_gone(units: Iterable[ServiceUnit], settings: Settings) -> None:
    """End them for all, unless ``-vhost_remove_action`` says that who is here stays; newcomers are refused anyway."""
    if settings.process.vhost_remove_action == "drain":
        return
    for unit in units:
        for stream in list(unit.registry.streams.values()):
            vhost = stream.key.vhost
            if unit.rulebook.vhost_of(vhost) != vhost:  # or another one has its name, where newcomers go
                logger.info("stream ended key=%s reason=vhost_not_found", stream.key, extra={"cause": stream.key.vhost})
                end_stream(unit, stream, GONE_TEXT, _GONE)
