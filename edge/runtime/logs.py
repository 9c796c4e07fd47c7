"""The log: lines as glog and brpc write them, handed to a thread so that no reader can stop the loop."""

from __future__ import annotations

import fnmatch
import getpass
import json
import logging
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from edge.flags.logging import LogConfig
from edge.net.lines import Line, send_lines_to
from edge.runtime.alarms import OncePerMinute

MAX_LINE_BYTES = 8000
# So that an object is never cut in the middle: two texts of characters that each take up to 6 bytes.
_MAX_JSON_TEXT = MAX_LINE_BYTES // 13
_ROOTS = ("edge", "naming", "lb")
_SEVERITIES = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_REOPEN_AFTER_S = 60.0
_CLOSE_WITHIN_S = 1.0
_GATHER_S = 0.02
# Lines that are written together: each call wakes a reader, and hands the interpreter over and back.
_BATCH_BYTES = 65536


def severity_letter(level: int) -> str:
    """V for detail, then I, W, E and F."""
    if level < logging.INFO:
        return "V"
    if level < logging.WARNING:
        return "I"
    if level < logging.ERROR:
        return "W"
    return "E" if level < logging.CRITICAL else "F"


def escape(text: str) -> str:
    """The text with every control character as ``\\xNN``: one event stays one line."""
    if text.isprintable():
        return text
    return "".join(
        f"\\x{ord(char):02x}" if ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char in "\u2028\u2029" else char
        for char in text
    )


