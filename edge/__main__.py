"""``python -m edge`` and the console script ``edge``."""

from __future__ import annotations

import gc
import sys


def run() -> None:
    """Run the program and exit with its code."""
    # What is loaded at start lives until the end, so looking through it for garbage is in vain.
    gc.disable()
    from edge.runtime.main import main

    sys.exit(main())


if __name__ == "__main__":
    run()
