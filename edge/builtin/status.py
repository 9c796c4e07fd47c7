"""``/status``: the server as a whole."""

from __future__ import annotations

from edge.builtin.page import Data, Page, PageContext, Visit, register
from edge.builtin.present import columns, pairs, table
from edge.builtin.streams import MAX_ROWS, shown_state


def collect(context: PageContext, _visit: Visit) -> Data:
    """Return what is known of the server as a whole, its services, its sources of servers, upstreams, connections."""
    is_ready, reasons = context.readiness()
    streams, connections = context.streams(), context.connections()
    return {
        "server": {
            "version": context.version or "unknown",
            **context.server_urls(),
            **context.health(),
            "is_ready": is_ready,
            "not_ready_because": ", ".join(reasons),
            "stream_count": len(streams),
            "live_stream_count": sum(shown_state(row) == "live" for row in streams),
            "player_count": sum(row.get("players") or 0 for row in streams),
            "connection_count": len(connections),
        },
        "services": context.services(),
        "counters": dict(sorted(context.counters().items())),
        "naming": context.naming(),
        "upstreams": context.upstreams(),
        "connections": connections,
    }


def text(data: Data) -> str:
    """Sections with a head line each; the tables are cut at ``MAX_ROWS``, and have priorities where there are any."""
    parts = [pairs(data["server"]), _section(data, "services"), "\n[counters]\n", pairs(data["counters"])]
    return "".join((*parts, *(_section(data, name) for name in ("naming", "upstreams", "connections"))))


def _section(data: Data, name: str) -> str:
    rows = data[name]
    if not rows:
        return ""
    shown = rows[:MAX_ROWS]
    names = [name for name in columns(shown) if name != "priority" or any(row.get(name) for row in shown)]
    rest = f"... and {len(rows) - MAX_ROWS} more\n" if len(rows) > MAX_ROWS else ""
    return f"\n[{name}]\n{table(shown, names)}{rest}"


STATUS = register(Page("/status", "Status", collect, text, template="status.html"))
