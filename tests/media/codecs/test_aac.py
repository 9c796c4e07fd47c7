"""AAC: AudioSpecificConfig and ADTS, for each profile that ADTS has a place for."""

from __future__ import annotations

import pytest

from edge.errors import MalformedFrameError, MalformedHeaderError, UnsupportedCodecError
from edge.media.codecs.aac import AacConfig, decode_config
from edge.media.codecs.bits import BitWriter
from tests.media.codecs.records import AAC_7_1, AAC_HEXAGON, AAC_STEREO, assert_only_documented_errors


def config_of(*fields: tuple[int, int]) -> bytes:
    writer = BitWriter()
    for value, size in fields:
        writer.write(value, size)
    return bytes(writer)


def lc(rate_index: int = 4, channels: int = 2, object_type: int = 2, frame_flag: int = 0) -> bytes:
    return config_of((object_type, 5), (rate_index, 4), (channels, 4), (frame_flag, 1), (0, 2))


def adts(config: AacConfig, frame: bytes = b"raw") -> tuple[int, int, int, int, bytes]:
    """Object type, rate index, channels and length of a frame's header, and what follows it."""
    data, is_random_access = config.access_unit(b"xx" + frame + b"yy", 2, 2 + len(frame), False)
    bits = int.from_bytes(data[:7], "big")
    assert is_random_access
    assert bits >> 40 == 0xFFF1 and bits & 0x1FFF == 0x7FF << 2 and bits >> 26 & 15 == 0 and not bits >> 33 & 1
    return (bits >> 38 & 3) + 1, bits >> 34 & 15, bits >> 30 & 7, bits >> 13 & 0x1FFF, data[7:]


def test_lc() -> None:
    config = decode_config(AAC_STEREO)
    assert config == AacConfig(2, 4, 44100, 2)
    assert adts(config) == (2, 4, 2, 10, b"raw")


@pytest.mark.parametrize("object_type", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", range(1, 8))
@pytest.mark.parametrize("rate_index", range(13))
def test_what_adts_can_name(object_type: int, channels: int, rate_index: int) -> None:
    config = decode_config(lc(rate_index, channels, object_type))
    assert adts(config) == (object_type, rate_index, channels, 10, b"raw")


def test_7_1() -> None:
    assert adts(decode_config(AAC_7_1)) == (2, 3, 7, 10, b"raw")


@pytest.mark.parametrize(("object_type", "has_ps"), [(5, False), (29, True)])
def test_he_aac_that_says_so_is_its_lc_core(object_type: int, has_ps: bool) -> None:
    channels = 1 if has_ps else 2
    data = config_of((object_type, 5), (7, 4), (channels, 4), (4, 4), (2, 5), (0, 3))
    config = decode_config(data)
    assert config == AacConfig(2, 7, 22050, channels, has_sbr=True, has_ps=has_ps)
    assert adts(config) == (2, 7, channels, 10, b"raw")


def test_he_aac_that_says_so_behind_lc_or_not_at_all() -> None:
    """The extension behind the LC configuration changes nothing of the core, nor does silence about it."""
    explicit = config_of((2, 5), (6, 4), (2, 4), (0, 3), (0x2B7, 11), (5, 5), (1, 1), (3, 4))
    assert adts(decode_config(explicit)) == adts(decode_config(lc(6))) == (2, 6, 2, 10, b"raw")


@pytest.mark.parametrize(
    ("rate", "rate_index"), [(44100, 4), (48000, 3), (44000, 4), (96001, 0), (7350, 12), (5512, 11), (16001, 8)]
)
def test_rate_that_is_spelt_out(rate: int, rate_index: int) -> None:
    config = decode_config(config_of((2, 5), (15, 4), (rate, 24), (2, 4), (0, 3)))
    assert (config.sample_rate, config.rate_index) == (rate, rate_index)


def test_program_config_element_stands_before_each_frame() -> None:
    config = decode_config(AAC_HEXAGON)
    object_type, rate_index, channels, size, rest = adts(config)
    assert (object_type, rate_index, channels) == (2, 3, 0)
    assert rest.endswith(b"raw") and size == 7 + len(rest)
    element = rest[:-3]
    assert element[0] >> 5 == 5 and element.endswith(b"Lavc59.37.100"), "its comment is aligned anew"


@pytest.mark.parametrize("number", [11, 12])
def test_layouts_whose_number_adts_has_no_room_for(number: int) -> None:
    config = decode_config(lc(3, number))
    assert config.channels == 0 and config.program_config[0] >> 5 == 5
    assert adts(config)[4] == config.program_config + b"raw"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (lc(frame_flag=1), "960"),
        (config_of((31, 5), (39 - 32, 6), (3, 4), (2, 4), (0, 8)), "AAC-ELD"),
        (config_of((31, 5), (42 - 32, 6), (3, 4), (2, 4), (0, 8)), "xHE-AAC"),
        (lc(object_type=23), "AAC-LD"),
        (lc(object_type=17), "AAC-ER-LC"),
        (lc(object_type=0), "object type 0"),
        (lc(channels=14), "configuration 14"),
        (lc(channels=8), "configuration 8"),
    ],
)
def test_what_adts_has_no_place_for(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedCodecError) as caught:
        decode_config(data)
    assert name in caught.value.codec and "ADTS" in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x12",
        lc(rate_index=13),
        lc(rate_index=14),
        config_of((2, 5), (15, 4), (0, 24), (2, 4), (0, 3)),  # 0 Hz
        config_of((5, 5), (7, 4), (2, 4), (13, 4), (2, 5), (0, 3)),
        AAC_HEXAGON[:10],
    ],
)
def test_V9_malformed_configurations(data: bytes) -> None:
    with pytest.raises(MalformedHeaderError):
        decode_config(data)


def test_V9_only_documented_errors() -> None:
    for data in (AAC_STEREO, AAC_7_1, AAC_HEXAGON, config_of((29, 5), (15, 4), (22050, 24), (1, 4), (4, 4), (2, 8))):
        assert_only_documented_errors(decode_config, data)


def test_frame_longer_than_adts_can_say() -> None:
    config = decode_config(AAC_STEREO)
    assert adts(config, bytes(8184))[3] == 8191
    with pytest.raises(MalformedFrameError):
        config.access_unit(bytes(8185), 0, 8185, False)
