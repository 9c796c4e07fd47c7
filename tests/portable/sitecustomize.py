"""Hides what only Linux has from every interpreter that has this folder on its path.

Python imports a module of this name at its start, before anything of the program. ``python -m
tests.harness.portable`` puts the folder on the path of a test run and of all that it starts.

What is left is what macOS has too, to the same effect: no epoll, so that asyncio waits by ``poll``; no
uvloop; no options and counters of sockets that are Linux's, neither by name nor by number. What remains
Linux's all the same are its sockets: how macOS's behave is not shown.
"""

from __future__ import annotations

import re
import select
import sys
from types import ModuleType


def _hide(module: ModuleType, names: str) -> None:
    for name in [name for name in vars(module) if re.fullmatch(names, name)]:
        delattr(module, name)
    if hasattr(module, "__all__"):
        module.__all__ = [name for name in module.__all__ if hasattr(module, name)]


if sys.platform == "linux":
    _hide(select, r"epoll|EPOLL\w*")

# Only now: the first of these brings in selectors, which choose then.
# ruff: noqa: E402
import errno
import fcntl
import os
import resource
import selectors
import signal
import socket

_TCP_OPTIONS = (socket.TCP_NODELAY, socket.TCP_MAXSEG)


def _hide_names() -> None:
    _hide(
        socket,
        r"TCP_(?!NODELAY$|MAXSEG$)\w+|MSG_(?!PEEK$|OOB$|DONTROUTE$|DONTWAIT$|EOR$|TRUNC$|CTRUNC$|WAITALL$)\w+"
        r"|SO_(?:BINDTODEVICE|DOMAIN|INCOMING_CPU|MARK|PASSCRED|PASSSEC|PEERCRED|PEERSEC|PRIORITY|PROTOCOL)"
        r"|SOCK_(?:CLOEXEC|NONBLOCK)|SOL_(?:ALG|CAN\w*|RDS|TIPC)|ALG_\w+|CAN_\w+|NETLINK_\w+|PACKET_\w+|TIPC_\w+"
        r"|VM\w+|AF_(?:ALG|CAN|KEY|NETLINK|PACKET|QIPCRTR|RDS|TIPC|VSOCK)",
    )
    _hide(fcntl, r"F_(?:ADD|GET)_SEALS|F_SEAL_\w+|F_[GS]ETPIPE_SZ|F_NOTIFY|DN_\w+|F_[GS]ETSIG|F_[GS]ETLEASE")
    _hide(
        os,
        r"eventfd\w*|EFD_\w+|memfd_create|MFD_\w+|pidfd_open|P_PIDFD|splice|SPLICE_\w+|copy_file_range"
        r"|sched_(?!yield$)\w+|SCHED_\w+|posix_fadvise|posix_fallocate|POSIX_FADV_\w+|pipe2|getrandom|GRND_\w+"
        r"|setns|unshare|CLONE_\w+|timerfd_\w+|TFD_\w+|[gs]etres[ug]id",
    )
    _hide(signal, r"sigwaitinfo|sigtimedwait|pidfd_send_signal")
    _hide(resource, r"prlimit|RLIMIT_(?:MSGQUEUE|NICE|RTPRIO|RTTIME|SIGPENDING|OFILE)|RUSAGE_THREAD")
    sys.modules["uvloop"] = None  # type: ignore[assignment]  # as if it were not installed


def _hide_numbers() -> None:
    """Who knows an option by its number alone is told what a kernel says that does not know it."""
    plain_set, plain_get, plain_ioctl = socket.socket.setsockopt, socket.socket.getsockopt, fcntl.ioctl

    def check(level: int, option: int) -> None:
        if level == socket.IPPROTO_TCP and option not in _TCP_OPTIONS:
            raise OSError(errno.ENOPROTOOPT, f"option {option} of TCP is Linux's")

    def setsockopt(self: socket.socket, level: int, option: int, *value: object) -> None:
        check(level, option)
        plain_set(self, level, option, *value)  # type: ignore[call-overload]

    def getsockopt(self: socket.socket, level: int, option: int, *size: int) -> object:
        check(level, option)
        return plain_get(self, level, option, *size)

    def ioctl(fd: object, request: int, *rest: object) -> object:
        if request in (0x5411, 0x894B) or 0x8900 <= request < 0x8A00:
            raise OSError(errno.ENOTTY, f"request {request:#x} is Linux's")
        return plain_ioctl(fd, request, *rest)  # type: ignore[call-overload]

    socket.socket.setsockopt = setsockopt  # type: ignore[method-assign, assignment]
    socket.socket.getsockopt = getsockopt  # type: ignore[method-assign, assignment]
    fcntl.ioctl = ioctl  # type: ignore[assignment]


if sys.platform == "linux":
    _hide_names()
    _hide_numbers()
    if selectors.DefaultSelector is not selectors.PollSelector:
        sys.exit("something has chosen epoll already: nothing would be hidden")
