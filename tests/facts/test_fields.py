"""The tables of fields in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.facts.fields import render, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pages.md"


def test_the_page_is_current() -> None:
    """When it is not: python -m edge.facts.fields docs/pages.md"""
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- fields of ") >= 5
    assert render(page) == page


def test_a_table_is_made_anew_and_the_rest_stays() -> None:
    page = "before\n<!-- fields of AudienceFacts -->\nold\n<!-- end of fields -->\nafter\n"
    rendered = render(page)
    assert rendered.startswith("before\n<!-- fields of AudienceFacts -->\n| field | is |\n|---|---|\n| `protocol` | ")
    assert rendered.endswith("|\n<!-- end of fields -->\nafter\n") and "old" not in rendered
    assert render(rendered) == rendered


def test_fields_that_are_left_out_at_times_say_so() -> None:
    rows = dict(row.strip("| ").split(" | ", 1) for row in table("StreamFacts").splitlines()[2:])
    assert "only where there is something to say" in rows["`push_error`"]
    assert "only where" not in rows["`key`"]


@pytest.mark.parametrize("name", ["NoFacts", "About", "annotations"])
def test_a_record_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        table(name)
