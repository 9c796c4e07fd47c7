"""Pages of rows that come and go."""

from __future__ import annotations

import json

import grpc
import pytest

from edge.control.context import ControlError
from edge.control.paging import MAX_PAGE_SIZE, page_size_of, page_token_after


def page(rows: list[str], token: str, size: int = 2) -> tuple[list[str], str]:
    found, after = page_token_after(rows, token, size, lambda row: [row])
    return list(found), after


def test_pages_go_on_behind_what_was_seen_whatever_has_gone_meanwhile() -> None:
    first, token = page(["a", "b", "c", "d"], "")
    assert first == ["a", "b"]
    assert page(["c", "d", "e"], token) == (["c", "d"], json.dumps(["d"]))
    assert page(["a", "bb"], token) == (["bb"], "")
    assert page([], token) == ([], "")
    assert page([], "") == ([], "")


@pytest.mark.parametrize("token", ["x", "{}", "1", "[1]", "[" * 100_000])
def test_tokens_that_nobody_gave_are_refused(token: str) -> None:
    with pytest.raises(ControlError) as caught:
        page(["a", "b", "c"], token)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_pages_have_a_size() -> None:
    assert [page_size_of(asked) for asked in (0, 1, MAX_PAGE_SIZE + 1)] == [MAX_PAGE_SIZE, 1, MAX_PAGE_SIZE]
    with pytest.raises(ControlError):
        page_size_of(-1)
