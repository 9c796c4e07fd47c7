"""A wire form of the plainest kind, beside the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.hub.wire_form import Place
from edge.media.frame import ALL_TRACKS, TRACK_BIT, Frame


class TextOpening:
    """``<headers>`` with the stamp of the frame that they are for."""

    missing = 0

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
