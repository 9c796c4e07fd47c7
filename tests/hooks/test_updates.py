"""Sessions come up in their time."""

from __future__ import annotations

from edge.hooks.updates import Updates


def test_each_comes_up_in_its_own_time() -> None:
    updates: Updates[str] = Updates()
    updates.add("a", 30_000, 0)
    updates.add("b", 10_000, 5_000)
    found = [(now_ms, name) for now_ms in range(0, 61_000, 1000) for name in updates.due(now_ms)]
    assert found == [
        *((15_000, "b"), (25_000, "b"), (30_000, "a"), (35_000, "b"), (45_000, "b"), (55_000, "b"), (60_000, "a"))
    ]


def test_who_is_over_does_not_and_who_was_late_comes_once() -> None:
    updates: Updates[str] = Updates()
    updates.add("a", 1000, 0)
    updates.add("b", 1000, 0)
    updates.remove("a")
    updates.remove("a")
    assert len(updates) == 1
    assert updates.due(50_000) == ["b"]
    assert updates.due(50_999) == []
    assert updates.due(51_000) == ["b"]
