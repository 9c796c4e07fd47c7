"""What TLS costs a player: ``python bench/tls_players.py``. Linux only.

Players of one 500 kbit/s stream as FLV over HTTP, plain and inside TLS, at a fixed flush interval: CPU of the
server for each, and the RSS that one player more adds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.load import ROOT, BenchError, Load, Meter, Program, Row, built_tool, cores, usage
from bench.servers import Edge, Running

KBPS = 500
FEW = 50
_SETTLE_S = 4.0
_PATH = "/live/s0.flv"


def make_certificate(folder: Path, key: str) -> list[str]:
    """Flags of a server that shows a new certificate; ``key``: ``rsa`` (2048) or ``ec`` (P-256)."""
    kind = ["rsa:2048"] if key == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    files = [str(folder / name) for name in ("cert.pem", "key.pem")]
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-newkey", *kind]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return ["-https", f"-certificate={files[0]}", f"-private_key={files[1]}"]


@contextmanager
def players(port: int, kind: str, count: int, core: int) -> Iterator[Program]:
    """So many players that are being drained, all of which have got media."""
    command = [sys.executable, "-m", "bench.tls_load", "play", str(port), kind, str(count), _PATH]
    program = Program(command, core, is_read=True, environment={"PYTHONPATH": str(ROOT)})
    lines = program.lines()  # closing it would close the pipe
    try:
        for line in lines:
            if json.loads(line)["event"] == "ready":
                break
        else:
            raise BenchError(f"the players ended: {program.last_words()}")
        yield program
    finally:
        program.stop()


def measure(kind: str, tool: Path, arguments: argparse.Namespace) -> Row:
    """CPU with all players, and what one more of them adds to the RSS."""
    server_core, load_core = cores()
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        flags = [*make_certificate(Path(folder), arguments.key), f"-flush_interval_ms={arguments.flush}"]
        with Running(Edge(), flags, server_core) as running:
            stream = ["publish", "--port", str(running.port), "--streams", "1", "--kbps", str(KBPS)]
            publisher = Load(tool, load_core, stream, 600)
            try:
                publisher.wait_for("publishing")
                session = running.program.session
                with players(running.port, kind, FEW, load_core):
                    time.sleep(_SETTLE_S)
                    few_rss = usage(session)[2]
                    with players(running.port, kind, arguments.players - FEW, load_core):
                        time.sleep(_SETTLE_S)
                        meter = Meter(session, server_core)
                        meter.start()
                        time.sleep(arguments.window)
                        row = meter.stop()
                row["per_player_kb"] = (row["rss_mb"] * 1e6 - few_rss) / 1e3 / (arguments.players - FEW)
            finally:
                publisher.stop()
    return row


def main(argv: Sequence[str] | None = None) -> int:
    """Print one row per kind, and the ratio."""
    parser = argparse.ArgumentParser(prog="bench/tls_players.py", description="Measure what TLS costs a player.")
    parser.add_argument("--players", type=int, default=500)
    parser.add_argument("--flush", type=int, default=100, help="-flush_interval_ms of the server")
    parser.add_argument("--window", type=float, default=10.0, help="seconds of each measurement")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--key", choices=("rsa", "ec"), default="ec")
    arguments = parser.parse_args(argv)
    found: dict[str, list[Row]] = {"plain": [], "tls": []}
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        tool = built_tool(Path(folder))
        for _ in range(arguments.repeat):
            for kind, rows in found.items():
                rows.append(measure(kind, tool, arguments))
    print(f"{arguments.players} players of {KBPS} kbit/s, -flush_interval_ms={arguments.flush}")
    print("| | CPU % | of it user | KB per player |\n| --- | --- | --- | --- |")
    medians = {}
    for kind, rows in found.items():
        cpu, user, kb = (
            statistics.median(row[name] for row in rows) for name in ("cpu_pct", "user_pct", "per_player_kb")
        )
        medians[kind] = cpu
        print(f"| {kind} | {cpu:.1f} | {user:.1f} | {kb:.1f} |")
    print(f"CPU of TLS by plain: {medians['tls'] / medians['plain']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
