"""``/upstreams``: each server that streams are pulled from or pushed to: how it is, why, and what runs over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import ABSENT, cell, columns, duration, table
from edge.facts.records import ServerFacts, ServiceFacts, SourceFacts
from edge.facts.rows import Cell, rows_of

#: Rows of a page; the rest is counted.
MAX_SERVERS = 500
# Names of streams in one row of text.
_MAX_STREAMS = 3
_COLUMNS = ("endpoint", "state", "why", "streams", "ok_count", "failure_count", "share_pct", "tag")


@dataclass(frozen=True, slots=True)
class TargetData:
    """One list of servers: whose and what for it is, where its names come from, and its servers."""

    service: str
    use: str
    target: str
    source: SourceFacts | None
    servers: list[ServerFacts]


@dataclass(frozen=True, slots=True)
class UpstreamsData:
    """All lists, and how many servers there are; ``is_edge``: a service of this process has upstreams."""

    is_edge: bool
    server_count: int
    services: list[ServiceFacts]
    targets: list[TargetData]


async def collect(context: PageContext, _visit: Visit) -> UpstreamsData:
    """Return the servers by list."""
    facts = context.facts
    services, sources, servers = await facts.services(), await facts.sources(), await facts.servers()
    by_use = {(source.service, source.use): source for source in sources}
    found: dict[tuple[str | None, str], TargetData] = {}
    for (service, use), source in by_use.items():
        found[service, use] = TargetData(service or "", use, source.target, source, [])
    for server in servers[:MAX_SERVERS]:
        key = (server.service, server.use)
        if key not in found:
            found[key] = TargetData(server.service or "", server.use, server.target, None, [])
        found[key].servers.append(server)
    is_edge = bool(servers or sources) or any(service.role == "edge" for service in services)
    return UpstreamsData(is_edge, len(servers), services, list(found.values()))


def why(server: ServerFacts) -> str:
    """What is to be said of the state: the last error and its age, and when it is tried again."""
    parts = []
    if server.last_error:
        age = f" {duration(server.last_error_age_s)} ago" if server.last_error_age_s is not None else ""
        parts.append(f"{server.last_error}{age}")
    if server.isolated_for_ms:
        parts.append(f"passed over for another {duration(server.isolated_for_ms / 1000)}")
    if server.check_in_ms:
        parts.append(f"looked at again in {duration(server.check_in_ms / 1000)}")
    if server.disabled_keys_count:
        parts.append(f"passed over for {server.disabled_keys_count} streams that it had no data of")
    return "; ".join(parts)


def carried(server: ServerFacts, most: int = _MAX_STREAMS) -> str:
    """How many streams run over it, and the first of them by name."""
    if not server.streams_count:
        return "0"
    named = ", ".join(server.streams[:most])
    more = ", ..." if server.streams_count > most and named else ""
    return f"{server.streams_count}: {named}{more}" if named else str(server.streams_count)


def source_line(source: SourceFacts | None) -> str:
    """How the source of the names is doing, in a sentence."""
    if source is None:
        return ""
    count = "1 server" if source.servers_count == 1 else f"{source.servers_count} servers"
    parts = [f"server list: {source.state}, {count}"]
    if source.answer_age_s is not None:
        parts.append(f"last answer {duration(source.answer_age_s)} ago")
    if source.failed_count:
        parts.append(f"{source.failed_count} questions without an answer")
    if source.last_error:
        parts.append(f"last failure: {source.last_error}")
    return ", ".join(parts)


def _rows(servers: Sequence[ServerFacts]) -> list[dict[str, Cell]]:
    return [
        {**row, "why": why(server), "streams": carried(server)}
        for server, row in zip(servers, rows_of(servers), strict=True)
    ]


def text(data: UpstreamsData) -> str:
    """One table per list."""
    if not data.targets:
        return "no upstreams: streams are published here, and go nowhere else\n"
    parts = []
    for target in data.targets:
        name = f"{target.service} " if target.service else ""
        parts.append(f"[ {name}{target.use}: {cell(target.target)} ]\n")
        if target.source is not None:
            parts.append(f"{cell(source_line(target.source))}\n")
        rows = _rows(target.servers)
        parts.append(table(rows, [column for column in columns(rows, _COLUMNS) if column in _COLUMNS]) or f"{ABSENT}\n")
        parts.append("\n")
    shown = sum(len(target.servers) for target in data.targets)
    rest = f"... and {data.server_count - shown} more\n" if data.server_count > shown else ""
    return "".join(parts).rstrip("\n") + f"\n{rest}"


UPSTREAMS = register(
    Page(
        "/upstreams",
        "Upstreams",
        collect,
        text,
        template="upstreams.html",
        place=3,
        about="the servers that streams are pulled from and pushed to: state, why, and what runs over each",
    )
)
