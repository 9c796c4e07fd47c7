"""Decoder configurations as encoders write them, and NAL units in both their forms."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import MediaError

#: One that is easy to see in a frame.
SPS, PPS = b"\x67sps", b"\x68pps"
AVC_SMALL = b"\x01\x42\xc0\x1e\xff\xe1\0\4" + SPS + b"\1\0\4" + PPS
#: x264, High; libx265; libaom; libopus, stereo and 5.1.
AVC_HIGH = bytes.fromhex("0164000affe100186764000aacd9447b011000000300100000030320f122596001000668ebe3cb22c0fdf8f800")
HEVC_MAIN = bytes.fromhex(
    "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e959809"
    "a10001002842010101600000030090000003000003001ea020810596566924caf0168080000003008000000c84a20001000744"
    "01c172b42240"
)
AV1_MAIN = bytes.fromhex("81000c000a0a00000002afff9b5f2008")
OPUS_STEREO = bytes.fromhex("4f707573486561640102380180bb0000000000")
OPUS_5_1 = bytes.fromhex("4f707573486561640106380180bb00000000010402000401020305")
#: ffmpeg's AAC encoder: 44.1 kHz stereo LC; 7.1; a hexagon of speakers, by a program config element.
AAC_STEREO = bytes.fromhex("1210")
AAC_7_1 = bytes.fromhex("11b856e500")
AAC_HEXAGON = bytes.fromhex("118004c808002008840d4c61766335392e33372e31303056e500")


def by_length(*units: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size, "big") + unit for unit in units)


def by_start_code(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def assert_only_documented_errors(decode: Callable[[bytes], object], record: bytes) -> None:
    """Any cut, any trailing bytes and any changed byte of a record give a value or a ``MediaError``."""

    def attempt(data: bytes) -> object:
        try:
            return decode(data)
        except MediaError as error:
            assert str(error)
            return None

    assert attempt(record) == attempt(record + b"\0" * 3), "trailing bytes change it"
    for end in range(len(record)):
        attempt(record[:end])

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, len(record) - 1), st.binary(min_size=1, max_size=4))
    def changed(at: int, by: bytes) -> None:
        attempt(record[:at] + by + record[at + len(by) :])

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=60))
    def anything(data: bytes) -> None:
        attempt(data)

    changed()
    anything()
