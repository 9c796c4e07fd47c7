"""What a flood of TLS handshakes does to those who play: ``python bench/handshakes.py``. Linux only.

Plain players of one 500 kbit/s stream are measured while so many handshakes a second come in, whatever becomes of
them. Prints one line per kind of key: the handshakes that were completed, and the players' delay.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.load import ROOT, BenchError, Load, Meter, Program, Row, built_tool, cores
from bench.servers import Edge, Running
from bench.tls_players import KBPS, make_certificate

_SETTLE_S = 4.0
_LIMIT_S = 600.0
DELAY_LIMIT_MS = 100.0
COMPLETED_LIMIT_PER_S = 100.0


@contextmanager
def _flood(port: int, core: int, arguments: argparse.Namespace) -> Iterator[Program]:
    command = [sys.executable, "-m", "bench.tls_load", "shake", str(port), str(arguments.rate), str(arguments.window)]
    flood = Program(command, core, is_read=True, environment={"PYTHONPATH": str(ROOT)})
    try:
        yield flood
    finally:
        flood.stop()


def measure(key: str, tool: Path, arguments: argparse.Namespace) -> Row:
    """The players' window, and what became of the flood."""
    server_core, load_core = cores()
    with (
        tempfile.TemporaryDirectory(prefix="edge-bench-") as folder,
        Running(Edge(), make_certificate(Path(folder), key), server_core) as running,
    ):
        common = ["--port", str(running.port), "--streams", "1", "--kbps", str(KBPS)]
        steps = ["--steps", str(arguments.players), "--settle", f"{_SETTLE_S:g}", "--window", f"{arguments.window:g}"]
        publisher = Load(tool, load_core, ["publish", *common], _LIMIT_S)
        try:
            publisher.wait_for("publishing")
            players = Load(tool, load_core, ["play", *common, *steps, "--sample", "1"], _LIMIT_S)
            try:
                players.wait_for("window_start")
                meter = Meter(running.program.session, server_core)
                meter.start()
                with _flood(running.port, load_core, arguments) as flood:
                    row = {**players.wait_for("window_end"), **meter.stop()}
                    row["flood"] = next((json.loads(line) for line in flood.lines()), None)
                    if row["flood"] is None:
                        raise BenchError(f"the flood ended: {flood.last_words()}")
            finally:
                players.stop()
        finally:
            publisher.stop()
    return row


def line(key: str, row: Row, arguments: argparse.Namespace) -> str:
    """What was measured, in one line."""
    flood = row["flood"]
    completed = flood["done"] / flood["seconds"]
    is_met = completed >= COMPLETED_LIMIT_PER_S and row["lat_p99_ms"] < DELAY_LIMIT_MS
    return (
        f"{key}: {flood['started'] / flood['seconds']:.0f} handshakes a second came, {completed:.0f} were completed; "
        f"{arguments.players} plain players' delay p50 {row['lat_p50_ms']:.1f} ms, p99 {row['lat_p99_ms']:.1f} ms, "
        f"{row['gaps_total']:.0f} gaps, CPU {row['cpu_pct']:.0f} %, load {flood['own_cpu_s'] / flood['seconds']:.0%}: "
        f"{'met' if is_met else 'NOT MET'}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print one line per kind of key."""
    parser = argparse.ArgumentParser(prog="bench/handshakes.py", description="Measure players in a flood of TLS.")
    parser.add_argument("--rate", type=float, default=1000.0, help="handshakes that come a second; 0 for none")
    parser.add_argument("--players", type=int, default=50)
    parser.add_argument("--window", type=float, default=10.0, help="seconds of each measurement")
    parser.add_argument("--key", choices=("rsa", "ec", "both"), default="both")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        tool = built_tool(Path(folder))
        for key in ("rsa", "ec") if arguments.key == "both" else (arguments.key,):
            print(line(key, measure(key, tool, arguments), arguments), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
