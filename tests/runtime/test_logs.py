"""Lines as glog and brpc write them, and a log that never blocks."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.flags.logging import LogConfig
from edge.net.lines import Line
from edge.runtime import logs

HOST = "node1.baidu.com"


def make_record(text: str = "hello", level: int = logging.INFO, name: str = "edge.net.listener") -> logging.LogRecord:
    record = logging.LogRecord(name, level, "/src/edge/net/listener.py", 42, text, (), None)
    record.created = 1795230146.123456
    record.process, record.thread, record.threadName = 77, 99, "MainThread"
    return record


def line(config: LogConfig, record: logging.LogRecord | None = None) -> str:
    return logs.GlogFormatter(config, HOST).format(record or make_record()).decode()


UTC = LogConfig(log_utc_time=True)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (UTC, "I1121 03:02:26.123456 77 listener.py:42] hello\n"),
        (replace(UTC, log_pid=True), "I1121 03:02:26.123456 77 77 listener.py:42] hello\n"),
        (replace(UTC, log_hostname=True), "I1121 03:02:26.123456 77 node1 listener.py:42] hello\n"),
        (replace(UTC, log_year=True), "I20261121 03:02:26.123456 77 listener.py:42] hello\n"),
        (replace(UTC, log_prefix=False), "hello\n"),
    ],
)
def test_prefix_follows_the_flags(config: LogConfig, expected: str) -> None:
    assert line(config) == expected


@pytest.mark.parametrize(("level", "letter"), [(10, "V"), (20, "I"), (30, "W"), (40, "E"), (50, "F")])
def test_severity_letters(level: int, letter: str) -> None:
    assert line(UTC, make_record(level=level)).startswith(letter + "1121 ")


def test_other_threads_show_their_own_id() -> None:
    record = make_record()
    record.threadName = "log"
    assert " 99 listener.py:42]" in line(UTC, record)


def test_json_lines() -> None:
    config = replace(UTC, log_as_json=True, log_pid=True, log_hostname=True)
    assert json.loads(line(config)) == {
        "L": "I",
        "T": "1121 03:02:26.123456",
        "pid": 77,
        "tid": 77,
        "host": "node1",
        "C": "listener.py:42",
        "M": "hello",
    }


@pytest.mark.parametrize("text", ["x" * 100_000, "\0" * 100_000, "\U0001f600" * 100_000, '"' * 100_000])
def test_X7_no_line_is_longer_than_the_limit(text: str) -> None:
    for config in (UTC, replace(UTC, log_as_json=True)):
        written = line(config, make_record(text))
        assert len(written.encode()) <= logs.MAX_LINE_BYTES + 1
        assert written.count("\n") == 1
    assert json.loads(written)["L"] == "I"


def test_X7_control_characters_are_escaped() -> None:
    written = line(UTC, make_record("a\r\nI1121 forged\x1b[31m\x00\x85\u2028é"))
    assert written.endswith("] a\\x0d\\x0aI1121 forged\\x1b[31m\\x00\\x85\\x2028é\n")


def test_broken_utf8_is_escaped() -> None:
    assert line(UTC, make_record("a\udcff")).endswith("] a\\udcff\n")


def test_tracebacks_are_indented_lines() -> None:
    record = make_record("failed", logging.ERROR)
    try:
        raise ValueError("bad\x1b[0m\nI1121 forged")
    except ValueError:
        record.exc_info = sys.exc_info()
    first, *rest = line(UTC, record).splitlines()
    assert first.endswith("] failed")
    assert len(rest) > 2
    assert all(each.startswith("    ") for each in rest)
    assert "\x1b" not in "".join(rest)
    assert "ValueError" in json.loads(line(replace(UTC, log_as_json=True), record))["X"]


@contextmanager
def handler_to_pipe(config: LogConfig) -> Iterator[tuple[logs.QueueingHandler, int]]:
    """A handler and the reading end of what it takes for standard error."""
    reading, writing = os.pipe()
    handler = logs.QueueingHandler(config, hostname=HOST, stderr_fd=writing)
    try:
        yield handler, reading
    finally:
        # The reader goes first, so that a writer blocked on a full pipe ends with an error.
        os.close(reading)
        handler.close()
        handler._thread.join(10)
        os.close(writing)


def test_lines_go_to_standard_error() -> None:
    with handler_to_pipe(UTC) as (handler, reading):
        handler.emit(make_record())
        assert os.read(reading, 1000) == b"I1121 03:02:26.123456 77 listener.py:42] hello\n"


def test_R2_a_stopped_reader_costs_lines_and_no_time() -> None:
    with handler_to_pipe(replace(UTC, log_queue_lines=100)) as (handler, reading):
        began = time.monotonic()
        for _ in range(1000):
            handler.emit(make_record("x" * 1000))
        assert time.monotonic() - began < 5
        assert handler.dropped_count > 500
        received = bytearray()
        while b"log lines dropped" not in received:
            received += os.read(reading, 65536)
        assert f"{handler.dropped_count} log lines dropped".encode() in received


def test_closing_does_not_wait_for_a_stopped_reader() -> None:
    with handler_to_pipe(replace(UTC, log_queue_lines=10)) as (handler, _):
        for _ in range(200):
            handler.emit(make_record("x" * 4000))
        began = time.monotonic()
        handler.close()
        assert time.monotonic() - began < 5


def test_a_reader_that_is_gone_does_no_harm() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    handler = logs.QueueingHandler(UTC, hostname=HOST, stderr_fd=writing)
    handler.emit(make_record())
    handler.close()
    os.close(writing)


def test_a_record_that_cannot_be_formatted_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with handler_to_pipe(UTC) as (handler, reading):
        record = make_record("%d")
        record.args = ("text",)
        handler.emit(record)
        handler.emit(make_record())
        assert os.read(reading, 1000).endswith(b"] hello\n")


def test_log_dir_takes_all_and_standard_error_from_the_threshold(tmp_path: Path) -> None:
    with handler_to_pipe(replace(UTC, log_dir=str(tmp_path))) as (handler, reading):
        handler.emit(make_record("quiet"))
        handler.emit(make_record("loud", logging.ERROR))
        assert os.read(reading, 1000).endswith(b"] loud\n")
        handler.close()
    text = (tmp_path / "edge.INFO").read_text()
    assert [each.rpartition("] ")[2] for each in text.splitlines()] == ["quiet", "loud"]
    (file,) = [path for path in tmp_path.iterdir() if not path.is_symlink()]
    assert re.fullmatch(rf"edge\.node1\.baidu\.com\.\w+\.log\.INFO\.\d{{8}}-\d{{6}}\.{os.getpid()}", file.name)


@pytest.mark.parametrize(
    ("config", "in_file", "on_stderr"),
    [
        (LogConfig(logtostderr=True), False, True),
        (LogConfig(alsologtostderr=True), True, True),
        (LogConfig(stderrthreshold=0), True, True),
    ],
)
def test_where_lines_go(tmp_path: Path, config: LogConfig, in_file: bool, on_stderr: bool) -> None:
    with handler_to_pipe(replace(config, log_dir=str(tmp_path))) as (handler, reading):
        handler.emit(make_record())
        if on_stderr:
            assert os.read(reading, 1000).endswith(b"] hello\n")
        handler.close()
    assert (tmp_path / "edge.INFO").exists() is in_file


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    file = logs.LogFile(str(tmp_path), 100, "host", lambda: 0.0)
    for _ in range(5):
        assert file.write(b"x" * 60 + b"\n", 0.0) is None
    file.close()
    assert len([path for path in tmp_path.iterdir() if not path.is_symlink()]) == 5
    assert (tmp_path / "edge.INFO").resolve().stat().st_size == 61


def test_a_file_that_was_moved_away_is_made_anew_by_its_name(tmp_path: Path) -> None:
    config = LogConfig(log_dir=str(tmp_path), async_log=False, log_prefix=False)
    with detached(logs.QueueingHandler(config, hostname="host")) as handler:
        handler.emit(make_record("one"))
        written = (tmp_path / "edge.INFO").resolve()
        assert handler.reopen()
        handler.emit(make_record("two"))
        assert written.read_text() == "one\ntwo\n", "nobody has moved it"
        moved = written.rename(tmp_path / "old")
        handler.emit(make_record("three"))
        assert moved.read_text() == "one\ntwo\nthree\n"
        handler.reopen()
        handler.emit(make_record("four"))
        assert (written.read_text(), (tmp_path / "edge.INFO").read_text()) == ("four\n", "four\n")
    with detached(logs.QueueingHandler(LogConfig(), hostname="host")) as handler:
        assert not handler.reopen(), "there is no file"


@contextmanager
def detached(handler: logs.QueueingHandler) -> Iterator[logs.QueueingHandler]:
    try:
        yield handler
    finally:
        handler.close()


def test_R1_an_unwritable_directory_is_tried_again_each_minute(tmp_path: Path) -> None:
    now = 0.0
    folder = tmp_path / "logs"
    file = logs.LogFile(str(folder), 1000, "host", lambda: now)
    assert isinstance(file.write(b"a\n", 0.0), OSError)
    folder.mkdir()
    assert file.write(b"b\n", 0.0) is None
    assert not list(folder.iterdir())
    now = 61.0
    assert file.write(b"c\n", 0.0) is None
    file.close()
    assert (folder / "edge.INFO").read_text() == "c\n"


@pytest.mark.parametrize(
    ("vmodule", "is_verbose", "name", "passes"),
    [
        ("", True, "edge.net.listener", True),
        ("", False, "edge.net.listener", False),
        ("listener=1", False, "edge.net.listener", True),
        ("listener=0", True, "edge.net.listener", False),
        ("list*=2", False, "edge.net.listener", True),
        ("edge.net.*=1", False, "edge.net.listener", True),
        ("edge.hub.*=1", False, "edge.net.listener", False),
        ("a=1, listener=1", False, "edge.net.listener", True),
    ],
)
def test_detail_by_module(vmodule: str, is_verbose: bool, name: str, passes: bool) -> None:
    detail = logs.DetailFilter(vmodule, is_verbose)
    assert detail.filter(make_record(level=logging.DEBUG, name=name)) is passes
    assert detail.filter(make_record(level=logging.INFO, name=name))


@pytest.fixture
def loggers() -> Iterator[None]:
    """Put the loggers back as they were."""
    names = ("", "edge", "naming", "lb")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers, may_raise = logging.getLogger().handlers[:], logging.raiseExceptions
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().handlers[:] = handlers
    logging.raiseExceptions = may_raise


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (LogConfig(), ["info", "warning"]),
        (LogConfig(v=99), ["detail", "info", "warning"]),
        (LogConfig(vmodule="test_logs=1"), ["detail", "info", "warning"]),
        (LogConfig(minloglevel=1), ["warning"]),
        (LogConfig(minloglevel=1, v=99), ["warning"]),
    ],
)
def test_levels_follow_the_flags(loggers: None, config: LogConfig, expected: list[str]) -> None:
    reading, writing = os.pipe()
    handler = logs.set_up(config, stderr_fd=writing)
    logger = logging.getLogger("edge.test_logs")
    logger.debug("detail")
    logger.info("info")
    logger.warning("warning")
    logs.tear_down(handler)
    text = os.read(reading, 10000).decode()
    os.close(reading)
    os.close(writing)
    assert [each.rpartition("] ")[2] for each in text.splitlines()] == expected


@pytest.mark.parametrize("log_as_json", [False, True])
@pytest.mark.parametrize("log_prefix", [False, True])
def test_a_line_that_is_no_record_looks_like_one(log_as_json: bool, log_prefix: bool) -> None:
    config = replace(UTC, log_as_json=log_as_json, log_prefix=log_prefix, log_pid=True, log_hostname=True)
    record = logging.LogRecord("edge.net.x", logging.INFO, "/src/edge/net/x.py", 7, "%s began\n%d", ("c1", 3), None)
    record.created = 1795230146.123456
    found = logs.GlogFormatter(config, HOST).format_line(
        Line(record.created, record.pathname, 7, "%s began\n%d", ("c1", 3))
    )
    assert found.decode() == line(config, record)


def test_lines_past_the_module_keep_their_order_and_their_count() -> None:
    with handler_to_pipe(replace(UTC, log_queue_lines=4)) as (handler, reading):
        handler._has_lines.set = lambda: None  # type: ignore[method-assign]
        for number in range(3):
            handler.take(Line(1.0, "/a/b.py", number, "line %d", (number,)))
        handler.emit(make_record())
        handler.take(Line(1.0, "/a/b.py", 9, "one too many", ()))
        handler.take(Line(1.0, "/a/b.py", 9, "and another", ()))
        del handler._has_lines.set
        assert handler.dropped_count == 2
        handler._has_lines.set()
        text = os.read(reading, 10_000).decode()
    found = [each.rpartition("] ")[2] for each in text.splitlines()]
    assert found == ["line 0", "line 1", "line 2", "hello", "2 log lines dropped: the reader of the log is too slow"]


def test_a_line_that_cannot_be_formatted_does_no_harm() -> None:
    with handler_to_pipe(UTC) as (handler, reading):
        handler.take(Line(1.0, "/a/b.py", 7, "%d", ("text",)))
        handler.emit(make_record())
        text = os.read(reading, 10_000).decode()
    assert "/a/b.py:7 cannot be formatted" in text
    assert text.endswith("] hello\n")


BLOCK = ["T20261121 03:02:26.123456 [STATS] a|", "b\nc", "--------END--------"]


def test_a_block_is_one_event_in_several_lines_of_which_the_first_has_the_prefix() -> None:
    record = make_record("Stream stats (1 in total):")
    record.block = BLOCK
    assert line(UTC, record) == (
        "I1121 03:02:26.123456 77 listener.py:42] Stream stats (1 in total):\n"
        "T20261121 03:02:26.123456 [STATS] a|\nb\\x0ac\n--------END--------\n"
    )


def test_each_line_of_a_block_is_an_object_of_json() -> None:
    record = make_record("Stream stats (1 in total):")
    record.block = BLOCK
    texts = [json.loads(text)["M"] for text in line(replace(UTC, log_as_json=True), record).splitlines()]
    assert texts == ["Stream stats (1 in total):", *BLOCK]


def test_without_async_log_a_line_is_written_before_the_program_goes_on(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    handler = logs.QueueingHandler(replace(UTC, async_log=False), hostname=HOST, stderr_fd=writing)
    handler.emit(make_record("one"))
    assert os.read(reading, 1000).endswith(b"] one\n")
    handler.take(Line(1795230146.123456, "/src/edge/net/rtmp/server.py", 7, "two %d", (2,)))
    assert os.read(reading, 1000).endswith(b" server.py:7] two 2\n")
    handler.close()
    for descriptor in (reading, writing):
        os.close(descriptor)
    config = replace(UTC, async_log=False, log_dir=str(tmp_path))
    handler = logs.QueueingHandler(config, hostname=HOST, stderr_fd=2)
    handler.emit(make_record("three"))
    assert (tmp_path / "edge.INFO").read_text().endswith("] three\n")
    handler.close()


def test_with_async_log_the_caller_does_not_wait_for_a_reader() -> None:
    with handler_to_pipe(UTC) as (handler, reading):
        assert handler._thread is not None
        handler.emit(make_record("one"))
        assert os.read(reading, 1000).endswith(b"] one\n")


def test_a_warning_is_one_once_a_minute_in_the_log_of_the_program(loggers: None) -> None:
    reading, writing = os.pipe()
    handler = logs.set_up(replace(UTC, async_log=False), stderr_fd=writing)
    try:
        for number in range(3):
            logging.getLogger("edge.net.listener").warning("a server is down number=%d", number)
        logging.getLogger("edge.net.listener").info("and %s", "information")
    finally:
        logs.tear_down(handler)
        os.close(writing)
    with os.fdopen(reading) as pipe:
        texts = [text[0] + text.rpartition("]")[2] for text in pipe.read().splitlines()]
    wanted = [f"{letter} a server is down number={number}" for letter, number in zip("WII", range(3), strict=True)]
    assert texts == [*wanted, "I and information"]
