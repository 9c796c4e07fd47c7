"""The chunk reader: headers, limits, and hostile bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from edge.errors import ChunkError
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import encode_basic_header, encode_message
from edge.rtmp.config import RtmpConfig

CONFIG = RtmpConfig()


def header(fmt: int, csid: int, time: int = 0, length: int = 0, type_id: int = 9, msid: int = 1) -> bytes:
    """A chunk header of format ``fmt``; ``time`` is the 24-bit field."""
    parts = [encode_basic_header(fmt, csid)]
    if fmt < 3:
        parts.append(time.to_bytes(3, "big"))
    if fmt < 2:
        parts.append(length.to_bytes(3, "big") + bytes((type_id,)))
    if fmt < 1:
        parts.append(msid.to_bytes(4, "little"))
    return b"".join(parts)


def set_chunk_size(size: int) -> bytes:
    return encode_message(2, 1, 0, 0, size.to_bytes(4, "big"), 128)


def read(data: bytes, config: RtmpConfig = CONFIG, step: int | None = None) -> list[Message]:
    reader = ChunkReader(config)
    out: list[Message] = []
    for begin in range(0, len(data), step or max(len(data), 1)):
        reader.feed(data[begin : begin + step] if step else data, 0, out)
    return out


def check(data: bytes, expected: list[Message], config: RtmpConfig = CONFIG) -> None:
    """Fed whole, byte by byte, in threes and with bytes trailing, ``data`` gives ``expected``."""
    for step in (None, 1, 3, 7):
        assert read(data, config, step) == expected
    assert read(data + b"\x00", config) == expected


def fault(data: bytes, config: RtmpConfig = CONFIG) -> str:
    """Return the reason with which ``data`` ends, the same for every split."""
    reasons = set()
    for step in (len(data), 1, 5):
        with pytest.raises(ChunkError) as caught:
            read(data, config, step)
        reasons.add(caught.value.reason)
    (reason,) = reasons
    return reason


def body(length: int, seed: int = 1) -> bytes:
    return bytes((seed + i * 7) & 255 for i in range(length))


def test_one_message_of_each_header_form() -> None:
    data = (
        header(0, 6, 1000, 3, 9, 1) + b"abc" + header(1, 6, 40, 2, 8) + b"de" + header(2, 6, 20) + b"fg"
        + header(3, 6) + b"hi"
    )  # fmt: skip
    data += set_chunk_size(4096)  # so that the last plain message is not at the very end of a feed
    check(
        data,
        [
            Message(9, 1, 1000, b"abc", 6),
            Message(8, 1, 1040, b"de", 6),
            Message(8, 1, 1060, b"fg", 6),
            Message(8, 1, 1080, b"hi", 6),
            Message(1, 0, 0, b"\0\0\x10\0", 2),
        ],
    )


def test_short_cut_and_careful_path_agree() -> None:
    """The same headers for audio (short cut) and for data messages (never on it)."""
    results = []
    for type_id in (8, 18):
        data = b"".join(
            (
                header(0, 4, 500, 20, type_id, 7) + body(20),
                header(1, 4, 23, 30, type_id) + body(30),
                header(2, 4, 24) + body(30),
                header(3, 4) + body(30),
                header(0, 4, 900, 10, type_id, 8) + body(10),
                header(3, 4) + body(10),
            )
        )
        messages = read(data)
        results.append([(m.message_stream_id, m.wire_timestamp, m.payload) for m in messages])
    assert results[0] == results[1]
    assert [moment for _, moment, _ in results[0]] == [500, 523, 547, 571, 900, 1800]


def test_type_3_after_a_late_type_0_adds_nothing() -> None:
    data = header(0, 4, 5000, 1, 8) + b"a" + header(3, 4) + b"b" + header(3, 4) + b"c"
    assert [m.wire_timestamp for m in read(data)] == [5000, 5000, 5000]


def test_long_message_is_joined_from_its_chunks() -> None:
    payload = body(1000)
    check(encode_message(6, 9, 1, 77, payload, 128), [Message(9, 1, 77, payload, 6)])


def test_delta_wraps_at_32_bits() -> None:
    data = encode_message(6, 9, 1, 0xFFFFFFF0, b"a", 128) + header(1, 6, 0x20, 1) + b"b"
    assert [m.wire_timestamp for m in read(data)] == [0xFFFFFFF0, 0x10]


def test_idle_reader_is_small() -> None:
    import sys

    reader = ChunkReader(CONFIG)
    kept = [reader, reader._streams, reader._open, reader.notices]
    assert sum(map(sys.getsizeof, kept)) < 600


# --- hostile rows ------------------------------------------------------------


@pytest.mark.parametrize("fmt", [2, 3])
def test_C1_no_earlier_header_closes(fmt: int) -> None:
    assert fault(header(fmt, 6, 5) + b"abc") == "chunk_no_header"


def test_C2_fresh_fmt_1_is_read_with_zeros() -> None:
    reader = ChunkReader(CONFIG)
    out: list[Message] = []
    reader.feed(header(1, 2, 5, 6, 4) + b"\0\6\0\0\0\1", 0, out)
    assert out == [Message(4, 0, 5, b"\0\6\0\0\0\1", 2)]
    assert [reason for reason, _ in reader.notices] == ["chunk_fresh_fmt1"]


@pytest.mark.parametrize("fmt", [0, 1, 2])
@pytest.mark.parametrize("length", [300, 100, 500])
@pytest.mark.parametrize("arrived", [128, 256])
def test_C3_header_mid_message_closes(fmt: int, length: int, arrived: int) -> None:
    data = header(0, 6, 0, 300) + bytes(128)
    if arrived == 256:
        data += header(3, 6) + bytes(128)
    assert fault(data + header(fmt, 6, 0, length)) == "chunk_header_mid_message"


@pytest.mark.parametrize("size", [0, 1, 127, 1 << 31, 0xFFFFFFFF])
def test_C4_chunk_size_out_of_range_closes(size: int) -> None:
    assert fault(set_chunk_size(size)) == "chunk_size"


@pytest.mark.parametrize("length", [1, 3, 5, 8, 40])
def test_C4_chunk_size_of_wrong_length_closes(length: int) -> None:
    assert fault(encode_message(2, 1, 0, 0, bytes(length - 1) + b"\xff", 128)) == "chunk_size"


@pytest.mark.parametrize("size", [16777215, 16777216, 0x7FFFFFFF])
def test_C5_large_chunk_size_is_clamped(size: int) -> None:
    reader = ChunkReader(CONFIG)
    reader.feed(set_chunk_size(size), 0, [])
    assert reader.in_chunk_size == 16777215


def test_C6_chunk_size_1_works() -> None:
    config = replace(CONFIG, min_in_chunk_size=1)
    payload = body(3000)
    data = set_chunk_size(1) + encode_message(6, 9, 1, 0, payload, 1)
    assert read(data, config)[-1].payload == payload
    assert read(data, config, 11)[-1].payload == payload


def test_C7_length_above_the_cap_closes_at_the_header() -> None:
    assert fault(header(0, 6, 0, 10485761)) == "message_too_big"
    assert read(header(0, 6, 0, 10485760) + b"abc") == []


def test_C7_length_above_the_cap_on_a_known_chunk_stream() -> None:
    data = header(0, 6, 0, 20) + body(20) + header(1, 6, 0, 10485761)
    assert fault(data + bytes(20)) == "message_too_big"


def test_C8_trickled_message_times_out_from_its_first_byte() -> None:
    reader = ChunkReader(CONFIG)
    assert reader.next_deadline_ms() is None
    reader.feed(header(0, 6, 0, 10485760)[:3], 1000, [])
    assert reader.next_deadline_ms() == 31000
    reader.feed(header(0, 6, 0, 10485760)[3:], 5000, [])
    for now_ms in range(6000, 31000, 1000):
        reader.feed(b"x", now_ms, [])
        reader.handle_timer(now_ms)
    assert reader.next_deadline_ms() == 31000
    with pytest.raises(ChunkError) as caught:
        reader.handle_timer(31000)
    assert caught.value.reason == "message_timeout"


def test_C8_deadline_is_that_of_the_oldest_message_and_goes_with_it() -> None:
    reader = ChunkReader(CONFIG)
    out: list[Message] = []
    reader.feed(header(0, 6, 0, 130) + bytes(128), 1000, out)
    reader.feed(header(0, 7, 0, 130) + bytes(128), 2000, out)
    assert reader.next_deadline_ms() == 31000
    reader.feed(header(3, 6) + bytes(2), 3000, out)
    assert reader.next_deadline_ms() == 32000
    reader.feed(header(3, 7) + bytes(2) + b"\x06", 4000, out)
    assert reader.next_deadline_ms() == 34000
    reader.feed(header(0, 6, 0, 1)[1:] + b"a", 5000, out)
    assert reader.next_deadline_ms() is None
    assert len(out) == 3


def test_C8_no_timeout_when_switched_off() -> None:
    reader = ChunkReader(replace(CONFIG, message_timeout_ms=0))
    reader.feed(header(0, 6, 0, 130), 1000, [])
    assert reader.next_deadline_ms() is None
    reader.handle_timer(10**9)


def test_C8_memory_is_what_was_received() -> None:
    import sys

    reader = ChunkReader(CONFIG)
    reader.feed(set_chunk_size(0xFFFFFF) + header(0, 6, 0, 10485760), 0, [])
    for _ in range(1000):
        reader.feed(b"x", 0, [])
    partial = reader._streams[6].partial
    assert partial is not None
    assert len(partial) == 1000
    assert sys.getsizeof(partial) < 2000


def test_C9_sum_of_unfinished_messages_is_capped() -> None:
    config = replace(CONFIG, max_partial_bytes=1000)
    data = b"".join(header(0, csid, 0, 500) + bytes(128) for csid in range(3, 10))
    assert read(data, config) == []
    assert fault(data + header(0, 10, 0, 500) + bytes(128), config) == "partial_overflow"


def test_C9_a_message_that_would_be_whole_counts_alike() -> None:
    config = replace(CONFIG, max_partial_bytes=1000)
    data = header(0, 20, 0, 1) + b"x"
    data += b"".join(header(0, csid, 0, 500) + bytes(128) for csid in range(3, 10))
    assert fault(data + header(1, 20, 0, 120) + bytes(120), config) == "partial_overflow"


def test_C10_too_many_chunk_streams_close() -> None:
    data = b"".join(header(0, csid, 0, 1, 9) + b"a" for csid in range(2, 1027))
    assert len(read(data[: -len(header(0, 1026, 0, 1)) - 1])) == 1024
    reader = ChunkReader(CONFIG)
    out: list[Message] = []
    with pytest.raises(ChunkError) as caught:
        reader.feed(data, 0, out)
    assert caught.value.reason == "too_many_chunk_streams"
    assert len(out) == 1024


def test_C10_all_forms_of_an_id_share_state() -> None:
    # 70 in its two-byte and its three-byte form.
    data = header(0, 70, 10, 2, 8) + b"ab" + b"\xc1\x06\x00" + b"cd" + b"\x81\x06\x00\x00\x00\x05" + b"ef"
    check(data, [Message(8, 1, moment, part, 70) for moment, part in ((10, b"ab"), (20, b"cd"), (25, b"ef"))])


@pytest.mark.parametrize("csid", [2, 63, 64, 319, 320, 65599])
def test_C10_ids_of_every_size_are_legal(csid: int) -> None:
    payload = body(300)
    check(encode_message(csid, 9, 1, 5, payload, 128), [Message(9, 1, 5, payload, csid)])


def test_C11_control_elsewhere_is_honoured() -> None:
    reader = ChunkReader(CONFIG)
    out: list[Message] = []
    reader.feed(encode_message(5, 1, 3, 0, (4096).to_bytes(4, "big"), 128), 0, out)
    assert reader.in_chunk_size == 4096
    assert [reason for reason, _ in reader.notices] == ["ctrl_misplaced"]


def chunks(payload: bytes, first: bytes, follow: bytes, size: int = 128) -> Iterator[bytes]:
    for begin in range(0, len(payload), size):
        yield first if begin == 0 else follow
        yield payload[begin : begin + size]


EXTENDED_VALUES = [0xFFFFFF, 0x01000000, 5, 0x80000001, 0xFFFFFFFF, 0x7FFFFFFF]


@pytest.mark.parametrize("value", EXTENDED_VALUES)
@pytest.mark.parametrize("repeats", [True, False])
def test_C12_extended_timestamp_on_fmt_0(value: int, repeats: bool) -> None:
    field = value.to_bytes(4, "big")
    payload = body(400, 3)
    follow = header(3, 6) + (field if repeats else b"")
    data = b"".join(chunks(payload, header(0, 6, 0xFFFFFF, 400) + field, follow))
    check(data, [Message(9, 1, value, payload, 6)])


@pytest.mark.parametrize("fmt", [1, 2])
@pytest.mark.parametrize("repeats", ["delta", "absolute", "no"])
def test_C12_extended_delta(fmt: int, repeats: str) -> None:
    payload = body(400, 3)
    delta = (0x01000000).to_bytes(4, "big")
    moment = 0x01000000 + 3_600_000
    again = {"delta": delta, "absolute": moment.to_bytes(4, "big"), "no": b""}[repeats]
    data = encode_message(6, 9, 1, 3_600_000, body(400), 128)
    data += b"".join(chunks(payload, header(fmt, 6, 0xFFFFFF, 400) + delta, header(3, 6) + again))
    check(data, [Message(9, 1, 3_600_000, body(400), 6), Message(9, 1, moment, payload, 6)])


@pytest.mark.parametrize("fmt", [1, 2])
def test_C12_extended_delta_that_is_an_absolute_time(fmt: int) -> None:
    """SRS before May 2025 puts the absolute time there."""
    field = (20_000_040).to_bytes(4, "big")
    data = encode_message(6, 9, 1, 20_000_000, b"ab", 128) + header(fmt, 6, 0xFFFFFF, 2) + field + b"cd"
    check(data, [Message(9, 1, 20_000_000, b"ab", 6), Message(9, 1, 20_000_040, b"cd", 6)])


def test_C12_fmt_3_begins_a_message_with_its_extended_field() -> None:
    data = encode_message(6, 9, 1, 20_000_000, b"ab", 128)
    data += header(3, 6) + (20_000_033).to_bytes(4, "big") + b"cd"
    data += header(3, 6) + (20_000_066).to_bytes(4, "big") + b"ef"
    assert [m.wire_timestamp for m in read(data)] == [20_000_000, 20_000_033, 20_000_066]
    check(data, read(data))


@pytest.mark.parametrize("repeats", [True, False])
def test_C12_payload_that_looks_like_the_extended_field(repeats: bool) -> None:
    """Told apart once the sender's habit was seen (when it leaves the field out)."""
    field = (0x01234567).to_bytes(4, "big")
    follow = header(3, 6) + (field if repeats else b"")
    plain, tricky = body(400), bytes(128) + field * 30
    data = b""
    for payload in (plain, tricky):
        data += b"".join(chunks(payload, header(0, 6, 0xFFFFFF, len(payload)) + field, follow))
    check(data, [Message(9, 1, 0x01234567, payload, 6) for payload in (plain, tricky)])


