"""FLV in WebSocket messages: each shared tag is one binary frame, not masked (RFC 6455 §5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.hub.wire_form import Piece, Place
from edge.media.frame import ALL_TRACKS, Frame
from edge.net.flv_form import FlvForm, FlvOpening
from edge.net.ws_frames import binary_header


@dataclass(frozen=True, slots=True)
class WsForm:
    """WebSocket frames around FLV tags; control frames may come between any two of them."""

    flv: FlvForm

    @property
    def tracks(self) -> int:
        """Bits of the tracks that this form carries."""
        return self.flv.tracks

    def accepts(self, frame: Frame) -> bool:
        """False for media that the tags leave out."""
        return self.flv.accepts(frame)

    def new_encoder(self, headers: Sequence[Frame]) -> WsForm:
        """Itself: tags need nothing of those before them."""
        return self

    def encode(self, frame: Frame, delta_ms: int) -> tuple[Piece, ...]:
        """One frame with one tag; the payload is the frame's own."""
        pieces = self.flv.encode(frame, delta_ms)
        return (binary_header(sum(map(len, pieces))), *pieces)

    def opening(self, named: int = ALL_TRACKS) -> WsOpening:
        """For one new player; see ``FlvForm.opening``."""
        return WsOpening(self.flv, named)


class WsOpening(FlvOpening):
    """The private bytes of FLV, in frames too."""

    __slots__ = ()

    def start(self, place: Place) -> bytes:
        """What goes before the tags of ``place``, as one frame."""
        return _framed(super().start(place))

    def first(self, frame: Frame) -> bytes:
        """Never asked for: no track misses anything."""
        return _framed(super().first(frame))


def _framed(data: bytes) -> bytes:
    return binary_header(len(data)) + data if data else b""
