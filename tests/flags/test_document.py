"""The page of all flags."""

from __future__ import annotations

from pathlib import Path

from edge.flags.document import render
from edge.flags.registry import DEFINITIONS

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    """When it is not: python -m edge.flags.document > docs/flags.md"""
    assert (ROOT / "docs" / "flags.md").read_text(encoding="utf-8") == render()


def test_the_page_has_a_row_per_flag() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(DEFINITIONS)
    assert all(row.replace("\\|", "").count("|") == 6 for row in rows)
