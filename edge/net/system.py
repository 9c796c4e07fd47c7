"""What one system has and another lacks: asked for here, and nowhere else.

Linux is what the program is made for. macOS has some of it by other names. Elsewhere nothing is done
and nothing is known; each function says what is lost by that, and none fails for want of a feature.
Numbers that the interpreter has no name for are those of the headers.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import platform
import resource
import select
import socket
import struct
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

# linux/sockios.h
_SIOCOUTQ = 0x5411
_SIOCOUTQNSD = 0x894B
# sys/socket.h of macOS
_SO_NWRITE = 0x1024
# sys/socket.h, struct ucred: pid, uid, gid
_UCRED = struct.Struct("iII")
_INT = struct.Struct("i")
_UINT = struct.Struct("I")
# asm-generic/socket.h
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
# linux/filter.h, struct sock_fprog: how many instructions of eight bytes each, and where they are
_FILTER_PROGRAM = struct.Struct("@HP")
# linux/tcp.h, struct tcp_info: eight bytes, then words of 32 bits up to tcpi_total_retrans
_TCP_INFO = struct.Struct("=8B24I")
# And then four words of 64 bits and three of 32, up to tcpi_min_rtt
_TCP_MIN_RTT = struct.Struct("=8B24I4Q3I")
# netinet/tcp.h of macOS
_MACOS_TCP = {
    "TCP_KEEPIDLE": 0x10,  # there TCP_KEEPALIVE
    "TCP_KEEPINTVL": 0x101,
    "TCP_KEEPCNT": 0x102,
    "TCP_RXT_CONNDROPTIME": 0x80,
    "TCP_NOTSENT_LOWAT": 0x201,
}
# sys/syslimits.h of macOS: setrlimit(2) takes no more, even where the hard limit is "unlimited".
_MACOS_OPEN_MAX = 10240

_IS_LINUX = hasattr(select, "epoll")
_IS_MACOS = sys.platform == "darwin"

#: What the system tells of this process, proc(5); not there on macOS.
PROCESS_FOLDER = Path("/proc/self")
#: What control groups are allowed, cgroups(7); not there on macOS.
CONTROL_GROUPS = Path("/sys/fs/cgroup")
#: Accepted connections have the options of the socket that listens, so that nothing is set for each.
INHERITS_OPTIONS = _IS_LINUX


class ReadySet(Protocol):
    """A set of descriptors that is a descriptor itself, readable while one of them is ready: epoll's."""

    @property
    def closed(self) -> bool:
        """It has been released."""
        ...

    def fileno(self) -> int:
        """Its own descriptor."""
        ...

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch ``fd``."""
        ...

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Change what ``fd`` is watched for."""
        ...

    def unregister(self, fd: int, /) -> None:
        """Watch it no more."""
        ...

    def poll(self, timeout: float, maxevents: int, /) -> list[tuple[int, int]]:
        """Descriptors that are ready, each with what for."""
        ...

    def close(self) -> None:
        """Release it."""
        ...


def new_ready_set() -> ReadySet | None:
    """A level-triggered set, whose masks are those of ``poller.py``.

    None elsewhere: the loop itself watches each descriptor, at some cost for each, and does not tell that
    one has ended which is not to be read.
    """
    return select.epoll() if _IS_LINUX else None


