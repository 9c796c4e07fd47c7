"""What wakes an operator: of each cause one line a minute, however often it comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_EVERY_S = 60.0
#: Causes that are remembered; a peer that invents new ones must not fill the memory.
_MAX_CAUSES = 1024


class OncePerMinute(logging.Filter):
    """Lets one record of severity WARNING or above be that per cause and minute; the others become INFO.

    So no line is lost, and nobody is woken twice. The next one tells how many there were. The cause is where in the
    code a record was made; for two things that an operator would see to apart, such as two servers, the record names
    it in ``cause``. Of exceptions it is also which and where.
    """

    def __init__(self, monotonic_s: Callable[[], float], *, is_info_logged: bool = True) -> None:
        """Where ``is_info_logged`` is false the others are left out."""
        super().__init__()
        self._is_info_logged = is_info_logged
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        # By cause, the oldest first: when its last warning was, and how many have been less than that since.
        self._told: dict[tuple[object, ...], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if record.levelno < logging.WARNING:
            return True
        cause = cause_of(record)
        with self._lock:
            now_s = self._monotonic_s()
            told_s, count = self._told.get(cause, (float("-inf"), 0))
            if now_s - told_s < _EVERY_S:
                self._told[cause] = told_s, count + 1
                record.levelno, record.levelname = logging.INFO, "INFO"
                return self._is_info_logged
            self._told.pop(cause, None)
            if len(self._told) >= _MAX_CAUSES:
                self._told.pop(next(iter(self._told)))
            self._told[cause] = now_s, 0
        if count:
            record.msg = f"{record.getMessage()} ({count} more since the last warning)"
            record.args = ()
        return True


def cause_of(record: logging.LogRecord) -> tuple[object, ...]:
    """What a record is about, as far as an operator would see to it once."""
    where: tuple[object, ...] = (record.pathname, record.msg, getattr(record, "cause", ""))
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return where
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else ()
    return (*where, type(error), *place)
