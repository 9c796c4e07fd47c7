"""The program under test as a child process, alone or as a chain."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.harness.clock import ROOT, deadline, wait_until_sync
from tests.harness.portable import check_is_hidden, python_path
from tests.harness.ports import free_port

_SERVING = re.compile(r"Server\[edge\] is serving on port=(\d+)")
_DIRTY = ("Traceback (most recent call last)", "never retrieved", "was never awaited")
LIVE: set[EdgeServer] = set()
#: A machine that runs many tests at once makes any process late; what is done then has tests of its own.
CALM = ("-nocircuit_breaker",)
# And clients of a test that are still there are not waited for.
_DEFAULTS = (*CALM, "-grace_term_s=0")


class LogFile:
    """What a server writes, on disk and not held open: one whose start failed leaves nothing that must be closed."""

    def __init__(self) -> None:
        descriptor, name = tempfile.mkstemp(prefix="edge-test-", suffix=".log")
        os.close(descriptor)
        self.path = Path(name)
        self.close = weakref.finalize(self, os.unlink, name)


class EdgeServer:
    """``python -m edge`` with the given flags on ports chosen by the kernel.

    As a context manager it asserts at the end that the program leaves with exit
    code 0 on SIGTERM and that its log is clean. Methods that wait block the
    thread; under a running loop call them by ``asyncio.to_thread``.
    """

    def __init__(
        self,
        *flags: str,
        port: int = 0,
        has_internal_port: bool = True,
        host: str = "127.0.0.1",
        launcher: Sequence[str] = (),
    ) -> None:
        """``host``: where it is reached; ``launcher``: a command that becomes the program, in another namespace say."""
        self.flags = flags
        self.port = port
        self.host = host
        self.launcher = launcher
        self.internal_port = free_port() if has_internal_port else -1
        self._log = LogFile()
        self._process: subprocess.Popen[bytes] | None = None
        self._was_asked_to_leave = self._was_killed = False

    def start(self, within_s: float = 3.0) -> None:
        """Start the program and wait for the line that says it serves."""
        environment = {**os.environ, "PYTHONPATH": python_path(), "PYTHONUNBUFFERED": "1"}
        internal = (f"-internal_port={self.internal_port}",) if self.internal_port >= 0 else ()
        written = len(self.log)
        self._was_asked_to_leave = self._was_killed = False
        with self._log.path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self.launcher,
                    sys.executable,
                    "-m",
                    "edge",
                    f"-port={self.port}",
                    *internal,
                    *_DEFAULTS,
                    *self.flags,
                ],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        LIVE.add(self)

        def is_serving() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"exit code {self._process.returncode} at start:\n{self.log[written:]}"
            return _SERVING.search(self.log, written) is not None

        try:
            wait_until_sync(is_serving, deadline(within_s), "the start line")
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\nlog:\n{self.log[written:][-3000:]}") from None
        found = _SERVING.search(self.log, written)
        assert found is not None
        self.port = int(found.group(1))
        check_is_hidden(self.pid)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """All that it wrote, over all its lives."""
        return self._log.path.read_bytes().decode(errors="replace")

    def rtmp_url(self, app: str, name: str) -> str:
        return f"rtmp://{self.address}/{app}/{name}"

    def http(self, path: str, *, on_internal: bool = True, timeout_s: float = 5.0) -> bytes:
        """GET a page; from the internal port where there is one. Raises ``URLError``."""
        port = self.internal_port if on_internal and self.internal_port >= 0 else self.port
        with urllib.request.urlopen(f"http://{self.host}:{port}{path}", timeout=deadline(timeout_s)) as answer:
            return bytes(answer.read())

    def streams(self) -> list[dict[str, Any]]:
        """The live streams as the server describes them."""
        return list(json.loads(self.http("/api/streams"))["streams"])

    def counters(self) -> dict[str, float]:
        """The counters of the status page by name."""
        found = json.loads(self.http("/status?format=json"))
        return {name: value for name, value in found["counters"].items() if isinstance(value, int | float)}

    def has_stream(self, name: str) -> bool:
        """Whether a stream of this name is known, published here or pulled."""
        return any(row["stream"] == name for row in self.streams())

    def _proc_status(self, field: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]

    @property
    def rss_kb(self) -> int:
        return self._proc_status("VmRSS")

    @property
    def peak_rss_kb(self) -> int:
        return self._proc_status("VmHWM")

    @property
    def thread_count(self) -> int:
        return self._proc_status("Threads")

    @property
    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """SIGKILL; the port is free when this returns."""
        if self._process is not None:
            self._was_killed = True
            self._process.kill()
            self._process.wait()
        LIVE.discard(self)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def restart(self, within_s: float = 3.0) -> None:
        """Start again on the same ports after :meth:`kill` or :meth:`stop`."""
        assert not self.is_running, "still running"
        self.start(within_s)

    def ask_to_leave(self) -> None:
        """SIGTERM, once: a second one would mean *now*."""
        if self.is_running and not self._was_asked_to_leave:
            self._was_asked_to_leave = True
            self.resume()
            self.process.terminate()

    def stop(self, within_s: float = 5.0) -> int:
        """Ask it to leave; return the exit code, fail when it does not leave in time."""
        self.ask_to_leave()
        try:
            return self.process.wait(deadline(within_s))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still there {within_s} s after SIGTERM:\n{self.log[-2000:]}") from None
        finally:
            LIVE.discard(self)

    def assert_clean_log(self) -> None:
        """W5: no traceback, no forgotten task, no endless line, no control byte."""
        log = self.log
        for sign in _DIRTY:
            at = log.find(sign)
            assert at < 0, f"{sign!r} in the log:\n{log[max(0, at - 300) : at + 3000]}"
        for line in log.splitlines():
            assert len(line) <= 8192, f"log line of {len(line)} characters: {line[:200]}"
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line), f"control byte in the log: {line[:200]!r}"

    def __enter__(self) -> EdgeServer:
        try:
            self.start()
        except BaseException:
            self._log.close()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            code = 0 if self._was_killed else self.stop()
            if kind is None:
                assert code == 0, f"exit code {code} on SIGTERM:\n{self.log[-2000:]}"
                self.assert_clean_log()
            else:
                print(f"--- log of the server on port {self.port} {' '.join(self.flags)}\n{self.log[-6000:]}")
        finally:
            self._log.close()


class Chain:
    """An origin and edges, each pulling from and pushing to the one before it.

    Attributes:
        nodes: the servers, origin first.
    """

    def __init__(self, *flags: str, depth: int = 3, upstreams: Sequence[str] = ()) -> None:
        """``flags`` go to every node; ``upstreams[i]`` stands in for the address of node i (a proxy in front of it)."""
        self.nodes: list[EdgeServer] = []
        self._flags, self._depth, self._upstreams = flags, depth, upstreams

    @property
    def origin(self) -> EdgeServer:
        return self.nodes[0]

    @property
    def far_edge(self) -> EdgeServer:
        return self.nodes[-1]

    def __enter__(self) -> Chain:
        try:
            for number in range(self._depth):
                upstream = ()
                if number:
                    given = self._upstreams[number - 1] if number <= len(self._upstreams) else ""
                    upstream = (f"-proxy_to={given or self.nodes[-1].address}",)
                node = EdgeServer(*upstream, *self._flags)
                self.nodes.append(node)
                node.start()
        except BaseException as error:
            self._leave(type(error))
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._leave(kind)

    def _leave(self, kind: object) -> None:
        """Ask all to leave at once, then judge each."""
        for node in self.nodes:
            node.ask_to_leave()
        faults = []
        for node in self.nodes:
            try:
                node.__exit__(kind)
            except AssertionError as error:
                faults.append(str(error))
        assert not faults, "\n".join(faults)