def keep_alive(sock: socket.socket, *, idle_s: int, interval_s: int, probe_count: int) -> None:
    """Have the kernel ask a silent peer whether it is there, and break the connection when no answer comes.

    Elsewhere it asks at times of its own, mostly after two hours: until then a peer that is gone without
    a word, and to which nothing is sent, is found by our own time-outs only.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _set_tcp(sock, "TCP_KEEPIDLE", idle_s)
    _set_tcp(sock, "TCP_KEEPINTVL", interval_s)
    _set_tcp(sock, "TCP_KEEPCNT", probe_count)


def drop_when_unacknowledged(sock: socket.socket, timeout_ms: int) -> None:
    """Have the kernel break the connection when what was sent is not acknowledged for so long.

    macOS: in whole seconds, and a peer whose kernel answers that it has no room is not dropped. Elsewhere
    the kernel takes its own time, ten minutes or more; ``send_timeout_ms`` still ends players.
    """
    if _IS_MACOS:
        _set_tcp(sock, "TCP_RXT_CONNDROPTIME", -(-timeout_ms // 1000))
    else:
        _set_tcp(sock, "TCP_USER_TIMEOUT", timeout_ms)


def limit_unsent(sock: socket.socket, limit_bytes: int) -> None:
    """Have the kernel hold no more than this that it has not sent.

    Elsewhere it holds as much as its send buffer takes, so that a player on a slow line falls behind by some
    seconds more before it is seen to.
    """
    _set_tcp(sock, "TCP_NOTSENT_LOWAT", limit_bytes)


def attach_filter(sock: socket.socket, program: bytes) -> bool:
    """Have the kernel drop the packets that a classic BPF program refuses, in the place of the one before.

    Sockets that are accepted from ``sock`` have the same program, for good. False where it is not taken:
    elsewhere nothing is dropped.
    """
    if not _IS_LINUX:
        return False
    code = array.array("B", program)
    try:
        sock.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, _FILTER_PROGRAM.pack(len(program) // 8, code.buffer_info()[0])
        )
    except OSError:
        return False
    return True


def detach_filter(sock: socket.socket) -> None:
    """Drop nothing any more; harmless without a program."""
    if _IS_LINUX:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def unacknowledged_bytes(sock: socket.socket) -> int | None:
    """Bytes that the peer's kernel has not acknowledged yet, sent or not; None where the system does not tell.

    Without that, a silent publisher is known to live only by bytes of its own.
    """
    if _IS_MACOS:
        return _macos_send_queue(sock)
    return _linux_queue(sock, _SIOCOUTQ) if _IS_LINUX else None


def unsent_bytes(sock: socket.socket) -> int:
    """Bytes in the kernel that have not been sent.

    macOS counts those that have been sent and not acknowledged too. Elsewhere 0: a peer that takes its bytes
    slowly, but leaves none with us, looks as if it had them all.
    """
    if _IS_MACOS:
        return _macos_send_queue(sock) or 0
    return _linux_queue(sock, _SIOCOUTQNSD) or 0 if _IS_LINUX else 0


def is_unheard(sock: socket.socket) -> bool:
    """The kernel repeats what was sent, and nothing acknowledges it: no slow peer, whose kernel would.

    Never so elsewhere, macOS included: a peer that is gone without a word while bytes are under way is left
    when the kernel gives it up (see ``drop_when_unacknowledged``).
    """
    if not _IS_LINUX:
        return False
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
    return info[2] > 0  # tcpi_retransmits


class TcpInfo(NamedTuple):
    """How the kernel sees a TCP connection, tcp(7).

    Attributes:
        state: of RFC 9293 §3.3.2 as Linux numbers them, 1 for ESTABLISHED.
        rtt_us, rttvar_us: smoothed round trip and its variation.
        congestion_window: segments.
        unacked, lost: segments under way, and those taken for lost.
        retransmitted: segments since the connection began.
    """

    state: int
    rtt_us: int
    rttvar_us: int
    congestion_window: int
    segment_bytes: int
    unacked: int
    lost: int
    retransmitted: int


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """What the kernel tells of a connection; None where the system does not tell, or it is no TCP any more."""
    if not _IS_LINUX:
        return None
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        values = _TCP_INFO.unpack(data)
    except (OSError, struct.error):
        return None
    words = values[8:]
    return TcpInfo(values[0], words[15], words[16], words[18], words[2], words[4], words[6], words[23])


def least_round_trip_us(sock: socket.socket) -> int:
    """The shortest that a connection has had lately, without what its packets wait on the way; 0 where nobody tells."""
    if not _IS_LINUX:
        return 0
    size = _TCP_MIN_RTT.size + _UINT.size
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
    except OSError:
        return 0
    # A kernel before 4.6 tells less.
    return int(_UINT.unpack_from(data, _TCP_MIN_RTT.size)[0]) if len(data) == size else 0


def raise_descriptor_limit() -> tuple[int, int]:
    """Let this process open as many files as it may; returns how many it might before, and may now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(soft, min(hard, _MACOS_OPEN_MAX)) if _IS_MACOS else hard
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return soft, limit


