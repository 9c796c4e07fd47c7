"""``python -m edge`` and the console script ``edge``."""

from __future__ import annotations

import gc
import signal
import sys


def run() -> None:
    """Run the program and exit with its code."""
    # What is loaded at start lives until the end, so looking through it for garbage is in vain.
    gc.disable()
    # The daemon takes the signals once it is there. Before that an interrupt shows no traceback, and a request to
    # reload what has not been loaded yet ends nothing.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from edge.runtime.main import main

    sys.exit(main())


if __name__ == "__main__":
    run()
