from __future__ import annotations

from edge.profiling.stacks import Counted
from edge.profiling.tree import by_function, calls, tree_of, walk
from tests.profiling import samples
from tests.profiling.samples import EVIL, MAIN, READ, SEND, SERVE


def test_common_beginnings_are_one_node() -> None:
    root = tree_of(samples.ROWS)
    assert [(node.frame, node.value, node.number) for node in walk(root)] == [
        (None, 60_000_000, 0),
        (MAIN, 60_000_000, 1),
        (EVIL, 10_000_000, 2),
        (SERVE, 50_000_000, 3),
        (READ, 20_000_000, 4),
        (SEND, 30_000_000, 5),
    ]
    assert [node.number for node in walk(tree_of(tuple(reversed(samples.ROWS))))] == list(range(6))


def test_what_functions_took() -> None:
    found = {taken.frame: (taken.own, taken.all) for taken in by_function(samples.profile())}
    assert found[SEND] == (30_000_000, 30_000_000)
    assert found[MAIN] == (0, 60_000_000)
    recursive = samples.profile((Counted((MAIN, SERVE, SERVE), 1, 7),))
    assert {taken.frame: taken.all for taken in by_function(recursive)} == {MAIN: 7, SERVE: 7}


def test_calls() -> None:
    assert calls(samples.profile()) == {
        (MAIN, SERVE): 50_000_000,
        (SERVE, SEND): 30_000_000,
        (SERVE, READ): 20_000_000,
        (MAIN, EVIL): 10_000_000,
    }
