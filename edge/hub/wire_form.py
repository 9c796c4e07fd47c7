"""What a protocol says about its bytes, so that many players can share them.

A *form* is a value: what is sent, of which tracks. There is one log per stream
and form, and its *encoder* makes the bytes that all players get, with whatever
state that takes. What one player is sent and the others are not (a prologue,
headers, messages that set its clock) comes from its *opening*. Transports
bring all three; the hub knows no protocol.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from edge.media.frame import Frame

Piece = bytes | memoryview


class WireEncoder(Protocol):
    """Makes the shared bytes of one log; a stateless form may be its own."""

    def encode(self, frame: Frame, delta_ms: int) -> tuple[Piece, ...]:
        """One message, whole; ``()`` for a frame that gives none. ``delta_ms`` counts from the track's previous frame.

        Players are cut short, jump, and get bytes of their own only between two messages.
        """
        ...


@runtime_checkable
class BulkEncoder(WireEncoder, Protocol):
    """An encoder that makes many messages in one pass, where that is worth while."""

    def encode_all(
        self,
        frames: Sequence[Frame],
        last_dts: dict[int, int],
        pieces: list[tuple[Piece, ...]],
        ends: list[int],
        end: int,
    ) -> int:
        """As ``encode_each``, which it must equal."""
        ...


def encode_each(
    encoder: WireEncoder,
    frames: Sequence[Frame],
    last_dts: dict[int, int],
    pieces: list[tuple[Piece, ...]],
    ends: list[int],
    end: int,
) -> int:
    """Append each frame's message to ``pieces``, and to ``ends`` where it ends in a log that ended at ``end``.

    ``last_dts``: by medium, the stamp of its newest frame, moved on. Returns the log's new end.
    """
    for frame in frames:
        type_id, dts_ms = frame.type_id, frame.dts_ms
        message = encoder.encode(frame, dts_ms - last_dts.get(type_id, dts_ms))
        last_dts[type_id] = dts_ms
        for piece in message:
            end += len(piece)
        pieces.append(message)
        ends.append(end)
    return end


class WireForm(Hashable, Protocol):
    """How frames look to one kind of player; forms that are equal share a log."""

    @property
    def tracks(self) -> int:
        """Bits (``TRACK_BIT``) of the tracks that it carries."""
        ...

    def accepts(self, frame: Frame) -> bool:
        """False for media that this form leaves out: those that are not among ``tracks``."""
        ...

    def new_encoder(self, headers: Sequence[Frame]) -> WireEncoder:
        """An encoder for a log; ``headers`` are in force before its first frame, and not in it."""
        ...


class Place(Protocol):
    """Where a player begins or goes on: before a frame of its log."""

    @property
    def frame(self) -> Frame:
        """The next frame."""
        ...

    @property
    def headers(self) -> Sequence[Frame]:
        """Headers that it needs and has not got, of what the form accepts; for a newcomer all that are in force."""
        ...

    @property
    def pictures(self) -> Sequence[Frame]:
        """What is to be seen of tracks that send nothing at present, and the player has not got."""
        ...

    @property
    def in_force(self) -> Sequence[Frame]:
        """All headers in force, whether it has got them or not."""
        ...

    @property
    def encoder(self) -> WireEncoder:
        """That of the log."""
        ...

    def clock_of(self, type_id: int) -> int:
        """Stamp of a medium's next frame, else of its newest."""
        ...

    def ahead(self) -> Iterator[tuple[Piece, ...]]:
        """The shared messages from here on, as far as there are any."""
        ...


class Opening(Protocol):
    """What one player is sent and the others are not."""

    @property
    def missing(self) -> int:
        """Bits of the tracks whose next message must be made for it alone (``first``).

        That is where messages are relative to their track's previous one; the player joins the others
        once none of these is ahead. 0 for good in forms whose messages stand for themselves.
        """
        ...

    @property
    def likeness(self) -> Hashable:
        """Equal for openings of a form that are sent the same where they begin at the same place."""
        ...

    def go_on_like(self, begun: Any) -> None:
        """It begins by being sent what ``begun`` was, which is alike: be where that is."""
        ...

    def start(self, place: Place) -> bytes:
        """Bytes that go before the shared ones at ``place``: headers, and the first time a prologue.

        Called when the player begins, and again whenever it has left frames out.
        """
        ...

    def first(self, frame: Frame) -> bytes:
        """The message of a frame whose track is among ``missing``; that changes with it, if this was all it takes."""
        ...


class PlainForm(WireForm, Protocol):
    """A form that can open for a player without knowing more of it."""

    def opening(self) -> Opening:
        """For one new player."""
        ...
