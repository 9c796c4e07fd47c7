from __future__ import annotations

import pytest

from edge.builtin.page import Visit
from edge.builtin.query import BadQueryError, arguments, positive_number, whole_number


def test_arguments_are_decoded_and_the_last_wins() -> None:
    assert arguments(Visit(query="a=1&b=%3Cx%3E&a=2&c")) == {"a": "2", "b": "<x>", "c": ""}
    assert arguments(Visit()) == {}


@pytest.mark.parametrize(
    ("text", "value"), [(None, 10), ("5", 5), ("0.5", 0.5), ("1e9", 60), ("59.9", 59.9), ("+7", 7), (" 7 ", 7)]
)
def test_X9_seconds_are_clamped(text: str | None, value: float) -> None:
    asked = {} if text is None else {"seconds": text}
    assert positive_number(asked, "seconds", default=10, most=60) == value
    assert positive_number({}, "seconds", default=10, most=3) == 3


@pytest.mark.parametrize("text", ["", "-1", "0", "-0.0", "nan", "NaN", "inf", "-inf", "x", "1e999", "1_0", "٣", "1,5"])
def test_X9_seconds_of_no_use(text: str) -> None:
    with pytest.raises(BadQueryError, match="seconds"):
        positive_number({"seconds": text}, "seconds", default=10, most=60)


@pytest.mark.parametrize(("text", "value"), [(None, 7), ("5", 5), ("-3", 1), ("0", 1), ("99", 10), ("9" * 19, 10)])
def test_whole_numbers_are_moved_into_the_range(text: str | None, value: int) -> None:
    assert whole_number({} if text is None else {"n": text}, "n", default=7, least=1, most=10) == value


@pytest.mark.parametrize("text", ["", "x", "1.5", "1e3", "--1", "٣", "9" * 20, "0x10"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(BadQueryError, match="whole"):
        whole_number({"n": text}, "n", default=7, least=1, most=10)
