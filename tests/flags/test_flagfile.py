"""The grammar of flagfiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.flags.flagfile import MAX_FLAGFILE_BYTES, FlagfileError, read_flagfile, split_lines


def flags_of(text: str, *programs: str) -> list[str]:
    return [line.text for line in split_lines(text, programs or ("edge", "media_server")) if line.is_flag]


def test_comments_and_blank_lines_are_skipped() -> None:
    assert flags_of("# a\n\n  // b\n   \n-port=1\n") == ["-port=1"]


def test_lines_may_end_as_on_windows_or_not_at_all() -> None:
    assert flags_of("-port=1\r\n-https") == ["-port=1", "-https"]


def test_leading_blanks_go_and_trailing_ones_stay() -> None:
    assert flags_of("\t -port=1 ") == ["-port=1 "]


def test_quotes_and_trailing_comments_belong_to_the_value() -> None:
    assert flags_of('-proxy_to="a" # b') == ['-proxy_to="a" # b']


def test_sections_select_programs_by_pattern() -> None:
    text = "-port=1\nother\n-port=2\nmedia_*\n-port=3\nfirst edge\n-port=4\nfirst\n-port=5\n"
    assert flags_of(text) == ["-port=1", "-port=3", "-port=4"]
    assert flags_of(text, "first") == ["-port=1", "-port=4", "-port=5"]


def test_patterns_on_consecutive_lines_are_one_section() -> None:
    assert flags_of("other\nedge\n-port=1\n") == ["-port=1"]
    assert flags_of("edge\n# between\nother\n-port=1\n") == ["-port=1"]


def test_section_lines_that_select_another_program_are_reported() -> None:
    lines = list(split_lines("port=1\n-https\n", ("edge",)))
    assert [(line.number, line.text, line.is_flag) for line in lines] == [(1, "port=1", False)]


def test_line_numbers_count_all_lines() -> None:
    assert [line.number for line in split_lines("# a\n\n-port=1\n", ("edge",))] == [3]


def test_unreadable_files_say_why(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"-port=1\n-log_dir=\xff\n")
    (tmp_path / "large").write_bytes(b"#" * (MAX_FLAGFILE_BYTES + 1))
    for name, why in (("none", "No such file"), (".", "Is a directory"), ("binary", "line 2"), ("large", "larger")):
        with pytest.raises(FlagfileError, match=why):
            read_flagfile(str(tmp_path / name))
    with pytest.raises(FlagfileError, match="null"):
        read_flagfile("a\0b")


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbf-port=1\n")
    assert read_flagfile(str(tmp_path / "marked")) == "-port=1\n"
