"""``/sockets/ID``: all that is known of one connection, by the number that it has in the log and on ``/status``."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import cell, pairs
from edge.net.aio import now_ms
from edge.net.slices import in_slices

HINT = "# Use /sockets/<SocketId>"
#: Longest number that is looked for.
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class SocketsData:
    """One connection, or how many there are.

    Attributes:
        error: the path names no number; answer 404.
        note: what is to be said in place of a connection: how to ask, or that it has gone.
        connection_count, by_state, by_protocol: of all.
        socket: fields of ``ConnectionFacts`` and ``SocketFacts`` by their names, those of ``TcpInfo`` with
            ``tcp_`` before them.
    """

    error: str = ""
    note: str = ""
    connection_count: int = 0
    by_state: dict[str, int] = field(default_factory=dict)
    by_protocol: dict[str, int] = field(default_factory=dict)
    socket: dict[str, Any] = field(default_factory=dict)


async def collect(context: PageContext, visit: Visit) -> SocketsData:
    """Find the connection whose number the path gives; without one, count."""
    connections = context.debugging().connections()
    if not visit.path:
        every = tuple(connections)
        by_state, by_protocol = Counter[str](), Counter[str]()
        async for each in in_slices(every):
            by_state[each.state] += 1
            by_protocol[each.describe().protocol or "-"] += 1
        return SocketsData(
            note=HINT, connection_count=len(every), by_state=dict(by_state), by_protocol=dict(by_protocol)
        )
    digits = visit.path.removeprefix("c")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
        return SocketsData(error="a connection is named by its number")
    number = int(digits)
    found = next((each for each in connections if each.number == number), None)
    if found is None:
        return SocketsData(note=f"connection {number} has been closed, or never was")
    facts, waiting = asdict(found.describe()), asdict(found.describe_socket())
    tcp = waiting.pop("tcp")
    facts["keys"] = list(facts["keys"])
    facts["uptime_s"] = (now_ms() - facts.pop("created_ms")) // 1000
    tcp_facts = dict(tcp._asdict()) if tcp is not None else {}
    return SocketsData(socket={**facts, **waiting, **{f"tcp_{name}": value for name, value in tcp_facts.items()}})


def text(data: SocketsData) -> str:
    """``key=value`` lines of the one, or the counts."""
    if data.error:
        return f"{data.error}\n"
    if data.socket:
        shown = {name: " ".join(value) if isinstance(value, list) else value for name, value in data.socket.items()}
        return "".join(f"{name}={cell(value)}\n" for name, value in shown.items())
    if not data.connection_count:
        return f"{data.note}\n"
    counts = {f"{name}_count": count for name, count in (data.by_state | data.by_protocol).items()}
    return f"{data.note}\n{pairs({'connection_count': data.connection_count, **counts})}"


SOCKETS = register(
    Page(
        "/sockets",
        "Sockets",
        collect,
        text,
        template="sockets.html",
        status=lambda data: 404 if data.error else 200,
        is_listed=False,
        has_paths=True,
        about="/sockets/ID: all that is known of one connection",
    )
)
