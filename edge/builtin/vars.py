"""``/vars``: every number and text that the process tells of itself, as brpc shows its variables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

from edge.builtin.assets import own_url
from edge.builtin.page import Attachment, Page, PageContext, PageFormat, Visit, register
from edge.builtin.query import arguments
from edge.facts.history import TOTAL
from edge.facts.patterns import Patterns
from edge.facts.variables import Value, lines_of, text_of
from edge.net.slices import in_slices

PATH = "/vars"
#: Variables of one answer; of more the number is told only.
MAX_SHOWN = 20_000
#: Of one page for a browser, which has to lay them out.
MAX_ROWS = 2_000
# With the most patterns that a filter may have a name takes a fifth of a millisecond.
_SLICE = 25


@dataclass(frozen=True, slots=True)
class VarsData:
    """The variables that are asked for.

    Attributes:
        left_out: how many more there are.
        problem: why there are none.
        plotted: names of those that have a history.
        series: what is sent in place of a page; ``code`` is its status.
    """

    variables: dict[str, Value]
    left_out: int = 0
    problem: str = ""
    filter: str = ""
    search: str = ""
    plotted: tuple[str, ...] = ()
    is_fragment: bool = False
    is_expanded: bool = False
    series: str = ""
    code: int = 200


def search_filter(words: str) -> str:
    """What a search for words means: each of them anywhere in a name."""
    return ";".join(f"*{word}*" for word in words.split())


async def collect(context: PageContext, visit: Visit) -> VarsData:
    """Return the variables that path or search name; all without either."""
    asked = arguments(visit)
    if "series" in asked:
        return await _series(context, visit.path)
    search = asked.get("search", "")
    wanted = visit.path or search_filter(search)
    known = await context.facts.variables()
    patterns, found = Patterns(wanted), {}
    async for name, value in in_slices(tuple(known.items()), _SLICE):
        if patterns.matches(name):
            found[name] = value
    if not found and not patterns.is_empty:
        return VarsData({}, problem=f"Fail to find any bvar by `{wanted}'", filter=wanted, search=search, code=404)
    limit = MAX_ROWS if visit.view is PageFormat.HTML else MAX_SHOWN
    shown = dict(islice(found.items(), limit))
    plotted = tuple([name for name in shown if await context.facts.history(name) is not None])
    return VarsData(
        shown,
        len(found) - len(shown),
        filter=visit.path,
        search=search,
        plotted=plotted,
        is_fragment="dataonly" in asked,
        is_expanded="expand" in asked,
    )


async def _series(context: PageContext, name: str) -> VarsData:
    values = await context.facts.history(name)
    if values is None:
        if name not in await context.facts.variables():
            return VarsData({}, problem=f"Fail to find any bvar by `{name}'", code=404)
        return VarsData({}, problem=f"`{name}' has no history (ENODATA)", code=500)
    assert len(values) == TOTAL
    trend = {"label": "trend", "data": [[number, value] for number, value in enumerate(values)]}
    return VarsData({}, series=json.dumps(trend, separators=(",", ":")))


def text(data: VarsData) -> str:
    """One ``name : value`` line each, ending as brpc's do."""
    if data.problem:
        return f"{data.problem}\n"
    more = f"... and {data.left_out} more\r\n" if data.left_out else ""
    return lines_of(data.variables) + more


def attachment(data: VarsData) -> Attachment | None:
    """A series, which is JSON whoever asks; the reason in words where there is none."""
    if data.series:
        return Attachment(data.series.encode(), "application/json")
    return None


@dataclass(frozen=True, slots=True)
class Row:
    """A variable in a page."""

    name: str
    value: str
    series: str


def rows(data: VarsData) -> list[Row]:
    """The variables as texts, each with where its series is, or ""."""
    plotted = set(data.plotted)
    return [
        Row(name, text_of(value), f"{PATH}/{quote(name)}?series" if name in plotted else "")
        for name, value in data.variables.items()
    ]


def policy(_visit: Visit) -> str:
    """The page runs our script, which asks this server alone; its search is a form."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


STYLES = (own_url("style.css"), own_url("vars.css"))
SCRIPT = own_url("vars.js")

VARS = register(
    Page(
        PATH,
        "Vars",
        collect,
        text,
        template="vars.html",
        status=lambda data: data.code,
        has_paths=True,
        policy=policy,
        about="all figures by name, with how they were",
        attachment=attachment,
    )
)
