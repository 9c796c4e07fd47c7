"""``/connections``: what goes over each connection, in brpc's columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.query import arguments
from edge.facts.records import TrafficFacts

#: Heads and widths as brpc has them; programs cut them out by the bars.
_BEGIN = (("CreatedTime", 26), ("RemoteSide", 19))
_CLIENT = (("Local", 5), ("RecentErr", 10), ("nbreak", 7))
_REST = (
    *(("SSL", 3), ("Protocol", 12), ("fd", 5)),
    *(("InBytes/s", 9), ("In/s", 6), ("InBytes/m", 10), ("In/m", 8)),
    *(("OutBytes/s", 10), ("Out/s", 6), ("OutBytes/m", 10), ("Out/m", 8)),
    *(("Rtt/Var(ms)", 11), ("SocketId", 0)),
)
SERVER_COLUMNS = (*_BEGIN, *_REST)
CLIENT_COLUMNS = (*_BEGIN, *_CLIENT, *_REST)
_UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class ConnectionsData:
    """Connections that clients have made, those to upstreams, and how many there are of each.

    Attributes:
        asked_at: when this was so, local time.
    """

    asked_at: str
    server_connection_count: int
    server_connections: list[TrafficFacts]
    channel_connection_count: int
    channel_connections: list[TrafficFacts]


async def collect(context: PageContext, visit: Visit) -> ConnectionsData:
    """Return the connections; all of them with ``?givemeall``."""
    tables = await context.facts.traffic(shows_all="givemeall" in arguments(visit))
    return ConnectionsData(
        asked_at=datetime.now().astimezone().isoformat(timespec="microseconds"),
        server_connection_count=tables.server_count,
        server_connections=tables.server,
        channel_connection_count=tables.upstream_count,
        channel_connections=tables.upstream,
    )


def text_pieces(data: ConnectionsData) -> Iterator[str]:
    """Both tables, each below how many connections it is of."""
    now = datetime.fromisoformat(data.asked_at)
    yield f"server_connection_count: {data.server_connection_count}\n"
    yield from _table(SERVER_COLUMNS, data.server_connections, data.server_connection_count, now)
    yield f"\nchannel_connection_count: {data.channel_connection_count}\n"
    yield from _table(CLIENT_COLUMNS, data.channel_connections, data.channel_connection_count, now)


def text(data: ConnectionsData) -> str:
    """All of it."""
    return "".join(text_pieces(data))


def _table(
    columns: Sequence[tuple[str, int]], found: Sequence[TrafficFacts], count: int, now: datetime
) -> Iterator[str]:
    yield _line([name for name, _ in columns], columns)
    for facts in found:
        yield _line(cells(facts, now), columns)
    yield rest(len(found), count)


def _line(texts: Sequence[str], columns: Sequence[tuple[str, int]]) -> str:
    return "|".join(text.ljust(width) for text, (_, width) in zip(texts, columns, strict=True)) + "\n"


def rest(shown: int, count: int) -> str:
    """What is said of connections that are not shown."""
    return f"... and {count - shown} more: ?givemeall shows them\n" if count > shown else ""


def cells(facts: TrafficFacts, now: datetime) -> list[str]:
    """A row; those to upstreams have three columns more."""
    created = (now - timedelta(seconds=facts.uptime_s)).strftime("%Y/%m/%d-%H:%M:%S")
    local = facts.local.rpartition(":")[2] or _UNKNOWN
    return [
        created,
        facts.peer,
        *([local, "-", "-"] if facts.is_upstream else []),
        "Yes" if facts.is_encrypted else "No ",
        facts.protocol or _UNKNOWN,
        str(facts.fd),
        _number(facts.received_bytes_second),
        _UNKNOWN,
        _number(facts.received_bytes_minute),
        _UNKNOWN,
        _number(facts.sent_bytes_second),
        _UNKNOWN,
        _number(facts.sent_bytes_minute),
        _UNKNOWN,
        f"{facts.rtt_ms:.1f}/{facts.rtt_var_ms:.1f}" if facts.rtt_ms is not None else _UNKNOWN,
        str(facts.id),
    ]


def _number(value: int | None) -> str:
    return str(value) if value is not None else _UNKNOWN


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page for browsers; ``rows`` are made as they are written."""

    title: str
    heads: list[str]
    rows: Iterator[list[str]]
    has_rows: bool
    count: int
    rest: str


def tables(data: ConnectionsData) -> list[Table]:
    """Both of them."""
    now = datetime.fromisoformat(data.asked_at)
    sides = (
        ("From clients", SERVER_COLUMNS, data.server_connections, data.server_connection_count),
        ("To upstreams", CLIENT_COLUMNS, data.channel_connections, data.channel_connection_count),
    )
    return [
        Table(
            title,
            [name for name, _ in columns],
            (cells(facts, now) for facts in found),
            bool(found),
            count,
            rest(len(found), count),
        )
        for title, columns, found, count in sides
    ]


CONNECTIONS = register(
    Page(
        "/connections",
        "Connections",
        collect,
        text,
        template="connections.html",
        text_pieces=text_pieces,
        about="what goes over each connection, from clients and to upstreams: rates, round trips",
    )
)
