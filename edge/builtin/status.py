"""``/status``: the server as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from edge.builtin.page import Data, Page, PageContext, Visit, register
from edge.builtin.present import cell, columns, pairs, shorten, table
from edge.builtin.streams import MAX_ROWS, shown_state

# What servers of one list have in common: a list may be long, so it is shown once above them.
_GROUP = ("service", "use", "target")
# After these, which tell what is wrong, come the figures.
_FIRST = ("endpoint", "state", "last_error", "last_error_age_s")
# Targets in a table beside other columns.
LONG = ("pulls_from", "pushes_to")
_LEVELS = {"up": "good", "isolated": "bad", "checking": "bad", "failing": "bad"}


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
        "naming": context.naming(),
        "upstreams": context.upstreams(),
        "counters": dict(sorted(context.counters().items())),
        "connections": connections,
    }


def text(data: Data) -> str:
    """Sections with a head line each; the tables are cut at ``MAX_ROWS``."""
    services = [{**row, **{name: shorten(row[name]) for name in LONG if name in row}} for row in data["services"]]
    parts = [pairs(data["server"]), _section("services", services)]
    parts += [_section(name, data[name]) for name in ("naming", "upstreams")]
    return "".join((*parts, "\n[counters]\n", pairs(data["counters"]), _section("connections", data["connections"])))


def server_groups(rows: Sequence[Data]) -> list[tuple[Data, list[Data]]]:
    """Return the servers in tables, one per list, each with what its rows have in common: service, use and target."""
    found = []
    for _, together in groupby(rows, lambda row: [row.get(name) for name in _GROUP]):
        members = list(together)
        common = {name: members[0][name] for name in _GROUP if name in members[0]}
        found.append((common, [{name: row[name] for name in row if name not in common} for row in members]))
    return found


def names_of(rows: Sequence[Data]) -> list[str]:
    """The columns of a table of servers: those first that tell what is wrong, priorities where there are any."""
    return [name for name in columns(rows, _FIRST) if name != "priority" or any(row.get(name) for row in rows)]


def server_level(state: object) -> str:
    """Colour and sign of the state of a server: ``good``, ``wait`` or ``bad``."""
    return _LEVELS.get(str(state), "wait")


def _section(name: str, rows: Sequence[Data]) -> str:
    if not rows:
        return ""
    shown = rows[:MAX_ROWS]
    rest = f"... and {len(rows) - MAX_ROWS} more\n" if len(rows) > MAX_ROWS else ""
    return f"\n[{name}]\n{_servers(shown) if name == 'upstreams' else table(shown, columns(shown))}{rest}"


def _servers(rows: Sequence[Data]) -> str:
    """One table per list of servers, below a line of what its rows have in common."""
    tables = []
    for common, members in server_groups(rows):
        head = "  ".join(f"{name}: {cell(value)}" for name, value in common.items())
        tables.append(f"{head}\n{table(members, names_of(members))}" if head else table(members, names_of(members)))
    return "\n".join(tables)


STATUS = register(Page("/status", "Status", collect, text, template="status.html"))