def test_C12_short_last_piece_without_repetition() -> None:
    """Fewer than four payload bytes follow: the first that differs decides, nothing waits."""
    field = (0x01234567).to_bytes(4, "big")
    data = header(0, 6, 0xFFFFFF, 130) + field + bytes(128) + header(3, 6) + b"\x01\x99"
    check(data, [Message(9, 1, 0x01234567, bytes(128) + b"\x01\x99", 6)])


def test_C14_abort_drops_the_unfinished_message() -> None:
    data = header(0, 6, 100, 300) + bytes(128)
    data += encode_message(2, 2, 0, 0, (6).to_bytes(4, "big"), 128)
    data += header(0, 6, 140, 3) + b"abc"
    check(data, [Message(2, 0, 0, b"\0\0\0\6", 2), Message(9, 1, 140, b"abc", 6)])
    reader = ChunkReader(CONFIG)
    reader.feed(data, 0, [])
    assert reader.next_deadline_ms() is None
    assert reader._partial_bytes == 0


@pytest.mark.parametrize("csid", [0, 2, 6, 65599])
def test_C14_abort_of_an_idle_chunk_stream_is_ignored(csid: int) -> None:
    data = encode_message(2, 2, 0, 0, csid.to_bytes(4, "big"), 128) + header(0, 6, 140, 3) + b"abc"
    assert read(data)[-1] == Message(9, 1, 140, b"abc", 6)


