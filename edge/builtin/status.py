"""``/status``: the server as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import cell, columns, pairs, shorten, table
from edge.builtin.streams import LIVE, MAX_ROWS, shown_state
from edge.builtin.version import UNKNOWN
from edge.facts.records import AddressFacts, ConnectionFacts, ServerFacts, ServiceFacts, SourceFacts, StreamFacts
from edge.facts.rows import Cell, row_of, rows_of

Row = Mapping[str, Cell]

# What servers of one list have in common: a list may be long, so it is shown once above them.
_GROUP = ("service", "use", "target")
# After these, which tell what is wrong, come the figures.
_FIRST = ("endpoint", "state", "last_error", "last_error_age_s")
# Targets in a table beside other columns.
LONG = ("pulls_from", "pushes_to")
_LEVELS = {"up": "good", "isolated": "bad", "checking": "bad", "failing": "bad"}


@dataclass(frozen=True, slots=True)
class StatusData:
    """The server as a whole, its services, its sources of servers, upstreams, counters and connections."""

    server: dict[str, Cell]
    services: list[ServiceFacts]
    naming: list[SourceFacts]
    upstreams: list[ServerFacts]
    counters: dict[str, int | float]
    connections: list[ConnectionFacts]


async def collect(context: PageContext, _visit: Visit) -> StatusData:
    """Return what is known of the server."""
    facts = context.facts
    process, streams, connections = await facts.process(), await facts.streams(), await facts.connections()
    counters = dict(sorted((await facts.counters()).items()))
    return StatusData(
        server={
            "version": process.version or UNKNOWN,
            # The lines that brpc's page begins with.
            "non_service_error": sum(value for name, value in counters.items() if name.startswith("error_")),
            "connection_count": len(connections),
            "max_concurrency": "unlimited",
            **row_of(process.addresses),
            "internal_port": _internal_port(process.addresses),
            **row_of(process.health),
            "is_ready": process.readiness.is_ready,
            "not_ready_because": ", ".join(process.readiness.reasons),
            "stream_count": len(streams),
            "live_stream_count": sum(shown_state(stream) == LIVE for stream in streams),
            "player_count": sum(stream.players for stream in streams),
            **_held(streams),
        },
        services=await facts.services(),
        naming=await facts.sources(),
        upstreams=await facts.servers(),
        counters=counters,
        connections=connections,
    )


def _internal_port(addresses: AddressFacts) -> int | None:
    """The port that is for operators only; None where the pages are on the public one."""
    return addresses.internal_port if addresses.internal_port != addresses.http_port else None


def _held(streams: Sequence[StreamFacts]) -> dict[str, Cell]:
    """Return the bytes of frames and of logs that all streams hold, and those of frames that one holds."""
    held = sum(stream.bytes_held for stream in streams)
    return {
        "bytes_held": held,
        "bytes_held_per_stream": held // max(len(streams), 1),
        "log_bytes": sum(stream.log_bytes for stream in streams),
    }


def text(data: StatusData) -> str:
    """Sections with a head line each; the tables are cut at ``MAX_ROWS``."""
    services = [{**row, **{name: shorten(row[name]) for name in LONG if name in row}} for row in rows_of(data.services)]
    parts = [pairs(data.server), _section("services", services), _section("naming", rows_of(data.naming))]
    parts.append(_section("upstreams", rows_of(data.upstreams)))
    shown = rows_of(data.connections[:MAX_ROWS])
    parts += ["\n[counters]\n", pairs(data.counters), _section("connections", shown, len(data.connections))]
    return "".join(parts)


def server_groups(rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Return the servers in tables, one per list, each with what its rows have in common: service, use and target."""
    found: list[tuple[Row, list[Row]]] = []
    for _, together in groupby(rows, lambda row: [row.get(name) for name in _GROUP]):
        members = list(together)
        common = {name: members[0][name] for name in _GROUP if name in members[0]}
        found.append((common, [{name: row[name] for name in row if name not in common} for row in members]))
    return found


def names_of(rows: Sequence[Row]) -> list[str]:
    """The columns of a table of servers: those first that tell what is wrong, priorities where there are any."""
    return [name for name in columns(rows, _FIRST) if name != "priority" or any(row.get(name) for row in rows)]


def server_level(state: object) -> str:
    """Colour and sign of the state of a server: ``good``, ``wait`` or ``bad``."""
    return _LEVELS.get(str(state), "wait")


def _section(name: str, rows: Sequence[Row], count: int = 0) -> str:
    """``count``: how many there are, where ``rows`` are the first only."""
    if not rows:
        return ""
    shown = rows[:MAX_ROWS]
    rest_count = max(count, len(rows)) - len(shown)
    rest = f"... and {rest_count} more\n" if rest_count else ""
    return f"\n[{name}]\n{_servers(shown) if name == 'upstreams' else table(shown, columns(shown))}{rest}"


def _servers(rows: Sequence[Row]) -> str:
    """One table per list of servers, below a line of what its rows have in common."""
    tables = []
    for common, members in server_groups(rows):
        head = "  ".join(f"{name}: {cell(value)}" for name, value in common.items())
        tables.append(f"{head}\n{table(members, names_of(members))}" if head else table(members, names_of(members)))
    return "\n".join(tables)


STATUS = register(
    Page(
        "/status",
        "Status",
        collect,
        text,
        template="status.html",
        place=5,
        about="the server as a whole: services, upstreams, counters, connections",
    )
)
