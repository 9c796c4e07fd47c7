from __future__ import annotations

from edge.builtin.page import Visit
from edge.builtin.version import VERSION, collect
from tests.builtin import sample
from tests.harness.at_once import at_once


def test_version() -> None:
    assert VERSION.text(at_once(collect(sample.context(), Visit()))) == "1.2.3\n"
    assert VERSION.text(at_once(collect(sample.context(version=""), Visit()))) == "unknown\n"
    assert not VERSION.is_guarded
