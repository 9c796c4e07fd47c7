"""The flood of who is shut out: it comes as often as it says, and the line tells what became of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.denied import flood, line, shut_out
from tests.net.live import eventually
from tests.runtime.nodes import running


def test_line_has_the_cost_of_each_and_what_the_player_got() -> None:
    row = {"came": 50_000, "through": 300, "seconds": 5.0, "cpu_s": 0.15, "cpu_pct": 3.0}
    text = line("rtmp, 20 told", {**row, "bytes": 312_500, "played_s": 5.0, "longest_ms": 100.4})
    assert text == (
        "rtmp, 20 told: 10000 connections a second take 3 % of a core, 3.0 us each; 300 of 50000 got through; "
        "the player beside got 500 kbit/s, longest wait 100 ms"
    )


async def test_flood_and_player_are_real(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("0123456789abcdef\n")
    conf = tmp_path / "edge.conf"
    gate = f"play_auth sign; sign_keys_file {tmp_path}/keys;"
    conf.write_text(f"vhost __defaultVhost__ {{ }}\nvhost guarded.example {{ {gate} }}\n")
    async with running(f"-vhost_config={conf}", "-auth_told_per_s=0") as one:
        await asyncio.to_thread(shut_out, one.port())
        rejected = one.node.context.counters["error_auth_failures_count"]
        row = await asyncio.to_thread(flood, one.port(), 50.0, 0.5, "rtmp")
        assert 0 < row["through"] <= row["came"] <= 50
        counters = one.node.context.counters
        await eventually(lambda: counters["error_auth_failures_count"] > rejected, "one that was told")
