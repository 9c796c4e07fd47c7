"""What a start and ``--check`` say of ``-otlp_endpoint``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge.flags.gflags import parse
from edge.runtime.otlp_extra import check_otlp
from tests.harness.clock import ROOT, deadline

_WITHOUT = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
from edge.runtime.main import main
sys.exit(main(sys.argv[1:]))
"""
_LOADED = """
import sys
from edge.runtime.main import main
code = main(["--check", *sys.argv[1:]])
sys.exit(code or any(name.partition(".")[0] in ("opentelemetry", "requests") for name in sys.modules))
"""


def said(*flags: str) -> list[str]:
    return [str(problem) for problem in check_otlp(parse(list(flags)))]


def test_what_is_right_is_not_spoken_of() -> None:
    assert said() == said("-otlp_endpoint=http://127.0.0.1:4318", "-otlp_service_name=x") == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("-otlp_endpoint=c:4318",), "-otlp_endpoint: not of the form http://HOST:PORT"),
        (("-otlp_endpoint=http://hush@c",), "set OTEL_EXPORTER_OTLP_HEADERS"),
        (("-otlp_endpoint=http://c", "-otlp_service_name="), "a service needs a name"),
        (("-otlp_service_name=x",), "warning: -otlp_service_name has no effect without -otlp_endpoint"),
    ],
)
def test_what_is_wrong(flags: tuple[str, ...], words: str) -> None:
    (line,) = said(*flags)
    assert words in line and "hush" not in line


def run(program: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=deadline(30))


@pytest.mark.parametrize("use", [("--check",), ("-port=0", "-bind=127.0.0.1")])
def test_the_missing_extra_is_an_error_where_it_is_asked_for(use: tuple[str, ...]) -> None:
    done = run(_WITHOUT, *use, "-otlp_endpoint=http://127.0.0.1:4318")
    assert done.returncode == 1
    assert "-otlp_endpoint needs the extra otel, which is not installed (pip install edge-media[otel])" in (
        done.stdout + done.stderr
    )


def test_without_the_flag_nobody_misses_it_and_nothing_of_it_is_loaded() -> None:
    assert run(_WITHOUT, "--check").returncode == 0
    assert run(_LOADED).returncode == 0
    assert run(_LOADED, "-otlp_endpoint=http://127.0.0.1:4318").returncode == 1
