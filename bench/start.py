"""CPU time of a start: ``python bench/start.py``. Linux only.

Medians of ten runs each, user and system time together, of ``edge --version``,
of ``edge --check``, of a start until the line that says it listens, and until
its first page is answered, for which HTTP must have been loaded.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 10
_SERVING = re.compile(rb"is serving on port=(\d+)")
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(*arguments: str) -> list[str]:
    """The program as it is installed, or of this checkout."""
    installed = Path(sys.executable).parent / "edge"
    return [*([str(installed)] if installed.exists() else [sys.executable, "-m", "edge"]), *arguments]


def of_a_whole_run(*arguments: str) -> float:
    """CPU seconds of a run to its end."""
    process = subprocess.Popen(command(*arguments), env=_ENVIRONMENT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def so_far(pid: int) -> float:
    """CPU seconds of a running process, ended threads included: its own clock, as clock_getcpuclockid(3) names it."""
    return time.clock_gettime((~pid << 3) | 2)


def of_a_start(*, with_page: bool) -> float:
    """CPU seconds until it listens, or until its first page has been answered."""
    process = subprocess.Popen(
        command("-port=0", "-bind=127.0.0.1"), env=_ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            found = _SERVING.search(line)
            if found is None:
                continue
            if with_page:
                urllib.request.urlopen(f"http://127.0.0.1:{int(found[1])}/health", timeout=30).close()
            return so_far(process.pid)
        raise SystemExit(f"it does not listen: exit code {process.wait()}")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


MEASURED: dict[str, Callable[[], float]] = {
    "edge --version": lambda: of_a_whole_run("--version"),
    "edge --check": lambda: of_a_whole_run("--check"),
    "a start until it listens": lambda: of_a_start(with_page=False),
    "a start until its first page": lambda: of_a_start(with_page=True),
}


def main(arguments: Sequence[str]) -> int:
    """Print one row each; the number of runs may be given."""
    runs = int(arguments[0]) if arguments else RUNS
    print(f"| CPU s, of {runs} runs | median | least | most |\n| --- | --- | --- | --- |")
    for what, measure in MEASURED.items():
        measure()  # the files are in the cache, the byte code is there
        found = [measure() for _ in range(runs)]
        print(f"| {what} | {statistics.median(found):.2f} | {min(found):.2f} | {max(found):.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
