"""``python -m edge`` and the console script ``edge``."""

from __future__ import annotations

import sys

from edge.runtime.main import main


def run() -> None:
    """Run the program and exit with its code."""
    sys.exit(main())


if __name__ == "__main__":
    run()
