"""The table of steps."""

from __future__ import annotations

import pytest

from bench import budget


def test_each_step_is_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_SECONDS", 2)
    monkeypatch.setattr(budget.os, "sched_setaffinity", lambda *_: None)
    assert budget.main([]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    names = [row[0].partition(": ")[2] for row in rows]
    assert names == [
        *("bytes to messages", "messages to frames", "frames to the log"),
        *("all of it, nobody plays", "all of it, one plays", "session to Play.Start"),
        *("send of 1500 bytes", "send of 7000 bytes"),
    ]
    assert all(float(row[1]) > 0 for row in rows)


def test_what_is_published_is_what_the_load_generator_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_SECONDS", 4)
    reads, count = budget.published()
    assert count == 4 * (25 + 43)
    assert sum(map(len, reads)) * 8 / 4 == pytest.approx(500_000, rel=0.1)
