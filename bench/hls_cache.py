"""Viewers of HLS behind nginx as a cache before two edges, of which one dies: ``python bench/hls_cache.py --help``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a script, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.harness.clients import real_clip
from tests.harness.hls_cache import CacheTrial, Findings

_CLIP = "bbb-360p-10s.flv"


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def report(found: Findings) -> str:
    """What viewers saw, in lines."""
    lines = [
        f"answers by status: {dict(sorted(found.statuses.items()))}",
        f"media played: {dict(found.media)}",
        f"answered by the cache alone: {found.hits:.1f} %",
        f"objects by requests to the edges: {dict(sorted(found.edge_requests.items()))}",
        f"objects compared with both edges: {found.compared}",
        f"stale playlists: {len(found.stale)}",
    ]
    for form, stalls in found.stalls.items():
        lines.append(f"stalls, {form}: {len(stalls)}, longest {max(stalls, default=0.0):.2f} s")
    for what, times in sorted(found.first_byte_ms.items()):
        p50, p99 = (_percentile(times, share) for share in (0.5, 0.99))
        lines.append(f"first byte of {what}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {max(times):.0f} ms")
    return "\n".join((*lines, *(f"FAULT: {fault}" for fault in found.faults())))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the trial and print; returns 1 where something was not as it should be."""
    parser = argparse.ArgumentParser(prog="bench/hls_cache.py", description=__doc__)
    parser.add_argument("--viewers", type=int, default=200, help="half of classic HLS, half of low latency")
    parser.add_argument("--seconds", type=float, default=120.0, help="from the first viewer to the end")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        trial = CacheTrial(
            real_clip(_CLIP, Path(folder)),
            arguments.viewers,
            arguments.seconds,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
        found = asyncio.run(trial.run())
    print(report(found))
    return 1 if found.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
