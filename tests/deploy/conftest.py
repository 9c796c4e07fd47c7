"""What these tests share: the end of every program they start."""

from __future__ import annotations

from tests.harness.fixtures import nothing_left_running

__all__ = ["nothing_left_running"]
