"""``python -m edge`` and the console script ``edge``."""

from __future__ import annotations

import gc
import os
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
    if os.getpid() == 1:  # what ends others is not even delivered to it, and a container could not be stopped yet
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, _end)
    from edge.runtime.main import main

    sys.exit(main())


def _end(number: int, frame: object) -> None:
    """As the kernel would, in the words of a shell."""
    os._exit(128 + number)


if __name__ == "__main__":
    run()