@pytest.mark.parametrize("csid", [65600, 0xFFFFFFFF])
def test_C14_abort_of_an_impossible_id_closes(csid: int) -> None:
    assert fault(encode_message(2, 2, 0, 0, csid.to_bytes(4, "big"), 128)) == "ctrl_value"


def test_C14_abort_of_wrong_length_closes() -> None:
    assert fault(encode_message(2, 2, 0, 0, b"\0\0\6", 128)) == "ctrl_size"


def test_C20_interleaved_chunk_streams_and_a_new_chunk_size() -> None:
    first, second, third = body(300, 1), body(300, 2), body(300, 3)
    data = header(0, 4, 1, 300, 8) + first[:128] + header(0, 6, 2, 300, 9) + second[:128]
    data += header(0, 70, 3, 300, 18) + third[:128]
    data += set_chunk_size(130)
    data += header(3, 6) + second[128:258] + header(3, 70) + third[128:258] + header(3, 4) + first[128:258]
    data += header(3, 4) + first[258:] + header(3, 70) + third[258:] + header(3, 6) + second[258:]
    check(
        data,
        [
            Message(1, 0, 0, b"\0\0\0\x82", 2),
            Message(8, 1, 1, first, 4),
            Message(18, 1, 3, third, 70),
            Message(9, 1, 2, second, 6),
        ],
    )


