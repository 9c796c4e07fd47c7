"""The line about a flood of handshakes."""

from __future__ import annotations

import argparse

import pytest

from bench.handshakes import line


@pytest.mark.parametrize(("done", "delay_ms", "is_met"), [(7000, 20.0, True), (999, 20.0, False), (7000, 100.0, False)])
def test_both_targets_must_be_met(done: int, delay_ms: float, is_met: bool) -> None:
    flood = {"started": 10_000, "done": done, "seconds": 10.0, "own_cpu_s": 5.0}
    row = {"flood": flood, "lat_p50_ms": 1.0, "lat_p99_ms": delay_ms, "gaps_total": 0, "cpu_pct": 50.0}
    text = line("rsa", row, argparse.Namespace(players=50))
    assert text.startswith(f"rsa: 1000 handshakes a second came, {done / 10:.0f} were completed; 50 plain players'")
    assert text.endswith(": met") is is_met
