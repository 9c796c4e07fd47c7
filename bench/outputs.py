"""RTMP, HTTP-FLV, FLV in WebSocket and HTTP-TS beside each other: ``python bench/outputs.py --help``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.command import machine
from bench.figures import OTHER_LIMIT_PCT, Group, Results, groups, memory_per_player_kb
from bench.load import BenchError, Row, built_tool
from bench.report import OUTPUTS_TITLE, cpu, faults, number, table, with_section
from bench.scenarios import Plan, carry_out, quick, raise_descriptor_limit
from bench.servers import Edge, leave_on_sigterm

FORMS = {"rtmp": "RTMP", "flv": "HTTP-FLV", "ws": "FLV in WebSocket", "ts": "HTTP-TS"}
#: CPU by that of RTMP, of the same run.
CPU_RATIO_GOALS = {"flv": 1.05, "ws": 1.10}
MEMORY_GOAL_KB = 4.0
FLUSH_MS = 50
FEW_PLAYERS = 10
#: By the name of the plan's variant; what is played at the third node went through two hops.
DELAYS: dict[str, tuple[tuple[str, ...], int]] = {
    "first node": ((), 0),
    "first node, -flush_interval_ms=0": (("-flush_interval_ms=0",), 0),
    "third node": ((), 2),
    "third node, -flush_interval_ms=0": (("-flush_interval_ms=0",), 2),
}


def cost_plans() -> list[Plan]:
    """One of each form; the first step is there for the memory that players add to."""
    flags = (f"-flush_interval_ms={FLUSH_MS}",)
    plan = Plan("cost", (100, 1000), ramp=500, settle_s=3, window_s=8, repeats=4, edge_flags=flags)
    return [dataclasses.replace(plan, form=form, variant=form, has_nginx=False) for form in FORMS]


def delay_plans() -> list[Plan]:
    """Few players, each parsing all it gets."""
    return [
        Plan(
            "delay",
            (FEW_PLAYERS,),
            settle_s=2,
            repeats=2,
            edge_flags=flags,
            has_nginx=False,
            variant=f"{form} {name}",
            form=form,
            sample=1,
            edge_count=edge_count,
        )
        for name, (flags, edge_count) in DELAYS.items()
        for form in FORMS
    ]


def measure(plans: Sequence[Sequence[Plan]]) -> Results:
    """Carry out each list of plans, which have as many repeats, in turn; each round begins with another of them."""
    raise_descriptor_limit()
    leave_on_sigterm()
    results: Results = {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": machine(None),
        "runs": [],
    }
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        tool = built_tool(Path(folder))
        for group in plans:
            for number_of_round in range(group[0].repeats):
                first = number_of_round % len(group)
                for plan in (*group[first:], *group[:first]):
                    results["runs"].append(_carry_out(plan, tool, number_of_round))
    # In the order of the plans, whatever came first.
    order = [(plan.scenario, plan.variant) for group in plans for plan in group]
    results["runs"].sort(key=lambda run: order.index((run["scenario"], run["variant"])))
    return results


def _carry_out(plan: Plan, tool: Path, repeat: int) -> Row:
    print(f"{plan.scenario}: {plan.variant}, {repeat + 1} of {plan.repeats}", file=sys.stderr, flush=True)
    run = carry_out(plan, Edge(), tool, repeat)
    if "error" in run:
        raise BenchError(f"{plan.scenario}, {plan.variant}: {run['error']}")
    for row in run["rows"]:
        print(
            f"    {row['players']} players, CPU {row['cpu_pct']:.1f} %, p50 {row['lat_p50_ms']:.1f} ms, "
            f"p99 {row['lat_p99_ms']:.1f} ms, something else {row['other_pct']:.0f} %",
            file=sys.stderr,
            flush=True,
        )
    return run


def _delay(group: Group) -> str:
    return " / ".join(number(group.median(f"lat_{name}_ms")) for name in ("p50", "p99"))


def quietest(group: Group) -> Group:
    """The run during which others had least of the server's core: they delay more than the server does."""
    return dataclasses.replace(group, rows=(min(group.rows, key=lambda row: float(row["other_pct"])),))


def cost_ratio(found: Sequence[Group], form: str) -> float:
    """CPU of a form by that of RTMP, the median of the rounds, each with its own; NaN without."""
    ours, rtmp = (
        next((group for group in found if group.variant == name and group.step), None) for name in (form, "rtmp")
    )
    if ours is None or rtmp is None:
        return float("nan")
    pairs = zip(ours.rows, rtmp.rows, strict=False)
    return Group("", "", "", 0, 0, tuple({"ratio": a["cpu_pct"] / b["cpu_pct"]} for a, b in pairs)).median("ratio")