@pytest.mark.parametrize("type_id", [0, 3, 4, 5, 6, 7, 8, 9, 15, 17, 18, 20, 22, 255])
def test_C21_zero_length_message_is_handed_over(type_id: int) -> None:
    data = header(0, 5, 1, 0, type_id) + header(3, 5)
    assert [(m.type_id, m.payload) for m in read(data)] == [(type_id, b"")] * 2
    assert [(m.type_id, m.payload) for m in read(data, step=1)] == [(type_id, b"")] * 2


@pytest.mark.parametrize("type_id", [1, 2])
def test_C21_zero_length_control_closes(type_id: int) -> None:
    assert fault(header(0, 2, 0, 0, type_id, 0)) == "ctrl_size"


@pytest.mark.parametrize("type_id", [2, 3, 4, 5, 6])
def test_long_control_message_closes_at_the_header(type_id: int) -> None:
    assert fault(header(0, 2, 0, 33, type_id, 0)) == "ctrl_size"


@pytest.mark.parametrize("type_id", [17, 20])
def test_A4_large_command_closes_at_the_header(type_id: int) -> None:
    assert fault(header(0, 3, 0, 65537, type_id, 0)) == "command_too_big"
    assert read(header(0, 3, 0, 65536, type_id, 0)) == []


@pytest.mark.parametrize("type_id", [15, 16, 18, 19])
def test_A4_large_data_are_passed_over_as_they_come(type_id: int) -> None:
    """Cut anywhere, also by chunks of other messages; none of it is kept, and all around it arrives."""
    config = replace(CONFIG, max_data_bytes=1000, max_partial_bytes=4096)
    frame = encode_message(6, 9, 1, 40, b"frame", 128)
    large = encode_message(5, type_id, 1, 7, bytes(5000), 128)
    cut = len(header(0, 5)) + 10 * 129 - 1
    wanted = encode_message(5, type_id, 1, 9, bytes(1000), 128)
    data = frame + large[:cut] + frame + large[cut:] + wanted + frame
    for step in (1, 7, 129, len(data)):
        reader = ChunkReader(config)
        out: list[Message] = []
        for at in range(0, len(data), step):
            reader.feed(data[at : at + step], 0, out)
            assert reader._partial_bytes <= 1000
        assert [one.type_id for one in out] == [9, 9, type_id, 9]
        assert [reason for reason, _ in reader.notices] == ["data_too_big"]
        assert not reader.is_amid_message


