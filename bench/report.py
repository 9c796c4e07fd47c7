"""Results as tables and as the page ``docs/performance.md``. Pure: results in, Markdown out."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence

from bench.figures import (
    CLAIM_DELAY_MS,
    LOAD_LIMIT_PCT,
    OTHER_LIMIT_PCT,
    Group,
    Ratio,
    Results,
    connect_ratio,
    cpu_ratio,
    groups,
    memory_per_player_kb,
    verdicts,
)
from bench.servers import NGINX_CONFIGURATION

#: The section that bench/outputs.py writes.
OUTPUTS_TITLE = "Outputs"
HLS_TITLE = "HLS"
TITLES = {
    "fanout": "Fan-out: one 500 kbit/s stream",
    "many": "Many players: one 500 kbit/s stream, a fixed flush interval",
    "bitrate6m": "A 6 Mbit/s stream",
    "churn": "Connects: connect, first keyframe or Play.Start, close",
    "ingest": "Publishers with one player each",
    "unplayed": "Publishers that nobody plays, and the idle server",
    "slow": "Slow readers: a tenth of a 4 Mbit/s stream's rate",
    "memory": "Memory",
}
#: Sections of the page that are made anew; others write the rest, or it is written by hand.
_WRITTEN_TITLES = ("Targets", "How to read the tables", "Command lines", *TITLES.values())

_HOW_TO_READ = """\
- *CPU*: user and system time of the server in percent of one core, median of the repeats with the range in brackets.
  On the loopback it holds the kernel's receiving work too, the same for both servers.
- *CPU ratio*: ours by nginx's of the same step and round, median of the rounds with the range in brackets. Ratios
  count; the absolute figures hold for this machine only.
- *delay*: from the publisher's send to the player's parse, every message of one player in 20, in the very windows that
  the CPU is of; medians of the repeats, of p99 the range too. The same players count gaps, duplicates and broken
  messages, together *faults* (of the worst repeat, from its start).
- *interval*: the flush interval at the end of the window; 0 = every message at once.
- *sockets*: peak of the kernel's TCP buffers over the window, of the whole machine, both ends of each connection; it is
  not in the RSS.
- *connects per s of CPU*: what a whole core would do: connects that came to their end by the server's CPU time.
- *growth*: RSS at the end of the window beyond that of the idle server, of the same run.
- *first keyframe*, *time to it*: from `connect()`. nginx's module caches no group of pictures: a player waits for the
  next keyframe, one each 2 s.
- *load*: CPU of the load generator, on a core of its own; a row near 100 % says more about it than about the server.
  *other*: what else ran on the server's core."""


