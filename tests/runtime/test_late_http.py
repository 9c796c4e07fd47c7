"""HTTP that is loaded when it is first asked for: who comes early, what fails, and an end in the middle."""

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
from edge.runtime import late, late_http
from tests.harness.at_once import at_once
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
        assert one.node.http.service is None and at_once(one.facts.counters())["connection_count"] == 3
        publisher = await one.publisher()  # the loop is free
        gate.set()
        assert await asyncio.gather(*probes) == [(200, "OK\n")] * 3
        assert at_once(one.facts.counters())["http_requests_count"] == 3
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


async def test_nothing_is_loaded_until_somebody_speaks_http(gate: threading.Event) -> None:
    async with running() as one:
        publisher = await one.publisher()
        assert not any(task.get_name() == "load-http" for task in asyncio.all_tasks())
        probe = asyncio.create_task(one.get("/health"))
        await eventually(lambda: any(task.get_name() == "load-http" for task in asyncio.all_tasks()), "the loading")
        gate.set()
        assert await probe == (200, "OK\n")
        publisher.peer.abort()


async def test_it_may_be_loaded_from_the_start() -> None:
    async with running("-http_preload") as one:
        told = asyncio.Event()
        one.node.on_loaded = told.set
        await asyncio.wait_for(told.wait(), 60)
        assert one.node.http.service is not None


async def test_an_import_that_fails_at_the_start_is_told_and_ends_the_node(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(late_http, "MODULES", ("edge.no_such_module",))
    async with running("-http_preload") as one:
        told = asyncio.Event()
        one.node.on_failed = told.set
        await asyncio.wait_for(told.wait(), 60)
        assert one.node.http.has_failed
        assert "HTTP and its pages cannot be loaded" in caplog.text
        assert "No module named 'edge.no_such_module'" in caplog.text


async def test_an_import_that_fails_later_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as one:
        one.node.on_failed = lambda: pytest.fail("media go on")
        publisher = await one.publisher()
        with monkeypatch.context() as broken:
            broken.setattr(late_http, "MODULES", ("edge.no_such_module",))
            for _ in range(2):  # the second does not try again so soon
                assert await one.get("/health") == (503, "HTTP could not be loaded: see the log\n")
        assert caplog.text.count("HTTP and its pages cannot be loaded") == 1
        player = await one.player()
        monkeypatch.setattr(late, "now_ms", lambda: aio.now_ms() + 60_000)
        assert (await one.get("/health"))[0] == 503  # it does not wait, and has it loaded for others
        await eventually(lambda: one.node.http.service, "HTTP")
        assert await one.get("/health") == (200, "OK\n") and not one.node.http.has_failed
        for client in (publisher, player):
            client.peer.abort()


async def test_nothing_is_adopted_before_it_is_loaded(gate: threading.Event) -> None:
    async with running() as one:
        (listener,) = one.node.listeners
        ours, theirs = socket.socketpair()
        with theirs, pytest.raises(RuntimeError, match="not loaded yet"):
            one.node.http.adopt(Accepted(stream_of(ours), NOWHERE, listener))
        gate.set()
