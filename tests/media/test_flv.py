"""FLV out, and in again in any cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import RemoteProtocolError
from edge.media.flv import MAX_BODY_BYTES, Tag, TagReader, encode_prologue, encode_tag
from edge.media.frame import AUDIO, DATA, VIDEO, Frame

#: File header, metadata at 0, a keyframe at 0x1234567 ms, sound at the largest time.
STREAM = bytes.fromhex(
    "464c5601 05 00000009 00000000"
    "12 000003 000000 00 000000 020003 0000000e"
    "09 000006 234567 01 000000 170100000041 00000011"
    "08 000004 ffffff ff 000000 af012122 0000000f"
)
TAGS = [
    Tag(DATA, 0, b"\x02\x00\x03"),
    Tag(VIDEO, 0x1234567, b"\x17\x01\0\0\0\x41"),
    Tag(AUDIO, 0xFFFFFFFF, b"\xaf\x01\x21\x22"),
]

tags = st.lists(
    st.builds(Tag, st.sampled_from([AUDIO, VIDEO, DATA]), st.integers(0, 2**32 - 1), st.binary(max_size=300)),
    max_size=8,
)


def encoded(found: list[Tag], **prologue: bool) -> bytes:
    flags = {"has_audio": True, "has_video": True, **prologue}
    pieces = [encode_prologue(**flags)]
    for tag in found:
        pieces += encode_tag(Frame(tag.type_id, 0, tag.body), tag.timestamp_ms)
    return b"".join(pieces)


def test_stream() -> None:
    assert encoded(TAGS) == STREAM


@pytest.mark.parametrize("step", [1, 7, len(STREAM)])
def test_stream_is_read_whole_byte_by_byte_and_with_bytes_trailing(step: int) -> None:
    reader = TagReader()
    data = STREAM + STREAM[13:20]
    found = []
    for start in range(0, len(data), step):
        found += reader.receive_data(data[start : start + step])
    assert found == TAGS
    assert reader.has_audio and reader.has_video
    assert reader.receive_data(STREAM[20:31]) == TAGS[:1], "what was trailing is the next tag's beginning"


@pytest.mark.parametrize(("has_audio", "has_video", "flags"), [(1, 1, 5), (1, 0, 4), (0, 1, 1), (0, 0, 0)])
def test_header_names_the_tracks(has_audio: int, has_video: int, flags: int) -> None:
    data = encode_prologue(has_audio=bool(has_audio), has_video=bool(has_video))
    assert data == b"FLV\x01" + bytes((flags,)) + b"\0\0\0\x09\0\0\0\0"
    reader = TagReader()
    assert reader.receive_data(data) == []
    assert (reader.has_audio, reader.has_video) == (bool(has_audio), bool(has_video))


@pytest.mark.parametrize(
    ("time", "field"),
    [
        (0, "00000000"),
        ((1 << 24) - 1, "ffffff00"),
        (1 << 24, "00000001"),
        ((1 << 31) + 5, "00000580"),
        ((1 << 32) - 1, "ffffffff"),
        (1 << 32, "00000000"),
        ((1 << 32) + (1 << 24) + 7, "00000701"),
    ],
)
def test_times_have_an_upper_byte_and_wrap(time: int, field: str) -> None:
    header, _, _ = encode_tag(Frame(VIDEO, time, b"\x27\x01"), time)
    assert header.hex() == "09000002" + field + "000000"


def test_payload_is_passed_on_as_it_is() -> None:
    payload = bytes(1000)
    header, body, trailer = encode_tag(Frame(VIDEO, 0, payload), 0)
    assert body is payload and len(header) == 11 and trailer == (1011).to_bytes(4, "big")


def test_largest_body() -> None:
    header, _, trailer = encode_tag(Frame(VIDEO, 0, bytes(MAX_BODY_BYTES)), 0)
    assert header[:4] == b"\x09\xff\xff\xff" and trailer == b"\x01\x00\x00\x0a"


@given(tags, st.sets(st.integers(1, 3000), max_size=8))
def test_any_tags_survive_any_cut(found: list[Tag], cuts: set[int]) -> None:
    data = encoded(found)
    reader = TagReader()
    got, start = [], 0
    for end in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
        got += reader.receive_data(data[start:end])
        start = end
    assert got == found


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a",
        b"FLV\x02" + STREAM[4:],
        STREAM[:8] + b"\x0a" + STREAM[9:],
        STREAM[:13] + b"\x07" + STREAM[14:],
        STREAM[:30] + b"\x0f" + STREAM[31:],
    ],
)
def test_what_is_no_flv(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        TagReader().receive_data(data)


@given(st.binary(max_size=60), st.booleans())
def test_only_documented_errors(data: bytes, has_header: bool) -> None:
    try:
        TagReader().receive_data((STREAM[:13] if has_header else b"") + data)
    except RemoteProtocolError as error:
        assert error.reason == "flv"
