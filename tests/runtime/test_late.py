"""What is loaded when it is first asked for; the rest is in the tests of the two that are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edge.net.aio import TaskOwner
from edge.runtime import late
from edge.runtime.late import Late
from tests.net.live import eventually


class Made:
    def __init__(self) -> None:
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")

    async def close(self) -> None:
        self.calls.append("close")


class Anything(Late[Made]):
    title, word = "anything", "anything"
    named: Sequence[str] = ("json",)

    def modules(self) -> Sequence[str]:
        return self.named


def new(owner: TaskOwner, told: list[str]) -> Anything:
    return Anything(Made, owner=owner, on_ready=lambda: told.append("ready"), on_failed=lambda: told.append("failed"))


async def test_it_is_made_once_and_ends_with_the_node() -> None:
    told: list[str] = []
    part = new(TaskOwner("test"), told)
    part.start()
    part.start()
    await eventually(lambda: told, "it to be there")
    part.start()
    assert told == ["ready"] and part.service is not None and part.service.calls == ["start"]
    await part.close()
    assert part.service.calls == ["start", "close"]
    part.start()
    assert told == ["ready"]


async def test_what_fails_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    part = new(TaskOwner("test"), told)
    part.named = ("edge.no_such_module",)
    part.start()
    await eventually(lambda: told, "it to fail")
    assert told == ["failed"] and part.has_failed and part.service is None
    part.named = ("json",)
    part.start()
    assert part._loading is not None and part._loading.done()
    later = late.now_ms() + 60_000
    monkeypatch.setattr(late, "now_ms", lambda: later)
    part.start()
    await eventually(lambda: told == ["failed", "ready"], "it to be there")
    assert not part.has_failed
