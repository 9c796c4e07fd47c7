"""Upgrades of a server under players and publishers: ``python bench/upgrade.py --help``; see ``bench/numbered.py``."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.numbered import ENVIRONMENT, ROOT, SERVING, Load, started, wait_for
from bench.scenarios import raise_descriptor_limit

_HANDED_OVER = re.compile(r"handed over to process (\d+): (\d+) connections in (\d+) ms")
_STOOD_STILL = re.compile(r"stood still for (\d+) ms")
_START_S, _UPGRADE_S = 20.0, 60.0


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return 1 where anything was lost."""
    parser = argparse.ArgumentParser(prog="bench/upgrade.py", description=__doc__.splitlines()[0])
    parser.add_argument("--players", type=int, default=1000)
    parser.add_argument("--publishers", type=int, default=50)
    parser.add_argument("--upgrades", type=int, default=10)
    parser.add_argument("--fps", type=int, default=10)
    asked = parser.parse_args(argv)
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder) / "upgrade", Path(folder) / "log"
        server = started(log, f"-upgrade_socket={path}")
        pid = server.pid
        try:
            port = int(wait_for(log, SERVING, 1, None, _START_S)[1])
            load = Load(port, asked.players, asked.publishers, asked.fps)
            load.run(3.0)
            load.forget_gaps()
            pauses = []
            for number in range(1, asked.upgrades + 1):
                order = subprocess.Popen(
                    [sys.executable, "-m", "edge.tools.upgrade", str(path)], cwd=ROOT, env=ENVIRONMENT
                )
                found = wait_for(log, _HANDED_OVER, number, load, _UPGRADE_S)
                pid = int(found[1])
                pauses.append(int(found[3]))
                load.run(3.0)
                order.wait()
            ended, lost, doubled = load.judge()
            still = [int(found[1]) for found in _STOOD_STILL.finditer(log.read_text(errors="replace"))]
        finally:
            os.kill(pid, signal.SIGTERM)
            server.wait()
    gaps, frames = load.gaps_ms(), load.frame_count()
    print(
        f"{asked.players} players, {asked.publishers} publishers, {asked.upgrades} upgrades, {frames} frames published"
    )
    print(f"ended {ended}, lost {lost}, twice or out of order {doubled}")
    print(f"handed over within ms: {pauses}; the new process: all stood still for ms: {still}")
    largest, median = gaps[-1], gaps[len(gaps) // 2]
    print(f"largest gap of a player ms: {largest:.0f}, median {median:.0f}; a frame each {1000 // asked.fps}")
    return 1 if ended or lost or doubled else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
