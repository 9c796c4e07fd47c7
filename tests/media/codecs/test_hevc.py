"""H.265: hvcC, and access units as TS wants them."""

from __future__ import annotations

import pytest

from edge.errors import MalformedFrameError, MalformedHeaderError
from edge.media.codecs.hevc import HevcConfig, decode_config
from tests.media.codecs.records import HEVC_MAIN, assert_only_documented_errors, by_length, by_start_code

VPS, SPS, PPS, SEI = b"\x40\1v", b"\x42\1s", b"\x44\1p", b"\x4e\1e"
AUD = b"\0\0\0\1\x46\x01\x50"
TRAIL, IDR, CRA = b"\x02\1trail", b"\x26\1idr", b"\x2a\1cra"


def record(*arrays: tuple[bytes, ...], length_size: int = 4) -> bytes:
    head = b"\1" + bytes(20) + bytes((0xFC | length_size - 1, len(arrays)))
    return head + b"".join(
        bytes((0x80 | units[0][0] >> 1 & 63,)) + len(units).to_bytes(2, "big") + by_length(*units, size=2)
        for units in arrays
    )


def unit_of(config: HevcConfig, *units: bytes, is_keyframe: bool = False) -> tuple[bytes, bool]:
    data = by_length(*units, size=config.length_size)
    return config.access_unit(b"head!" + data, 5, 5 + len(data), is_keyframe)


def test_record() -> None:
    assert decode_config(record((VPS,), (SPS,), (PPS,))) == HevcConfig(4, (VPS, SPS, PPS))
    assert decode_config(record((PPS, PPS), (SEI,), (VPS,), (SPS,), length_size=2)) == HevcConfig(
        2, (VPS, SPS, PPS, PPS, SEI)
    ), "in the order in which a decoder needs them"
    main = decode_config(HEVC_MAIN)
    assert [unit[0] >> 1 for unit in main.parameter_sets] == [32, 33, 34]
    assert decode_config(record()).parameter_sets == (), "the sets may be in the frames"


def test_record_of_an_encoder_that_knows_annex_b_only() -> None:
    assert decode_config(by_start_code(VPS, SPS, PPS)) == HevcConfig(4, (VPS, SPS, PPS))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        record()[:-1],
        b"\x02" + record()[1:],
        record((VPS,))[:-1],
        record((VPS,))[:24],
        record()[:-1] + b"\1\xa0\xff\xff",  # 65,535 units announced
        record()[:-1] + b"\1\xa0\0\1\0\0",  # an empty one
    ],
)
def test_V4_malformed_records(data: bytes) -> None:
    with pytest.raises(MalformedHeaderError):
        decode_config(data)


def test_V4_only_documented_errors() -> None:
    assert_only_documented_errors(decode_config, HEVC_MAIN)
    assert_only_documented_errors(decode_config, record((VPS,), (SPS,), (PPS,), (SEI,)))


def test_picture() -> None:
    config = decode_config(record((VPS,), (SPS,), (PPS,)))
    assert unit_of(config, TRAIL) == (AUD + by_start_code(TRAIL), False)
    assert unit_of(config, SEI, TRAIL, TRAIL) == (AUD + by_start_code(SEI, TRAIL, TRAIL), False)
    assert unit_of(config, b"\x46\1\x10", TRAIL) == (AUD + by_start_code(TRAIL), False), "one delimiter"
    assert unit_of(config, b"\x46\1\x10") == (b"", False)


@pytest.mark.parametrize("kind", range(16, 24))
def test_parameter_sets_stand_before_each_picture_from_which_decoding_may_begin(kind: int) -> None:
    config = decode_config(record((VPS,), (SPS,), (PPS,)))
    picture = bytes((kind << 1, 1)) + b"data"
    expected = AUD + by_start_code(VPS, SPS, PPS, picture), True
    assert unit_of(config, picture, is_keyframe=True) == expected
    assert unit_of(config, picture, is_keyframe=False) == expected


def test_sets_in_the_frame_are_enough() -> None:
    config = decode_config(record((VPS,), (SPS,), (PPS,)))
    own = (b"\x40\1n", b"\x42\1n", b"\x44\1n", CRA)
    assert unit_of(config, *own) == (AUD + by_start_code(*own), True)
    assert unit_of(config, b"\x44\1n", IDR) == (AUD + by_start_code(VPS, SPS, PPS, b"\x44\1n", IDR), True)


def test_malformed_frame() -> None:
    with pytest.raises(MalformedFrameError):
        HevcConfig(4, ()).access_unit(b"\0\0\0\x09abc", 0, 7, True)