def test_A4_large_data_have_the_time_of_any_message() -> None:
    reader = ChunkReader(CONFIG)
    reader.feed(header(0, 5, 0, 300_000, 18, 1) + bytes(64), 1000, [])
    assert reader.next_deadline_ms() == 31_000
    with pytest.raises(ChunkError):
        reader.handle_timer(31_000)
    assert fault(header(0, 5, 0, 300_000, 18, 1) + bytes(128) + header(1, 5, 0, 8, 18)) == "chunk_header_mid_message"
    assert fault(header(0, 5, 0, 10485761, 18, 1)) == "message_too_big"


def test_messages_before_the_fault_are_delivered() -> None:
    reader = ChunkReader(CONFIG)
    out: list[Message] = []
    with pytest.raises(ChunkError):
        reader.feed(header(0, 6, 0, 3) + b"abc" + header(0, 7, 0, 2) + b"de" + header(3, 9), 0, out)
    assert [m.payload for m in out] == [b"abc", b"de"]


def test_Y9_a_large_message_in_small_pieces_is_linear() -> None:
    """The buffer grows in place: 2 MB in 100-byte feeds, many chunks, without copying what is there."""
    payload = body(1000) * 2000
    data = encode_message(6, 9, 1, 0, payload, 128)
    assert read(data, step=100) == [Message(9, 1, 0, payload, 6)]
