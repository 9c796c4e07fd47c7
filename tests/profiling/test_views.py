from __future__ import annotations

import re

import pytest

from edge.profiling import views
from edge.profiling.stacks import CPU, HEAP, Counted, Frame, Kind
from tests.profiling import samples


def test_collapsed_stacks_are_a_line_each() -> None:
    assert views.collapsed(samples.profile()).splitlines()[:2] == [
        "edge/x.py:main;edge/x.py:serve;edge/x.py:send 30000000",
        "edge/x.py:main;edge/x.py:serve;edge/x.py:read 20000000",
    ]


def test_names_cannot_break_a_line() -> None:
    odd = samples.profile((Counted((Frame("a;b c\nd", "x.py", 1),), 1, 5),))
    assert views.collapsed(odd) == "x.py:a_b_c_d 5\n"


def test_text_has_a_head_of_remarks() -> None:
    lines = views.text(samples.profile()).splitlines()
    assert lines[0] == "# 20260102.030405.cpu: 60 ms in 3 stacks, nanoseconds"
    assert "# sample_count: 9" in lines
    first = next(line for line in lines if line.endswith("edge/x.py:send"))
    assert re.fullmatch(r"# +30 ms +50\.0% +30 ms +50\.0%  edge/x\.py:send", first)
    assert [line for line in lines if not line.startswith("#")] == views.collapsed(samples.profile()).splitlines()


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [(CPU, 12_000_000, "12 ms"), (CPU, 2_500_000_000, "2.50 s"), (HEAP, 5, "5 B"), (HEAP, 3 << 20, "3.0 MiB")],
)
def test_amount(kind: Kind, value: int, text: str) -> None:
    assert views.amount(samples.profile(kind=kind), value) == text


def test_dot_names_functions_and_calls() -> None:
    graph = views.dot(samples.profile())
    assert graph.startswith("digraph profile {") and graph.endswith("}\n")
    assert len(re.findall(r"^  n\d+ \[label=\"[^\"\n]*\"\];$", graph, re.MULTILINE)) == 5
    assert len(re.findall(r"^  n\d+ -> n\d+ ", graph, re.MULTILINE)) == 4
    assert views.percent(samples.profile(()), 0) == "0.0%"
