"""Our server under strace, and its system calls by connection. Linux only."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import BenchError, cores
from bench.servers import Edge, Running
from bench.stepwise import StepClient

_LIMIT_S = 20.0

RECVS = ("recvfrom", "recvmsg", "recvmmsg", "read", "readv")
SENDS = ("sendto", "sendmsg", "sendmmsg", "write", "writev", "sendfile", "splice")
OPTIONS = ("setsockopt", "getsockopt", "getsockname", "getpeername", "ioctl", "fcntl")
_ACCEPTS = ("accept4", "accept")
#: How often it is called depends on what comes together, so on the machine; it is shown and judged by nobody.
WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
_TRACED = (*_ACCEPTS, *RECVS, *SENDS, *OPTIONS, "epoll_ctl", "shutdown", "close", *WAITS)

_LINE = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)$")
_UNFINISHED = " <unfinished ...>"
_RESULT = re.compile(r"\) += (?P<result>-?\d+)(?: (?P<error>E\w+))?")
_PEER_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_READY_FD = re.compile(r"data=\{u32=(\d+)")
_CONTROLLED_FD = re.compile(r"EPOLL_CTL_\w+, (\d+)")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call.

    Attributes:
        fd: its first argument.
        error: such as ``EAGAIN``; "" where it succeeded.
        arguments: as strace shows them.
    """

    name: str
    fd: int
    result: int
    error: str
    arguments: str

    @property
    def shown(self) -> str:
        """Its name, and what makes it another kind of call."""
        peek = "(MSG_PEEK)" if "MSG_PEEK" in self.arguments else ""
        return f"{self.name}{peek}{' ' + self.error if self.error else ''}"


@dataclass(slots=True)
class Served:
    """What was done for one connection, from its accept on, in order.

    Attributes:
        port: the peer's.
    """

    port: int
    calls: list[Call] = field(default_factory=list)
    is_closed: bool = False

    @property
    def read_bytes(self) -> int:
        return sum(call.result for call in self.calls if call.name in RECVS and "MSG_PEEK" not in call.arguments)

    def _end(self) -> int:
        """Position of the call that saw the peer's end, or began ours."""
        for position, call in enumerate(self.calls):
            is_eof = call.name in RECVS and call.result == 0 and "MSG_PEEK" not in call.arguments
            if is_eof or call.name in ("shutdown", "close"):
                return position
        return len(self.calls)

    def life(self) -> Counter[str]:
        """Calls until the end began."""
        return Counter(call.shown for call in self.calls[: self._end()])

    def end(self) -> Counter[str]:
        """Calls from there on."""
        return Counter(call.shown for call in self.calls[self._end() :])


def total(counts: Mapping[str, float], names: Iterable[str]) -> float:
    """Sum over all kinds of these calls, those that got nothing included."""
    wanted = set(names)
    return sum(count for shown, count in counts.items() if re.split(r"[( ]", shown)[0] in wanted)


def parse(lines: Iterable[str]) -> Iterator[Call]:
    """The calls in a file of ``strace -f -o``, in the order in which they ended; what is no call is passed over."""
    begun: dict[str, str] = {}
    for line in lines:
        found = _RESUMED.match(line)
        if found is not None:
            rest = begun.pop(found["pid"], "") + found["rest"]
        else:
            found = _LINE.match(line)
            if found is None:
                continue
            rest = found["rest"]
            if rest.endswith(_UNFINISHED):
                begun[found["pid"]] = rest.removesuffix(_UNFINISHED)
                continue
        ended = _RESULT.search(rest, max(rest.rfind(") "), 0))
        fd = re.match(r"\d+", rest)
        if ended is not None:
            arguments = rest[: ended.start()]
            yield Call(found["name"], int(fd[0]) if fd else -1, int(ended["result"]), ended["error"] or "", arguments)


def served(calls: Iterable[Call]) -> list[Served]:
    """The connections that were accepted; an accept that found nobody counts to the one before it."""
    found: list[Served] = []
    by_fd: dict[int, Served] = {}
    for call in calls:
        if call.name in _ACCEPTS:
            if call.result >= 0:
                port = _PEER_PORT.search(call.arguments)
                found.append(Served(int(port[1]) if port else -1))
                by_fd[call.result] = found[-1]
            if found:
                found[-1].calls.append(call)
            continue
        if call.name in WAITS:
            fds = [int(fd) for fd in _READY_FD.findall(call.arguments)]
        elif call.name == "epoll_ctl":
            controlled = _CONTROLLED_FD.search(call.arguments)
            fds = [int(controlled[1])] if controlled else []
        else:
            fds = [call.fd]
        for fd in fds:
            if fd in by_fd:
                by_fd[fd].calls.append(call)
        if call.name == "close" and call.fd in by_fd:
            by_fd.pop(call.fd).is_closed = True
    return found


class _Traced(Edge):
    """This checkout under strace, which runs beside it so that signals meet the server itself."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def command(self, port: int, flags: Sequence[str], folder: Path) -> list[str]:
        strace = ["strace", "-D", "-f", "--seccomp-bpf", "-o", str(self._trace), "-s", "4", "-e", "signal=none"]
        return [*strace, "-e", f"trace={','.join(_TRACED)}", *super().command(port, flags, folder)]


def why_not() -> str:
    """Why nothing can be traced here; "" where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, text=True)
    return f"strace may not trace here: {done.stderr.strip()}" if done.returncode else ""


class TracedServer:
    """A running server whose calls are written down; a context manager."""

    def __init__(self, *flags: str) -> None:
        if reason := why_not():
            raise BenchError(reason)
        self._folder = tempfile.TemporaryDirectory(prefix="edge-trace-")
        self._file = Path(self._folder.name) / "calls"
        self._running = Running(_Traced(self._file), flags, cores()[0])

    def __enter__(self) -> TracedServer:
        try:
            self._running.__enter__()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._running.__exit__()
        self._folder.cleanup()

    def connections(self) -> dict[int, Served]:
        """All so far, by the peer's port."""
        with self._file.open(errors="replace") as lines:
            return {one.port: one for one in served(parse(lines))}

    def dial(self) -> StepClient:
        """A client whose first bytes lie there when it is accepted.

        The server is stopped for so long: else it would depend on the moment whether it looks once or twice.
        """
        pid = self._running.program.session
        os.kill(pid, signal.SIGSTOP)
        try:
            self._wait(lambda: self._state(pid) in "Tt", "the server to stand still")
            return StepClient(self._running.port, is_greeting=True)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    @staticmethod
    def _state(pid: int) -> str:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    def wait_until_read(self, client: StepClient) -> None:
        """Until the server has taken all that the client sent."""
        self._wait(lambda: self._found(client).read_bytes >= client.sent_bytes, "all to be read")

    def leave(self, client: StepClient) -> Served:
        """End a connection; returns what was done for it."""
        client.leave()
        self._wait(lambda: self._found(client).is_closed, "a connection to be closed")
        return self._found(client)

    def _found(self, client: StepClient) -> Served:
        return self.connections().get(client.port) or Served(client.port)

    @staticmethod
    def _wait(condition: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + _LIMIT_S
        while not condition():
            if time.monotonic() > end_s:
                raise BenchError(f"waited {_LIMIT_S:.0f} s for {what}")
            time.sleep(0.01)
