"""``/reloads``: which flags were changed while the server ran, who asked, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import cell, moment
from edge.facts.records import ReloadFacts

_COLUMNS = ("Id", "When", "What", "Asked by", "State", "Changed", "Kept", "Needs a restart", "Vhosts", "Error")


@dataclass(frozen=True, slots=True)
class ReloadsData:
    """The last changes, the newest first."""

    reloads: list[ReloadFacts]


async def collect(context: PageContext, _visit: Visit) -> ReloadsData:
    """All that are remembered."""
    return ReloadsData(await context.facts.reloads())


def text(data: ReloadsData) -> str:
    """A line each, below the heads."""
    lines = [" | ".join(_COLUMNS), *(" | ".join(_row(each)) for each in data.reloads)]
    return "".join(f"{line}\n" for line in lines)


def _row(report: ReloadFacts) -> tuple[str, ...]:
    lists = [",".join(names) or "-" for names in (report.changed, report.kept, report.needs_restart)]
    who = f"{report.who} x{report.requests}" if report.requests > 1 else report.who
    vhosts = cell("; ".join(report.vhosts))
    return str(report.id), moment(report.at_ms), report.what, who, report.state, *lists, vhosts, cell(report.error)


RELOADS = register(
    Page(
        "/reloads",
        "Reloads",
        collect,
        text,
        template="reloads.html",
        about="changes of flags while the server ran, and those that were refused",
    )
)
