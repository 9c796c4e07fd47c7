"""Timestamp arithmetic and the readings of the extended field."""

from __future__ import annotations

import pytest

from edge.rtmp import timestamp


@pytest.mark.parametrize(
    ("later", "earlier", "difference"),
    [
        (5, 3, 2),
        (3, 5, -2),
        (0, 0xFFFFFFFF, 1),
        (0xFFFFFFFF, 0, -1),
        (0x80000000, 0x7FFFFFFF, 1),
        (0x7FFFFFFF, 0, 0x7FFFFFFF),
        (0x80000000, 0, -0x80000000),
    ],
)
def test_signed_difference_wraps(later: int, earlier: int, difference: int) -> None:
    assert timestamp.signed_difference(later, earlier) == difference


def test_advance_wraps() -> None:
    assert timestamp.advance(0xFFFFFFFF, 2) == 1
    assert timestamp.advance(1, -2) == 0xFFFFFFFF


@pytest.mark.parametrize(("absolute", "delta"), [(0, 0), (40, 40), (1000, 1000), (1001, 0), (3_600_000, 0)])
def test_type_3_after_type_0_repeats_small_times_only(absolute: int, delta: int) -> None:
    assert timestamp.delta_after_absolute(absolute) == delta


@pytest.mark.parametrize(
    ("value", "running", "expected"),
    [
        (20_000_040, 20_000_000, (20_000_040, 40)),  # SRS before 2025: absolute
        (19_999_990, 20_000_000, (19_999_990, 0)),
        (20_010_001, 20_000_000, (40_010_001, 20_010_001)),  # the literal reading: a delta
        (40, 20_000_000, (20_000_040, 40)),
        (0x80000010, 0x80000000, (0x80000010, 16)),
        (0xFFFFFFFF, 0x20000000, (0x1FFFFFFF, 0xFFFFFFFF)),
    ],
)
def test_extended_delta_near_the_clock_is_absolute(value: int, running: int, expected: tuple[int, int]) -> None:
    assert timestamp.resolve_extended(value, running) == expected


def test_repetition_is_recognised_from_every_prefix() -> None:
    field = (0x01020304).to_bytes(4, "big")
    for length in range(5):
        assert timestamp.may_repeat_extended(field[:length], 0x01020304, 99)
    assert not timestamp.may_repeat_extended(b"\x01\x03", 0x01020304, 99)


def test_repetition_may_be_absolute_or_differ_in_bit_31() -> None:
    assert timestamp.may_repeat_extended((0x81020304).to_bytes(4, "big"), 0x01020304, 99)
    assert timestamp.may_repeat_extended((99).to_bytes(4, "big"), 0x01020304, 99)
    assert timestamp.may_repeat_extended((0x80000063).to_bytes(4, "big"), 0x01020304, 99)
