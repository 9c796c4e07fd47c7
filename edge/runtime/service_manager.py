"""The side of a daemon towards systemd, or whoever speaks its protocol (sd_notify(3)): one datagram per message.

All is a no-op where ``NOTIFY_SOCKET`` does not name a socket, so nobody need ask whether a manager is there.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

logger = logging.getLogger(__name__)

# A message is cut here: the manager reads no more of one.
_MAX_STATUS_CHARS = 512
_US_PER_MS = 1000


class ServiceManager:
    """Tells the manager of this process how it stands.

    Attributes:
        watchdog_ms: how often ``alive`` is to be called, half of what the manager allows; 0 for never.
    """

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        """Raises nothing: an address that is of no use is logged, and nobody told anything."""
        self._pid = pid
        self._is_stopping = False
        self._socket: socket.socket | None = None
        self._address = _address_of(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_ms = _watchdog_ms(environ, pid) if self._address else 0
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    @property
    def is_there(self) -> bool:
        """Somebody listens."""
        return self._socket is not None

    def ready(self, status: str, *, is_new_process: bool = False) -> None:
        """Serving: at the start, and after each ``reloading``; ``is_new_process``: the main one from now on."""
        if self._is_stopping:
            return
        main_pid = (f"MAINPID={self._pid}",) if is_new_process else ()
        self._tell(*main_pid, "READY=1", _status(status))

    def status(self, status: str) -> None:
        """A line for people, ``systemctl status``."""
        self._tell(_status(status))

    def reloading(self) -> None:
        """A reload begins; ``ready`` ends it. Both fields in one message: that is what ``notify-reload`` needs."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """It is on its way out."""
        self._is_stopping = True
        self._tell("STOPPING=1", _status(status))

    def extend(self, within_ms: int) -> None:
        """The manager is not to lose patience before so much time from now."""
        self._tell(f"EXTEND_TIMEOUT_USEC={within_ms * _US_PER_MS}")

    def alive(self) -> None:
        """For the watchdog."""
        self._tell("WATCHDOG=1")

    def _tell(self, *fields: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(fields).encode(), self._address)
        except BlockingIOError:
            pass  # it is busy; the next message tells as much
        except OSError as error:
            logger.warning("the service manager cannot be told: %s", error.strerror, extra={"cause": "sd_notify"})

    def close(self) -> None:
        """Tell nothing any more. Safe to call again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _address_of(text: str) -> str:
    """Of a socket of the file system, or in Linux's abstract name space, which is written with an ``@`` in front."""
    if text.startswith("@"):
        return "\0" + text[1:]
    if text and not text.startswith("/"):
        logger.warning("NOTIFY_SOCKET=%s is neither a path nor abstract: the service manager is told nothing", text)
        return ""
    return text


def _watchdog_ms(environ: Mapping[str, str], pid: int) -> int:
    """Half of ``WATCHDOG_USEC``, where that is meant for this process (sd_watchdog_enabled(3))."""
    for_pid, within_us = environ.get("WATCHDOG_PID", ""), environ.get("WATCHDOG_USEC", "")
    if not within_us.isdecimal() or (for_pid and for_pid != str(pid)):
        return 0
    return max(int(within_us) // (2 * _US_PER_MS), 1) if int(within_us) else 0


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())[:_MAX_STATUS_CHARS]


def forget_descriptors(environ: dict[str, str] | os._Environ[str]) -> None:
    """What was said of our descriptors and our number holds for no child; where the manager is does."""
    for name in ("WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)
