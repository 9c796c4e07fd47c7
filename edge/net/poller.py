"""Readiness of raw sockets, without a handle and a context per socket in the event loop.

On Linux one epoll set holds all RTMP connections and players; the loop watches
the set itself, so that a turn of the loop handles all that is ready with one
call. Elsewhere the loop watches each descriptor.
"""

from __future__ import annotations

import asyncio
import errno
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
#: How often a descriptor is looked at that the loop does not watch.
_LOOK_S = 1.0


class Pollable(Protocol):
    """Owner of a registered descriptor."""

    def on_ready(self, events: int) -> None:
        """``events`` is a mask of ``READ``, ``WRITE`` and ``GONE``."""
        ...


class Poller:
    """Tells the owners of descriptors what these are ready for, again and again while they are.

    A descriptor is removed before it is closed. Who is watched for ``READ`` may be told of an end
    and of a break as something to read, and who is watched for ``WRITE`` of a break as room.

    Attributes:
        internal_error_count: exceptions that a handler let escape; its connection has been ended.
    """

    def __init__(self) -> None:
        self._owners: dict[int, Pollable] = {}
        self.internal_error_count = 0

    def __len__(self) -> int:
        return len(self._owners)

    def add(self, fd: int, owner: Pollable, events: int = READ) -> None:
        """Watch ``fd``; a break is always reported. Raises OSError when it is watched already."""
        raise NotImplementedError

    def modify(self, fd: int, events: int) -> None:
        """Change what is watched for. Raises OSError when it is not watched."""
        raise NotImplementedError

    def remove(self, fd: int) -> None:
        """Stop watching; harmless when it is not watched."""
        raise NotImplementedError

    def close(self) -> None:
        """Watch nothing any more; the sockets stay their owners'. Harmless when done before."""
        raise NotImplementedError

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


class SetPoller(Poller):
    """By a set of the system that is nested in the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ready_set: system.ReadySet) -> None:
        super().__init__()
        self._loop = loop
        self._set = ready_set
        self._fresh: set[int] = set()  # added since the set was asked
        loop.add_reader(ready_set.fileno(), self._dispatch)

    def add(self, fd: int, owner: Pollable, events: int = READ) -> None:
        """See ``Poller``."""
        self._set.register(fd, events)
        self._owners[fd] = owner
        self._fresh.add(fd)

    def modify(self, fd: int, events: int) -> None:
        """See ``Poller``."""
        self._set.modify(fd, events)

    def remove(self, fd: int) -> None:
        """See ``Poller``."""
        if self._owners.pop(fd, None) is not None:
            self._set.unregister(fd)

    def close(self) -> None:
        """See ``Poller``."""
        if self._set.closed:
            return
        self._loop.remove_reader(self._set.fileno())
        self._set.close()
        self._owners.clear()

    def _dispatch(self) -> None:
        owners, fresh = self._owners, self._fresh
        fresh.clear()
        for fd, events in self._set.poll(0, _EVENTS_PER_TURN):
            owner = owners.get(fd)
            # What a number was ready for when it was another's is no news for the one that has it now.
            if owner is None or fd in fresh:
                continue
            try:
                owner.on_ready(events)
            except Exception:
                self.handler_failed(fd)


class LoopPoller(Poller):
    """By the loop itself, descriptor by descriptor: for systems without such a set.

    The loop can only tell that there is something to read, or room. So one that is watched for neither is
    looked at once a second; ``END`` is told to those alone that do not read.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._masks: dict[int, int] = {}
        self._unread: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, fd: int, owner: Pollable, events: int = READ) -> None:
        """See ``Poller``."""
        if fd in self._owners:
            raise FileExistsError(errno.EEXIST, "watched already")
        self._watch(fd, events)
        self._owners[fd] = owner

    def modify(self, fd: int, events: int) -> None:
        """See ``Poller``."""
        if fd not in self._owners:
            raise FileNotFoundError(errno.ENOENT, "not watched")
        self._watch(fd, events)

    def remove(self, fd: int) -> None:
        """See ``Poller``."""
        if self._owners.pop(fd, None) is not None:
            self._ask_loop(fd, 0)
            self._masks.pop(fd)
            self._unread.discard(fd)

    def close(self) -> None:
        """See ``Poller``."""
        for fd in list(self._owners):
            self.remove(fd)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self, fd: int, events: int) -> None:
        self._ask_loop(fd, events)
        if events & READ:
            self._unread.discard(fd)
        else:
            self._unread.add(fd)
            self._look_later()

    def _ask_loop(self, fd: int, events: int) -> None:
        loop, changed = self._loop, self._masks.get(fd, 0) ^ events
        if changed & READ:
            if events & READ:
                loop.add_reader(fd, self._tell, fd, READ)
            else:
                loop.remove_reader(fd)
        if changed & WRITE:
            if events & WRITE:
                loop.add_writer(fd, self._tell, fd, WRITE)
            else:
                loop.remove_writer(fd)
        self._masks[fd] = events

    def _look_later(self) -> None:
        if self._unread and self._timer is None:
            self._timer = self._loop.call_later(_LOOK_S, self._look)

    def _tell(self, fd: int, events: int) -> None:
        try:
            self._owners[fd].on_ready(events)
        except Exception:
            self.handler_failed(fd)

    def _look(self) -> None:
        """Tell of those that have ended, among them that nobody reads."""
        self._timer = None
        for fd in list(self._unread):
            if fd not in self._unread:  # removed by the handler of another
                continue
            mask = self._masks[fd]
            # Who waits for room is told of a break by the loop; before it has connected it looks broken.
            if not mask & WRITE and system.has_broken(fd):
                self._tell(fd, BROKEN)
            elif mask & END and system.is_at_end(fd):
                self._tell(fd, END)
        self._look_later()


def new_poller(loop: asyncio.AbstractEventLoop) -> Poller:
    """The best that there is on this system."""
    ready_set = system.new_ready_set()
    return SetPoller(loop, ready_set) if ready_set is not None else LoopPoller(loop)
