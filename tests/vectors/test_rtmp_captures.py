"""What real publishers send, whole, in pieces and with bytes trailing (``rtmp/``)."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from edge.rtmp import amf0
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.config import RtmpConfig
from edge.rtmp.handshake import ServerHandshake
from edge.rtmp.messages import MessageType, decode_control

VECTORS = sorted((Path(__file__).parent / "rtmp").glob("*.bin"))


def read(data: bytes, step: int) -> tuple[ServerHandshake, list[Message]]:
    handshake, reader = ServerHandshake(bytes, 0), ChunkReader(RtmpConfig())
    out: list[Message] = []
    for begin in range(0, len(data), step):
        surplus = handshake.receive(data[begin : begin + step])
        if surplus:
            reader.feed(surplus, 0, out)
    return handshake, out


@pytest.mark.parametrize("step", [1, 1000, 1 << 20])
@pytest.mark.parametrize("tail", [b"", b"\x03"])
@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_capture_gives_its_messages(path: Path, step: int, tail: bytes) -> None:
    expected: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    handshake, messages = read(path.read_bytes() + tail, step)
    assert handshake.is_complex == expected["is_complex"]
    assert [
        [
            m.chunk_stream_id,
            m.type_id,
            m.message_stream_id,
            m.wire_timestamp,
            len(m.payload),
            f"{zlib.crc32(m.payload):08x}",
        ]
        for m in messages
    ] == expected["messages"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_commands_and_control_of_a_capture_come_back_byte_for_byte(path: Path) -> None:
    _, messages = read(path.read_bytes(), 1 << 20)
    names = []
    for message in messages:
        if message.type_id in (MessageType.COMMAND, MessageType.DATA):
            values = amf0.decode_all(message.payload)
            assert amf0.encode_all(*values) == message.payload
            names.append(values[0])
        elif message.type_id < MessageType.AUDIO:
            assert decode_control(message.type_id, message.payload).encode() == message.payload
    assert names[:5] == ["connect", "releaseStream", "FCPublish", "createStream", "publish"]
    assert set(names[5:-2]) == {"@setDataFrame"}
    assert names[-2:] == ["FCUnpublish", "deleteStream"]


def test_every_capture_has_its_list() -> None:
    assert len(VECTORS) == 4
    assert all(path.with_suffix(".json").exists() for path in VECTORS)
