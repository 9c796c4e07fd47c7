"""HTTP that is loaded while the server serves already: who comes early, what fails, and an end in the middle."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from edge.net import aio
from edge.net.accepted import Accepted
from edge.net.address import NOWHERE
from edge.net.byte_stream import stream_of
from edge.runtime import late_http
from tests.net.live import eventually
from tests.runtime.nodes import running


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The import of HTTP waits for it."""
    is_open = threading.Event()
    load = aio.importlib.import_module

    def slow(name: str) -> object:
        assert is_open.wait(60)
        return load(name)

    monkeypatch.setattr(aio.importlib, "import_module", slow)
    yield is_open
    is_open.set()


async def test_a_probe_that_comes_early_is_answered_once_the_pages_are_loaded(gate: threading.Event) -> None:
    async with running() as one:
        probes = [asyncio.create_task(one.get("/health")) for _ in range(3)]
        await eventually(lambda: len(one.node.limits.undecided) == 3, "the probes")
        assert one.node.http.service is None and one.node.pages.counters()["connection_count"] == 3
        publisher = await one.publisher()  # the loop is free
        gate.set()
        assert await asyncio.gather(*probes) == [(200, "OK\n")] * 3
        assert one.node.pages.counters()["http_requests_count"] == 3
        publisher.peer.abort()


async def test_an_end_in_the_middle_of_loading_drops_those_that_wait(gate: threading.Event) -> None:
    async with running() as one:
        probe = asyncio.create_task(one.get("/health"))
        await eventually(lambda: one.node.limits.undecided, "the probe")
        await one.node.close()
        with pytest.raises((OSError, IndexError)):
            await probe
        gate.set()
    assert one.node.http.service is None and not one.node.http.has_failed


async def test_an_import_that_fails_is_told_and_ends_the_node(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(late_http, "MODULES", ("edge.no_such_module",))
    async with running() as one:
        told = asyncio.Event()
        one.node.on_failed = told.set
        await asyncio.wait_for(told.wait(), 60)
        assert one.node.http.has_failed
        assert "HTTP and its pages cannot be loaded" in caplog.text
        assert "No module named 'edge.no_such_module'" in caplog.text


async def test_nothing_is_adopted_before_it_is_loaded(gate: threading.Event) -> None:
    async with running() as one:
        (listener,) = one.node.listeners
        ours, theirs = socket.socketpair()
        with theirs, pytest.raises(RuntimeError, match="not loaded yet"):
            one.node.http.adopt(Accepted(stream_of(ours), NOWHERE, listener))
        gate.set()