def to_line(text: str) -> bytes:
    """UTF-8 of at most ``MAX_LINE_BYTES`` and the line's end."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > MAX_LINE_BYTES:
        data = data[: MAX_LINE_BYTES - 3].decode("utf-8", "ignore").encode() + b"..."
    return data + b"\n"


class GlogFormatter:
    """``I1121 03:02:26.123456 <thread> <file>:<line>] text``, with the optional parts of the flags."""

    def __init__(self, config: LogConfig, hostname: str) -> None:
        self._config = config
        self._hostname = hostname.removesuffix(".baidu.com")
        self._second = (-1, "")  # the last one that was formatted, and its text

    def format(self, record: logging.LogRecord) -> bytes:
        """One record as one line, and one more line per line of a traceback.

        A record with ``block``, texts of one event, has a line for each; only the first bears the prefix.
        """
        text = record.getMessage()
        block: Sequence[str] = getattr(record, "block", ())
        if self._config.log_as_json:
            return b"".join(to_line(self._json(record, each)) for each in (text, *block))
        line = to_line((self._prefix(record) if self._config.log_prefix else "") + escape(text))
        if block:
            return b"".join([line, *(to_line(escape(each)) for each in block)])
        if not record.exc_info:
            return line
        return b"".join([line, *(to_line("    " + escape(each)) for each in _traceback_lines(record))])

    def format_line(self, line: Line) -> bytes:
        """The same for a line of the loop that is no record."""
        if self._config.log_as_json:
            record = logging.LogRecord("edge", logging.INFO, line.path, line.number, line.text, line.args, None)
            record.created, record.threadName = line.created, "MainThread"
            return self.format(record)
        text = line.text % line.args
        if self._config.log_prefix:
            place = f"{os.path.basename(line.path)}:{line.number}"
            return to_line(self._prefix_of("I", line.created, os.getpid(), os.getpid(), place) + escape(text))
        return to_line(escape(text))

    def _stamp(self, created: float) -> str:
        second = int(created)
        known, text = self._second
        if second != known:
            moment = time.gmtime(second) if self._config.log_utc_time else time.localtime(second)
            text = time.strftime("%Y%m%d %H:%M:%S" if self._config.log_year else "%m%d %H:%M:%S", moment)
            self._second = (second, text)
        return f"{text}.{int(created % 1 * 1e6):06d}"

    def _prefix(self, record: logging.LogRecord) -> str:
        place = f"{record.filename}:{record.lineno}"
        letter, thread = severity_letter(record.levelno), _thread_id(record)
        return self._prefix_of(letter, record.created, record.process, thread, place)

    def _prefix_of(self, letter: str, created: float, process: int | None, thread: int, place: str) -> str:
        pid = f"{process} " if self._config.log_pid else ""
        hostname = f"{self._hostname} " if self._config.log_hostname else ""
        return f"{letter}{self._stamp(created)} {pid}{thread} {hostname}{place}] "

    def _json(self, record: logging.LogRecord, text: str) -> str:
        fields: dict[str, str | int] = {"L": severity_letter(record.levelno), "T": self._stamp(record.created)}
        if self._config.log_pid:
            fields["pid"] = record.process or 0
        fields["tid"] = _thread_id(record)
        if self._config.log_hostname:
            fields["host"] = self._hostname
        fields["C"] = f"{record.filename}:{record.lineno}"
        fields["M"] = _cut(text, _MAX_JSON_TEXT)
        traceback = "\n".join(_traceback_lines(record))
        if traceback:
            fields["X"] = traceback[-_MAX_JSON_TEXT:]
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def _cut(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else f"{text[:max_chars]}..."


def _thread_id(record: logging.LogRecord) -> int:
    return record.process or 0 if record.threadName == "MainThread" else record.thread or 0


def _traceback_lines(record: logging.LogRecord) -> Iterator[str]:
    if record.exc_info and record.exc_info[0] is not None:
        yield from logging.Formatter().formatException(record.exc_info).splitlines()


class LogFile:
    """A file of ``-log_dir``, followed by a new one at ``max_bytes``; used from one thread.

    While the disk refuses, lines are dropped and the file is tried again each minute.
    """

    def __init__(self, directory: str, max_bytes: int, hostname: str, monotonic: Callable[[], float]) -> None:
        self._directory = Path(directory)
        self._max_bytes = max_bytes
        self._hostname = hostname
        self._monotonic = monotonic
        self._file: BinaryIO | None = None
        self._size = 0
        self._count = 0
        self._retry_at = float("-inf")
        self._path: Path | None = None
        self._is_reopened = False

    def write(self, line: bytes, created: float) -> OSError | None:
        """Append lines, the first written at ``created`` (seconds since 1970); returns a fault once a minute."""
        if self._file is None and self._monotonic() < self._retry_at:
            return None
        try:
            if self._file is None or self._size + len(line) > self._max_bytes:
                self._open(created)
            assert self._file is not None
            self._file.write(line)
            self._size += len(line)
        except OSError as error:
            self.close()
            self._retry_at = self._monotonic() + _REOPEN_AFTER_S
            return error
        return None

    def reopen(self) -> None:
        """Close the file; the next line opens it again by its name, as a new one where it was moved away."""
        self._is_reopened = self._path is not None
        self._retry_at = float("-inf")
        self.close()

    def close(self) -> None:
        """Close the file; the next line opens another."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, created: float) -> None:
        self.close()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(created))
        number = f".{self._count}" if self._count else ""
        name = f"edge.{self._hostname}.{_user()}.log.INFO.{stamp}.{os.getpid()}{number}"
        if self._is_reopened and self._path is not None:
            name = self._path.name
        else:
            self._count += 1
        self._is_reopened = False
        self._path = self._directory / name
        self._file = self._path.open("ab", buffering=0)
        self._size = self._file.tell()
        link = self._directory / "edge.INFO"
        link.unlink(missing_ok=True)
        link.symlink_to(name)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class QueueingHandler(logging.Handler):
    """Formats where the event happens and writes on a thread of its own, which formats the lines of ``take`` too.

    With ``-noasync_log`` each line is written before the call that brings it is over.

    A reader that has stopped (a full pipe, a slow disk) costs lines beyond
    ``log_queue_lines``, which are counted, and never time.
    """

    def __init__(self, config: LogConfig, *, hostname: str, stderr_fd: int = 2) -> None:
        super().__init__()
        self.dropped_count = 0
        self._config = config
        self._line_formatter = GlogFormatter(config, hostname)
        self._stderr_fd = stderr_fd
        self._lines: deque[tuple[bytes | Line, int, float]] = deque()
        self._has_lines = threading.Event()
        self._reported_count = 0
        self._is_closing = self._is_reopen_due = False
        self._file: LogFile | None = None
        if config.log_dir and not config.logtostderr:
            self._file = LogFile(config.log_dir, config.max_log_size << 20, hostname, time.monotonic)
        self._write_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        if config.async_log:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record; never blocks and never raises."""
        try:
            line = self._line_formatter.format(record)
        except Exception:
            self.handleError(record)
            return
        self._queue(line, record.levelno, record.created)

    def take(self, line: Line) -> None:
        """Queue a line of severity INFO; never blocks."""
        self._queue(line, logging.INFO, line.created)

    def _queue(self, line: bytes | Line, level: int, created: float) -> None:
        if self._thread is None:
            self._write_now(line, level, created)
            return
        if len(self._lines) >= self._config.log_queue_lines:
            self.dropped_count += 1
            return
        self._lines.append((line, level, created))
        if not self._has_lines.is_set():
            self._has_lines.set()

    def reopen(self) -> bool:
        """Have the file of ``-log_dir`` opened anew with the next line; False where there is none."""
        self._is_reopen_due = self._file is not None
        return self._is_reopen_due

    def close(self) -> None:
        """Write what is queued, for at most a second, and end the thread."""
        thread = self._thread
        if thread is None and self._file is not None:
            with self._write_lock:
                self._file.close()
        if thread is not None and thread.is_alive() and not self._is_closing:
            self._is_closing = True
            self._has_lines.set()
            thread.join(_CLOSE_WITHIN_S)
        super().close()

    def _write_now(self, line: bytes | Line, level: int, created: float) -> None:
        data = line if isinstance(line, bytes) else self._formatted(line)
        with self._write_lock:  # threads write their lines one after the other
            self._write([(data, level, created)])

    def _run(self) -> None:
        while not self._is_closing:
            self._has_lines.wait()
            if not self._is_closing:
                time.sleep(_GATHER_S)  # one switch of threads for all lines of the moment
            self._has_lines.clear()
            self._write_lines()
        self._write_lines()
        if self._file is not None:
            self._file.close()

    def _write_lines(self) -> None:
        lines = self._lines
        while lines:
            batch: list[tuple[bytes, int, float]] = []
            size = 0
            while lines and size < _BATCH_BYTES:
                line, level, created = lines.popleft()
                if not isinstance(line, bytes):
                    line = self._formatted(line)
                batch.append((line, level, created))
                size += len(line)
            if self.dropped_count > self._reported_count and not lines:
                lost, self._reported_count = self.dropped_count - self._reported_count, self.dropped_count
                text = f"{lost} log lines dropped: the reader of the log is too slow"
                batch.append((to_line(text), level, created))
            self._write(batch)

    def _formatted(self, line: Line) -> bytes:
        try:
            return self._line_formatter.format_line(line)
        except Exception as error:
            return to_line(f"E a line of {line.path}:{line.number} cannot be formatted: {error!r}")

    def _write(self, batch: list[tuple[bytes, int, float]]) -> None:
        """Write lines in one piece each to the file and to standard error."""
        if self._file is None:
            self._write_stderr(b"".join([line for line, _, _ in batch]))
            return
        if self._is_reopen_due:
            self._is_reopen_due = False
            self._file.reopen()
        fault = self._file.write(b"".join([line for line, _, _ in batch]), batch[0][2])
        threshold = _SEVERITIES[self._config.stderrthreshold]
        shown = [line for line, level, _ in batch if self._config.alsologtostderr or level >= threshold]
        if shown:
            self._write_stderr(b"".join(shown))
        if fault is not None:
            self._write_stderr(to_line(f"E log_dir={self._config.log_dir}: {fault.strerror}"))

    def _write_stderr(self, line: bytes) -> None:
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._stderr_fd, view) :]
        except OSError:
            pass  # nobody is left to be told


class DetailFilter(logging.Filter):
    """With ``-vmodule``, lets detail through for the named modules only."""

    def __init__(self, vmodule: str, is_verbose: bool) -> None:
        super().__init__()
        self._is_verbose = is_verbose
        self._levels: list[tuple[str, int]] = []
        for item in vmodule.split(","):
            pattern, _, level = item.strip().partition("=")
            if pattern and level.isdigit():
                self._levels.append((pattern, int(level)))

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if record.levelno >= logging.INFO:
            return True
        for pattern, level in self._levels:
            name = record.name if "." in pattern else record.name.rpartition(".")[2]
            if fnmatch.fnmatchcase(name, pattern):
                return level > 0
        return self._is_verbose


def set_up(config: LogConfig, *, stderr_fd: int = 2) -> QueueingHandler:
    """Send all loggers through one handler; returns it for its counter and its closing."""
    handler = QueueingHandler(config, hostname=socket.gethostname(), stderr_fd=stderr_fd)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.raiseExceptions = False
    change(config)
    return handler


def change(config: LogConfig) -> None:
    """Log in the detail that ``config`` says from now on; where the lines go stays as it is."""
    root = logging.getLogger()
    handlers = [handler for handler in root.handlers if isinstance(handler, QueueingHandler)]
    for handler in handlers:
        for old in handler.filters[:]:
            handler.removeFilter(old)
        handler.addFilter(DetailFilter(config.vmodule, config.v > 0))
        handler.addFilter(OncePerMinute(time.monotonic, is_info_logged=config.minloglevel == 0))
    root.setLevel(_SEVERITIES[config.minloglevel])
    is_detailed = config.minloglevel == 0 and (config.v > 0 or config.vmodule)
    for name in _ROOTS:
        logging.getLogger(name).setLevel(logging.DEBUG if is_detailed else logging.NOTSET)
    if handlers:
        send_lines_to(handlers[0].take if config.minloglevel == 0 else _leave_out)


def dropped_count() -> int:
    """Lines that the log has left out, as whoever reads it was too slow."""
    handlers = logging.getLogger().handlers
    return sum(handler.dropped_count for handler in handlers if isinstance(handler, QueueingHandler))


def reopen() -> None:
    """SIGUSR1: whoever rotates logs has moved the file away."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, QueueingHandler)]
    reopened = [handler for handler in handlers if handler.reopen()]
    if reopened:
        logging.getLogger(__name__).info("SIGUSR1: log file opened anew")
    else:
        logging.getLogger(__name__).info("SIGUSR1: no log file to open anew: the log goes to standard error")


def _leave_out(line: Line) -> None:
    """Less than what is logged."""


def tear_down(handler: QueueingHandler) -> None:
    """Write what is queued and detach; standard error is usable as before."""
    send_lines_to(None)
    logging.getLogger().removeHandler(handler)
    handler.close()
    sys.stderr.flush()
