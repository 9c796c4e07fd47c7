"""``/version``: what is running here."""

from __future__ import annotations

from dataclasses import dataclass

from edge.builtin.page import Page, PageContext, Visit, register

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VersionData:
    """``version``: ``unknown`` when the program does not know its own."""

    version: str


async def collect(context: PageContext, _visit: Visit) -> VersionData:
    """Return the version."""
    return VersionData((await context.facts.process()).version or UNKNOWN)


VERSION = register(
    Page(
        "/version",
        "Version",
        collect,
        lambda data: f"{data.version}\n",
        is_guarded=False,
        is_listed=False,
        about="the version",
    )
)
