"""Servers of the hostile tests, one of each kind for a module, and the second run of every row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hostile._arena import Arena, Row

_SECOND_RUN_KB = 8 * 1024


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "once: takes long; W3 is judged by the rows that run twice")


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """A server with the default limits."""
    made = Arena()
    yield made
    made.close()


@pytest.fixture
def row(arena: Arena) -> Iterator[Row]:
    """A row at the server with the default limits."""
    made = Row(arena)
    yield made
    made.judge()


@pytest.fixture(scope="module")
def hasty_arena() -> Iterator[Arena]:
    """A server whose timers are short and whose caps are small."""
    made = Arena(
        "-handshake_timeout_ms=300",
        "-rtmp_setup_timeout_ms=500",
        "-message_timeout_ms=600",
        "-protocol_detect_timeout_ms=300",
        "-publish_firstpkt_timeout_ms=1500",
        "-publish_normal_timeout_ms=1000",
        "-publish_ping_timeout_ms=500",
        "-send_timeout_ms=1500",
    )
    yield made
    made.close()


@pytest.fixture
def hasty(hasty_arena: Arena) -> Iterator[Row]:
    """A row at the server with short timers."""
    made = Row(hasty_arena)
    yield made
    made.judge()


@pytest.fixture(scope="module")
def roomy_arena() -> Iterator[Arena]:
    """A server that takes what the defaults refuse."""
    made = Arena("-min_in_chunk_size=1", "-max_command_bytes=4194304", "-message_timeout_ms=600000")
    yield made
    made.close()


@pytest.fixture
def roomy(roomy_arena: Arena) -> Iterator[Row]:
    """A row at the server with wide limits."""
    made = Row(roomy_arena)
    yield made
    made.judge()


@pytest.fixture
def custom() -> Iterator[Callable[..., Row]]:
    """Make a row at a server of its own, with the flags given."""
    made: list[Row] = []

    def make(*flags: str) -> Row:
        if not made:
            made.append(Row(Arena(*flags)))
        return made[0]

    yield make
    for each in made:
        try:
            each.judge()
        finally:
            each.arena.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """W3: run a row twice; the second run raises the peak RSS by no more than 8 MiB."""
    result = yield
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    rows: list[Row] = [value for value in arguments.values() if isinstance(value, Row)]
    if rows and pyfuncitem.get_closest_marker("once") is None:
        before_kb = [each.server.peak_rss_kb for each in rows]
        _run_again(pyfuncitem.obj, arguments)
        for each, kb in zip(rows, before_kb, strict=True):
            grown_kb = each.server.peak_rss_kb - kb
            assert grown_kb <= _SECOND_RUN_KB, f"W3: the second run raised the peak RSS by {grown_kb} KiB"
    return result


def _run_again(function: Any, arguments: dict[str, Any]) -> None:
    function(**arguments)
