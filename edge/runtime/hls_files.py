"""Who writes HLS as files, in a node some vhost of which wants that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from edge.hls_disk.config import DiskConfig
from edge.hub.key import StreamKey
from edge.service.rules import Rulebook

if TYPE_CHECKING:
    from edge.hls_disk.recorder import DiskHls
    from edge.hls_disk.store import Listed
    from edge.runtime.unit import ServiceUnit


def new_disk_hls(
    book: Rulebook,
    units: Iterable[ServiceUnit],
    loop: asyncio.AbstractEventLoop,
    on_listed: Callable[[StreamKey, Listed], object],
) -> DiskHls | None:
    """The writer of all places that are named, attached to the services; None where none is.

    ``on_listed`` is called with each segment that has been written.
    """
    configs = [rules.of(DiskConfig) for rules in book.all_rules()]
    if not any(config.hls_path for config in configs):
        return None
    from edge.hls_disk.recorder import DiskHls  # most nodes do without

    disk = DiskHls(configs, loop)
    for unit in units:
        disk.attach(unit.registry, unit.service.stop_publisher)
    disk.on_listed = on_listed
    return disk
