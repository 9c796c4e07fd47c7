"""Any messages, any cut, any bytes: the chunk reader's promises."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ChunkError, HandshakeError
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import ChunkWriter, encode_message
from edge.rtmp.config import RtmpConfig
from edge.rtmp.handshake import ServerHandshake
from edge.rtmp.messages import decode_control, split_aggregate

CONFIG = RtmpConfig(max_message_bytes=5000, max_partial_bytes=8000, max_command_bytes=3000, max_chunk_streams=6)

chunk_stream_ids = st.sampled_from([2, 3, 6, 63, 64, 319, 320, 65599])
wire_timestamps = st.one_of(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 3000),
    st.sampled_from([0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]),
)
messages = st.builds(
    Message,
    type_id=st.sampled_from([7, 8, 9, 18, 20, 22]),
    message_stream_id=st.sampled_from([0, 1, 2, 0xFFFFFFFF]),
    wire_timestamp=wire_timestamps,
    payload=st.one_of(st.binary(min_size=1, max_size=32), st.just(bytes(300))),
    chunk_stream_id=chunk_stream_ids,
)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(c % (len(data) + 1) for c in cuts)})
    return [data[begin:end] for begin, end in pairwise(edges)]


def run(pieces: list[bytes], config: RtmpConfig) -> tuple[list[Message], list[tuple[str, str]], str]:
    """Feed until the end or a fault; return messages, notices and the reason."""
    reader = ChunkReader(config)
    out: list[Message] = []
    try:
        for piece in pieces:
            reader.feed(piece, 0, out)
    except ChunkError as error:
        return out, reader.notices, error.reason
    received = sum(map(len, pieces))
    assert reader._partial_bytes + len(reader._rest) <= received
    assert len(reader._rest) < 18
    assert reader._partial_bytes == sum(len(s.partial or b"") for s in reader._streams.values())
    return out, reader.notices, ""


@given(st.lists(messages, max_size=12), st.integers(1, 200), st.lists(st.integers(0, 4000), max_size=10))
@settings(max_examples=150, deadline=None)
def test_written_messages_are_read_back(sent: list[Message], chunk_size: int, cuts: list[int]) -> None:
    config = RtmpConfig(min_in_chunk_size=1)
    data = encode_message(2, 1, 0, 0, chunk_size.to_bytes(4, "big"), 128)
    writer = ChunkWriter(chunk_size)
    stateless = data
    for m in sent:
        fields = (m.chunk_stream_id, m.type_id, m.message_stream_id, m.wire_timestamp, m.payload)
        data += b"".join(writer.pieces(*fields))
        stateless += encode_message(*fields, chunk_size)
    for stream in (data, stateless):
        out, _, reason = run(cut(stream, cuts), config)
        assert reason == ""
        assert out[1:] == sent


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([2, 3, 6]),
            st.sampled_from([0, 40, 2000, 0xFFFFFF]),
            st.sampled_from([0, 4, 10, 129, 300, 4999, 5001]),
            st.sampled_from([1, 2, 4, 8, 9, 18, 20, 255]),
            st.sampled_from([b"", b"\0\0\0\0", b"\0\0\0\x80", b"\0\0\0\6", b"\1\2\3\4", bytes(10), bytes(128)]),
        ),
        max_size=15,
    ),
    st.lists(st.integers(0, 3000), max_size=10),
)
@settings(max_examples=300, deadline=None)
def test_C23_any_split_of_header_like_bytes_gives_the_same(
    chunks: list[tuple[int, int, int, int, int, bytes]], cuts: list[int]
) -> None:
    data = b""
    for fmt, csid, field, length, type_id, rest in chunks:
        header = field.to_bytes(3, "big") + length.to_bytes(3, "big") + bytes((type_id,)) + b"\1\0\0\0"
        data += bytes((fmt << 6 | csid,)) + header[: (11, 7, 3, 0)[fmt]] + rest
    whole = run([data], CONFIG)
    assert run(cut(data, cuts), CONFIG) == whole
    assert run([data[i : i + 1] for i in range(len(data))], CONFIG) == whole


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=10))
@settings(max_examples=300, deadline=None)
def test_C23_garbage_gives_the_documented_error_or_nothing(data: bytes, cuts: list[int]) -> None:
    assert run(cut(data, cuts), CONFIG) == run([data], CONFIG)


@given(st.integers(1, 6), st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_control_bodies_decode_or_are_refused(type_id: int, payload: bytes) -> None:
    try:
        message = decode_control(type_id, payload)
    except ChunkError as error:
        assert error.reason == "ctrl_size"
    else:
        assert message.encode() == payload


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_aggregates_split_or_are_refused(payload: bytes) -> None:
    try:
        found = split_aggregate(Message(22, 1, 0, payload, 6))
    except ChunkError as error:
        assert error.reason in ("aggregate_bounds", "aggregate_nested")
    else:
        assert sum(len(m.payload) for m in found) <= len(payload)


@given(
    st.one_of(st.binary(max_size=10), st.binary(max_size=40).map(lambda tail: b"\x03" + bytes(3072) + tail)),
    st.lists(st.integers(0, 4000), max_size=10),
)
@settings(max_examples=100, deadline=None)
def test_handshake_keeps_every_byte_after_it(data: bytes, cuts: list[int]) -> None:
    server = ServerHandshake(bytes, 0)
    surplus = b""
    try:
        for piece in cut(data, cuts):
            surplus += server.receive(piece) or b""
    except HandshakeError:
        assert data[0] != 3
        return
    if server.is_complete:
        assert surplus == data[5 if server.is_simplified else 3073 :]
    else:
        assert len(data) < 3073
