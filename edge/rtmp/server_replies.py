"""What a server answers, as bytes; answers that never change are encoded once.

Thousands of players of a stream connect in the same words and are told the
same: the functions remember what they returned. All is of the client's own
saying and bounded by its limits, so what is remembered stays small.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from edge.rtmp import amf0
from edge.rtmp.chunk import CONTROL_CHUNK_STREAM_ID, INITIAL_CHUNK_SIZE
from edge.rtmp.chunk_writer import encode_message
from edge.rtmp.commands import CAN_RECONNECT, encode_command, is_number, status_info
from edge.rtmp.events import AmfObject
from edge.rtmp.messages import (
    ControlMessage,
    MessageType,
    SetChunkSize,
    SetPeerBandwidth,
    UserControl,
    WindowAcknowledgementSize,
)
from edge.rtmp.pings import CLOCK_PROPERTY
from edge.rtmp.session import COMMAND_CHUNK_STREAM_ID, STATUS_CHUNK_STREAM_ID

SERVER_VERSION = "FMS/3,5,3,888"
"""What clients expect a server to call itself; some refuse others."""
CAPABILITIES = 127

_CAN_FORWARD = 4  # E-RTMP v2, FourCcInfoMask
_CAPABILITIES = CAN_RECONNECT | 0x0E  # multitrack, ModEx, nanosecond offsets
#: Answers that are remembered of each kind; with names of the longest that is half a megabyte.
_REMEMBERED = 128


class Enhanced(NamedTuple):
    """What an E-RTMP client has said of itself in ``connect``, as far as it is answered.

    Attributes:
        has_list, has_video_map, has_audio_map: it listed codecs, in these forms.
        capabilities: its ``capsEx``, of which those that we have too; None without.
    """

    has_list: bool
    has_video_map: bool
    has_audio_map: bool
    capabilities: int | None

    @classmethod
    def of(cls, asked: AmfObject) -> Enhanced:
        """Of the command object of ``connect``."""
        flags = asked.get("capsEx")
        is_readable = is_number(flags) and 0 <= flags < 1 << 32  # type: ignore[operator]
        return cls(
            "fourCcList" in asked,
            "videoFourCcInfoMap" in asked,
            "audioFourCcInfoMap" in asked,
            int(flags) & _CAPABILITIES if is_readable else None,  # type: ignore[arg-type]
        )

    def answer(self) -> AmfObject:
        """The properties that answer it: any codec is passed on, none decoded."""
        answer: AmfObject = {}
        if self.has_list:
            answer["fourCcList"] = ["*"]
        if self.has_video_map:
            answer["videoFourCcInfoMap"] = {"*": _CAN_FORWARD}
        if self.has_audio_map:
            answer["audioFourCcInfoMap"] = {"*": _CAN_FORWARD}
        if self.capabilities is not None:
            answer["capsEx"] = self.capabilities
        return answer


class ConnectAnswer(NamedTuple):
    """What the answer to a ``connect`` depends on.

    Attributes:
        edge_id: our service id for a peer of ours, "" for others.
        window_bytes, chunk_size: what we announce.
    """

    transaction_id: float
    object_encoding: float
    enhanced: Enhanced
    edge_id: str
    window_bytes: int
    chunk_size: int


def encode_connected(answer: ConnectAnswer, more: AmfObject | None = None) -> bytes:
    """The answer to a ``connect`` that is granted; ``more`` is added to its first object.

    The order is that of the reference: OBS and vMix want the chunk size before the result.
    """
    reply: AmfObject = {
        "fmsVer": SERVER_VERSION,
        "capabilities": CAPABILITIES,
        "mode": 1,
        "create_stream_with_play_or_publish": True,
        **answer.enhanced.answer(),
    }
    if answer.edge_id:
        reply["edgeId"] = answer.edge_id
        reply[CLOCK_PROPERTY] = True
        reply["edgeWhy"] = reply["edgeMay"] = True
    reply.update(more or {})
    encoding: AmfObject = {"objectEncoding": answer.object_encoding}
    info = status_info("status", "NetConnection.Connect.Success", "Connection succeeded", encoding)
    return b"".join(
        (
            encode_control(WindowAcknowledgementSize(answer.window_bytes)),
            encode_control(SetPeerBandwidth(answer.window_bytes)),
            encode_control(SetChunkSize(answer.chunk_size)),
            encode_whole_command(answer.chunk_size, 0, "_result", answer.transaction_id, reply, info),
            encode_whole_command(answer.chunk_size, 0, "onBWDone", 0, None),
        )
    )


#: The same, remembered.
connected = lru_cache(_REMEMBERED)(encode_connected)


@lru_cache(_REMEMBERED)
def stream_created(chunk_size: int, transaction_id: float, message_stream_id: int) -> bytes:
    """The answer to ``createStream``."""
    return encode_whole_command(chunk_size, 0, "_result", transaction_id, None, message_stream_id)


def encode_playing(
    chunk_size: int, message_stream_id: int, name: str, has_reset: bool, has_data_start: bool, info: AmfObject | None
) -> bytes:
    """The answer to a ``play`` that is granted; ``info`` is added to the information object of Play.Start."""

    def status(code: str, description: str, more: AmfObject | None = None) -> bytes:
        said = status_info("status", code, description, more)
        return encode_whole_command(chunk_size, message_stream_id, "onStatus", 0, None, said)

    parts = [encode_control(UserControl.stream_begin(message_stream_id))]
    if has_reset:
        parts.append(status("NetStream.Play.Reset", f"Reset {name}"))
    parts.append(status("NetStream.Play.Start", f"Start playing {name}", info))
    parts.append(encode_data(chunk_size, message_stream_id, "|RtmpSampleAccess", True, True))
    if has_data_start:
        parts.append(encode_data(chunk_size, message_stream_id, "onStatus", {"code": "NetStream.Data.Start"}))
    return b"".join(parts)


#: The same without ``info``, remembered.
playing = lru_cache(_REMEMBERED)(encode_playing)


def encode_control(message: ControlMessage) -> bytes:
    """A control message; none is as long as the least chunk."""
    return encode_message(CONTROL_CHUNK_STREAM_ID, message.type_id, 0, 0, message.encode(), INITIAL_CHUNK_SIZE)


def encode_whole_command(
    chunk_size: int, message_stream_id: int, name: str, transaction_id: float, *values: object
) -> bytes:
    """A command; ``values`` begin with the command object."""
    chunk_stream_id = STATUS_CHUNK_STREAM_ID if message_stream_id else COMMAND_CHUNK_STREAM_ID
    body = encode_command(name, transaction_id, *values)
    return encode_message(chunk_stream_id, MessageType.COMMAND, message_stream_id, 0, body, chunk_size)


def encode_data(chunk_size: int, message_stream_id: int, *values: object) -> bytes:
    """A data message of a message stream."""
    body = amf0.encode_all(*values)
    return encode_message(STATUS_CHUNK_STREAM_ID, MessageType.DATA, message_stream_id, 0, body, chunk_size)
