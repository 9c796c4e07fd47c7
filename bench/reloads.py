"""SIGHUPs, half of them with a bad flagfile, under players and publishers: ``python bench/reloads.py --help``.

See ``bench/numbered.py`` for what is counted. A bad file must be refused with its place, and change nothing.
"""

from __future__ import annotations

import argparse
import itertools
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.numbered import SERVING, Load, started, wait_for
from bench.scenarios import raise_descriptor_limit

_TAKEN = re.compile(r"reload done ")
_REFUSED = re.compile(r"reload refused .*prod\.flags:2:")
_START_S, _RELOAD_S = 20.0, 30.0
_BAD_LINES = ("-retry_interval_ms=soon", "-queue_length_s=-1", "-port=99999999", "-flush_cpu_pct=a lot")


def _texts() -> Iterator[tuple[str, bool]]:
    """Flagfiles without end: a good one, then a bad one; each good one changes values of what serves."""
    for number in itertools.count():
        yield f"-retry_interval_ms={1000 + number}\n-queue_length_s={10 + number % 5}\n", True
        yield f"-retry_interval_ms=7\n{_BAD_LINES[number % len(_BAD_LINES)]}\n", False


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return 1 where anything was lost, or a bad file was not refused."""
    parser = argparse.ArgumentParser(prog="bench/reloads.py", description=__doc__.splitlines()[0])
    parser.add_argument("--players", type=int, default=500)
    parser.add_argument("--publishers", type=int, default=50)
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--fps", type=int, default=10)
    asked = parser.parse_args(argv)
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder) / "prod.flags", Path(folder) / "log"
        path.write_text("-retry_interval_ms=999\n")
        server = started(log, f"-flagfile={path}")
        counts = {True: 0, False: 0}
        try:
            port = int(wait_for(log, SERVING, 1, None, _START_S)[1])
            load = Load(port, asked.players, asked.publishers, asked.fps)
            load.run(3.0)
            load.forget_gaps()
            for text, is_good in itertools.islice(_texts(), asked.reloads):
                path.write_text(text)
                server.send_signal(signal.SIGHUP)
                counts[is_good] += 1
                wait_for(log, _TAKEN if is_good else _REFUSED, counts[is_good], load, _RELOAD_S)
            load.run(2.0)
            ended, lost, doubled = load.judge()
        finally:
            server.terminate()
            server.wait()
    gaps = load.gaps_ms()
    print(f"{asked.players} players, {asked.publishers} publishers, {load.frame_count()} frames published")
    print(f"good files taken {counts[True]}, bad ones refused with their place {counts[False]}")
    print(f"ended {ended}, lost {lost}, twice or out of order {doubled}")
    print(f"largest gap of a player ms: {gaps[-1]:.0f}, median {gaps[len(gaps) // 2]:.0f}")
    return 1 if ended or lost or doubled else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
