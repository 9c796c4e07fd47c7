"""From the command line to a running daemon, and its exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge.flags.gflags import Parsed
from edge.flags.registry import value_of
from edge.runtime import exit_codes
from edge.runtime.command_line import read_command_line

if TYPE_CHECKING:
    from edge.runtime.settings import Settings

# What only some uses of the program need is imported by them: help and version answer without the checks, these
# without the log, and all three without the servers.


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with ``argv`` (without its name); returns the exit code, one of ``edge.runtime.exit_codes``."""
    try:
        return _main(sys.argv[1:] if argv is None else argv)
    except Exception:  # where there is no log, or not yet
        import traceback

        sys.stderr.write(f"internal error\n{traceback.format_exc()}")
        return exit_codes.INTERNAL


def _main(argv: Sequence[str]) -> int:
    parsed = read_command_line(argv)
    if not parsed.has_errors:
        from edge.flags.helptext import requested_help
        from edge.runtime.version import installed_version

        text = requested_help(parsed.flags, installed_version())
        if text is not None:
            return _print(text)
    from edge.runtime.findings import findings

    if value_of(parsed.flags, "check") or not parsed.has_errors:
        parsed.problems.extend(findings(parsed))
    if value_of(parsed.flags, "check"):
        return _report_check(parsed)
    if value_of(parsed.flags, "dump_config") and not parsed.has_errors:
        from edge.conf.dump import dump
        from naming.url import without_secrets

        return _print(dump(parsed, without_secrets))
    if parsed.has_errors:
        for problem in parsed.problems:
            if not problem.is_warning:
                sys.stderr.write(f"ERROR: {problem}\n")
        return exit_codes.CONFIG
    # Until the daemon takes them: who is told to leave before serving has left in order.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, _leave)
    return _start(parsed)


def _leave(number: int, frame: object) -> None:
    """End now. An exception might be raised in a callback or a destructor, and be lost with the order to stop."""
    os._exit(exit_codes.OK)


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as head, has had enough; keep the interpreter from complaining at exit.
        sys.stderr.close()
    return exit_codes.OK


def _report_check(parsed: Parsed) -> int:
    from edge.runtime.targets import values_in_vain

    lines = [f"{note.where}: note: {note.message}" for note in parsed.notes]
    lines += [str(problem) for problem in parsed.problems]
    in_vain = (*parsed.not_acted_on, *values_in_vain(parsed))
    if in_vain:
        lines.append(f"warning: {not_acted_on_line(in_vain)}")
    if parsed.vhosts is not None and not parsed.has_errors:
        lines.append(parsed.vhosts.summary)
    if not parsed.has_errors:
        lines.append("the flags are valid")
    _print("".join(f"{line}\n" for line in lines))
    return exit_codes.CONFIG if parsed.has_errors else exit_codes.OK


def not_acted_on_line(names: Sequence[str]) -> str:
    """The one line about flags that were set and do nothing yet."""
    return f"not acted on yet: {', '.join('-' + name for name in names)}"


def _start(parsed: Parsed) -> int:
    import logging

    from edge.runtime import logs
    from edge.runtime.settings import build_settings
    from edge.runtime.targets import values_in_vain

    log = logging.getLogger(__name__)
    settings = build_settings(parsed, values_in_vain(parsed))
    handler = logs.set_up(settings.log)
    try:
        for note in parsed.notes:
            log.info("%s: %s", note.where, note.message)
        if parsed.vhosts is not None:
            log.info("-vhost_config: %s", parsed.vhosts.summary)
        for problem in parsed.problems:
            log.warning("%s: %s", problem.where, problem.message, extra={"cause": str(problem)})
        if settings.not_acted_on:
            log.warning("%s", not_acted_on_line(settings.not_acted_on))
        return _run_daemon(settings)
    except Exception:
        log.critical("internal error", exc_info=True)
        return exit_codes.INTERNAL
    finally:
        logs.tear_down(handler)


def _run_daemon(settings: Settings) -> int:
    from edge.runtime.daemon import run

    return run(settings)
