"""Medians over the repeats of a run's results, and the targets judged by them. Pure: results in, figures out.

Results are what ``bench/run.py --json`` writes: ``when``, ``machine``,
``is_quick`` and ``runs``, each with its ``scenario``, ``variant``, ``server``,
``repeat`` and ``rows``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.scenarios import MANY_FLUSH_MS, QUEUE_LENGTH_S

Results = dict[str, Any]
Row = dict[str, Any]

SERVERS = ("edge", "nginx")
#: What the kernels on both sides hold for a slow reader: its receive buffer (64 KB asked for, doubled by the
#: kernel), and unsent bytes on the server's side up to 500 ms of the stream.
_READER_BUFFER_BYTES = 2 * 65536
_UNSENT_S = 0.5
_SLOW_FACTOR = 10
#: What the others' p99 may differ between a run with slow readers and one without, before it is called a cost.
_SLOW_TOLERANCE_MS = 5.0

#: Above this the generator itself shapes the figures.
LOAD_LIMIT_PCT = 90.0
#: Above this somebody else had the server's core.
OTHER_LIMIT_PCT = 15.0
DELAY_LIMIT_MS = 150.0
FANOUT_CPU_RATIO = 0.5
INGEST_CPU_RATIO = 1.5
MEMORY_LIMIT_KB = 4.0
FIRST_KEYFRAME_LIMIT_MS = 5.0
FEW_PLAYERS, FEW_DELAY_MS = 50, 2.0
FANOUT_SIZES = (1800, 2500)
MANY_PLAYERS = 10_000
BITRATE_INTERVAL_LIMIT_MS = 100


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of all repeats of one step.

    Attributes:
        step: position among the steps of its plan, from 0.
        kbps: of the stream.
    """

    scenario: str
    variant: str
    server: str
    step: int
    kbps: float
    rows: tuple[Row, ...]

    def median(self, field: str) -> float:
        """Over the repeats; NaN where nobody measured it."""
        values = [row[field] for row in self.rows if row.get(field, -1) >= 0]  # the generator writes -1 for none
        return float(statistics.median(values)) if values else float("nan")

    def worst(self, field: str) -> float:
        return float(max(row.get(field, 0) for row in self.rows))

    @property
    def cpu_ms_per_connect(self) -> float:
        """CPU by connects that came to their first keyframe; NaN where none did."""
        values = [row["cpu_s"] * 1000 / row["done"] for row in self.rows if row.get("done")]
        return statistics.median(values) if values else float("nan")

    @property
    def players(self) -> int:
        return int(self.rows[0].get("players", 0))

    @property
    def is_overloaded(self) -> bool:
        return any(row.get("is_overloaded") for row in self.rows)

    @property
    def is_whole(self) -> bool:
        """Whether every player lived, and the parsed ones missed nothing, saw nothing twice and nothing broken."""
        faults = ("gaps_total", "dups_total", "corrupt_total", "failed", "closed")
        return all(row["alive"] == row["normal"] and not any(row.get(fault) for fault in faults) for row in self.rows)


def groups(results: Results, scenario: str) -> list[Group]:
    """The groups of a scenario, in the order of its plans and steps, the servers side by side."""
    found: dict[tuple[str, int, str], list[Row]] = {}
    variants: list[str] = []
    kbps: dict[str, float] = {}
    for run in results["runs"]:
        if run["scenario"] != scenario:
            continue
        if run["variant"] not in variants:
            variants.append(run["variant"])
        kbps[run["variant"]] = run["kbps"]
        for step, row in enumerate(run["rows"]):
            found.setdefault((run["variant"], step, run["server"]), []).append(row)
    order = sorted(found, key=lambda key: (variants.index(key[0]), key[1], SERVERS.index(key[2])))
    return [
        Group(scenario, variant, server, step, kbps[variant], tuple(found[variant, step, server]))
        for variant, step, server in order
    ]


def pick(found: list[Group], server: str, players: int | None = None, variant: str = "") -> Group | None:
    """The last group that fits: of a plan with the same step twice, the later one."""
    fitting = [
        group
        for group in found
        if group.server == server and group.variant == variant and players in (None, group.players)
    ]
    return fitting[-1] if fitting else None


