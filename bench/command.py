"""The command line of the measurements."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.load import ROOT, BenchError, Row, built_tool, cores
from bench.scenarios import FULL, SCENARIOS, Plan, carry_out, quick, raise_descriptor_limit
from bench.servers import Edge, Nginx, Server, installed_nginx, leave_on_sigterm

_SPARE_DESCRIPTORS = 1000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench/run.py", description="Measure edge and nginx-rtmp in one run.")
    parser.add_argument("--only", default="", help=f"scenarios, comma-separated, of {','.join(SCENARIOS)}")
    parser.add_argument("--quick", action="store_true", help="few players and short windows: shows that it works")
    parser.add_argument(
        "--repeats",
        type=int,
        default=0,
        help="rounds of every chosen scenario instead of its own number",
    )
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--read", type=Path, help="report the results in this file instead of measuring")
    parser.add_argument("--rest", type=Path, help="with --only: the other scenarios as in this file; the page says so")
    parser.add_argument("--write", type=Path, help="write the page here; not with --quick")
    return parser


def chosen_plans(only: str, is_quick: bool, repeats: int) -> list[Plan]:
    """The plans of the scenarios named; raises ``BenchError`` on an unknown name."""
    names = [name for name in only.split(",") if name] or list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise BenchError(f"unknown scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    plans = [quick(plan) if is_quick else plan for plan in FULL if plan.scenario in names]
    return [plan.with_repeats(repeats) if repeats > 0 else plan for plan in plans]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _source_version() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--tags"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def machine(nginx: Nginx | None) -> dict[str, str]:
    """What the figures depend on, by name."""
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    loop = f"uvloop {importlib.metadata.version('uvloop')}" if has_uvloop else "asyncio"
    server_core, load_core = cores()
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "CPU": f"{_cpu_model()}; the servers on core {server_core}, the load on core {load_core}",
        "edge": f"{_source_version()}, Python {platform.python_version()}, {loop}",
        "nginx": nginx.version() if nginx else "not installed",
    }


def measure(plans: Sequence[Plan], is_quick: bool) -> Row:
    """Carry out all plans, the servers of each in turn; returns the results."""
    nginx = installed_nginx()
    if nginx is None:
        _say("nginx with its RTMP module is not installed (make deps): measuring edge alone")
    if cores()[0] == cores()[1]:
        _say("one core only: the load takes from the server, the figures mean little")
    limit = raise_descriptor_limit()
    results: Row = {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "is_quick": is_quick,
        "machine": machine(nginx),
        "runs": [],
    }
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        tool = built_tool(Path(folder))
        for plan in plans:
            servers: list[Server] = [Edge(), nginx] if nginx and plan.has_nginx else [Edge()]
            for repeat in range(plan.repeats):
                for server in servers:
                    if max(plan.steps, default=0) + 2 * plan.streams + _SPARE_DESCRIPTORS > limit:
                        _say(f"{plan.scenario}: left out, {limit} descriptors are too few (ulimit -n)")
                        continue
                    results["runs"].append(_carry_out(plan, server, tool, repeat))
    return results


def with_rest(results: Row, rest: Row) -> Row:
    """``results`` and, of the earlier ``rest``, the scenarios that were not measured again."""
    names = {run["scenario"] for run in results["runs"]}
    kept = [run for run in rest["runs"] if run["scenario"] not in names]
    told = (
        f"{rest['when']}, edge {rest['machine']['edge']}, but {', '.join(sorted(names))} of the date and version above"
    )
    return {
        **results,
        "is_quick": results["is_quick"] or rest["is_quick"],
        "machine": {**results["machine"], "measured": told},
        "runs": [*kept, *results["runs"]],
    }


def _carry_out(plan: Plan, server: Server, tool: Path, repeat: int) -> Row:
    title = " ".join(filter(None, (plan.scenario, plan.variant)))
    _say(f"{title}: {server.name}, {repeat + 1} of {plan.repeats}, about {plan.run_s:.0f} s")
    run = carry_out(plan, server, tool, repeat)
    for row in run["rows"]:
        _say(f"    {_size(row)}, CPU {row['cpu_pct']:.1f} %{', overloaded' if row['is_overloaded'] else ''}")
    if "error" in run:
        _say(f"    failed: {run['error']}")
    return run


def _size(row: Row) -> str:
    """What a window was of, and its figure beside the CPU."""
    if "players" in row:
        return f"{row['players']} players, p99 {row['lat_p99_ms']:.1f} ms"
    if "publishers" in row:
        return f"{row['publishers']} publishers, {row['rss_mb'] - row['idle_rss_mb']:.1f} MB more than idle"
    return f"{row['per_s']:.0f} connects/s, to the end of each {row['ttfk_p50_ms']:.2f} ms"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code, 1 where something could not be measured."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.write and arguments.quick:
        parser.error("--quick measures nothing that a page may state")
    try:
        if arguments.read:
            results = json.loads(arguments.read.read_text())
            if arguments.write and results["is_quick"]:
                parser.error(f"{arguments.read} is of a --quick run, which measures nothing that a page may state")
        else:
            plans = chosen_plans(arguments.only, arguments.quick, arguments.repeats)
            leave_on_sigterm()
            results = measure(plans, arguments.quick)
            if arguments.rest:
                results = with_rest(results, json.loads(arguments.rest.read_text()))
    except (BenchError, OSError) as error:
        _say(f"bench: {error}")
        return 1
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.write:
        old = arguments.write.read_text() if arguments.write.exists() else ""
        arguments.write.write_text(report.with_the_rest(report.page(results), old))
    print(report.tables(results))
    if not results["is_quick"]:
        print(f"## Targets\n\n{report.targets(results)}\n\n{report.claim(results)}")
    return 1 if any("error" in run for run in results["runs"]) else 0
