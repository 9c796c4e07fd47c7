"""What these tests share: clips, and the end of every program they start."""

from __future__ import annotations

from tests.harness.fixtures import clips, nothing_left_running

__all__ = ["clips", "nothing_left_running"]
