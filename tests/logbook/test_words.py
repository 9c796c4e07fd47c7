"""Names in lines that programs read."""

from __future__ import annotations

import pytest

from edge.logbook.words import MAX_NAME_CHARS, word


@pytest.mark.parametrize(
    ("text", "signs", "wanted"),
    [
        ("_/live/test", "|", "_/live/test"),
        ("a\r\nb", "", "a\\x0d\\x0ab"),
        ("\x1b[2J\0", "", "\\x1b[2J\\x00"),
        ("a|b", "|", "a\\x7cb"),
        ("a b,c", " ,", "a\\x20b\\x2cc"),
        ("直播/é", "|", "直播/é"),
        ("a\u2028b\u202ec", "", "a\\u2028b\\u202ec"),
        ("\U000e0001", "", "\\U000e0001"),
    ],
)
def test_X7_nothing_in_a_name_ends_a_line_or_a_column(text: str, signs: str, wanted: str) -> None:
    assert word(text, signs) == wanted


@pytest.mark.parametrize("text", ["x" * 10240, "\n" * 10240, "x" * 255 + "\n" * 9])
def test_X7_a_long_name_is_cut_at_256_characters_and_no_escape_in_its_middle(text: str) -> None:
    shown = word(text)
    assert len(shown) <= MAX_NAME_CHARS
    assert len(shown) > MAX_NAME_CHARS - 4
    assert shown.count("\\x0a") * 4 + shown.count("x" if text[0] == "x" else "\\x0a") * (text[0] == "x") == len(shown)
