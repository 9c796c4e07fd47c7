"""How a finding reads."""

from __future__ import annotations

from edge.flags.problem import Problem


def test_a_finding_reads_as_place_and_message() -> None:
    assert str(Problem("a.flags:3", "-port=x")) == "a.flags:3: -port=x"
    assert str(Problem("default", "doubtful", is_warning=True)) == "default: warning: doubtful"
