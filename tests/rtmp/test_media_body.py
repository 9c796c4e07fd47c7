"""What the first bytes of a body tell."""

from __future__ import annotations

import pytest

from edge.rtmp.media_body import is_end_of_sequence, is_header, is_short


@pytest.mark.parametrize(
    ("type_id", "payload", "is_wanted"),
    [
        (8, b"\xaf\x00\x12\x10", True),
        (8, b"\xaf\x01x", False),
        (8, b"\x2fx", False),
        (8, b"\x90Opus", True),
        (8, b"\x91Opus", False),
        (9, b"\x17\x00\0\0\0x", True),
        (9, b"\x17\x01\0\0\0x", False),
        (9, b"\x1c\x00\0\0\0x", True),
        (9, b"\x12\x00", False),
        (9, b"\x90hvc1", True),
        (9, b"\x93hvc1", False),
        (9, b"\x17", False),
    ],
)
def test_headers_are_told_from_frames(type_id: int, payload: bytes, is_wanted: bool) -> None:
    assert is_header(type_id, payload) is is_wanted


def test_V3_bodies_without_a_frame() -> None:
    assert is_short(9, b"\x17\x02\0\0\0") and is_end_of_sequence(9, b"\x17\x02\0\0\0")
    assert is_short(9, b"\x17\x01\0\0\0") and not is_end_of_sequence(9, b"\x17\x01\0\0\0")
    assert not is_short(8, b"\xaf\x01x")
