"""Text to tree, by the grammar of SRS's files, and what is refused with the place where it begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.conf import grammar
from edge.conf.grammar import DUMP_MARK, MAX_FILE_BYTES, Directive, GrammarError, Parser, decode, parse_text


def shape(directives: tuple[Directive, ...]) -> list[object]:
    """Words and nested lists."""
    return [
        [each.name, *each.args] if each.block is None else [each.name, *each.args, shape(each.block)]
        for each in directives
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# only a comment", []),
        ("listen 1935;", [["listen", "1935"]]),
        ("listen 1935 19350 ;# more\n", [["listen", "1935", "19350"]]),
        ("vhost a{b c;d{}}", [["vhost", "a", [["b", "c"], ["d", []]]]]),
        ("a\t1;\r\nb 2;\r\n", [["a", "1"], ["b", "2"]]),
        ("a b;c;", [["a", "b"], ["c"]]),
        ("a b#c;", [["a", "b#c"]]),
        ("a b}c;", [["a", "b}c"]]),
        ('a "b c" \'it"s\';', [["a", "b c", 'it"s']]),
        ('a "" b;', [["a", "b"]]),
        ('a "two\nlines";', [["a", "two\nlines"]]),
        ("a it's;", [["a", "it's"]]),
        ("a b\\;", [["a", "b\\"]]),
        ("a ';{}#' {}", [["a", ";{}#", []]]),
        (
            "ingest x { engine { vfilter { v 'a=1'; } } }",
            [["ingest", "x", [["engine", [["vfilter", [["v", "a=1"]]]]]]]],
        ),
    ],
)
def test_words_and_blocks(text: str, expected: list[object]) -> None:
    assert shape(parse_text(text, "f")) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen 1935\nmax_connections 1000;", "f:1: missing ';' after `listen 1935`?"),
        ("\n\nlisten 1935", "f:3: missing ';' after `listen 1935`?"),
        ("vhost a { b c }", "f:1: missing ';' after `b c`?"),
        ("vhost a { b 1;\n c \n}", "f:2: missing ';' after `c`?"),
        ("a b\\\nc;", "f:1: missing ';' after `a b\\`?"),
        ("a;\n}\n", 'f:2: a "}" that closes nothing'),
        ("vhost a {\n play {\n }\n", "f:1: the block of `vhost a` is never closed"),
        ("vhost a {\n play {\n", "f:2: the block of `play` is never closed"),
        ("a;\n;", 'f:2: a ";" that ends nothing'),
        ("a;\n{", 'f:2: a "{" without a name before it'),
        ("{" * 1_000_000, 'f:1: a "{" without a name before it'),
        ("\na 'open" + "\nx" * 10_000, "f:2: the quote ' is never closed"),
        ('a "b"c;', 'f:1: blank, ";" or "{" must follow a quoted word, not \'c\''),
        ('"";', "f:1: an empty word where the name of a directive is due"),
        ("a{" * 64, "f:1: blocks more than 16 deep"),
        ("a " + "x" * (1 << 20) + ";", "f:1: a word of 1048576 characters: at most 4096"),
        ("a" + " b" * 100_000 + ";", "f:1: more than 1024 words in one directive"),
    ],
)
def test_VC3_VC4_VC5_what_is_wrong_is_named_where_it_begins(text: str, said: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_text(text, "f")
    assert str(caught.value) == said


def test_limits_that_are_met_are_not_passed() -> None:
    parse_text("a " + "x" * 4096 + ";", "f")
    parse_text("a" + " b" * 1024 + ";", "f")
    parse_text("a{" * 16 + "}" * 16, "f")


def test_lenient_reads_a_line_end_as_a_blank_and_says_so_per_place() -> None:
    parser = Parser("listen 1935\nmax_connections 1000;\na\nb\n;", "f", is_lenient=True)
    list(parser.slices())
    assert shape(parser.directives) == [["listen", "1935", "max_connections", "1000"], ["a", "b"]]
    assert [place for place, _ in parser.warnings] == ["f:1", "f:3", "f:4"]
    assert parser.warnings[0][1] == "missing ';' after `listen 1935`? The next line is read as part of it"


def test_lines_are_those_of_the_names() -> None:
    vhost, last = parse_text('\nvhost a {\n # x\n b "1\n2";\n c;\n}\nlast;', "f")
    assert [vhost.line, last.line] == [2, 8]
    assert [each.where for each in vhost.block or ()] == ["f:4", "f:6"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a;\nb\0;", "f:2: byte 4: a NUL byte"),
        (b"a;\n\xff;", "f:2: byte 3: not valid UTF-8"),
        ("a;".encode("utf-16"), "f:1: byte 0: this is UTF-16; write it as UTF-8"),
        ("ä;\rb;".encode(), "f:1: byte 3: a carriage return without a line feed"),
        (b"x" * (MAX_FILE_BYTES + 1), "f: larger than 16777216 bytes"),
    ],
)
def test_VC2_bytes_that_are_no_text(data: bytes, said: str) -> None:
    with pytest.raises(GrammarError) as caught:
        decode(data, "f")
    assert str(caught.value) == said


def test_VC2_mark_and_line_ends_of_windows_are_read() -> None:
    assert shape(parse_text(decode(b"\xef\xbb\xbfa 1;\r\nb;\r\n", "f"), "f")) == [["a", "1"], ["b"]]


def test_work_is_done_in_slices() -> None:
    count = 10 * grammar.SLICE
    parser = Parser("vhost v { a 1; }\n" * count, "f")
    assert len(list(parser.slices())) == 2 * count // grammar.SLICE
    assert len(parser.directives) == count


def test_comments_of_a_dump_say_where_values_come_from() -> None:
    text = "a 1; # srs.conf:7\nb 2;\n"
    (first, _), (plain, _) = parse_text(f"{DUMP_MARK}\n{text}", "f"), parse_text(text, "f")
    assert (first.origin, first.line, plain.origin) == ("srs.conf:7", 2, "")


@given(st.text(alphabet="ab \t\r\n;{}\"'#\\", max_size=80), st.booleans())
def test_any_text_is_read_or_refused_with_a_place(text: str, is_lenient: bool) -> None:
    try:
        parse_text(text, "f", is_lenient=is_lenient)
    except GrammarError as error:
        place, _, line = error.where.partition(":")
        assert place == "f"
        assert 1 <= int(line) <= text.count("\n") + 1
