"""How many files may be open, and so how many connections."""

from __future__ import annotations

import logging

from edge.net import system
from edge.net.config import NetConfig

logger = logging.getLogger(__name__)


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; returns it."""
    before, limit = system.raise_descriptor_limit()
    if before < limit:
        logger.info("open files: soft limit raised from %d to the hard limit %d", before, limit)
    return limit


def connection_cap(limit: int, net: NetConfig) -> int:
    """How many connections may be open at once where so many files may."""
    available = max(limit - net.reserved_fds, 16)
    if not net.max_connections:
        return available
    if net.max_connections > available:
        logger.warning(
            "max_connections %d lowered to %d: %d open files less %d reserved",
            net.max_connections,
            available,
            limit,
            net.reserved_fds,
        )
    return min(net.max_connections, available)
