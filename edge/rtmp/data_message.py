"""Data messages (RTMP 1.0 §7.1.2): metadata, cue points, captions, and what a server says of its stream.

Nothing in them is needed to play a stream, so they are read as far as they
can be read, and what is read counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.errors import AmfError, ProtocolError
from edge.rtmp import amf0, amf3
from edge.rtmp.config import RtmpConfig
from edge.rtmp.messages import MessageType

SET_DATA_FRAME = "@setDataFrame"
"""Before the name, by an encoder: the data hold for the stream from now on."""


@dataclass(frozen=True, slots=True)
class DataMessage:
    """A data message as players get it.

    Attributes:
        values: the name and what follows it, without ``@setDataFrame``; empty when there is none.
        body: the same in AMF0: as it came where that was readable to its end, else made anew.
        fault: why reading stopped before the end, or None.
    """

    values: list[Any]
    body: bytes
    fault: AmfError | None


def read_data(type_id: int, payload: bytes, limits: RtmpConfig) -> DataMessage:
    """Read a data message, type 18 or 15.

    The latter carries AMF0 behind one zero byte, which some senders leave out.

    Raises:
        AmfError: no name, nothing readable behind it, or a value that AMF0 cannot express.
    """
    is_amf3 = type_id == MessageType.AMF3_DATA
    if is_amf3 and not payload:
        raise AmfError("AMF3 data without a body")
    begin = int(is_amf3 and payload[0] == 0)
    readable = amf0.decode_readable(payload, limits, amf3.decode_value, offset=begin)
    has_prefix = readable.values[:1] == [SET_DATA_FRAME]
    values = readable.values[1:] if has_prefix else readable.values
    if readable.fault is not None and len(values) < 2:
        raise readable.fault
    if not values:
        return DataMessage([], b"", None)
    if not isinstance(values[0], str):
        raise AmfError(f"data message begins with a {type(values[0]).__name__}")
    if is_amf3 or not readable.is_whole:
        return DataMessage(values, _encoded(values), readable.fault)
    end = amf0.decode_value(payload, 0, limits)[1] if has_prefix else 0
    return DataMessage(values, payload[end:], None)


def _encoded(values: list[Any]) -> bytes:
    try:
        return amf0.encode_all(*values)
    except ProtocolError as error:
        raise AmfError(error.detail) from error
