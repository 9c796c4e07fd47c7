"""FLV as a file or an endless HTTP body: header, then tags, each followed by its size (FLV 10.1 §E.2, §E.3).

A frame's payload is a tag body already, so a tag is a header, the payload itself
and a trailer. Tags bear the stream's clock; in 32 bits it wraps after 49 days.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import RemoteProtocolError
from edge.media.frame import AUDIO, DATA, VIDEO, Frame

HEADER_BYTES = 9
TAG_HEADER_BYTES = 11
#: Sizes have 24 bits.
MAX_BODY_BYTES = 0xFFFFFF
_SIGNATURE = b"FLV\x01"
_TYPES = frozenset({AUDIO, VIDEO, DATA})
_HAS_VIDEO, _HAS_AUDIO = 1, 4


def encode_prologue(*, has_audio: bool, has_video: bool) -> bytes:
    """File header and the size of the tag before the first.

    Some players wait for a track that the header names and the stream has not.
    """
    flags = (_HAS_AUDIO if has_audio else 0) | (_HAS_VIDEO if has_video else 0)
    return _SIGNATURE + bytes((flags,)) + HEADER_BYTES.to_bytes(4, "big") + bytes(4)


def encode_tag(frame: Frame, timestamp_ms: int) -> tuple[bytes, bytes, bytes]:
    """The pieces of a frame's tag; the payload is passed on as it is.

    Header: type, body size (24 bits), timestamp (lower 24 bits, then the upper 8), stream id 0 (24 bits).
    """
    size = len(frame.payload)
    time = timestamp_ms & 0xFFFFFFFF
    header = frame.type_id << 80 | size << 56 | (time & 0xFFFFFF) << 32 | time >> 24 << 24
    return header.to_bytes(TAG_HEADER_BYTES, "big"), frame.payload, (size + TAG_HEADER_BYTES).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag as it was read; ``timestamp_ms`` has 32 bits."""

    type_id: int
    timestamp_ms: int
    body: bytes


class TagReader:
    """Reads FLV as it arrives: ``receive_data`` takes bytes in any cut and gives the tags they complete.

    Attributes:
        has_audio, has_video: what the file header names; None before it is there.
    """

    def __init__(self) -> None:
        self.has_audio: bool | None = None
        self.has_video: bool | None = None
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> list[Tag]:
        """Tags that are whole now, each with its trailer.

        Raises:
            RemoteProtocolError: not FLV.
        """
        self._buffer += data
        offset = 0
        tags = []
        if self.has_audio is None:
            offset = self._read_header()
            if self.has_audio is None:
                return []
        while (found := self._read_tag(offset)) is not None:
            tag, offset = found
            tags.append(tag)
        del self._buffer[:offset]
        return tags

    def _read_header(self) -> int:
        """Take the file header once it is there, with the size behind it; return their bytes."""
        buffer = self._buffer
        if not _SIGNATURE.startswith(buffer[: len(_SIGNATURE)]):
            raise RemoteProtocolError(f"FLV begins with {bytes(buffer[:4]).hex()}", reason="flv")
        if len(buffer) < HEADER_BYTES + 4:
            return 0
        size = int.from_bytes(buffer[5:9], "big")
        if size != HEADER_BYTES:
            raise RemoteProtocolError(f"FLV header of {size} bytes", reason="flv")
        self.has_audio, self.has_video = bool(buffer[4] & _HAS_AUDIO), bool(buffer[4] & _HAS_VIDEO)
        return HEADER_BYTES + 4

    def _read_tag(self, offset: int) -> tuple[Tag, int] | None:
        buffer = self._buffer
        start = offset + TAG_HEADER_BYTES
        if len(buffer) < start:
            return None
        type_id, size = buffer[offset] & 31, int.from_bytes(buffer[offset + 1 : offset + 4], "big")
        if type_id not in _TYPES:
            raise RemoteProtocolError(f"FLV tag of type {type_id}", reason="flv")
        end = start + size
        if len(buffer) < end + 4:
            return None
        trailer = int.from_bytes(buffer[end : end + 4], "big")
        if trailer != size + TAG_HEADER_BYTES:
            raise RemoteProtocolError(f"FLV tag of {size} bytes, its trailer says {trailer}", reason="flv")
        timestamp = int.from_bytes(buffer[offset + 4 : offset + 7], "big") | buffer[offset + 7] << 24
        return Tag(type_id, timestamp, bytes(buffer[start:end])), end + 4
