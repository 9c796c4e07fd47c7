"""Lines about beginnings and ends, of which there are thousands a second: they reach the log past its machinery.

A record of the ``logging`` module costs as much as a play: it looks for its caller, is offered to each
handler, and formatted at once. Where the daemon's own log takes all, it takes these lines as they are and
formats them where it writes, many together.
"""

from __future__ import annotations

import logging
import sys
from typing import NamedTuple, Protocol

from edge.net.aio import wall_s


class Line(NamedTuple):
    """A line of severity INFO that has not been formatted.

    Attributes:
        created: seconds since 1970.
        path, number: where in the code it was written.
        args: values that do not change, ``%``-style.
    """

    created: float
    path: str
    number: int
    text: str
    args: tuple[object, ...]


class LineSink(Protocol):
    """Takes lines; from one thread, without waiting for anything."""

    def __call__(self, line: Line, /) -> None: ...


class _Outlet:
    """Where lines go: None for the ``logging`` module."""

    sink: LineSink | None = None


def send_lines_to(sink: LineSink | None) -> None:
    """Have lines taken by ``sink``, or by the ``logging`` module again."""
    _Outlet.sink = sink


class Lines:
    """Writes the lines of one module, as its logger would."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, text: str, *args: object) -> None:
        """A line; ``args`` must not change any more: of what does, give the text."""
        sink = _Outlet.sink
        if sink is None:
            self._logger.info(text, *args, stacklevel=2)
            return
        frame = sys._getframe(1)
        sink(Line(wall_s(), frame.f_code.co_filename, frame.f_lineno, text, args))
