from __future__ import annotations

import sys

import pytest

from edge.profiling import stacks
from edge.profiling.stacks import MAX_DEPTH, OTHER, Counted, Frame, FrameReader, StackTable, short_file
from tests.profiling import samples


def test_equal_stacks_are_added_up_and_the_largest_is_first() -> None:
    table = StackTable()
    table.add((samples.MAIN,), 5)
    table.add((samples.MAIN, samples.SEND), 3)
    table.add((samples.MAIN, samples.SEND), 4, count=2)
    assert table.rows() == (Counted((samples.MAIN, samples.SEND), 3, 7), Counted((samples.MAIN,), 1, 5))


def test_memory_is_bounded_by_the_number_of_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "MAX_STACKS", 2)
    table = StackTable()
    for number in range(5):
        table.add((Frame("f", "x.py", number),), 1)
    assert [row.value for row in table.rows()] == [3, 1, 1]
    assert table.rows()[0].stack == OTHER


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/opt/a/lib/site-packages/aiohttp/web.py", "aiohttp/web.py"),
        ("/opt/a/lib/asyncio/events.py", "asyncio/events.py"),
        ("/elsewhere/secret/x.py", "x.py"),
        ("<frozen runpy>", "<frozen runpy>"),
        ("/opt/a/libx/y.py", "y.py"),
    ],
)
def test_no_place_of_the_machine_is_shown(path: str, short: str) -> None:
    assert short_file(path, ["", "/opt/a/lib", "/opt/a/lib/site-packages"]) == short


def test_stack_is_read_outermost_first_and_cut_at_its_depth() -> None:
    def deep(left: int) -> stacks.Stack:
        return deep(left - 1) if left else FrameReader().stack_of(sys._getframe())

    assert deep(3)[-1].function.endswith("deep")
    assert deep(3)[-5].function == "test_stack_is_read_outermost_first_and_cut_at_its_depth"
    assert deep(3)[-1].file == "tests/profiling/test_stacks.py"
    assert len(deep(2 * MAX_DEPTH)) == MAX_DEPTH
    assert FrameReader().stack_of(None) == ()


def test_total() -> None:
    assert samples.profile().total == 60_000_000
    assert samples.MAIN.label == "edge/x.py:main"