def descriptor_limit() -> int:
    """How many files may be open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def usage() -> resource.struct_rusage:
    """What this process has used, getrusage(2)."""
    return resource.getrusage(resource.RUSAGE_SELF)


def most_resident_bytes() -> int:
    """The most memory that this process has held; Linux tells it in KiB, macOS in bytes."""
    return usage().ru_maxrss * (1 if _IS_MACOS else 1024)


def give_memory_back() -> None:
    """Have the C library give the kernel what the program has freed between what it holds; milliseconds per GiB.

    Elsewhere, and by other C libraries, it is kept for what comes next.
    """
    if not _IS_LINUX:
        return
    import ctypes  # 2 MB that a process needs only when memory is short

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def kernel_version() -> str:
    """Name, release and version of the system."""
    return " ".join((platform.system(), platform.release(), platform.version()))


def has_broken(fd: int) -> bool:
    """Whether the connection on ``fd`` is over for both sides, which its kernel knows; its bytes stay unread.

    A socket that listens never is; one that has not connected yet looks as if it were.
    """
    sock = _borrow(fd)
    try:
        sock.getpeername()
    except OSError:
        return not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    finally:
        sock.detach()
    return False


def is_listening(sock: socket.socket) -> bool:
    """Whether ``sock`` is one of TCP that accepts connections."""
    is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
    return is_tcp and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def lock_file(fd: int) -> bool:
    """Lock an open file for as long as this process has it open; False where another one has (flock(2))."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at_end(fd: int) -> bool:
    """Whether nothing is left to read on ``fd`` and nothing will come; what there is stays unread."""
    sock = _borrow(fd)
    try:
        return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.detach()


def _borrow(fd: int) -> socket.socket:
    """A socket object on somebody's descriptor, to be detached; the family plays no part in what is asked of it."""
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fd)


def _set_tcp(sock: socket.socket, name: str, value: int) -> None:
    number = _MACOS_TCP.get(name) if _IS_MACOS else getattr(socket, name, None)
    if number is None:
        return
    try:
        sock.setsockopt(socket.IPPROTO_TCP, number, value)
    except OSError:
        # macOS refuses options on a connection that its peer has closed; reading will tell so.
        if not _IS_MACOS:
            raise


def _macos_send_queue(sock: socket.socket) -> int | None:
    try:
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    except OSError:
        return None


def _linux_queue(sock: socket.socket, request: int) -> int | None:
    try:
        held = fcntl.ioctl(sock.fileno(), request, b"\0\0\0\0")
    except (OSError, ValueError):  # it has been closed
        return None
    return int.from_bytes(held, sys.byteorder)


def peer_ids(sock: socket.socket) -> tuple[int, int]:
    """Process and user at the other end of a unix socket, as the kernel says; (0, -1) where it does not."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, -1
    pid, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))
    return pid, uid


def receive_descriptors(sock: socket.socket, size: int, most: int) -> tuple[bytes, list[int], bool]:
    """Read ``size`` bytes at most, and up to ``most`` descriptors that came with them; whether some were lost.

    No program that is started later gets them.
    """
    room = socket.CMSG_SPACE(most * _INT.size)
    data, ancillary, flags, _ = sock.recvmsg(size, room, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    found: list[int] = []
    for level, kind, rights in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found += [number for (number,) in _INT.iter_unpack(rights[: len(rights) - len(rights) % _INT.size])]
    for descriptor in found:
        os.set_inheritable(descriptor, False)
    return data, found, bool(flags & socket.MSG_CTRUNC)
