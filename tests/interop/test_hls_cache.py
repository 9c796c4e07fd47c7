"""Viewers behind nginx as a cache before two edges; ``bench/hls_cache.py`` is the same, larger and longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.hls_cache import CacheTrial, clip_of_even_groups

pytestmark = [pytest.mark.interop, pytest.mark.slow]


async def test_viewers_behind_a_cache_notice_nothing_of_edges_that_come_and_go(tmp_path: Path) -> None:
    """Each object is asked for once and is the same at both edges, and nobody stalls for a segment."""
    found = await CacheTrial(clip_of_even_groups(tmp_path), viewers=16, duration_s=22).run()
    assert not found.faults(), "\n".join((*found.faults(), *found.events))
    assert found.media["classic"] >= 8 * 8 and found.media["ll"] >= 8 * 50
    assert found.hits >= 50 and found.compared >= 20
    assert sum(found.edge_requests.values()) >= 60
