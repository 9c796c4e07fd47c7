"""Header compression and the cutting of payloads."""

from __future__ import annotations

import pytest

from edge.errors import LocalProtocolError
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import ChunkWriter, encode_basic_header, encode_message, split_payload
from edge.rtmp.config import RtmpConfig


def read(data: bytes) -> list[Message]:
    out: list[Message] = []
    ChunkReader(RtmpConfig()).feed(data, 0, out)
    return out


@pytest.mark.parametrize(
    ("csid", "encoded"),
    [(2, "02"), (63, "3f"), (64, "0000"), (319, "00ff"), (320, "010001"), (65599, "01ffff")],
)
def test_basic_header_forms(csid: int, encoded: str) -> None:
    assert encode_basic_header(0, csid).hex() == encoded
    assert encode_basic_header(3, csid)[0] == bytes.fromhex(encoded)[0] | 0xC0


@pytest.mark.parametrize("csid", [-1, 0, 1, 65600])
def test_impossible_chunk_stream_id_is_refused(csid: int) -> None:
    with pytest.raises(LocalProtocolError):
        encode_basic_header(0, csid)


def test_encode_message_bytes() -> None:
    assert encode_message(2, 5, 0, 0, bytes.fromhex("002625a0"), 128).hex() == "020000000000040500000000002625a0"
    assert encode_message(6, 9, 1, 0x123, b"abcde", 2).hex() == "0600012300000509010000006162c66364c665"


def test_extended_timestamp_is_repeated() -> None:
    data = encode_message(6, 9, 1, 0xFFFFFF, b"abc", 2)
    assert data.hex() == "06ffffff000003090100000000ffffff6162c600ffffff63"
    assert encode_message(6, 9, 1, 0xFFFFFE, b"abc", 2).hex().startswith("06fffffe")


def test_payload_that_fits_is_not_copied() -> None:
    payload = bytes(100)
    assert split_payload(payload, 100, b"\xc6")[0] is payload
    pieces = split_payload(payload, 40, b"\xc6")
    assert [len(piece) for piece in pieces] == [40, 1, 40, 1, 20]
    assert all(piece.obj is payload for piece in pieces[::2])  # type: ignore[union-attr]


def formats(messages: list[tuple[int, int, int, int, bytes]]) -> list[int]:
    """Write, read back, and return the header formats used."""
    writer = ChunkWriter(128)
    used, data = [], b""
    for message in messages:
        pieces = writer.pieces(*message)
        used.append(pieces[0][0] >> 6)
        data += b"".join(pieces)
    assert [(m.chunk_stream_id, m.type_id, m.message_stream_id, m.wire_timestamp, m.payload) for m in read(data)] == [
        (csid, type_id, msid, moment & 0xFFFFFFFF, payload) for csid, type_id, msid, moment, payload in messages
    ]
    return used


def test_headers_are_compressed_as_far_as_they_repeat() -> None:
    assert formats(
        [
            (6, 9, 1, 100, b"ab"),
            (6, 9, 1, 140, b"abc"),  # length differs
            (6, 9, 1, 180, b"abc"),  # same delta, length, type
            (6, 9, 1, 221, b"abc"),  # delta differs
            (6, 8, 1, 262, b"abc"),  # type differs
            (6, 8, 2, 303, b"abc"),  # message stream differs
            (6, 8, 2, 302, b"abc"),  # time goes back
            (7, 8, 2, 302, b"abc"),  # other chunk stream
        ]
    ) == [0, 1, 3, 2, 1, 0, 0, 0]


def test_no_type_3_right_after_type_0() -> None:
    """Receivers differ on what it adds: the absolute time, or nothing."""
    assert formats([(6, 9, 1, 40, b"a"), (6, 9, 1, 80, b"b"), (6, 9, 1, 120, b"c")]) == [0, 2, 3]


def test_delta_across_the_wrap() -> None:
    assert formats([(6, 9, 1, 0xFFFFFFF0, b"a"), (6, 9, 1, 0x10, b"b"), (6, 9, 1, 0x30, b"c")]) == [0, 2, 3]


def test_large_delta_is_written_absolute() -> None:
    assert formats([(6, 9, 1, 0, bytes(300)), (6, 9, 1, 0xFFFFFF, bytes(300)), (6, 9, 1, 0x1FFFFFD, b"c")]) == [0, 0, 1]


def test_long_payload_continues_with_type_3() -> None:
    assert formats([(70, 9, 1, 0x1000000, bytes(range(256)) * 3), (70, 9, 1, 0x1000010, bytes(500))]) == [0, 1]


def test_empty_message_is_not_written() -> None:
    assert ChunkWriter(128).pieces(6, 9, 1, 0, b"") == ()


def test_chunk_size_may_change_between_messages() -> None:
    writer = ChunkWriter(2)
    assert len(writer.pieces(6, 9, 1, 0, b"abcd")) == 4
    writer.chunk_size = 4
    assert len(writer.pieces(6, 9, 1, 0, b"abcd")) == 2
