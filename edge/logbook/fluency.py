"""Whether a stream runs as fast as it should: frames per second against those that it promises."""

from __future__ import annotations

import math
from typing import NamedTuple

#: Without a promise a stream that has more than the first runs at the third, others at the second (media-server).
_GUESS_ABOVE_FPS, _GUESS_SLOW_FPS, _GUESS_FPS = 22, 15, 30


class Expected(NamedTuple):
    """Frames per second that a stream should have; ``is_guessed``: it does not say so itself."""

    fps: float
    is_guessed: bool


def expected_fps(framerate: float | None, fps: float) -> Expected | None:
    """What a stream should have by the ``framerate`` of its metadata, else by what it has; None when nothing tells."""
    if framerate is not None and math.isfinite(framerate) and framerate > 0:
        return Expected(framerate, False)
    if fps <= 0:
        return None
    return Expected(_GUESS_FPS if fps > _GUESS_ABOVE_FPS else _GUESS_SLOW_FPS, True)


def fluency_text(fps: float, framerate: float | None) -> str:
    """``100.0%``; with ``*`` behind it where the promise is guessed, ``-`` where nothing tells it."""
    expected = expected_fps(framerate, fps)
    if expected is None:
        return "-"
    return f"{100 * fps / expected.fps:.1f}%{'*' if expected.is_guessed else ''}"


def score(fps: int, expected: Expected | None) -> int:
    """The same in whole percent for ``[CONN_STATS]``: 100 where nothing tells what should be."""
    return int(fps * 100 // expected.fps) if expected is not None else 100
