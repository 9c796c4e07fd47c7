"""One Chromium for the tests of a file: an idle one would still be in the way of those that measure time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.player import BrowserPlayer
from tests.harness.fixtures import clips, nothing_left_running

__all__ = ["browser", "clips", "nothing_left_running"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserPlayer]:
    """It takes certificates that nobody has signed."""
    with BrowserPlayer(takes_any_certificate=True) as player:
        yield player


@pytest.fixture
def browser(chromium: BrowserPlayer) -> Iterator[BrowserPlayer]:
    yield chromium
    chromium.begin_again()
