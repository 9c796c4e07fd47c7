"""How a row of faults is written down: see ``test_why.py``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.harness.chain import Chain

Inject = Callable[[Chain], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        name: of the row.
        inject: brings it about, in a chain that is started here or there.
        words: all of them are in the sentence, or in one of the first causes.
        flags: by node.
        stream, address: what is asked for at the far end.
        is_started: the chain is up before ``inject``; else that does it.
    """

    name: str
    inject: Inject
    words: tuple[str, ...]
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stream: str = "live/cam"
    address: str = ""
    is_started: bool = True


ROWS: list[Row] = []


def fault(
    *words: str, stream: str = "live/cam", address: str = "", is_started: bool = True, **flags: tuple[str, ...] | str
) -> Callable[[Inject], Inject]:
    """Add a row; ``flags`` are those of nodes, by name."""
    by_node = {name: (value,) if isinstance(value, str) else value for name, value in flags.items()}

    def add(inject: Inject) -> Inject:
        name = getattr(inject, "__name__", "row").strip("_")
        ROWS.append(Row(name, inject, words, by_node, stream if not address else "", address, is_started))
        return inject

    return add
