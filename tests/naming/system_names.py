"""The system's resolver as a program sees it whose ``resolv.conf`` names a DNS server of the test.

``resolv.conf`` cannot name a port, and no program can be given one of its own;
so the lookups run in a child with a mount namespace, in which a file of the test
lies over ``/etc/resolv.conf``, and the DNS server listens on port 53 of a
loopback address that nobody else uses. Both need root.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

from naming.resolver import system_lookup
from tests.harness.clock import ROOT, deadline, missing, require_program

_SERIAL = itertools.count(os.getpid() * 7)
_SCRIPT = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
_READY = "ready"


def unused_loopback() -> str:
    """An address of the loopback on which nothing of this test run listens."""
    number = next(_SERIAL)
    return f"127.53.{number // 250 % 250}.{number % 250 + 1}"


class SystemNames:
    """Lookups through the system's resolver with ``address`` as the only server of ``resolv.conf``.

    Attributes:
        peak: most lookups of one name that ran at a time.
    """

    def __init__(self, address: str, folder: Path) -> None:
        """``folder`` takes the ``resolv.conf``. Fails, or skips, where namespaces cannot be made."""
        if os.geteuid() != 0:
            missing("the system's resolver asks at port 53, which needs root")
        settings = folder / "resolv.conf"
        settings.write_text(f"nameserver {address}\noptions timeout:1 attempts:1\n")
        unshare = require_program("unshare")
        self._child = subprocess.Popen(
            [unshare, "--mount", "sh", "-c", _SCRIPT, settings, sys.executable, "-m", "tests.naming.system_names"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert self._child.stdin is not None and self._child.stdout is not None
        self._questions, self._answers = self._child.stdin, self._child.stdout
        if self._answers.readline().strip() != _READY:
            self.close()
            missing("no mount namespace with a resolv.conf of its own can be made")
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[str]] = {}
        self._count = itertools.count()
        self._running: dict[str, int] = {}
        self.peak = 0
        self._reader = threading.Thread(target=self._read, name="system-names")
        self._reader.start()

    def lookup(self, host: str) -> list[str]:
        """As :func:`naming.resolver.system_lookup`; blocks."""
        answer: Future[str] = Future()
        with self._lock:
            number = next(self._count)
            self._waiting[number] = answer
            self._running[host] = self._running.get(host, 0) + 1
            self.peak = max(self.peak, self._running[host])
            self._questions.write(f"{number} {host}\n")
            self._questions.flush()
        try:
            word, *rest = answer.result(deadline(30)).split()
        finally:
            with self._lock:
                self._running[host] -= 1
        if word != "ok":
            raise OSError(" ".join(rest))
        return rest

    def close(self) -> None:
        """End the child; lookups that run fail."""
        self._questions.close()
        try:
            self._child.wait(deadline(5))
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if hasattr(self, "_reader"):
            self._reader.join()
        self._answers.close()

    def _read(self) -> None:
        for line in self._answers:
            number, _, answer = line.partition(" ")
            self._waiting.pop(int(number)).set_result(answer)
        for waiting in self._waiting.values():
            waiting.set_result("failed the child has ended")


def _answer(number: str, host: str, lock: threading.Lock) -> None:
    try:
        text = " ".join(("ok", *system_lookup(host)))
    except OSError as error:
        text = f"failed {error}"
    with lock:
        print(number, text, flush=True)


def _serve() -> None:
    """The child: a line per question on standard input, a line per answer on standard output."""
    lock = threading.Lock()
    print(_READY, flush=True)
    for line in sys.stdin:
        number, host = line.split()
        threading.Thread(target=_answer, args=(number, host, lock), daemon=True).start()
    sys.stdout.flush()
    os._exit(0)  # a lookup that hangs delays nothing


if __name__ == "__main__":
    _serve()
