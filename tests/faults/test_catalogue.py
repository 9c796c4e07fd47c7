"""Each known fault of naming (N), of loops (O) and of upstreams (U) has a number, which its test bears in its name."""

from __future__ import annotations

import ast
import re

from tests.harness.clock import ROOT

ROWS = {
    *(f"N{number}" for number in range(1, 15)),
    *(f"O{number}" for number in range(1, 5)),
    *(f"U{number}" for number in range(1, 13)),
}
# Rows without a test, and why.
UNTESTED: dict[str, str] = {}


def rows_with_tests() -> set[str]:
    """The rows in the names of the tests: ``test_N3_...``, or several as ``test_O2_O4_...``."""
    rows: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                head = re.match(r"test_((?:[A-Z]+\d+_)*)", node.name)
                rows.update((head[1] if head else "").strip("_").split("_"))
    return rows


def test_every_row_has_a_test_or_a_reason() -> None:
    assert sorted(ROWS - rows_with_tests() - UNTESTED.keys()) == []


def test_reasons_are_still_needed() -> None:
    assert sorted(UNTESTED.keys() & rows_with_tests()) == []


def test_every_named_row_of_these_sections_is_of_the_catalogue() -> None:
    assert sorted(row for row in rows_with_tests() - ROWS if re.fullmatch(r"[NOU]\d+", row)) == []
