"""Text to value, as gflags reads it."""

from __future__ import annotations

import pytest

from edge.flags import parsers


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("007", 7), ("-1", -1), ("+5", 5), ("0x1F90", 8080), ("0XfF", 255), ("-0x10", -16)],
)
def test_integers_are_decimal_or_hexadecimal(text: str, value: int) -> None:
    assert parsers.parse_integer(text) == value


@pytest.mark.parametrize(
    "text", ["", " 7", "7 ", "1_000", "1e3", "0b1", "0o7", "٣", "0x", "--1", "1.0", "NaN", "9" * 5000, "8079\n"]
)
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an integer"):
        parsers.parse_integer(text)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int32", ["-2147483648", "2147483647"], ["-2147483649", "2147483648", "0x80000000"]),
        ("int64", ["-9223372036854775808", "9223372036854775807"], ["9223372036854775808"]),
        ("uint64", ["0", "18446744073709551615"], ["-1", "18446744073709551616"]),
    ],
)
def test_integers_keep_to_their_type(kind: str, good: list[str], bad: list[str]) -> None:
    parser = parsers.IntegerParser(kind, None, None)
    assert [parser.parse(text) for text in good] == [int(text) for text in good]
    for text in bad:
        with pytest.raises(ValueError, match="out of range"):
            parser.parse(text)


def test_the_message_names_the_accepted_range() -> None:
    parser = parsers.IntegerParser("int32", 1, 65535)
    assert (parser.parse("1"), parser.parse("65535")) == (1, 65535)
    with pytest.raises(ValueError, match=r"out of range 1\.\.65535"):
        parser.parse("0")


@pytest.mark.parametrize("text", ["1", "t", "T", "true", "TRUE", "y", "Yes"])
def test_words_for_true(text: str) -> None:
    assert parsers.BoolParser().parse(text) is True


@pytest.mark.parametrize("text", ["0", "f", "False", "n", "N", "no"])
def test_words_for_false(text: str) -> None:
    assert parsers.BoolParser().parse(text) is False


@pytest.mark.parametrize("text", ["", "2", "on", "off", "yess", " true"])
def test_other_words_are_no_bool(text: str) -> None:
    with pytest.raises(ValueError, match="not a bool"):
        parsers.BoolParser().parse(text)


def test_doubles_are_finite_and_bounded() -> None:
    parser = parsers.DoubleParser(0.0, 10.0)
    assert [parser.parse(text) for text in ("1", "2.5", ".5", "1e0")] == [1.0, 2.5, 0.5, 1.0]
    for text in ("nan", "inf", "1_0", "", " 1", "0x1"):
        with pytest.raises(ValueError, match="not a number"):
            parser.parse(text)
    with pytest.raises(ValueError, match="out of range"):
        parser.parse("11")
    with pytest.raises(ValueError, match="finite"):
        parsers.DoubleParser(None, None).parse("1e999")


def test_strings_are_verbatim_and_choices_are_named() -> None:
    assert parsers.StringParser(()).parse('"a b"') == '"a b"'
    with pytest.raises(ValueError, match="bash, zsh"):
        parsers.StringParser(("bash", "zsh")).parse("fish")


@pytest.mark.parametrize("text", ["a\nb", "a\x00", "\x1b[31m", "a\udcff"])
def test_control_characters_and_broken_utf8_are_refused(text: str) -> None:
    for parser in (parsers.StringParser(()), parsers.ListParser()):
        with pytest.raises(ValueError, match=r"control character|UTF-8"):
            parser.parse(text)


def test_lists_drop_blanks_and_empty_items() -> None:
    assert parsers.ListParser().parse("a, b,,c,") == ("a", "b", "c")
    assert parsers.ListParser().parse("") == ()


def test_port_lists_name_the_bad_port() -> None:
    parser = parsers.PortListParser()
    assert parser.parse("1935, 19350") == (1935, 19350)
    with pytest.raises(ValueError, match="'x' is not a port"):
        parser.parse("1935,x")
    with pytest.raises(ValueError, match="port 65536 is out of range"):
        parser.parse("65536")
    with pytest.raises(ValueError, match="port 0 is out of range"):
        parser.parse("0")