def _goal(value: float, goal: float | None, digits: int) -> str:
    return number(value, digits) if goal is None else f"{number(value, digits)} (goal {goal:.{digits}f})"


def cost_table(results: Results) -> list[str]:
    """What a thousand players cost by form."""
    found = groups(results, "cost")
    rows = []
    for form, name in FORMS.items():
        steps = [group for group in found if group.variant == form]
        if not steps:
            continue
        memory = memory_per_player_kb(steps, "edge") or (float("nan"), float("nan"))
        last = steps[-1]
        rows.append(
            [
                name,
                number(last.median("mbps"), 0),
                cpu(last),
                _goal(cost_ratio(found, form), CPU_RATIO_GOALS.get(form), 2),
                _delay(last),
                faults(last),
                _goal(memory[0], MEMORY_GOAL_KB, 1),
                number(memory[1]),
                number(last.median("own_cpu_pct"), 0),
                number(last.median("other_pct"), 0),
            ]
        )
    head = ["form", "Mbit/s", "CPU %", "CPU by RTMP's", "delay p50 / p99 ms", "faults", "KB RSS per player"]
    return table([*head, "KB kernel socket memory per player", "load %", "other %"], rows)


def delay_table(results: Results) -> list[str]:
    """Delay by form, one column for each place and flag."""
    found = {group.variant: quietest(group) for group in groups(results, "delay")}
    names = [name for name in DELAYS if any(variant.endswith(f" {name}") for variant in found)]
    rows = [
        [title, *(_delay(found[f"{form} {name}"]) for name in names)]
        for form, title in FORMS.items()
        if f"{form} {names[0]}" in found
    ]
    return table(["form", *(name.replace("-flush_interval_ms=0", "`-flush_interval_ms=0`") for name in names)], rows)


def _doubts(found: Sequence[Group]) -> list[str]:
    """Said where somebody else had much of the servers' core."""
    busiest_pct = max(group.median("other_pct") for group in found)
    if busiest_pct <= OTHER_LIMIT_PCT:
        return []
    return [f"Doubtful, since something else ran on the servers' core, up to {busiest_pct:.0f} % of it.", ""]


def section(results: Results) -> str:
    """The section of ``docs/performance.md``."""
    lines = [
        f"## {OUTPUTS_TITLE}",
        "",
        "Written by `python bench/outputs.py --write docs/performance.md`: what the forms of a stream cost beside each",
        "other, measured in turn; one 500 kbit/s stream.",
        "",
        *(f"- {name}: {value}" for name, value in results["machine"].items() if name != "nginx"),
        f"- date: {results['when']}",
        "",
    ]
    scenarios = {run["scenario"] for run in results["runs"]}
    if "cost" in scenarios:
        lines += [
            f"1000 players, flushed each {FLUSH_MS} ms (`-flush_interval_ms={FLUSH_MS}`), so that CPU can be compared.",
            "Medians of all runs; CPU is compared with that of the same round. Memory: what the last 900 of them add.",
            "",
            *cost_table(results),
            "",
            *_doubts(groups(results, "cost")),
        ]
    if "delay" in scenarios:
        lines += [
            f"Delay p50 / p99 in ms from the publisher's send to the parse of each of {FEW_PLAYERS} players, by the",
            "node that they play from: the second pulls from the first, the third from the second, all on one core. Of",
            "several runs the one during which something else had least of that core.",
            "",
            *delay_table(results),
            "",
            *_doubts([quietest(group) for group in groups(results, "delay")]),
        ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="bench/outputs.py", description=__doc__)
    parser.add_argument("--only", choices=("cost", "delay"), help="half of it")
    parser.add_argument("--rounds", type=int, default=0, help="runs of each, in turn, instead of their own number")
    parser.add_argument("--quick", action="store_true", help="few players and short windows: shows that it works")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--read", type=Path, help="report the results in this file instead of measuring")
    parser.add_argument("--write", type=Path, help="put the section into this page; not with --quick")
    arguments = parser.parse_args(argv)
    if arguments.write and arguments.quick:
        parser.error("--quick measures nothing that a page may state")
    plans = {"cost": cost_plans(), "delay": delay_plans()}
    chosen = [group for name, group in plans.items() if arguments.only in (None, name)]
    if arguments.quick:
        chosen = [[quick(plan) for plan in group] for group in chosen]
    if arguments.rounds > 0:
        chosen = [[plan.with_repeats(arguments.rounds) for plan in group] for group in chosen]
    try:
        results = json.loads(arguments.read.read_text()) if arguments.read else measure(chosen)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1) + "\n")
        if arguments.write:
            page = with_section(arguments.write.read_text(), OUTPUTS_TITLE, section(results))
            arguments.write.write_text(page)
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(section(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
