"""Parameter sets: the size of pictures, from real encoders and from sets written bit by bit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedHeaderError, MediaError
from edge.media.codecs import av1, avc, hevc
from edge.media.codecs.bits import BitWriter
from edge.media.codecs.picture import Picture, hevc_profile, of_avc, of_hevc, size_of_av1
from tests.media.codecs.records import AV1_MAIN, AVC_HIGH, HEVC_MAIN

AVC_SPS = avc.decode_config(AVC_HIGH).sps[0]
HEVC_SPS = hevc.decode_config(HEVC_MAIN).parameter_sets[1]
AV1_HEADER = av1.decode_config(AV1_MAIN).sequence_header


class Writer(BitWriter):
    def write_ue(self, *values: int) -> None:
        for value in values:
            size = (value + 1).bit_length()
            self.write(value + 1, 2 * size - 1)

    def write_se(self, *values: int) -> None:
        self.write_ue(*[2 * value - 1 if value > 0 else -2 * value for value in values])

    def unit(self, header: bytes) -> bytes:
        """With emulation prevention (H.264 §7.4.1)."""
        self.write(1, 1)
        found = bytearray()
        for byte in bytes(self):
            if byte < 4 and found.endswith(b"\0\0"):
                found.append(3)
            found.append(byte)
        return header + bytes(found)


def avc_sps(
    size: tuple[int, int],
    *,
    profile: int = 100,
    chroma_format: int = 1,
    luma_bits: int = 8,
    crop: tuple[int, int, int, int] | None = None,
    is_interlaced: bool = False,
    order: int = 0,
    scaling: bool = False,
) -> bytes:
    """``size`` in macroblocks (of a field, where interlaced)."""
    bits = Writer()
    bits.write(profile << 16 | 30, 24)
    bits.write_ue(0)
    if profile == 100:
        bits.write_ue(chroma_format)
        if chroma_format == 3:
            bits.write(0, 1)
        bits.write_ue(luma_bits - 8, 0)
        bits.write(0, 1)
        bits.write(scaling, 1)
        if scaling:
            bits.write(1, 1)
            bits.write_se(*[1] * 16)
            bits.write(1, 1)
            bits.write_se(-8)  # ends at once
            for _ in range(10 if chroma_format == 3 else 6):
                bits.write(0, 1)
    bits.write_ue(0, order)
    if order == 0:
        bits.write_ue(2)
    elif order == 1:
        bits.write(0, 1)
        bits.write_se(-1, 2)
        bits.write_ue(2)
        bits.write_se(1, -1)
    bits.write_ue(4)
    bits.write(0, 1)
    bits.write_ue(size[0] - 1, size[1] - 1)
    bits.write(not is_interlaced, 1)
    if is_interlaced:
        bits.write(1, 1)
    bits.write(1, 1)
    bits.write(crop is not None, 1)
    bits.write_ue(*(crop or ()))
    return bits.unit(b"\x67")


def test_sets_of_encoders() -> None:
    assert of_avc(AVC_SPS) == Picture(64, 48, 1, 8, 8)
    assert of_hevc(HEVC_SPS) == Picture(64, 64, 1, 8, 8)
    assert size_of_av1(AV1_HEADER) == (64, 64)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("scaling", [True, False])
def test_avc_1080_lines(order: int, scaling: bool) -> None:
    """68 rows of macroblocks, of which 8 lines are cut off."""
    assert of_avc(avc_sps((120, 68), crop=(0, 0, 0, 4), order=order, scaling=scaling)) == Picture(1920, 1080, 1, 8, 8)
    interlaced = avc_sps((120, 34), crop=(0, 0, 0, 2), is_interlaced=True, order=order, scaling=scaling)
    assert of_avc(interlaced) == Picture(1920, 1080, 1, 8, 8)


@pytest.mark.parametrize(("chroma_format", "size"), [(0, (94, 90)), (1, (92, 84)), (2, (92, 90)), (3, (94, 90))])
def test_avc_crop_counts_in_chroma_samples(chroma_format: int, size: tuple[int, int]) -> None:
    sps = avc_sps((6, 6), chroma_format=chroma_format, luma_bits=10, crop=(1, 1, 2, 4))
    assert of_avc(sps) == Picture(*size, chroma_format, 10, 8)


def test_avc_baseline_names_no_chroma_format() -> None:
    assert of_avc(avc_sps((20, 15), profile=66)) == Picture(320, 240, 1, 8, 8)


@pytest.mark.parametrize("sub_layers", [0, 2, 6])
@pytest.mark.parametrize(("chroma_format", "size"), [(1, (1920, 1080)), (2, (1920, 1084)), (3, (1924, 1084))])
def test_hevc_with_temporal_layers(sub_layers: int, chroma_format: int, size: tuple[int, int]) -> None:
    bits = Writer()
    bits.write(sub_layers << 1 | 1, 8)
    bits.write(0x01_6000_0000_9000_0000_0000_5D, 96)
    for number in range(sub_layers):
        bits.write(number % 2 << 1 | 1, 2)
    if sub_layers:
        bits.write(0, 2 * (8 - sub_layers))
    for number in range(sub_layers):
        bits.write(1, 88 * (number % 2) + 8)
    bits.write_ue(0, chroma_format)
    if chroma_format == 3:
        bits.write(0, 1)
    bits.write_ue(1928, 1088)
    bits.write(1, 1)
    bits.write_ue(2, 2, 3, 1)
    bits.write_ue(2, 1)
    sps = bits.unit(b"\x42\1")
    assert of_hevc(sps) == Picture(*size, chroma_format, 10, 9)
    profile, head = hevc_profile(sps)
    assert profile == bytes.fromhex("01600000009000000000005d") and head >> 1 & 7 == sub_layers and head & 1


@pytest.mark.parametrize("has_model", [True, False])
def test_av1_with_operating_points(has_model: bool) -> None:
    bits = Writer()
    bits.write(0, 5)
    bits.write(1, 1)  # timing
    bits.write(1 << 32 | 25, 64)
    bits.write(1, 1)
    bits.write_ue(4)
    bits.write(has_model, 1)
    if has_model:
        bits.write(9, 5)
        bits.write(0, 42)
    bits.write(1, 1)  # display delay
    bits.write(1, 5)
    for level in (5, 13):
        bits.write(0x101, 12)
        bits.write(level, 5)
        if level > 7:
            bits.write(1, 1)
        if has_model:
            bits.write(1, 1)
            bits.write(3, 21)
        bits.write(1, 1)
        bits.write(7, 4)
    bits.write(11, 4)
    bits.write(10, 4)
    bits.write(3839, 12)
    bits.write(1599, 11)
    body = bytes(bits)
    assert size_of_av1(b"\x0a" + bytes((len(body),)) + body) == (3840, 1600)
    assert size_of_av1(b"\x0e\0" + bytes((0x80 | len(body), 0)) + body) == (3840, 1600)
    assert size_of_av1(b"\x08" + body) == (3840, 1600)


def test_av1_still_picture() -> None:
    bits = Writer()
    bits.write(0b00011, 5)
    bits.write(0, 5)
    bits.write(0x77, 8)
    bits.write(199, 8)
    bits.write(99, 8)
    assert size_of_av1(b"\x08" + bytes(bits)) == (200, 100)


def test_what_cannot_be() -> None:
    with pytest.raises(MalformedHeaderError, match="pictures of"):
        of_avc(avc_sps((1, 1), crop=(8, 8, 0, 0)))
    with pytest.raises(MalformedHeaderError, match="pictures of"):
        of_avc(avc_sps((5000, 1)))
    for read in (of_avc, of_hevc, hevc_profile, size_of_av1):
        with pytest.raises(MalformedHeaderError):
            read(b"")


@given(st.binary(max_size=80), st.integers(0, 60))
def test_only_documented_errors(data: bytes, kept: int) -> None:
    for read, unit in ((of_avc, AVC_SPS), (of_hevc, HEVC_SPS), (hevc_profile, HEVC_SPS), (size_of_av1, AV1_HEADER)):
        try:
            read(unit[:kept] + data)
        except MediaError:
            continue
