"""What is found in time counts, and nobody waits for the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from edge.runtime.bounded import found_within
from tests.harness.clock import deadline


def test_all_that_is_found_in_time_is_returned_in_order() -> None:
    assert found_within(5, lambda: iter([1, 2, 3]), name="look") == [1, 2, 3]
    assert found_within(5, lambda: iter(()), name="look") == []


def test_look_that_hangs_gives_what_it_had_found() -> None:
    release = threading.Event()

    def find() -> Iterator[str]:
        yield "first"
        release.wait()
        yield "too late"

    began = time.monotonic()
    assert found_within(0.1, find, name="look") == ["first"]
    assert time.monotonic() - began <= deadline(1)
    release.set()
