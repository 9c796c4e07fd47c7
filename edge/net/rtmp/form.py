"""How frames look to an RTMP player that reads the shared log.

Logged messages carry type-1 headers (delta, length, type; RTMP 1.0 §5.3.1.2.2)
on a fixed chunk stream per track, so their bytes depend neither on the
player's message stream nor on its clock. A player's first message of each
track is made for it alone, with a type-0 header that sets both.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from edge.media.frame import ALL_TRACKS, AUDIO, DATA, METADATA, VIDEO, Frame
from edge.net.track_filter import AUDIO_BIT, DATA_BIT, VIDEO_BIT, TrackFilter, chosen_tracks
from edge.rtmp import amf0
from edge.rtmp.chunk_writer import encode_message, split_payload

#: Chunk streams of media towards players; control is on 2, commands on 3 and 5.
CHUNK_STREAM_IDS = {AUDIO: 4, VIDEO: 6, DATA: 7}

_TYPE_1 = {type_id: 0x40000000 | chunk_stream_id << 24 for type_id, chunk_stream_id in CHUNK_STREAM_IDS.items()}
_CONTINUATION = {type_id: bytes([0xC0 | chunk_stream_id]) for type_id, chunk_stream_id in CHUNK_STREAM_IDS.items()}
_SET_DATA_FRAME = amf0.encode("@setDataFrame")
_pack_header = struct.Struct(">II").pack
_EXTENDED = 0xFFFFFF
_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True)
class RtmpForm(TrackFilter):
    """RTMP chunks, all media or one medium only.

    Attributes:
        tracks: bits of the tracks that this form carries.
    """

    chunk_size: int
    tracks: int = ALL_TRACKS

    def new_encoder(self, headers: Sequence[Frame]) -> RtmpForm:
        """Itself: what is relative to the track's previous message is told to ``encode``."""
        return self

    def encode(self, frame: Frame, delta_ms: int) -> tuple[bytes | memoryview, ...]:
        """Shared bytes of a message: type-1 header, payload, continuation headers where it exceeds a chunk."""
        type_id = frame.type_id
        payload = self.payload_of(frame) if frame.kind else frame.payload
        length = len(payload)
        if delta_ms < _EXTENDED:
            header = _pack_header(_TYPE_1[type_id] | delta_ms, length << 8 | type_id)
            if length <= self.chunk_size:
                return (header, payload)
            return (header, *split_payload(payload, self.chunk_size, _CONTINUATION[type_id]))
        extended = delta_ms.to_bytes(4, "big")
        header = _pack_header(_TYPE_1[type_id] | _EXTENDED, length << 8 | type_id) + extended
        return (header, *split_payload(payload, self.chunk_size, _CONTINUATION[type_id] + extended))

    def encode_all(
        self,
        frames: Sequence[Frame],
        last_dts: dict[int, int],
        pieces: list[tuple[bytes | memoryview, ...]],
        ends: list[int],
        end: int,
    ) -> int:
        """Shared bytes of many messages; see ``hub/wire_form.py``."""
        chunk_size, keep, end_at = self.chunk_size, pieces.append, ends.append
        for frame in frames:
            type_id, dts_ms, payload = frame.type_id, frame.dts_ms, frame.payload
            delta_ms = dts_ms - last_dts.get(type_id, dts_ms)
            last_dts[type_id] = dts_ms
            length = len(payload)
            if length <= chunk_size and delta_ms < _EXTENDED and not frame.kind:
                keep((_pack_header(_TYPE_1[type_id] | delta_ms, length << 8 | type_id), payload))
                end += _HEADER_BYTES + length
            else:
                message = self.encode(frame, delta_ms)
                keep(message)
                end += sum(map(len, message))
            end_at(end)
        return end

    def encode_private(self, frame: Frame, wire_timestamp: int, message_stream_id: int) -> bytes:
        """The same message for one player, with its own clock and message stream id."""
        return encode_message(
            CHUNK_STREAM_IDS[frame.type_id],
            frame.type_id,
            message_stream_id,
            wire_timestamp & 0xFFFFFFFF,
            self.payload_of(frame),
            self.chunk_size,
        )


class EncoderForm(RtmpForm):
    """How frames look to a server of another make that we publish to: as a common encoder sends them."""

    __slots__ = ()

    def payload_of(self, frame: Frame) -> bytes:
        """The body to send; without ``@setDataFrame`` such servers take metadata for a message of the moment."""
        payload = super().payload_of(frame)
        return _SET_DATA_FRAME + payload if frame.kind == METADATA else payload


class RtmpForms:
    """The forms of a service, made once so that players share their logs."""

    def __init__(self, chunk_size: int) -> None:
        self.all = RtmpForm(chunk_size)
        self.audio = RtmpForm(chunk_size, AUDIO_BIT | DATA_BIT)
        self.video = RtmpForm(chunk_size, VIDEO_BIT | DATA_BIT)
        self.data = RtmpForm(chunk_size, DATA_BIT)
        self._by_tracks = {form.tracks: form for form in (self.all, self.audio, self.video, self.data)}

    def choose(self, *, only_audio: bool, only_video: bool, has_audio: bool = True, has_video: bool = True) -> RtmpForm:
        """The form for a player's filter: what its URL asks for, of which it may have switched a part off."""
        tracks = chosen_tracks(only_audio=only_audio, only_video=only_video, has_audio=has_audio, has_video=has_video)
        return self._by_tracks[tracks]
