from __future__ import annotations

import pytest

from edge.builtin import present


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (302, "5 min 2 s"),
        (3723, "1 h 2 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert present.duration(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(None, "-"), (0, "0 kbit/s"), (64_000, "64 kbit/s"), (1_264_000, "1.3 Mbit/s")]
)
def test_bit_rate(rate: float | None, text: str) -> None:
    assert present.bit_rate(rate) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (1.25, "1.2"),
        (["_/live/a", "_/live/b\n"], "_/live/a _/live/b\\x0a"),
        ((), "-"),
        ("a\r\nb\x1b", "a\\x0d\\x0ab\\x1b"),
    ],
)
def test_cell(value: object, text: str) -> None:
    assert present.cell(value) == text


def test_columns_keep_their_order() -> None:
    assert present.columns([{"b": 1}, {"a": 1, "c": 1}], ("a", "z")) == ["a", "b", "c"]


def test_table_is_aligned_and_one_line_per_row() -> None:
    text = present.table([{"a": "x\ny", "b": 1}, {"a": "long name"}], ["a", "b"])
    assert text == "a          b\nx\\x0ay     1\nlong name  -\n"
    assert present.table([], ["a"]) == ""


def test_long_value_is_shortened_in_its_middle() -> None:
    assert present.shorten("x" * 48) == "x" * 48
    assert present.shorten("list://a:1,b:2,c:3", 13) == "list:...2,c:3"
    assert present.shorten("a\n" * 40, 9) == "a\\x...\x0a".replace("\n", "x0a")
    assert present.shorten(None) == "-"


def test_pairs() -> None:
    assert present.pairs({"a": 1, "b": None}) == "a: 1\nb: -\n"


def test_one_long_name_leaves_the_other_rows_readable() -> None:
    rows = [{"key": "x" * 200, "n": 1}, {"key": "a", "n": 2}]
    head, long, short = present.table(rows, ["key", "n"]).splitlines()
    assert long == f"{'x' * 200}  1"
    assert len(head) == len(short) < 60
