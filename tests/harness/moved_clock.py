"""The wall clock of a node, moved while it runs; its monotonic clock is left alone."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.harness.portable import python_path

# Python imports a module of this name at its start. The offset is read again at each call.
_SITECUSTOMIZE = """
import pathlib
import time

_offset = pathlib.Path(__file__).with_name("offset_s")
_used = pathlib.Path(__file__).with_name("used")
_time, _time_ns = time.time, time.time_ns


def _read():
    _used.touch()
    return float(_offset.read_text() or 0)


time.time = lambda: _time() + _read()
time.time_ns = lambda: _time_ns() + int(_read() * 1e9)
"""


class MovedClock:
    """The wall clock of one ``EdgeServer`` that is started by ``launcher``; a context manager.

    Attributes:
        launcher: goes before the command of the program.
    """

    def __init__(self, offset_s: float = 0) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edge-test-clock-"))
        (self._folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        self.launcher = ("env", f"PYTHONPATH={python_path(self._folder)}")
        self.move(offset_s)

    def move(self, offset_s: float) -> None:
        """From now on the clock is so many seconds off."""
        written = self._folder / "new"
        written.write_text(str(offset_s))
        written.replace(self._folder / "offset_s")

    def __enter__(self) -> MovedClock:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        was_used = (self._folder / "used").exists()
        shutil.rmtree(self._folder)
        assert kind is not None or was_used, f"{sys.executable} did not take the moved clock: nothing is proven"
