"""What comes of a coroutine that waits for nothing."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")


def at_once(awaitable: Awaitable[Result]) -> Result:
    """What comes of it; all that it asks answers at once."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: Result = end.value
        return result
    raise AssertionError("it waits for something")
