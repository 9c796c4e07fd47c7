"""The socket of ``-upgrade_socket``: a path that one server has at a time, and whoever comes to it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress

from edge.net import system
from edge.net.listener import PortBusyError

logger = logging.getLogger(__name__)

_BACKLOG = 8
#: Descriptors or memory are short: who has come waits, and the loop does not turn for it.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S = 1.0


class UpgradeSocket:
    """Listens at a path, from ``__init__`` to ``close``, which removes the path if it is still this one's."""

    def __init__(
        self,
        path: str,
        loop: asyncio.AbstractEventLoop,
        on_accepted: Callable[[socket.socket], object],
        *,
        old_pid: int | None = None,
    ) -> None:
        """Take the path, also from a server that has been killed.

        ``old_pid``: the process that this one has taken over from (0: it is not known which), which hears
        nobody there any more.

        Raises:
            PortBusyError: another server has it.
            OSError: it cannot be used; a file that is no socket stays as it is.
        """
        self._path, self._loop, self._on_accepted = path, loop, on_accepted
        self._timer: asyncio.TimerHandle | None = None
        _check_free(path, old_pid)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        beside = f"{path}.{os.getpid()}"
        try:
            mask = os.umask(0o177)
            try:
                self._sock.bind(beside)
            finally:
                os.umask(mask)
            self._identity = _identity_of(beside)
            self._sock.listen(_BACKLOG)
            self._sock.setblocking(False)
            os.replace(beside, path)
        except OSError:
            self._sock.close()
            with suppress(OSError):
                os.unlink(beside)
            raise
        loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            sock, _ = self._sock.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                logger.warning("upgrade socket paused: %s", error.strerror, extra={"cause": "upgrade_socket"})
                self._loop.remove_reader(self._sock.fileno())
                self._timer = self._loop.call_later(_PAUSE_S, self._go_on)
            return
        self._on_accepted(sock)

    def _go_on(self) -> None:
        self._timer = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def close(self) -> None:
        """Hear nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        else:
            self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        with suppress(OSError):
            if _identity_of(self._path) == self._identity:
                os.unlink(self._path)


def _identity_of(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _check_free(path: str, old_pid: int | None) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError(errno.EEXIST, "it is a file, and no socket", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return
        except BlockingIOError:  # it has too much to do to be asked who it is
            pid = 0
        else:
            pid, _ = system.peer_ids(sock)
        is_old = old_pid is not None and (old_pid == pid or not old_pid or not pid)
        if not is_old:
            raise PortBusyError(f"-upgrade_socket={path}: another server, pid={pid}, listens there")
