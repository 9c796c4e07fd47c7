"""The load generator, the programs under test, and what the kernel says of them. Linux only."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
TOOL_VARIABLE = "EDGE_BENCH_TOOL"
_DEFAULT_SOURCE = Path(__file__).resolve().parent / "rtmpload.c"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Row = dict[str, Any]


class BenchError(Exception):
    """A measurement could not be made; the text says why."""


def built_tool(folder: Path) -> Path:
    """Return the load generator as a program, compiled into ``folder`` unless it is one already.

    It is ``rtmpload.c`` beside this file, unless ``$EDGE_BENCH_TOOL`` names another program, its source, or the
    directory of the source.
    """
    named = os.environ.get(TOOL_VARIABLE)
    source = Path(named) if named else _DEFAULT_SOURCE
    if source.is_dir():
        source = source / "rtmpload.c"
    if not source.is_file():
        raise BenchError(
            f"no load generator at {source}: set {TOOL_VARIABLE} to rtmpload, to rtmpload.c or to its directory"
        )
    if source.suffix != ".c":
        return source
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise BenchError("the load generator is C: install gcc and libc6-dev (make bench-deps)")
    tool = folder / "rtmpload"
    done = subprocess.run([compiler, "-O2", "-o", str(tool), str(source)], capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{source.name} does not compile:\n{done.stderr}")
    return tool


def cores() -> tuple[int, int]:
    """The core of the server and that of the load; the same one where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


class Program:
    """A child process in a session of its own, pinned to one core, its output in a file."""

    def __init__(
        self, command: Sequence[str], core: int, *, is_read: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        """``is_read``: its standard output is a pipe for ``lines``, and only its errors go to the file."""
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_read else self._log,
            stderr=self._log,
            start_new_session=True,
        )
        # A new child has one thread, and those it starts inherit the core.
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(self._process.pid, {core})

    @property
    def session(self) -> int:
        """Session id: that of every process it starts, too."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """``None`` while it runs."""
        return self._process.poll()

    def last_words(self) -> str:
        """The last line that it wrote: of a traceback the one that says what was wrong."""
        self._log.seek(max(self._log.seek(0, os.SEEK_END) - 1000, 0))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].replace(f"{ROOT}/", "") if lines else "it wrote nothing"

    def lines(self) -> Iterator[bytes]:
        """What it writes to its standard output, until it ends."""
        assert self._process.stdout is not None, "made without is_read"
        yield from self._process.stdout

    def stop(self) -> None:
        """Ask it to leave, end its whole session if it does not."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()


class Load:
    """One run of the generator; its events come as JSON, one object per line."""

    def __init__(self, tool: Path, core: int, arguments: Sequence[str], limit_s: float) -> None:
        """``limit_s``: it is ended after this long, whatever happens."""
        self._program = Program([str(tool), *arguments], core, is_read=True)
        self._lines = self._program.lines()
        self._limit = threading.Timer(limit_s, self._end)
        self._limit.daemon = True
        self._limit.start()

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._program.session, signal.SIGKILL)

    def events(self) -> Iterator[Row]:
        """Yield the events; ends with the generator."""
        for line in self._lines:
            with contextlib.suppress(json.JSONDecodeError):
                yield json.loads(line)

    def wait_for(self, name: str) -> Row:
        """Return the next event of this name; raises ``BenchError`` if the generator ends without it."""
        for event in self.events():
            if event["event"] == name:
                return event
        raise BenchError(f"the load generator ended before {name!r}: {self._program.last_words()}")

    def stop(self) -> None:
        """End it; idempotent only by its caller's ``finally``."""
        self._limit.cancel()
        self._program.stop()


def usage(session: int) -> tuple[float, float, int]:
    """``(cpu_s, user_s, rss_bytes)`` of all processes of a session, their threads included."""
    cpu = user = 0.0
    rss = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        # proc(5): after the name in brackets come state, ppid, pgrp, session; utime and stime are fields 14 and 15.
        fields = stat.rpartition(")")[2].split()
        if int(fields[3]) == session:
            user += int(fields[11]) / _TICKS_PER_S
            cpu += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
            rss += int(fields[21]) * _PAGE_BYTES
    return cpu, user, rss


def core_busy_s(core: int) -> float:
    """Seconds a core has been busy: user, nice, system, irq and softirq."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *values = line.split()
        if name == f"cpu{core}":
            return sum(int(values[index]) for index in (0, 1, 2, 5, 6)) / _TICKS_PER_S
    return 0.0


def socket_memory_bytes() -> int:
    """Kernel memory of all TCP buffers of the machine, both ends."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            words = line.split()
            return int(words[words.index("mem") + 1]) * _PAGE_BYTES
    return 0


class Meter:
    """What a server spends over a window."""

    def __init__(self, session: int, core: int) -> None:
        self._session, self._core = session, core
        self._since_s = self._busy_s = 0.0
        self._before = (0.0, 0.0, 0)
        self._socket_peak_bytes = 0
        self._is_over = threading.Event()
        self._watch = threading.Thread(target=self._watch_sockets, daemon=True)

    def _watch_sockets(self) -> None:
        while not self._is_over.wait(0.25):
            self._socket_peak_bytes = max(self._socket_peak_bytes, socket_memory_bytes())

    def start(self) -> None:
        """The window begins."""
        self._since_s, self._busy_s = time.monotonic(), core_busy_s(self._core)
        self._before = usage(self._session)
        self._watch.start()

    def stop(self) -> Row:
        """The window is over: its figures, CPU in percent of one core."""
        after, busy_s = usage(self._session), core_busy_s(self._core)
        elapsed_s = time.monotonic() - self._since_s
        self._is_over.set()
        self._watch.join()
        cpu_pct = (after[0] - self._before[0]) / elapsed_s * 100
        return {
            "cpu_pct": cpu_pct,
            "user_pct": (after[1] - self._before[1]) / elapsed_s * 100,
            "cpu_s": after[0] - self._before[0],
            "other_pct": max((busy_s - self._busy_s) / elapsed_s * 100 - cpu_pct, 0.0),
            "rss_mb": after[2] / 1e6,
            "socket_mb": max(self._socket_peak_bytes, socket_memory_bytes()) / 1e6,
        }
