"""``/vlog``: which modules log detail now, as ``-v`` and ``-vmodule`` have it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import columns, table

ROOTS = ("edge", "naming", "lb")
#: Detail is what is logged below INFO, all of it at one level.
DETAIL_LEVEL = 1


@dataclass(frozen=True, slots=True)
class LoggerRow:
    """A module that logs.

    Attributes:
        current: the level of detail that is logged: 0 for none.
        required: the level of what it would log.
        level: the least severity that is logged.
    """

    module: str
    current: int
    required: int
    status: str
    level: str


@dataclass(frozen=True, slots=True)
class VlogData:
    """Our modules by name."""

    loggers: tuple[LoggerRow, ...]


def is_detail_logged(logger: logging.Logger) -> bool:
    """Whether a record of detail of this logger would pass the loggers and handlers above it and their filters."""
    if not logger.isEnabledFor(logging.DEBUG):
        return False
    record = logging.LogRecord(logger.name, logging.DEBUG, "", 0, "", (), None)
    return any(
        record.levelno >= handler.level and all(_passes(each, record) for each in handler.filters)
        for handler in _handlers_of(logger)
    )


def _passes(each: object, record: logging.LogRecord) -> bool:
    return bool(each.filter(record) if isinstance(each, logging.Filter) else each(record))  # type: ignore[operator]


def _handlers_of(logger: logging.Logger) -> Iterator[logging.Handler]:
    found: logging.Logger | None = logger
    while found is not None:
        yield from found.handlers
        found = found.parent if found.propagate else None


async def collect(_context: PageContext, _visit: Visit) -> VlogData:
    """Look at all loggers that a module of ours has made."""
    known = logging.Logger.manager.loggerDict
    names = sorted(name for name in known if name.partition(".")[0] in ROOTS)
    rows = []
    for name in names:
        logger = logging.getLogger(name)
        is_detailed = is_detail_logged(logger)
        rows.append(
            LoggerRow(
                module=name,
                current=DETAIL_LEVEL if is_detailed else 0,
                required=DETAIL_LEVEL,
                status="enabled" if is_detailed else "disabled",
                level=logging.getLevelName(logger.getEffectiveLevel()),
            )
        )
    return VlogData(tuple(rows))


def text(data: VlogData) -> str:
    """A line per module."""
    rows = [asdict(row) for row in data.loggers]
    return table(rows, columns(rows)) if rows else "no module has logged yet\n"


VLOG = register(
    Page(
        "/vlog",
        "Loggers",
        collect,
        text,
        template="vlog.html",
        is_listed=False,
        about="which modules log detail, as -v and -vmodule have it",
    )
)
