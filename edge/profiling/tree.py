"""The stacks of a profile put together by their beginnings: who called whom, and what each took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.profiling.stacks import Counted, Frame, Profile


@dataclass(slots=True)
class Node:
    """A function where it was called from.

    Attributes:
        frame: None of the root.
        value: of it and all that it called.
        number: its place when all are counted from the root down, the root being 0: the same whenever the
            tree is made of the same profile.
    """

    frame: Frame | None
    value: int = 0
    number: int = 0
    parent: Node | None = None
    children: dict[Frame, Node] = field(default_factory=dict)


def tree_of(rows: tuple[Counted, ...]) -> Node:
    """Put stacks together; children in the order of their names, so that two profiles look alike."""
    root = Node(None)
    for row in rows:
        node = root
        node.value += row.value
        for frame in row.stack:
            child = node.children.get(frame)
            if child is None:
                child = node.children[frame] = Node(frame, parent=node)
            child.value += row.value
            node = child
    for number, node in enumerate(walk(root)):
        node.number = number
    return root


def walk(root: Node) -> Iterator[Node]:
    """Yield ``root`` and all below it, each before its children."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [node.children[frame] for frame in sorted(node.children, reverse=True)]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a function took, wherever it was called from.

    Attributes:
        own: itself.
        all: with what it called, counted once where it calls itself.
    """

    frame: Frame
    own: int
    all: int


def by_function(profile: Profile) -> list[Taken]:
    """What each function took, most first."""
    own: dict[Frame, int] = {}
    with_called: dict[Frame, int] = {}
    for row in profile.rows:
        if row.stack:
            own[row.stack[-1]] = own.get(row.stack[-1], 0) + row.value
        for frame in set(row.stack):
            with_called[frame] = with_called.get(frame, 0) + row.value
    found = [Taken(frame, own.get(frame, 0), value) for frame, value in with_called.items()]
    return sorted(found, key=lambda taken: (-taken.own, -taken.all, taken.frame))


def calls(profile: Profile) -> dict[tuple[Frame, Frame], int]:
    """What went through each call of one function by another."""
    found: dict[tuple[Frame, Frame], int] = {}
    for row in profile.rows:
        for pair in set(zip(row.stack, row.stack[1:], strict=False)):
            found[pair] = found.get(pair, 0) + row.value
    return found
