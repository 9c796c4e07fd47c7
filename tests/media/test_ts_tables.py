"""PAT and PMT, byte by byte."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from edge.media.ts_tables import crc32, encode_pat, encode_pmt, registration
from tests.harness import ts_demux


def test_pat() -> None:
    """As every muxer with one programme and its PMT on 0x1001 writes it."""
    assert encode_pat()[:-4].hex() == "00b00d0001c100000001f001"
    assert ts_demux.crc(encode_pat()) == 0


def test_pmt() -> None:
    section = encode_pmt(3, 0x100, [(0x1B, 0x100, b""), (0x06, 0x101, registration(b"Opus"))])
    assert section[:-4].hex() == "02b01d0001c70000" + "e100f000" + "1be100f000" + "06e101f006" + "05044f707573"
    assert ts_demux.crc(section) == 0


def test_version_wraps() -> None:
    assert encode_pmt(33, 0x100, [])[5] == 0xC1 | 1 << 1


@given(st.binary(max_size=64))
def test_crc(data: bytes) -> None:
    assert crc32(data) == ts_demux.crc(data)
    assert crc32(data + crc32(data).to_bytes(4, "big")) == 0
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
    assert f"{crc32(data):032b}"[::-1] == f"{zlib.crc32(mirrored) ^ 0xFFFFFFFF:032b}"
