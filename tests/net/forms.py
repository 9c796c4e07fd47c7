"""All wire forms, one more of the plainest kind, and what a player finds in their bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge.hub.wire_form import Place, PlainForm, WireForm
from edge.media.flv import TagReader
from edge.media.frame import ALL_TRACKS, AUDIO, TRACK_BIT, VIDEO, Frame
from edge.net.flv_form import FlvForm
from edge.net.rtmp.form import EncoderForm, RtmpForm
from edge.net.ts_form import TsForm
from edge.net.ws_form import WsForm
from tests.harness.ts_demux import demux
from tests.media.codecs.records import AAC_STEREO, AVC_SMALL, by_length

AVC_HEADER_BODY = b"\x17\x00\0\0\0" + AVC_SMALL
AAC_HEADER_BODY = b"\xaf\x00" + AAC_STEREO
#: TS is stamped so much later: the time that a decoder has to buffer.
TS_LEAD_MS = 700
_NUMBER = re.compile(rb"\d{8}")


def coded_picture(number: int, *, is_keyframe: bool = False, size: int = 20) -> bytes:
    """A picture of H.264 that bears its number."""
    unit = bytes((0x65 if is_keyframe else 0x41,)) + b"%08d" % number + b"v" * size
    return (b"\x17" if is_keyframe else b"\x27") + b"\x01\0\0\0" + by_length(unit)


def unframe(data: bytes) -> list[tuple[int, bytes]]:
    """WebSocket frames of a server, all whole: ``(opcode, payload)``."""
    found = []
    while data:
        first, size, start = data[0], data[1], 2
        assert first & 0xF0 == 0x80, f"FIN is not set, or bits that nobody has agreed on: {first:02x}"
        assert size < 128, "a server masks nothing"
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        assert len(data) >= start + size, "cut short"
        found.append((first & 15, data[start : start + size]))
        data = data[start + size :]
    return found


def sent_of(form: WireForm, data: bytes) -> list[tuple[int, int]]:
    """Numbers and stamps of the frames in what a player of a plain form got; anything doubtful fails."""
    if isinstance(form, WsForm):
        return sent_of(form.flv, b"".join(payload for opcode, payload in unframe(data) if opcode == 2))
    if isinstance(form, TsForm):
        packets = sorted(demux(data).found, key=lambda pes: pes.at_packet)
        sent = [(pes.data, pes.dts // 90 - TS_LEAD_MS) for pes in packets]
    else:
        tags = TagReader().receive_data(data)
        sent = [(tag.body, tag.timestamp_ms) for tag in tags if tag.type_id in (AUDIO, VIDEO)]
    numbered = [(_NUMBER.search(body), dts_ms) for body, dts_ms in sent]
    return [(int(number[0]), dts_ms) for number, dts_ms in numbered if number is not None]


class TextOpening:
    """``<headers>`` with the stamp of the frame that they are for."""

    missing = 0
    likeness = None

    def go_on_like(self, begun: TextOpening) -> None:
        pass

    def start(self, place: Place) -> bytes:
        return b"".join(b"<%d:%b>" % (place.frame.dts_ms, frame.payload) for frame in (*place.headers, *place.pictures))

    def first(self, frame: Frame) -> bytes:
        raise AssertionError("no message needs another before it")


@dataclass(frozen=True, slots=True)
class TextForm:
    """``[stamp:payload]``: each message stands for itself."""

    tracks: int = ALL_TRACKS

    def accepts(self, frame: Frame) -> bool:
        return bool(TRACK_BIT[frame.type_id] & self.tracks)

    def new_encoder(self, headers: Sequence[Frame]) -> TextForm:
        return self

    def encode(self, frame: Frame, delta_ms: int) -> tuple[bytes, ...]:
        return (b"[%d:" % frame.dts_ms, frame.payload, b"]")

    def opening(self) -> TextOpening:
        return TextOpening()


PLAIN_FORMS: tuple[PlainForm, ...] = (
    *(FlvForm(), FlvForm(5), FlvForm(6), FlvForm(zero_ms=40)),
    *(TsForm(), TsForm(1), TsForm(2)),
    *(WsForm(FlvForm()), WsForm(FlvForm(5))),
    *(TextForm(), TextForm(1)),
)
#: Every form that there is; a class of which none is here fails a test.
FORMS: tuple[WireForm, ...] = (*PLAIN_FORMS, RtmpForm(64), RtmpForm(60000), RtmpForm(64, 5), EncoderForm(64))
