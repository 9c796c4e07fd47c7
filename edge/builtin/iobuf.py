"""``/hotspots/iobuf``: bytes that wait to be sent, by connection, and those that streams hold for all."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import columns, table
from edge.net.slices import in_slices

MAX_SHOWN = 500
# What waits is asked of the kernel, some ten microseconds each.
_ASK_SLICE = 50


@dataclass(frozen=True, slots=True)
class BufferRow:
    """What waits for one connection, in bytes: see ``edge.net.listed.SocketFacts``."""

    id: int
    peer: str
    protocol: str
    role: str
    queued_bytes: int
    behind_bytes: int
    unsent_bytes: int


@dataclass(frozen=True, slots=True)
class BufferData:
    """All connections together, and those for which most waits in the process, most first."""

    connection_count: int
    queued_bytes: int
    behind_bytes: int
    unsent_bytes: int
    rows: tuple[BufferRow, ...]


async def collect(context: PageContext, _visit: Visit) -> BufferData:
    """Ask each connection."""
    rows = []
    async for connection in in_slices(tuple(context.debugging().connections()), _ASK_SLICE):
        facts, buffers = connection.describe(), connection.describe_socket()
        rows.append(
            BufferRow(
                facts.number,
                facts.peer,
                facts.protocol,
                facts.role,
                buffers.queued_bytes,
                buffers.behind_bytes,
                buffers.unsent_bytes,
            )
        )
    rows.sort(key=lambda row: (-row.queued_bytes - row.behind_bytes, -row.unsent_bytes, row.id))
    return BufferData(
        connection_count=len(rows),
        queued_bytes=sum(row.queued_bytes for row in rows),
        behind_bytes=sum(row.behind_bytes for row in rows),
        unsent_bytes=sum(row.unsent_bytes for row in rows),
        rows=tuple(rows[:MAX_SHOWN]),
    )


def text(data: BufferData) -> str:
    """The sums, then a line per connection."""
    head = (
        f"connection_count: {data.connection_count}\nqueued_bytes: {data.queued_bytes}\n"
        f"behind_bytes: {data.behind_bytes}\nunsent_bytes: {data.unsent_bytes}\n"
    )
    rows = [asdict(row) for row in data.rows]
    rest = data.connection_count - len(rows)
    return head + (f"\n{table(rows, columns(rows))}" if rows else "") + (f"... and {rest} more\n" if rest else "")


IOBUF = register(
    Page(
        "/hotspots/iobuf",
        "Buffers",
        collect,
        text,
        template="iobuf.html",
        is_listed=False,
        about="bytes that wait to be sent, by connection",
    )
)
