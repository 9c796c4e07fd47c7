"""FLV in WebSocket messages: each shared tag is one binary frame, not masked (RFC 6455 §5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.hub.wire_form import Piece, Place
from edge.media.frame import Frame
from edge.net.flv_form import FlvForm, FlvOpening

_FINAL = 0x80
BINARY = 2
_LENGTH_16, _LENGTH_64 = 126, 127


def frame_header(size_bytes: int, opcode: int = BINARY) -> bytes:
    """Header of a whole message from a server: FIN and opcode, then the length in 7, 16 or 64 bits."""
    first = _FINAL | opcode
    if size_bytes < _LENGTH_16:
        return bytes((first, size_bytes))
    if size_bytes < 1 << 16:
        return bytes((first, _LENGTH_16)) + size_bytes.to_bytes(2, "big")
    return bytes((first, _LENGTH_64)) + size_bytes.to_bytes(8, "big")


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
        return (frame_header(sum(map(len, pieces))), *pieces)

    def opening(self) -> WsOpening:
        """For one new player."""
        return WsOpening(self.flv)


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
    return frame_header(len(data)) + data if data else b""
