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

from bench.scenarios import MANY_FLUSH_MS, QUEUE_LENGTH_S, TO_KEYFRAME, TO_START, publishers

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
#: Added delay at which to be cheaper is worth a claim.
CLAIM_DELAY_MS = 150.0


@dataclass(frozen=True, slots=True)
class PlayingGoal:
    """At most so much of nginx's CPU, at no more than so much delay (p99) in the same windows.

    Attributes:
        players: those of the step.
        variant: of the plan.
    """

    title: str
    scenario: str
    players: int
    cpu_ratio: float
    delay_ms: float
    variant: str = ""


PLAYING_GOALS = (
    *(PlayingGoal(f"{count} players", "fanout", count, 0.25, 120.0) for count in (1800, 2500)),
    *(PlayingGoal(f"{count} players", "fanout", count, 1.0, 20.0) for count in (300, 50)),
    *(
        PlayingGoal(f"{count} publishers with a player each", "ingest", count, 1.0, 80.0, publishers(count))
        for count in (200, 500)
    ),
)
CONNECT_CPU_RATIO = 1.0
CONNECTS_PER_CPU_S = 6000.0
FIRST_KEYFRAME_LIMIT_MS = 0.7
UNPLAYED_LIMIT_MB = 25.0
IDLE_LIMIT_MB = 40.0
MEMORY_LIMIT_KB = 4.0
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
        """CPU by connects that came to their end; NaN where none did."""
        values = [row["cpu_s"] * 1000 / row["done"] for row in self.rows if row.get("done")]
        return statistics.median(values) if values else float("nan")

    @property
    def connects_per_cpu_s(self) -> float:
        """How many a core can do; NaN where none was done."""
        return 1000 / self.cpu_ms_per_connect if self.cpu_ms_per_connect else float("nan")

    @property
    def growth_mb(self) -> float:
        """RSS beyond that of the idle server, of each run by itself."""
        return float(statistics.median(row["rss_mb"] - row["idle_rss_mb"] for row in self.rows))

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
            found.setdefault((run["variant"], step, run["server"]), []).append({**row, "round": run["repeat"]})
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


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours by nginx's, each round by itself: the median, and the range."""

    median: float
    least: float
    most: float


def _pairs(found: list[Group], ours: Group, value: Callable[[Row], float]) -> Ratio | None:
    theirs = next(
        (group for group in found if (group.server, group.variant, group.step) == ("nginx", ours.variant, ours.step)),
        None,
    )
    if theirs is None or theirs.is_overloaded:
        return None
    by_round = {row["round"]: value(row) for row in theirs.rows}
    ratios = [
        value(row) / by_round[row["round"]]
        for row in ours.rows
        if by_round.get(row["round"], 0.0) > 0  # NaN is not
    ]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios)) if ratios else None


def cpu_ratio(found: list[Group], ours: Group) -> Ratio | None:
    """Our CPU by nginx's of the same step and round; ``None`` where it was not measured or could not keep up."""
    return _pairs(found, ours, lambda row: float(row["cpu_pct"]))


def connect_ratio(found: list[Group], ours: Group) -> Ratio | None:
    """As ``cpu_ratio``, of the CPU for each connect that came to its end."""
    return _pairs(found, ours, lambda row: row["cpu_s"] / row["done"] if row.get("done") else float("nan"))


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


def _playing(results: Results, goal: PlayingGoal) -> Verdict:
    target = f"{goal.title}: CPU at most {goal.cpu_ratio:g} of nginx's, delay p99 at most {goal.delay_ms:g} ms, no gap"
    found = groups(results, goal.scenario)
    ours = pick(found, "edge", goal.players, goal.variant)
    if ours is None:
        return _not_measured(target)
    ratio, delay_ms = cpu_ratio(found, ours), ours.median("lat_p99_ms")
    fits = ours.is_whole and not ours.is_overloaded and delay_ms <= goal.delay_ms
    shown = "CPU ratio not measured" if ratio is None else f"CPU {ratio.median:.2f} of nginx's"
    measured = f"{shown}, p99 {delay_ms:.0f} ms, {ours.worst('gaps_total'):.0f} gaps"
    is_met = None if ratio is None and fits else bool(fits and ratio is not None and ratio.median <= goal.cpu_ratio)
    return Verdict(target, measured, is_met)


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


