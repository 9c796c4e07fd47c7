from __future__ import annotations

import asyncio

import pytest

from edge.runtime.assembly import assemble, service_line
from tests.builtin import sample
from tests.runtime.nodes import running, settings_of


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "service id=5d"),
        ({"pulls_from": "a:1", "pushes_to": "b:2"}, "service id=5d pulls from a:1, pushes to b:2"),
        (
            {"service": "front", "pulls_from": "a:1", "pushes_to": "b:2"},
            "front service id=5d pulls from a:1, pushes to b:2",
        ),
    ],
)
def test_line_of_a_service(changes: dict[str, str], line: str) -> None:
    assert service_line(sample.service(id="5d", **changes)) == line


async def test_start_names_the_service_and_pages_are_served(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running() as one:
        assert f"service id={one.node.units[0].service.service_id}" in caplog.messages
        assert (await one.get("/health")) == (200, "OK\n")


async def test_nothing_is_opened_before_the_start() -> None:
    daemon = assemble(settings_of(), asyncio.get_running_loop())
    assert daemon.node.listeners == []
    assert daemon.facts.readiness().reasons == ("not listening yet",)
    await daemon.node.close()
