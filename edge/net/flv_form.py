"""How frames look to players of FLV: tags, which stand for themselves, on the stream's own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.hub.held_frames import HeldFrames
from edge.hub.wire_form import Piece, Place
from edge.media.flv import encode_prologue, encode_tag
from edge.media.frame import ALL_TRACKS, METADATA, Frame
from edge.net.track_filter import AUDIO_BIT, VIDEO_BIT, TrackFilter

#: Stamps have 32 bits, which most players take as signed: 24 days. A player that comes after each 12 gets a clock
#: that begins anew, and so at least as long to go; those present go on with theirs.
ERA_MS = 1 << 30


@dataclass(frozen=True, slots=True)
class FlvForm(TrackFilter):
    """FLV tags, all media or one medium only.

    Attributes:
        tracks: bits of the tracks that this form carries.
        zero_ms: stream clock at which stamps read 0.
    """

    tracks: int = ALL_TRACKS
    zero_ms: int = 0

    @classmethod
    def of(cls, queue: HeldFrames, tracks: int = ALL_TRACKS) -> FlvForm:
        """For somebody who begins to play now, which is with some frame held."""
        oldest_ms = queue.frames[0].dts_ms if queue.frames else 0
        return cls(tracks, max(oldest_ms, 0) // ERA_MS * ERA_MS)

    def new_encoder(self, headers: Sequence[Frame]) -> FlvForm:
        """Itself: tags need nothing of those before them."""
        return self

    def encode(self, frame: Frame, delta_ms: int) -> tuple[Piece, ...]:
        """One tag; the payload is the frame's own."""
        return self.encode_at(frame, frame.dts_ms)

    def encode_at(self, frame: Frame, dts_ms: int) -> tuple[Piece, ...]:
        """A tag with the stamp of another frame."""
        if frame.kind == METADATA:
            # Of metadata with another stamp than 0 ffmpeg makes a text track.
            return encode_tag(Frame(frame.type_id, 0, self.payload_of(frame), METADATA), 0)
        return encode_tag(frame, max(dts_ms - self.zero_ms, 0))

    def opening(self, named: int = ALL_TRACKS) -> FlvOpening:
        """For one new player; ``named``: bits of the tracks that the file header should name, if they are carried."""
        return FlvOpening(self, named)


class FlvOpening:
    """The file header, and headers of the stream with the stamp of the frame they are for."""

    __slots__ = ("_form", "_has_begun", "_named")

    missing = 0

    def __init__(self, form: FlvForm, named: int) -> None:
        self._form = form
        self._named = named & form.tracks
        self._has_begun = False

    @property
    def has_begun(self) -> bool:
        """The file header has been made."""
        return self._has_begun

    def go_on(self) -> None:
        """Another process has begun for it."""
        self._has_begun = True

    @property
    def likeness(self) -> int:
        """The tracks that its file header names."""
        return self._named

    def go_on_like(self, begun: FlvOpening) -> None:
        """The file header has been sent."""
        self._has_begun = begun._has_begun

    def start(self, place: Place) -> bytes:
        """What goes before the tags of ``place``."""
        form, dts_ms = self._form, place.frame.dts_ms
        parts: list[Piece] = []
        if not self._has_begun:
            self._has_begun = True
            has_audio, has_video = bool(self._named & AUDIO_BIT), bool(self._named & VIDEO_BIT)
            parts.append(encode_prologue(has_audio=has_audio, has_video=has_video))
        for frame in (*place.headers, *place.pictures):
            parts.extend(form.encode_at(frame, dts_ms))
        return b"".join(parts)

    def first(self, frame: Frame) -> bytes:
        """Never asked for: no track misses anything."""
        return b"".join(self._form.encode(frame, 0))