def _first_keyframe(results: Results) -> Verdict:
    target = f"first keyframe p50 at most {FIRST_KEYFRAME_LIMIT_MS:g} ms at 100 connects per second"
    ours = pick(groups(results, "churn"), "edge", variant=TO_KEYFRAME)
    if ours is None or ours.median("per_s") < 90:
        return _not_measured(target)
    first_ms = ours.median("ttfk_p50_ms")
    measured = f"p50 {first_ms:.2f} ms, p99 {ours.median('ttfk_p99_ms'):.1f} ms, {ours.worst('failed'):.0f} failed"
    return Verdict(target, measured, first_ms <= FIRST_KEYFRAME_LIMIT_MS and not ours.worst("failed"))


def _connect(results: Results) -> Verdict:
    target = f"connect to first keyframe: CPU at most {CONNECT_CPU_RATIO:g} of nginx's"
    found = groups(results, "churn")
    ours = pick(found, "edge", variant=TO_KEYFRAME)
    ratio = None if ours is None else connect_ratio(found, ours)
    if ours is None or ratio is None:
        return _not_measured(target)
    measured = f"CPU {ratio.median:.2f} of nginx's, {ours.cpu_ms_per_connect:.2f} ms each"
    return Verdict(target, measured, ratio.median <= CONNECT_CPU_RATIO and not ours.worst("failed"))


def _connects(results: Results) -> Verdict:
    target = f"at least {CONNECTS_PER_CPU_S:g} connects to Play.Start for a second of CPU"
    found = groups(results, "churn")
    ours, theirs = (pick(found, server, variant=TO_START) for server in SERVERS)
    if ours is None or not ours.connects_per_cpu_s > 0:
        return _not_measured(target)
    beside = f", nginx {theirs.connects_per_cpu_s:.0f}" if theirs is not None else ""
    measured = f"{ours.connects_per_cpu_s:.0f}{beside}, {ours.worst('failed'):.0f} failed"
    return Verdict(target, measured, ours.connects_per_cpu_s >= CONNECTS_PER_CPU_S and not ours.worst("failed"))


def _unplayed(results: Results) -> list[Verdict]:
    targets = (
        f"100 publishers that nobody plays: at most {UNPLAYED_LIMIT_MB:g} MB more than idle",
        f"idle: at most {IDLE_LIMIT_MB:g} MB of RSS",
    )
    found = groups(results, "unplayed")
    ours, theirs = (pick(found, server) for server in SERVERS)
    if ours is None:
        return [_not_measured(target) for target in targets]
    idle_mb = ours.median("idle_rss_mb")
    beside = ("", "")
    if theirs is not None:
        beside = (f", nginx {theirs.growth_mb:.1f} MB", f", nginx {theirs.median('idle_rss_mb'):.1f} MB")
    is_of_all = ours.rows[0]["publishers"] == 100
    return [
        Verdict(
            targets[0],
            f"{ours.growth_mb:.1f} MB{beside[0]}",
            ours.growth_mb <= UNPLAYED_LIMIT_MB if is_of_all else None,
        ),
        Verdict(targets[1], f"{idle_mb:.1f} MB{beside[1]}", idle_mb <= IDLE_LIMIT_MB),
    ]


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
    single: tuple[Callable[[Results], Verdict], ...]
    single = (_connect, _connects, _first_keyframe, _many, _bitrate, _memory)
    return [
        *(_playing(results, goal) for goal in PLAYING_GOALS),
        *(judge(results) for judge in single),
        *_unplayed(results),
        *_slow(results),
    ]
