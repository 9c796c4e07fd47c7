"""Lines that go past the logging module are the lines that it would have written."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from edge.net.lines import Line, Lines, send_lines_to

lines = Lines("edge.net.test")


@pytest.fixture
def taken() -> Iterator[list[Line]]:
    found: list[Line] = []
    send_lines_to(found.append)
    yield found
    send_lines_to(None)


def test_without_a_sink_they_are_records_of_their_place(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lines.info("%s began key=%s", "c1", "a")
    (record,) = caplog.records
    assert (record.name, record.getMessage(), record.filename) == ("edge.net.test", "c1 began key=a", "test_lines.py")
    assert record.funcName == "test_without_a_sink_they_are_records_of_their_place"


def test_a_sink_gets_what_a_record_would_hold(taken: list[Line], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lines.info("%s ended sent=%d", "c1", 7)
    assert not caplog.records
    (line,) = taken
    assert line.text % line.args == "c1 ended sent=7"
    assert line.path == __file__
    assert 20 < line.number < 50
    assert line.created > 1_700_000_000
