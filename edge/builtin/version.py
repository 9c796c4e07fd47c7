"""``/version``: what is running here."""

from __future__ import annotations

from edge.builtin.page import Data, Page, PageContext, Visit, register


def collect(context: PageContext, _visit: Visit) -> Data:
    """Return ``version``, ``unknown`` when the program does not know its own."""
    return {"version": context.version or "unknown"}


VERSION = register(
    Page("/version", "Version", collect, lambda data: f"{data['version']}\n", is_guarded=False, is_listed=False)
)
