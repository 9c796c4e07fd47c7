"""Times in URLs: nothing but digits of ASCII, and no more than may be."""

from __future__ import annotations

import pytest

from edge.access.numbers import any_seconds, decimal_millis, decimal_seconds, hex_seconds

NONE = (
    "",
    "-1",
    "0",
    "1e99",
    "+1893456000",
    "1_000",
    "１８９３４５６０００",
    " 1893456000",
    "1893456000 ",
    "9" * 400,
    "٣",
)


@pytest.mark.parametrize("text", NONE)
def test_AU3_what_python_would_take_is_no_time(text: str) -> None:
    assert decimal_seconds(text) is None and decimal_millis(text) is None
    assert hex_seconds(text) is None or text == "1e99"  # which is a number in hexadecimal
    assert any_seconds(text) is None or text == "1e99"


def test_AU3_hexadecimal_where_decimal_is_due() -> None:
    assert decimal_seconds("70dbd880") is None


def test_times_are_read() -> None:
    wanted = 1893456000
    assert decimal_seconds("1893456000") == hex_seconds("70dbd880") == hex_seconds("70DBD880") == wanted
    assert decimal_millis("1893456000000") == any_seconds("70dbd880") == any_seconds("1893456000") == wanted
    assert any_seconds("69551234") == 0x69551234
