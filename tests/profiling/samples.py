"""Profiles that were never measured."""

from __future__ import annotations

from edge.profiling.stacks import CPU, Counted, Frame, Kind, Profile

MAIN, SERVE, SEND, READ = (
    Frame(name, "edge/x.py", 10 * place) for place, name in enumerate(("main", "serve", "send", "read"), 1)
)
EVIL = Frame("<script>alert(1)</script>", 'a"&.py', 7)
ROWS = (
    Counted((MAIN, SERVE, SEND), 3, 30_000_000),
    Counted((MAIN, SERVE, READ), 2, 20_000_000),
    Counted((MAIN, EVIL), 1, 10_000_000),
)


def profile(rows: tuple[Counted, ...] = ROWS, kind: Kind = CPU) -> Profile:
    facts: dict[str, int | float] = {"sample_count": 9, "idle_count": 3}
    return Profile(kind, f"20260102.030405.{kind.name}", 1_767_000_000_123, 1000, 10_000_000, rows, facts)
