"""Opus: its two headers, and the control header of TS."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedFrameError, MalformedHeaderError, UnsupportedCodecError
from edge.media.codecs.opus import OpusConfig, decode_config, encode_dops, packet_samples
from tests.media.codecs.records import OPUS_5_1, OPUS_STEREO, assert_only_documented_errors

STEREO = OpusConfig(2, 312, 0, 1, 1, (0, 1))


def dops(head: bytes) -> bytes:
    """The same as dOps: no magic, version 0, big-endian."""
    body = head[8:]
    return b"\0" + body[1:2] + body[3:1:-1] + body[7:3:-1] + body[9:7:-1] + body[10:]


def test_opus_head() -> None:
    assert decode_config(OPUS_STEREO) == STEREO
    assert decode_config(OPUS_5_1) == OpusConfig(6, 312, 1, 4, 2, (0, 4, 1, 2, 3, 5))
    mono = OPUS_STEREO[:9] + b"\1" + OPUS_STEREO[10:]
    assert decode_config(mono) == OpusConfig(1, 312, 0, 1, 0, (0,))


@pytest.mark.parametrize("head", [OPUS_STEREO, OPUS_5_1])
def test_dops(head: bytes) -> None:
    assert decode_config(dops(head)) == decode_config(head)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"OpusHead",
        OPUS_STEREO[:-1],
        OPUS_STEREO[:8] + b"\x10" + OPUS_STEREO[9:],  # an incompatible version
        OPUS_STEREO[:9] + b"\0" + OPUS_STEREO[10:],
        OPUS_STEREO[:9] + b"\3" + OPUS_STEREO[10:],  # family 0 is mono or stereo
        OPUS_5_1[:-1],
        OPUS_5_1[:19] + b"\0" + OPUS_5_1[20:],
        OPUS_5_1[:20] + b"\5" + OPUS_5_1[21:],
    ],
)
def test_malformed_headers(data: bytes) -> None:
    with pytest.raises(MalformedHeaderError):
        decode_config(data)


def test_only_documented_errors() -> None:
    for head in (OPUS_STEREO, OPUS_5_1, dops(OPUS_5_1)):
        assert_only_documented_errors(decode_config, head)


def test_channel_code_of_ts() -> None:
    assert decode_config(OPUS_STEREO).ts_channel_code() == 2
    assert decode_config(OPUS_5_1).ts_channel_code() == 6
    odd = OPUS_5_1[:-1] + b"\4"
    with pytest.raises(UnsupportedCodecError, match="6 channels"):
        decode_config(odd).ts_channel_code()


@given(st.integers(1, 2000))
def test_control_header(size: int) -> None:
    packet = bytes(size)
    data, is_random_access = STEREO.access_unit(b"xx" + packet + b"y", 2, 2 + size, False)
    assert is_random_access and data[:2] == b"\x7f\xe0"
    offset, total = 2, 0
    while data[offset] == 255:
        total += 255
        offset += 1
    total += data[offset]
    assert total == size and data[offset + 1 :] == packet


@pytest.mark.parametrize("head", [OPUS_STEREO, OPUS_5_1])
def test_dops_of_either_form(head: bytes) -> None:
    assert encode_dops(head) == encode_dops(dops(head)) == dops(head)
    assert encode_dops(head + b"more") == dops(head), "what follows is left out"
    assert_only_documented_errors(encode_dops, head)


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"\x00", 480),
        (b"\x18", 2880),
        (b"\x58", 2880),
        (b"\x60", 480),
        (b"\x68", 960),
        (b"\x80", 120),
        (b"\xf8", 960),
        (b"\xfc\xff\xfe", 960),
        (b"\xf9", 1920),
        (b"\xfa", 1920),
        (b"\xfb\x03", 2880),
        (b"\xfb\xc6", 5760),
        (b"\x83\x30", 5760),
    ],
)
def test_packet_durations(packet: bytes, samples: int) -> None:
    assert packet_samples(b"xx" + packet + b"y", 2, 2 + len(packet)) == samples


@pytest.mark.parametrize("packet", [b"", b"\xfb", b"\xfb\x00", b"\xfb\x07", b"\x1b\x03"])
def test_packets_without_a_duration(packet: bytes) -> None:
    with pytest.raises(MalformedFrameError, match="Opus packet"):
        packet_samples(b"x" + packet + b"\x01", 1, 1 + len(packet))
