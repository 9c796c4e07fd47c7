"""JSON of strangers: one meaning, or none."""

from __future__ import annotations

import pytest

from edge.access.strict_json import MAX_DEPTH, parse, parse_object


def test_what_is_right_is_read() -> None:
    assert parse_object(b'{"a": [1, 2.5, "\\u00fc[{", null, true], "b": {}}') == {
        "a": [1, 2.5, "\u00fc[{", None, True],
        "b": {},
    }
    assert parse('[{"a": "]]]]]]]]]]]]"}]') == [{"a": "]]]]]]]]]]]]"}]
    assert parse(f"{'[' * MAX_DEPTH}{']' * MAX_DEPTH}") is not None
    assert parse('[{"a":' * 4 + "1" + "}]" * 4) is not None
    assert len(parse(f"[{'[[]],' * 1000}0]")) == 1001


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":1,"a":1}', "twice"),
        ('{"b":{"a":1,"\\u0061":2}}', "twice"),
        ("[" * 100 + "]" * 100, "nested"),
        ("[" * 100_000, "nested"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested"),
        ('[{"a":' * 5 + "1" + "}]" * 5, "nested"),
        ("[}", "no JSON"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested"),
        ('{"a":NaN}', "none"),
        ('{"a":-Infinity}', "none"),
        (f'{{"a":{"1" * 21}}}', "digits"),
        ("{'a':1}", "no JSON"),
        ('{"a":1} x', "no JSON"),
        ('{"a":1,}', "no JSON"),
        ('{"a":01}', "no JSON"),
        ('{"a":"\n"}', "no JSON"),
        ('"' + '\\"[' * 100_000, "no JSON"),
        ('{"a":' + '"\\' * 100_000, "no JSON"),
        ("", "no JSON"),
        (b"\xff", "UTF-8"),
        (b"\xef\xbb\xbf{}", "no JSON"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize("text", ["[]", "1", '"{}"', "null"])
def test_what_is_no_object(text: str) -> None:
    with pytest.raises(ValueError, match="no object"):
        parse_object(text)