def number(value: float | None, digits: int = 1) -> str:
    """A dash for what was not measured."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def spread(group: Group, field: str, digits: int = 1) -> str:
    """The median, and the range of several runs."""
    values = [row[field] for row in group.rows if row.get(field, -1) >= 0]
    middle = number(group.median(field), digits)
    return middle if len(values) < 2 else f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def cpu(group: Group) -> str:
    """In percent."""
    return spread(group, "cpu_pct")


def _delay(group: Group) -> str:
    """Of the windows that the CPU is of."""
    p50, longest = (number(group.median(f"lat_{name}_ms")) for name in ("p50", "max"))
    return f"{p50} / {spread(group, 'lat_p99_ms')} / {longest}"


def faults(group: Group) -> str:
    """Gaps, duplicates and broken messages of the worst run."""
    count = sum(group.worst(field) for field in ("gaps_total", "dups_total", "corrupt_total"))
    return f"{count:.0f}{', overloaded' if group.is_overloaded else ''}"


def _ratio(found: list[Group], group: Group, ratio_of: Callable[[list[Group], Group], Ratio | None] = cpu_ratio) -> str:
    if group.server != "edge":
        return ""
    ratio = ratio_of(found, group)
    if ratio is None:
        return number(None)
    is_one = len(group.rows) < 2
    return f"{ratio.median:.2f}" if is_one else f"{ratio.median:.2f} ({ratio.least:.2f}–{ratio.most:.2f})"


def _playing(found: list[Group]) -> list[str]:
    """Connections, Mbit/s, CPU and memory, each CPU figure beside its delay."""
    head = ["players", "server", "Mbit/s", "CPU %", "CPU ratio", "delay p50 / p99 / max ms", "faults", "interval ms"]
    head += ["RSS MB", "sockets MB", "first keyframe p50 ms", "load %", "other %"]
    rows = [
        [
            str(group.players),
            group.server,
            number(group.median("mbps"), 0),
            cpu(group),
            _ratio(found, group),
            _delay(group),
            faults(group),
            number(group.median("flush_interval_ms"), 0),
            *(number(group.median(field)) for field in ("rss_mb", "socket_mb", "ttfk_p50_ms")),
            *(number(group.median(field), 0) for field in ("own_cpu_pct", "other_pct")),
        ]
        for group in found
    ]
    return table(head, rows)


def _connects(found: list[Group]) -> list[str]:
    head = ["until", "server", "connects per s", "failed", "CPU %", "CPU ms per connect", "CPU ratio, per connect"]
    head += ["connects per s of CPU", "time to it p50 / p99 / max ms", "RSS MB", "sockets MB", "load %"]
    rows = [
        [
            group.variant.removeprefix("to "),
            group.server,
            number(group.median("per_s"), 0),
            number(group.worst("failed"), 0),
            cpu(group),
            number(group.cpu_ms_per_connect, 2),
            _ratio(found, group, connect_ratio),
            number(group.connects_per_cpu_s, 0),
            " / ".join(
                [spread(group, "ttfk_p50_ms", 2), *(number(group.median(f"ttfk_{name}_ms")) for name in ("p99", "max"))]
            ),
            *(number(group.median(field)) for field in ("rss_mb", "socket_mb")),
            number(group.median("own_cpu_pct"), 0),
        ]
        for group in found
    ]
    return table(head, rows)


def _unplayed(found: list[Group]) -> list[str]:
    head = ["publishers", "server", "idle RSS MB", "RSS MB", "growth MB", "KB per publisher", "CPU %", "CPU ratio"]
    rows = [
        [
            str(group.rows[0]["publishers"]),
            group.server,
            spread(group, "idle_rss_mb"),
            spread(group, "rss_mb"),
            number(group.growth_mb),
            number(group.growth_mb * 1000 / group.rows[0]["publishers"], 0),
            cpu(group),
            _ratio(found, group),
        ]
        for group in found
    ]
    return table(head, rows)


def _slow(found: list[Group]) -> list[str]:
    head = ["players", "server", "CPU %", "others: delay p50 / p99 / max ms", "others: faults", "slow: alive"]
    head += ["slow: behind at most, s", "slow: dropped", "slow: bad resumptions", "RSS MB", "sockets MB"]
    rows = [
        [
            f"{group.players}, {group.variant}",
            group.server,
            cpu(group),
            " / ".join(number(group.median(f"lat_{name}_ms")) for name in ("p50", "p99", "max")),
            faults(group),
            f"{group.median('slow_alive'):.0f} of {group.median('slow'):.0f}",
            number(group.worst("slow_lat_max_ms") / 1000),
            *(number(group.worst(field), 0) for field in ("slow_gaps", "slow_bad_resume")),
            *(number(group.median(field)) for field in ("rss_mb", "socket_mb")),
        ]
        for group in found
    ]
    return table(head, rows)


def _memory(found: list[Group]) -> list[str]:
    head = ["server", "players", "RSS MB", "KB RSS per player", "sockets MB", "KB kernel socket memory per player"]
    head += ["CPU %", "delay p50 / p99 ms"]
    rows = []
    for server in dict.fromkeys(group.server for group in found):
        steps = [group for group in found if group.server == server]
        per_player = memory_per_player_kb(found, server)
        rows.append(
            [
                server,
                " → ".join(str(group.players) for group in steps),
                " → ".join(number(group.median("rss_mb")) for group in steps),
                number(per_player and per_player[0]),
                " → ".join(number(group.median("socket_mb")) for group in steps),
                number(per_player and per_player[1]),
                " → ".join(cpu(group) for group in steps),
                " → ".join(
                    f"{number(group.median('lat_p50_ms'))} / {number(group.median('lat_p99_ms'))}" for group in steps
                ),
            ]
        )
    return table(head, rows)


_TABLES: dict[str, Callable[[list[Group]], list[str]]] = {
    "churn": _connects,
    "unplayed": _unplayed,
    "slow": _slow,
    "memory": _memory,
}


def _errors(results: Results, scenario: str) -> list[str]:
    return [
        f"{run['server']}, repeat {run['repeat'] + 1}: {' '.join(run['error'].split())}"
        for run in results["runs"]
        if run["scenario"] == scenario and run.get("error")
    ]


def tables(results: Results) -> str:
    """Every scenario that was run, with its table and what failed in it."""
    parts: list[str] = []
    for scenario, title in TITLES.items():
        found, errors = groups(results, scenario), _errors(results, scenario)
        if found or errors:
            parts += [f"## {title}", ""]
        if found:
            parts += [*_TABLES.get(scenario, _playing)(found), ""]
        if errors:
            parts += [*(f"- failed: {error}" for error in errors), ""]
    return "\n".join(parts)


def targets(results: Results) -> str:
    """The targets as a table, met or not."""
    words = {True: "yes", False: "**no**", None: "not measured"}
    rows = [(verdict.target, verdict.measured, words[verdict.is_met]) for verdict in verdicts(results)]
    return "\n".join(table(("target", "measured", "met"), rows))


def claim(results: Results) -> str:
    """The claim, for the sizes at which this run bears it out, and the sizes at which it does not."""
    found = groups(results, "fanout")
    held: list[str] = []
    not_held: list[str] = []
    for group in found:
        ratio = cpu_ratio(found, group) if group.server == "edge" else None
        if ratio is None:
            continue
        delay_ms = group.median("lat_p99_ms")
        figures = f"{group.players} players ({ratio.median:.2f} of nginx-rtmp's CPU, delay p99 {delay_ms:.0f} ms)"
        is_fine = group.is_whole and not group.is_overloaded
        is_held = round(ratio.median, 2) < 1 and delay_ms <= CLAIM_DELAY_MS and is_fine
        (held if is_held else not_held).append(figures)
    if not held and not not_held:
        return "No fan-out was measured beside nginx, so nothing is claimed against it."
    parts = []
    if held:
        parts.append(
            f"**Cheaper per player than nginx-rtmp at no more than {CLAIM_DELAY_MS:g} ms of added delay**: measured "
            f"here with one 500 kbit/s stream and {', '.join(held)}."
        )
    if not_held:
        parts.append(f"Not cheaper within {CLAIM_DELAY_MS:g} ms in this run: {', '.join(not_held)}.")
    parts.append("Of other servers, SRS and media-server among them, this run says nothing.")
    return " ".join(parts)


def _commands(results: Results) -> list[str]:
    """The exact command lines, each once, by scenario."""
    lines: list[str] = []
    for scenario in TITLES:
        runs = [run for run in results["runs"] if run["scenario"] == scenario]
        used = dict.fromkeys(run[part] for run in runs for part in ("command", "publish", "load") if run[part])
        if used:
            lines += [f"# {scenario}", *used]
    return lines


def _doubts(results: Results) -> list[str]:
    """Windows whose figures something else than the servers may have shaped."""
    lines = []
    for field, limit_pct, why in (
        ("own_cpu_pct", LOAD_LIMIT_PCT, "the load generator itself was near its limit"),
        ("other_pct", OTHER_LIMIT_PCT, "something else ran on the server's core, which delays more than it costs"),
    ):
        names = [
            " ".join(filter(None, (group.scenario, str(group.players or ""), group.variant, f"({group.server})")))
            for scenario in TITLES
            for group in groups(results, scenario)
            if group.worst(field) > limit_pct
        ]
        if names:
            lines += [textwrap.fill(f"Doubtful, since {why}: {', '.join(names)}.", 120), ""]
    return lines


def section_of(page: str, title: str) -> str:
    """A section of a page, from its heading to the next of the same level; "" where there is none."""
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def with_section(page: str, title: str, section: str) -> str:
    """The page with this section in place of its own, or at its end."""
    old = section_of(page, title)
    if old:
        return page.replace(old, f"{section.rstrip()}{old[len(old.rstrip()) :]}")
    return f"{page.rstrip()}\n\n{section}" if section else page


def with_the_rest(page: str, old: str) -> str:
    """The page with the sections of ``old`` behind its own that are not made anew, in their order."""
    for title in re.findall(r"^## (.+)$", old, re.MULTILINE):
        if title not in _WRITTEN_TITLES:
            page = with_section(page, title, section_of(old, title))
    return page


def page(results: Results) -> str:
    """The whole page; ``results`` are those of a full run."""
    machine = results["machine"]
    return "\n".join(
        [
            "# Performance",
            "",
            'Written by `make bench ARGS="--write docs/performance.md"`: in each scenario the servers in turn on one',
            "core, the load on another core of the same machine, all on the loopback.",
            "",
            textwrap.fill(claim(results), 120, break_on_hyphens=False),
            "",
            *(f"- {name}: {value}" for name, value in [("date", results["when"]), *machine.items()]),
            "",
            "## Targets",
            "",
            targets(results),
            "",
            *_doubts(results),
            "## How to read the tables",
            "",
            _HOW_TO_READ,
            "",
            tables(results),
            "## Command lines",
            "",
            "PORT is chosen by the kernel. `rtmpload` is the load generator; each player takes its bytes at once.",
            "",
            "```",
            *_commands(results),
            "```",
            "",
            "nginx's configuration:",
            "",
            "```",
            NGINX_CONFIGURATION.format(module="modules/ngx_rtmp_module.so", port="PORT").rstrip(),
            "```",
            "",
        ]
    )
