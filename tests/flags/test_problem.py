"""How a finding reads."""

from __future__ import annotations

from edge.flags.problem import Problem, cut, printable


def test_a_finding_reads_as_place_and_message() -> None:
    assert str(Problem("a.flags:3", "-port=x")) == "a.flags:3: -port=x"
    assert str(Problem("default", "doubtful", is_warning=True)) == "default: warning: doubtful"


def test_a_finding_is_one_line_of_printable_text() -> None:
    assert str(Problem("command line", "-a=\n\x1b[31m\udcff\u2028é")) == "command line: -a=\\n\\x1b[31m\\udcff\\u2028é"
    assert printable("plain text") == "plain text"


def test_long_values_are_cut() -> None:
    assert cut("x" * 200) == "x" * 200
    assert cut("x" * 201) == "x" * 200 + "..."
