"""Whatever stands on the command line or in a flagfile, reading it ends with values or findings."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.flags.check import check
from edge.flags.flagfile import FlagfileError, read_flagfile, split_lines
from edge.flags.gflags import parse
from edge.flags.registry import DEFINITIONS

NAMES = st.sampled_from(sorted(set(DEFINITIONS) - {"flagfile"}))
VALUES = st.one_of(
    st.text(max_size=20), st.integers().map(str), st.sampled_from(["", "true", "no", "0x7f", "a,b", "-1"])
)
FLAGS = st.builds(
    lambda dashes, name, value: f"{dashes}{name}={value}", st.sampled_from(["-", "--", "-no"]), NAMES, VALUES
)
WORDS = st.one_of(FLAGS, st.text(max_size=20), NAMES.map(lambda name: f"--{name}"))


@given(arguments=st.lists(WORDS, max_size=6))
@settings(deadline=None)
def test_any_command_line_is_read_without_exception(arguments: list[str]) -> None:
    parsed = parse([each for each in arguments if "flagfile" not in each], environ={})
    for problem in parsed.problems:
        assert str(problem).isprintable()
    if not parsed.has_errors:
        check(parsed)


@given(data=st.binary(max_size=200))
@settings(deadline=None)
def test_any_flagfile_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.flags"
        path.write_bytes(data)
        try:
            text = read_flagfile(str(path))
        except FlagfileError:
            assert parse([f"-flagfile={path}"]).has_errors
            return
        if "flagfile" not in text:
            parsed = parse([f"-flagfile={path}"], environ={})
            assert all(str(problem).isprintable() for problem in parsed.problems)
        assert all(line.number <= text.count("\n") + 1 for line in split_lines(text, ("edge",)))


@given(name=NAMES, value=VALUES)
@settings(deadline=None)
def test_a_value_that_was_taken_can_be_dumped_and_taken_again(name: str, value: str) -> None:
    parsed = parse([f"-{name}={value}"], environ={})
    if not parsed.has_errors:
        again = parse([f"-{name}={parsed.flags[name].serialize().partition('=')[2]}"], environ={})
        kind = DEFINITIONS[name].kind
        assert kind == "bool" or again.flags[name].value == parsed.flags[name].value
