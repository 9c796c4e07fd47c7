"""Defaults of a request."""

from __future__ import annotations

from lb.base import SelectRequest


def test_a_request_excludes_nobody() -> None:
    assert SelectRequest() == SelectRequest(0, frozenset(), frozenset())
    assert (SelectRequest().now_ms, SelectRequest().loads) == (0, None)
