"""MPEG audio frame headers."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedFrameError
from edge.media.codecs.mp3 import Mp3Header, decode_header


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("fffb9064", Mp3Header(True, 44100, 1152)),
        ("fffb9464", Mp3Header(True, 48000, 1152)),
        ("fffd9064", Mp3Header(True, 44100, 1152)),  # layer II
        ("ffff9064", Mp3Header(True, 44100, 384)),  # layer I
        ("fff38064", Mp3Header(False, 22050, 576)),
        ("fff58864", Mp3Header(False, 16000, 1152)),  # MPEG-2 layer II
        ("ffe38064", Mp3Header(False, 11025, 576)),  # MPEG-2.5
    ],
)
def test_headers(head: str, expected: Mp3Header) -> None:
    assert decode_header(bytes.fromhex(head)) == expected
    assert decode_header(b"xx" + bytes.fromhex(head) + b"more", 2) == expected


@pytest.mark.parametrize("head", ["", "fffb90", "00000000", "fff99064", "ffeb9064", "fffb9c64", "7ffb9064"])
def test_what_is_no_header(head: str) -> None:
    with pytest.raises(MalformedFrameError):
        decode_header(bytes.fromhex(head))


@given(st.binary(max_size=8))
def test_only_documented_errors(data: bytes) -> None:
    with contextlib.suppress(MalformedFrameError):
        assert decode_header(data).sample_rate >= 8000
