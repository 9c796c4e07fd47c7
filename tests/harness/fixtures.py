"""Fixtures of the black-box tests, named in the conftest of each of their folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import clients, server


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """End what a failed test left behind; fail a test that forgot something."""
    yield
    left = [*clients.LIVE, *server.LIVE]
    for program in list(clients.LIVE):
        program.__exit__()
    for daemon in list(server.LIVE):
        daemon.kill()
    assert not left, f"left running: {[getattr(one, 'command', one) for one in left]}"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the FLV form of a shared clip, made once."""
    cache = tmp_path_factory.mktemp("clips")
    return lambda name: clients.real_clip(name, cache, seconds=5.0 if "5s" in name else 10.0)
