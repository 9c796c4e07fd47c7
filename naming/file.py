"""``file://path``: a list in a file, read again when it changes.

The file is looked at each 100 ms. A change counts once two looks in a row have
seen the same, so that a file which is being written is not read by halves; one
that never rests is read once a second as it is. Whoever wants to be sure replaces
the file by renaming. What brpc does otherwise:
it fails at a missing file and stops following at an unreadable one; here both
are outages that end by themselves.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Sequence

from naming.base import NamingContext, NamingError
from naming.lines import Item
from naming.node import ServerNode
from naming.polling import ItemResolver, read_items
from naming.registry import register
from naming.threads import PatientCalls

POLL_INTERVAL_S = 0.1
# Looks at a file that never rests until it is read all the same: a tool that writes all the time must not keep an
# old list in force for ever.
_MAX_RESTLESS_LOOKS = 10
# (device, inode, size in bytes, times of modification and of status change in ns): differs when the file was
# changed, replaced or made readable.
Signature = tuple[int, int, int, int, int]


def look_at(path: str) -> Signature:
    """What tells one state of a file from another; blocks. Raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_list(path: str, max_bytes: int) -> str:
    """The text of a regular file; bytes that are no UTF-8 become U+FFFD. Blocks.

    Raises OSError, and NamingError for a file of more than ``max_bytes`` or one
    that is a directory, a pipe or a device.
    """
    # Opening a pipe for reading would wait for a writer.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NamingError(f'"{path}" is not a regular file')
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise NamingError(f'"{path}" is larger than {max_bytes} bytes')
    return data.decode("utf-8", errors="replace")


@register("file")
class FileService:
    """Yield the servers of a file, one per line as ``address tag``; ``#`` begins a comment.

    Names in it are looked up again each ``ns_access_interval``, after which a
    file that could not be read is tried again too. A file system that says
    nothing for ``ns_fetch_timeout_ms`` is an outage like any other.
    """

    __slots__ = ("_calls", "_context")

    def __init__(self, context: NamingContext) -> None:
        self._context = context
        self._calls = PatientCalls(name="naming-file", timeout_ms=context.options.ns_fetch_timeout_ms)

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` can be a path."""
        if not name or "\0" in name:
            raise NamingError(f'bad file name "{name}": expected file://path or file:///absolute/path')

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow the file ``name``, verbatim; a path without a leading ``/`` is relative to the working directory."""
        self.check_name(name)
        loop, resolver = asyncio.get_running_loop(), ItemResolver(self._context)
        looks = max(1, round(self._context.options.ns_access_interval / POLL_INTERVAL_S))
        items: list[Item] | None = None
        taken: Signature | str | None = None
        seen: Signature | str | None = None
        is_good, looks_left, restless_looks = False, 0, 0
        while True:
            began = loop.time()
            state = await self._look(name)
            looks_left -= int((loop.time() - began) / POLL_INTERVAL_S)  # a slow look counts as those that it took
            restless_looks = restless_looks + 1 if state != taken else 0
            has_rested = taken is None or state == seen or restless_looks > _MAX_RESTLESS_LOOKS
            is_changed, seen = state != taken and has_rested, state
            if is_changed or looks_left <= 0:
                looks_left = looks
                if is_changed or not is_good:
                    taken, restless_looks = state, 0
                    fresh = await self._read(name, state)
                    is_good = fresh is not None
                    items = items if fresh is None else fresh
                if items is not None and is_good:
                    try:
                        servers = await resolver.resolve(items)
                    except NamingError as error:
                        self._context.on_failure(str(error))
                    else:
                        yield servers
            looks_left -= 1
            await self._context.sleep(POLL_INTERVAL_S)

    async def _look(self, path: str) -> Signature | str:
        """The state of the file, or what prevents from seeing it."""
        try:
            return await self._calls.call(lambda: look_at(path))
        except OSError as error:
            return f'cannot read "{path}": {error.strerror}'
        except NamingError as error:
            return f'cannot look at "{path}": {error}'

    async def _read(self, path: str, state: Signature | str) -> list[Item] | None:
        """The items of the file; None, and told, when there is no list to be had."""
        if isinstance(state, str):
            self._context.on_failure(state)
            return None
        limit = self._context.options.ns_max_body_bytes
        try:
            text = await self._calls.call(lambda: read_list(path, limit))
            return read_items(text, self._context)
        except OSError as error:
            self._context.on_failure(f'cannot read "{path}": {error.strerror}')
        except NamingError as error:
            self._context.on_failure(str(error))
        return None
