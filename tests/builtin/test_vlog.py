from __future__ import annotations

import json
import logging

import pytest

from edge.builtin import vlog
from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.vlog import VLOG, is_detail_logged
from edge.runtime.logs import DetailFilter
from tests.builtin import sample
from tests.harness.at_once import at_once


class Only(logging.Handler):
    """A handler with the filter of the daemon."""

    def __init__(self, vmodule: str, *, is_verbose: bool) -> None:
        super().__init__()
        self.addFilter(DetailFilter(vmodule, is_verbose))


def logger_with(handler: logging.Handler | None, level: int, name: str = "edge.vlog_test.one") -> logging.Logger:
    root = logging.getLogger("edge.vlog_test")
    root.handlers = [handler] if handler is not None else []
    root.propagate = False
    root.setLevel(level)
    return logging.getLogger(name)


@pytest.mark.parametrize(
    ("handler", "level", "is_logged"),
    [
        (Only("", is_verbose=True), logging.DEBUG, True),
        (Only("", is_verbose=False), logging.DEBUG, False),
        (Only("one=1", is_verbose=False), logging.DEBUG, True),
        (Only("edge.vlog_test.*=1", is_verbose=False), logging.DEBUG, True),
        (Only("one=0", is_verbose=True), logging.DEBUG, False),
        (Only("other=1", is_verbose=False), logging.DEBUG, False),
        (Only("one=1", is_verbose=True), logging.INFO, False),
        (logging.NullHandler(logging.INFO), logging.DEBUG, False),
        (None, logging.DEBUG, False),
    ],
)
def test_detail_is_logged_as_v_and_vmodule_say(handler: logging.Handler | None, level: int, is_logged: bool) -> None:
    assert is_detail_logged(logger_with(handler, level)) is is_logged


def test_a_row_per_module() -> None:
    logger_with(Only("one=1", is_verbose=False), logging.DEBUG)
    logging.getLogger("edge.vlog_test.other")
    logging.getLogger(f"edge.vlog_test.{sample.EVIL}")
    data = at_once(vlog.collect(sample.context(), Visit()))
    rows = {row.module: row for row in data.loggers}
    assert (rows["edge.vlog_test.one"].status, rows["edge.vlog_test.one"].current) == ("enabled", 1)
    assert (rows["edge.vlog_test.other"].status, rows["edge.vlog_test.other"].level) == ("disabled", "DEBUG")
    assert all(module.partition(".")[0] in vlog.ROOTS for module in rows)
    assert VLOG.text(data).splitlines()[0].split() == ["module", "current", "required", "status", "level"]
    assert json.loads(render(VLOG, PageFormat.JSON, data))["loggers"]
    html = render(VLOG, PageFormat.HTML, data)
    assert "<script" not in html and "&lt;script&gt;" in html


def test_none_yet() -> None:
    assert VLOG.text(vlog.VlogData(())) == "no module has logged yet\n"
