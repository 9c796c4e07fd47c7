"""Long lists in pages: a token says behind which row the next one begins, whatever has come and gone meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import grpc

from edge.control.context import ControlError

#: Rows of an answer.
MAX_PAGE_SIZE = 1000

Row = TypeVar("Row")


def page_size_of(asked: int) -> int:
    """Rows of a page; raises ControlError for what is no number of them."""
    if asked < 0:
        raise ControlError(grpc.StatusCode.INVALID_ARGUMENT, f"page_size {asked}: expected 0 or more")
    return min(asked or MAX_PAGE_SIZE, MAX_PAGE_SIZE)


def page_token_after(
    rows: Sequence[Row], token: str, size: int, place_of: Callable[[Row], list[Any]]
) -> tuple[Sequence[Row], str]:
    """A page of ``rows``, which are sorted by ``place_of``, and the token of the next, "" behind the last.

    Raises ControlError for a token that was not given out.
    """
    begin = 0
    if token:
        after = _place_in(token)
        try:
            begin = next((at for at, row in enumerate(rows) if place_of(row) > after), len(rows))
        except TypeError as error:
            raise _bad_token() from error
    page = rows[begin : begin + size]
    is_last = begin + size >= len(rows)
    return page, "" if is_last else json.dumps(place_of(page[-1]))


def _place_in(token: str) -> list[Any]:
    try:
        place = json.loads(token)
    except (ValueError, RecursionError) as error:
        raise _bad_token() from error
    if not isinstance(place, list):
        raise _bad_token()
    return place


def _bad_token() -> ControlError:
    return ControlError(grpc.StatusCode.INVALID_ARGUMENT, "page_token: not one of a page before")
