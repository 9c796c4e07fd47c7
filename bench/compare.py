"""CPU of this checkout beside another one, in alternating runs: see ``python bench/compare.py --help``."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.load import BenchError, built_tool
from bench.scenarios import FULL, Plan, carry_out, raise_descriptor_limit
from bench.servers import Edge

#: Of each scenario the load at which versions are compared.
_STEPS = {"fanout": (1800,), "ingest": (200,), "churn": ()}


class Checkout(Edge):
    """Another checkout, run by this one's Python."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shown(self, flags: Sequence[str]) -> str:
        return shlex.join(["env", "-C", "OTHER", "python", "-m", "edge", "-port=PORT", "-bind=127.0.0.1", *flags])

    def command(self, port: int, flags: Sequence[str], folder: Path) -> list[str]:
        return ["env", "-C", str(self._folder), *super().command(port, flags, folder)]


def chosen_plans(only: Sequence[str], players: int | None = None) -> list[Plan]:
    """One plan of each scenario in ``only``, without nginx; ``players``: how many of ``fanout``."""
    plans = {plan.scenario: plan for plan in reversed(FULL) if plan.scenario in _STEPS}  # the first of each
    steps = {**_STEPS, "fanout": (players,)} if players else _STEPS
    return [dataclasses.replace(plans[name], steps=steps[name], has_nginx=False) for name in only]


def verdict(scenario: str, here: Sequence[float], other: Sequence[float]) -> str:
    """A line with the medians of the CPU in percent and their ratio."""
    ours, theirs = statistics.median(here), statistics.median(other)
    spread = f"{min(here):.1f}-{max(here):.1f} and {min(other):.1f}-{max(other):.1f}"
    return f"{scenario}: here {ours:.1f} %, other {theirs:.1f} % of a core, ratio {ours / theirs:.3f} (runs {spread})"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="bench/compare.py", description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of another version")
    parser.add_argument("--only", default="fanout,ingest", help=f"scenarios, comma-separated, of {','.join(_STEPS)}")
    parser.add_argument("--players", type=int, help="of fanout, in place of 1800")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each version, in turn")
    arguments = parser.parse_args(argv)
    only = arguments.only.split(",")
    if unknown := [name for name in only if name not in _STEPS]:
        parser.error(f"unknown scenario {', '.join(unknown)}")
    raise_descriptor_limit()
    try:
        with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
            tool = built_tool(Path(folder))
            for plan in chosen_plans(only, arguments.players):
                servers = {"here": Edge(), "other": Checkout(arguments.other.resolve())}
                cpu: dict[str, list[float]] = {name: [] for name in servers}
                for number in range(arguments.rounds):
                    for name, server in servers.items():
                        run = carry_out(plan, server, tool, number)
                        if "error" in run:
                            raise BenchError(f"{plan.scenario}, {name}: {run['error']}")
                        cpu[name].append(run["rows"][-1]["cpu_pct"])
                print(verdict(plan.scenario, cpu["here"], cpu["other"]), flush=True)
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