def cpu_ratio(found: list[Group], ours: Group) -> float | None:
    """Our CPU by nginx's of the same step; ``None`` where it was not measured or could not keep up."""
    for group in found:
        if (group.server, group.variant, group.step) == ("nginx", ours.variant, ours.step):
            if group.is_overloaded or not group.median("cpu_pct"):
                return None
            return ours.median("cpu_pct") / group.median("cpu_pct")
    return None


def memory_per_player_kb(found: list[Group], server: str) -> tuple[float, float] | None:
    """``(rss, kernel)`` KB that a player more costs, by the last and the first step; ``None`` with fewer than two."""
    steps = [group for group in found if group.server == server]
    if len(steps) < 2 or steps[-1].players <= steps[0].players:
        return None
    players = steps[-1].players - steps[0].players
    rss_mb, socket_mb = (steps[-1].median(field) - steps[0].median(field) for field in ("rss_mb", "socket_mb"))
    return rss_mb * 1000 / players, max(socket_mb, 0.0) * 1000 / players


def slow_bound_s(kbps: float) -> float:
    """How far behind a slow reader may be: what our server keeps for it, then what the kernels keep, at its rate."""
    stream_bytes_per_s = kbps * 125
    kernel_bytes = _READER_BUFFER_BYTES + max(stream_bytes_per_s * _UNSENT_S, 65536)
    return QUEUE_LENGTH_S + kernel_bytes / (stream_bytes_per_s / _SLOW_FACTOR)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, what was measured, and whether that meets it; ``None`` = not measured."""

    target: str
    measured: str
    is_met: bool | None


def _not_measured(target: str) -> Verdict:
    return Verdict(target, "not measured", None)


def _fanout(results: Results) -> list[Verdict]:
    found = groups(results, "fanout")
    verdicts = []
    for players in FANOUT_SIZES:
        target = (
            f"{players} players: CPU at most {FANOUT_CPU_RATIO:g} of nginx's, "
            f"delay p99 at most {DELAY_LIMIT_MS:g} ms, no gap"
        )
        ours = pick(found, "edge", players)
        if ours is None:
            verdicts.append(_not_measured(target))
            continue
        ratio, delay_ms = cpu_ratio(found, ours), ours.median("lat_p99_ms")
        fits = ours.is_whole and not ours.is_overloaded and delay_ms <= DELAY_LIMIT_MS
        shown = "CPU ratio not measured" if ratio is None else f"CPU {ratio:.2f} of nginx's"
        measured = f"{shown}, p99 {delay_ms:.0f} ms, {ours.worst('gaps_total'):.0f} gaps"
        is_met = None if ratio is None and fits else bool(fits and ratio is not None and ratio <= FANOUT_CPU_RATIO)
        verdicts.append(Verdict(target, measured, is_met))
    target = f"{FEW_PLAYERS} players: delay p50 at most {FEW_DELAY_MS:g} ms"
    few = pick(found, "edge", FEW_PLAYERS)
    if few is None:
        return [*verdicts, _not_measured(target)]
    delay_ms = few.median("lat_p50_ms")
    return [*verdicts, Verdict(target, f"p50 {delay_ms:.1f} ms", delay_ms <= FEW_DELAY_MS)]


def _many(results: Results) -> Verdict:
    target = f"{MANY_PLAYERS} players on one core with `-flush_interval_ms={MANY_FLUSH_MS}`: no gap"
    ours = pick(groups(results, "many"), "edge", MANY_PLAYERS)
    if ours is None:
        return _not_measured(target)
    measured = (
        f"{ours.worst('gaps_total'):.0f} gaps, {ours.median('alive'):.0f} alive, CPU {ours.median('cpu_pct'):.0f} %, "
        f"p99 {ours.median('lat_p99_ms'):.0f} ms"
    )
    return Verdict(target, measured, ours.is_whole and not ours.is_overloaded)


def _bitrate(results: Results) -> Verdict:
    target = f"1000 players of 6 Mbit/s: the automatic interval stays under {BITRATE_INTERVAL_LIMIT_MS} ms"
    ours = pick(groups(results, "bitrate6m"), "edge", 1000)
    if ours is None or not any("flush_interval_ms" in row for row in ours.rows):
        return _not_measured(target)
    interval_ms = ours.worst("flush_interval_ms")
    measured = f"{interval_ms:.0f} ms, p99 {ours.median('lat_p99_ms'):.0f} ms"
    return Verdict(target, measured, interval_ms < BITRATE_INTERVAL_LIMIT_MS and not ours.is_overloaded)


def _memory(results: Results) -> Verdict:
    target = f"memory at most {MEMORY_LIMIT_KB:g} KB per player"
    memory = memory_per_player_kb(groups(results, "memory"), "edge")
    if memory is None:
        return _not_measured(target)
    return Verdict(
        target, f"{memory[0]:.1f} KB, and {memory[1]:.1f} KB of kernel socket memory", memory[0] <= MEMORY_LIMIT_KB
    )


def _churn(results: Results) -> Verdict:
    target = f"first keyframe p50 at most {FIRST_KEYFRAME_LIMIT_MS:g} ms at 100 connects per second"
    ours = pick(groups(results, "churn"), "edge")
    if ours is None or ours.median("per_s") < 90:
        return _not_measured(target)
    first_ms = ours.median("ttfk_p50_ms")
    measured = f"p50 {first_ms:.1f} ms, p99 {ours.median('ttfk_p99_ms'):.1f} ms, {ours.worst('failed'):.0f} failed"
    return Verdict(target, measured, first_ms <= FIRST_KEYFRAME_LIMIT_MS and not ours.worst("failed"))


def _ingest(results: Results) -> Verdict:
    target = f"200 publishers with a player each: CPU at most {INGEST_CPU_RATIO:g} of nginx's"
    found = groups(results, "ingest")
    ours = pick(found, "edge", 200)
    ratio = None if ours is None else cpu_ratio(found, ours)
    if ours is None or ratio is None:
        return _not_measured(target)
    measured = f"CPU {ratio:.2f} of nginx's, p99 {ours.median('lat_p99_ms'):.0f} ms"
    return Verdict(target, measured, ratio <= INGEST_CPU_RATIO and ours.is_whole)


def _slow(results: Results) -> list[Verdict]:
    targets = ("slow readers cost the others nothing", "slow readers resume on keyframes only")
    found = groups(results, "slow")
    prompt = pick(found, "edge", variant="all prompt")
    slow = pick(found, "edge", variant="1 in 10 slow")
    if prompt is None or slow is None:
        return [_not_measured(target) for target in (*targets, "slow readers are behind by a bounded time")]
    before_ms, after_ms = prompt.median("lat_p99_ms"), slow.median("lat_p99_ms")
    bound_s, behind_s = slow_bound_s(slow.kbps), slow.worst("slow_lat_max_ms") / 1000
    alive = f"{slow.median('slow_alive'):.0f} of {slow.median('slow'):.0f} alive"
    return [
        Verdict(
            targets[0],
            f"the others' p99 {before_ms:.1f} ms without them, {after_ms:.1f} ms with them, "
            f"{slow.worst('gaps_total'):.0f} gaps",
            after_ms <= before_ms + _SLOW_TOLERANCE_MS and not slow.worst("gaps_total"),
        ),
        Verdict(
            targets[1],
            f"{slow.worst('slow_bad_resume'):.0f} other resumptions, {slow.worst('slow_gaps'):.0f} messages dropped, "
            f"{alive}",
            # Where nothing was dropped nobody resumed.
            not slow.worst("slow_bad_resume") and not slow.worst("slow_corrupt") if slow.worst("slow_gaps") else None,
        ),
        Verdict(
            f"slow readers are at most {bound_s:.0f} s behind: `-queue_length_s` ({QUEUE_LENGTH_S} here) and what the "
            "kernels hold for them",
            f"{behind_s:.1f} s",
            behind_s <= bound_s,
        ),
    ]


def verdicts(results: Results) -> list[Verdict]:
    """Every target, whether measured or not."""
    single: tuple[Callable[[Results], Verdict], ...] = (_many, _bitrate, _memory, _churn, _ingest)
    return [*_fanout(results), *(judge(results) for judge in single), *_slow(results)]
