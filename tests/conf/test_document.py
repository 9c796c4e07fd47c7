"""The guide of vhosts: its tables are made of what there is."""

from __future__ import annotations

from pathlib import Path

from edge.conf.document import render
from edge.conf.srs_names import ROOT, VHOST
from edge.flags.classes import Scope
from edge.flags.registry import DEFINITIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "vhosts.md"


def test_the_page_is_current() -> None:
    """When it is not: python -m edge.conf.document docs/vhosts.md"""
    text = PAGE.read_text(encoding="utf-8")
    assert text == render(text)


def test_each_directive_and_each_flag_of_vhosts_is_on_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    flags = {name for name, each in DEFINITIONS.items() if each.scope is Scope.VHOST}
    names = {row.path.replace("/", " / ") for row in (*ROOT, *VHOST) if "/" not in row.path} | flags
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []
