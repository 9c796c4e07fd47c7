"""Some connections of who is shut out are told so each second, and the others cost next to nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from edge.net import floods, system
from edge.net.counters import Counters
from edge.net.floods import Floods
from edge.net.source_filter import MAX_NETWORKS, source_filter
from edge.service.client_network import network_of


class Rig:
    """A clock that is moved, and the programs that the kernel was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, told_per_s: int = 2) -> None:
        self.programs: list[bytes | None] = []
        self.shut_out = {f"192.0.2.{number}" for number in range(100)} | {"2001:db8::1", "2001:db8::2"}
        self.timers: list[Callable[[], object]] = []
        self.told_per_s = told_per_s
        monkeypatch.setattr(system, "attach_filter", lambda _, program: self.programs.append(program))
        monkeypatch.setattr(system, "detach_filter", lambda _: self.programs.append(None))
        self.counters = Counters(lambda: 0)
        context: Any = SimpleNamespace(counters=self.counters, call_later=self._call_later)
        sock: Any = None
        self.floods = Floods(sock, context, self.shut_out.__contains__, lambda: self.told_per_s)
        assert self.programs.pop() is None, "what a process before has left is undone"

    def _call_later(self, delay_ms: int, callback: Callable[[], object]) -> Any:
        assert delay_ms == 1000
        self.timers.append(callback)
        return SimpleNamespace(cancel=lambda: self.timers.remove(callback))

    def come(self, host: str, times: int) -> list[bool]:
        return [self.floods.turns_away(host) for _ in range(times)]


def test_some_are_told_each_second_and_the_kernel_drops_the_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert rig.come("192.0.2.1", 5) == [False, False, True, True, True]
    assert rig.programs == [source_filter([network_of("192.0.2.1")])] and len(caplog.records) == 1
    assert "192.0.2.1" in caplog.text and rig.counters["error_auth_failures_count"] == 3
    assert rig.come("198.51.100.1", 9) == [False] * 9, "another address"
    rig.timers.pop()()
    assert rig.programs.pop() is None
    assert rig.come("192.0.2.1", 3) == [False, False, True]


def test_client_with_a_network_of_its_own_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    assert rig.come("2001:db8::1", 2) + rig.come("2001:db8::2", 2) == [False, False, True, True]


def test_few_are_all_told_and_zero_tells_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    assert rig.come("192.0.2.1", 2) == [False] * 2
    rig.timers.pop()()
    rig.told_per_s = 0
    assert rig.come("192.0.2.1", 50) == [False] * 50 and not rig.programs


def test_worst_are_dropped_as_far_as_a_program_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    for number in range(100):
        assert rig.come(f"192.0.2.{number}", 3) == [False, False, True]
    assert len(rig.programs) == MAX_NETWORKS == floods.MAX_NETWORKS


def test_nothing_is_dropped_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    rig.come("192.0.2.1", 3)
    rig.floods.close()
    rig.floods.close()
    assert rig.programs[-1] is None and len(rig.programs) == 2 and not rig.timers
