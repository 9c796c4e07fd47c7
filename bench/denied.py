"""What an address that has guessed too often costs: ``python bench/denied.py``. Linux only.

So many connections a second come from 127.0.0.1 after it has run out of ``-auth_failures_per_min``, each with the
first bytes of RTMP or a request for HTTP-FLV, first with all of them told why (``-auth_told_per_s=0``), then with the
default. Beside it a player from 127.0.0.2 takes a stream. Prints CPU of the server for each, and what the player got.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.load import ROOT, BenchError, Load, Meter, Program, Row, built_tool, cores
from bench.servers import Edge, Running

#: 20 % of a core at 10,000 a second.
GOAL_US = 20.0
FLOODER, WITNESS = "127.0.0.1", "127.0.0.2"
_KEY = "0123456789abcdef0123456789abcdef"
_TICK_S = 0.01
_KBPS = 500
_FIRST = {
    "rtmp": b"\x03" + bytes(1536),
    "http": b"GET /live/s0.flv HTTP/1.1\r\nHost: x\r\n\r\n",
}
_WRONG = b"GET /live/guarded.flv?exp=1893456000&sig=x HTTP/1.1\r\nHost: guarded.example\r\nConnection: close\r\n\r\n"


def flood(port: int, rate: float, seconds: float, kind: str) -> Row:
    """Come so often, say the first words, and leave; how many attempts that were, and how many got through."""
    came = through = 0
    began_s = time.monotonic()
    while (now_s := time.monotonic()) < began_s + seconds:
        for _ in range(int((now_s - began_s) * rate) - came):
            came += 1
            with socket.socket() as peer:
                peer.setblocking(False)
                try:
                    peer.connect_ex(("127.0.0.1", port))
                    peer.send(_FIRST[kind])
                    through += 1
                except OSError:
                    pass
        time.sleep(_TICK_S)
    return {"came": came, "through": through, "seconds": time.monotonic() - began_s}


def play(port: int, seconds: float) -> Row:
    """Take the stream by HTTP-FLV from another address; how many bytes that were, and the longest wait for some."""
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(WITNESS, 0)) as peer:
        peer.sendall(_FIRST["http"])
        peer.recv(65536)
        size, longest_s, last_s, end_s = 0, 0.0, time.monotonic(), time.monotonic() + seconds
        while last_s < end_s:
            size += len(peer.recv(65536))
            now_s = time.monotonic()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s
    return {"bytes": size, "played_s": seconds, "longest_ms": longest_s * 1000}


def shut_out(port: int) -> None:
    """Guess until nothing is looked at any more."""
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
            peer.sendall(_WRONG)
            if b" 429 " in peer.recv(1024):
                return
    raise BenchError("nobody is shut out")


def measure(told_per_s: int, kind: str, tool: Path, arguments: argparse.Namespace) -> Row:
    """One server through one flood."""
    server_core, load_core = cores()
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as name:
        folder = Path(name)
        (folder / "keys").write_text(f"{_KEY}\n")
        (folder / "keys").chmod(0o600)
        gate = f"play_auth sign; sign_keys_file {folder}/keys;"
        vhosts = f"vhost __defaultVhost__ {{ }}\nvhost guarded.example {{ {gate} }}\n"
        (folder / "edge.conf").write_text(vhosts)
        flags = [f"-vhost_config={folder}/edge.conf", f"-auth_told_per_s={told_per_s}"]
        with Running(Edge(), flags, server_core) as running:
            common = ["--port", str(running.port), "--streams", "1", "--kbps", str(_KBPS)]
            publisher = Load(tool, load_core, ["publish", *common], 120)
            programs = list[Program]()
            try:
                publisher.wait_for("publishing")
                shut_out(running.port)
                for word in ("play", f"flood-{kind}"):
                    command = [sys.executable, "-m", "bench.denied", "--as", word, "--port", str(running.port)]
                    command += [f"--rate={arguments.rate}", f"--window={arguments.window}"]
                    programs.append(Program(command, load_core, is_read=True, environment={"PYTHONPATH": str(ROOT)}))
                meter = Meter(running.program.session, server_core)
                meter.start()
                told: Row = {}
                for program in programs:
                    said = "".join(line.decode() for line in program.lines())
                    told |= json.loads(said or "{}")
                row = {**told, **meter.stop()}
            finally:
                for program in programs:
                    program.stop()
                publisher.stop()
    if "came" not in row or "bytes" not in row:
        raise BenchError("the flood or the player has failed")
    return row


def line(name: str, row: Row) -> str:
    """What was measured; where a server is too slow the kernel refuses some, which cost it nothing."""
    cpu_us = row["cpu_s"] * 1e6
    return (
        f"{name}: {row['came'] / row['seconds']:.0f} connections a second take {row['cpu_pct']:.0f} % of a core, "
        f"{cpu_us / row['came']:.1f} us each; {row['through']} of {row['came']} got through; "
        f"the player beside got {row['bytes'] * 8 / row['played_s'] / 1000:.0f} kbit/s, "
        f"longest wait {row['longest_ms']:.0f} ms"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for each kind of flood, and each setting; the exit code says whether the goal is met."""
    parser = argparse.ArgumentParser(prog="bench/denied.py", description="Measure floods of who is shut out.")
    parser.add_argument("--rate", type=float, default=10_000.0, help="connections a second")
    parser.add_argument("--window", type=float, default=8.0, help="seconds of each measurement")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--as", dest="word", default="", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.word:
        kind = arguments.word.removeprefix("flood-")
        is_player = arguments.word == "play"
        seconds = arguments.window
        row = play(arguments.port, seconds) if is_player else flood(arguments.port, arguments.rate, seconds, kind)
        print(json.dumps(row), flush=True)
        return 0
    is_met = True
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        tool = built_tool(Path(folder))
        for kind in ("rtmp", "http"):
            costs = dict[int, list[float]]()
            for _ in range(arguments.repeats):
                for told_per_s in (0, 20):
                    row = measure(told_per_s, kind, tool, arguments)
                    print(line(f"{kind}, {told_per_s or 'all'} told", row), flush=True)
                    costs.setdefault(told_per_s, []).append(row["cpu_s"] / row["came"] * 1e6)
            before, after = (statistics.median(costs[key]) for key in (0, 20))
            is_met = is_met and after <= GOAL_US
            print(f"{kind}: {before:.1f} us before, {after:.1f} us now: {after / before:.0%}", flush=True)
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
