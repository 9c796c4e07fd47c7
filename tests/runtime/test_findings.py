"""Everybody who knows something of flags is asked."""

from __future__ import annotations

import pytest

from edge.flags.gflags import parse
from edge.runtime.findings import findings


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["-internal_port=0"], "-internal_port=0"),
        (["-https", "-certificate=/nowhere/a.pem"], "/nowhere/a.pem"),
        (["-proxy_to=no://a"], "-proxy_to"),
        (["-otlp_endpoint=x"], "-otlp_endpoint"),
    ],
)
def test_each_of_them_finds_its_own(flags: list[str], said: str) -> None:
    assert any(said in problem.message and not problem.is_warning for problem in findings(parse(flags)))


def test_flags_as_they_are_by_default_are_well() -> None:
    assert findings(parse([])) == []
