"""Readiness of raw sockets, without a handle and a context per socket in the event loop.

One epoll set holds all RTMP connections and players; the loop watches the set
itself, so that a turn of the loop handles all that is ready with one call.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from edge.net import system

logger = logging.getLogger(__name__)

# The masks are those of Linux's set, so that nothing is translated there.
READ = 0x001
WRITE = 0x004
#: The connection has broken; reported unasked.
BROKEN = 0x008 | 0x010
#: The peer has sent its last byte, which may not have been read yet.
END = 0x2000
GONE = BROKEN | END

_EVENTS_PER_TURN = 256


class Pollable(Protocol):
    """Owner of a registered descriptor."""

    def on_ready(self, events: int) -> None:
        """``events`` is a mask of ``READ``, ``WRITE`` and ``GONE``."""
        ...


class Poller:
    """Level-triggered epoll set nested in an event loop.

    Attributes:
        internal_error_count: exceptions that a handler let escape; its connection has been ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._set = system.new_ready_set()
        self._owners: dict[int, Pollable] = {}
        self.internal_error_count = 0
        loop.add_reader(self._set.fileno(), self._dispatch)

    def __len__(self) -> int:
        return len(self._owners)

    def add(self, fd: int, owner: Pollable, events: int = READ) -> None:
        """Watch ``fd``; errors and hang-ups are always reported."""
        self._set.register(fd, events)
        self._owners[fd] = owner

    def modify(self, fd: int, events: int) -> None:
        """Change what is watched for."""
        self._set.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Stop watching; harmless when it is not watched."""
        if self._owners.pop(fd, None) is not None:
            self._set.unregister(fd)

    def close(self) -> None:
        """Release the set, once; the sockets stay their owners'."""
        if self._set.closed:
            return
        self._loop.remove_reader(self._set.fileno())
        self._set.close()
        self._owners.clear()

    def _dispatch(self) -> None:
        owners = self._owners
        for fd, events in self._set.poll(0, _EVENTS_PER_TURN):
            owner = owners.get(fd)
            if owner is None:
                continue
            try:
                owner.on_ready(events)
            except Exception:
                self.handler_failed(fd)

    def handler_failed(self, fd: int) -> None:
        """End the owner of ``fd``, and nobody else; call it while the exception is being handled."""
        self.internal_error_count += 1
        logger.exception("connection handler failed fd=%d", fd)
        abort = getattr(self._owners.get(fd), "abort", None)
        try:
            if abort is not None:
                abort("internal")
                return
        except Exception:
            logger.exception("connection could not be closed in order fd=%d", fd)
        self.remove(fd)


def new_poller(loop: asyncio.AbstractEventLoop) -> Poller:
    """The poller of a loop."""
    return Poller(loop)
