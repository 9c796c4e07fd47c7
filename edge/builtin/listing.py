"""``/list``: what is served here, as JSON: the paths of HTTP, and the services with their streams."""

from __future__ import annotations

from dataclasses import dataclass

from edge.builtin.page import PAGES, Page, PageContext, PageFormat, Visit, register
from edge.builtin.present import columns, table
from edge.facts.records import ServiceFacts
from edge.facts.rows import rows_of


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A row of the table of routes.

    Attributes:
        title: of a page; "" of other paths.
        is_guarded: answered on the internal port only, where there is one, and never on a merge port.
    """

    path: str
    methods: tuple[str, ...]
    title: str
    is_guarded: bool


@dataclass(frozen=True, slots=True)
class ListData:
    """Routes by path; services as ``/status`` tells of them."""

    routes: tuple[RouteRow, ...]
    services: tuple[ServiceFacts, ...]


async def collect(context: PageContext, _visit: Visit) -> ListData:
    """Read the table of routes."""
    rows = []
    for route in sorted(context.debugging().routes(), key=lambda route: route.path):
        page = PAGES.get(route.path)
        rows.append(
            RouteRow(route.path, tuple(route.methods), page.title if page is not None else "", route.is_guarded)
        )
    return ListData(tuple(rows), tuple(await context.facts.services()))


def text(data: ListData) -> str:
    """The paths, then the services."""
    services = rows_of(data.services)
    paths = "".join(f"{row.path}{' : ' if row.title else ''}{row.title}\n" for row in data.routes)
    return f"{paths}\n[services]\n{table(services, columns(services))}"


LIST = register(
    Page(
        "/list",
        "Routes and services",
        collect,
        text,
        plain_format=PageFormat.JSON,
        is_listed=False,
        about="all paths that are served, and the services: JSON",
    )
)
