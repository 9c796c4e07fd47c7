"""Measure the server and nginx with its RTMP module in one run: ``python bench/run.py --help``."""

from __future__ import annotations

import sys
from pathlib import Path


def run() -> int:
    """Start as a script, from any directory and without being installed."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from bench.command import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
