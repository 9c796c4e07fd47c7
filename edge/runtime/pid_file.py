"""Files by which others find the process: its number, in a file that stays locked while it runs; its ports."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from edge.errors import ConfigError
from edge.net import system

logger = logging.getLogger(__name__)

# Of folders that are made: all for the user, reading for the group, as brpc has it.
_FOLDER_MODE = 0o750
_FILE_MODE = 0o644
_MAX_PID_BYTES = 32


class InstanceRunningError(ConfigError):
    """Another process holds the pid file."""

    reason = "already_running"


class PidFile:
    """The decimal number of this process, without a line end, in a file that it holds locked (``flock``).

    The lock is the kernel's: it ends with the process, however that ends, so a file that was left behind is no
    hindrance. Where the file cannot be written that is logged, and no more.

    Attributes:
        is_handed_over: another process goes on with it: ``release`` leaves it in its place.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_handed_over = False
        self._fd = -1

    def acquire(self) -> None:
        """Lock and write it; raises InstanceRunningError when another process has it locked."""
        try:
            Path(self.path).parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            while not self._try_lock():
                pass
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        except OSError as error:
            logger.warning("-pid_file=%s cannot be written: %s", self.path, error.strerror)

    def _try_lock(self) -> bool:
        """False when the file was removed, by one that ended, between being opened and being locked."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        try:
            if not system.lock_file(fd):
                holder = os.pread(fd, _MAX_PID_BYTES, 0).decode(errors="replace").strip() or "unknown"
                os.close(fd)
                raise InstanceRunningError(
                    f"-pid_file={self.path} is locked by process {holder}: a server with this file runs already"
                )
            is_same = os.path.samestat(os.fstat(fd), os.stat(self.path))
        except FileNotFoundError:
            is_same = False
        except OSError:
            os.close(fd)
            raise
        if not is_same:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Remove the file, then let go of it. Safe to call again."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            if not self.is_handed_over:
                os.unlink(self.path)
        except OSError as error:
            logger.warning("-pid_file=%s cannot be removed: %s", self.path, error.strerror)
        os.close(fd)


class PortFile:
    """The ports that are in use, for whoever left the choice to the kernel.

    Attributes:
        is_handed_over: another process goes on with it: ``remove`` leaves it in its place.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_handed_over = False
        self._written: os.stat_result | None = None

    def write(self, ports: Mapping[str, Sequence[int]]) -> None:
        """Write the ports by role, a line ``role=port,port`` each, so that a reader sees all of it or nothing."""
        text = "".join(f"{role}={','.join(str(port) for port in numbers)}\n" for role, numbers in ports.items())
        target = Path(self.path)
        written = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            written.write_text(text)
            self._written = written.stat()
            written.replace(target)
        except OSError as error:
            logger.warning("-port_file=%s cannot be written: %s", self.path, error.strerror)
            with suppress(OSError):
                written.unlink()

    def remove(self) -> None:
        """The ports are closed. What is not of this process, which may not even have begun to serve, stays."""
        if self._written is None or self.is_handed_over:
            return
        try:
            if os.path.samestat(self._written, os.stat(self.path)):
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.warning("-port_file=%s cannot be removed: %s", self.path, error.strerror)
