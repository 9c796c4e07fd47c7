"""What a stream tells those who read it."""

from __future__ import annotations

from typing import Final, Protocol

#: Frames that players need before the one that they stand on: who switches the picture off is asked for the stamp of
#: the last one that it got.
BEHIND_PLAYERS: Final = 32


class Reader(Protocol):
    """A transport's end of a stream: its frames and its end, and the signals that go on to other nodes."""

    def on_frames(self) -> None:
        """New frames are in the queue and in the logs."""
        ...

    def on_evict(self, base: int) -> None:
        """Frames before ``base`` are about to go."""
        ...

    def oldest_seq(self) -> int | None:
        """The oldest frame that it needs, None where it would begin anew; asked when old frames might go."""
        ...

    def on_end(self, reason: str) -> None:
        """No more frames will come."""
        ...

    def on_unpublished(self, reason: str) -> None:
        """The origin's publisher has ended; this node waits a while for its return, other nodes do it themselves."""
        ...

    def on_missing(self, reason: str) -> None:
        """The origin knows of no publisher: for those who have had the stream before it has ended."""
        ...

    def on_lost(self) -> None:
        """The connection of the publisher has broken, here or on the way; it may be elsewhere by now."""
        ...

    def on_via(self, via: tuple[str, ...]) -> None:
        """The stream comes through these services of ours from now on, the nearest first."""
        ...


class QuietReader:
    """The part of a reader that leads to no other node: what only those act on passes it by.

    And that stands on no frame, unless it says so.
    """

    __slots__ = ()

    def oldest_seq(self) -> int | None:
        """It needs none of the frames that are held."""
        return None

    def on_unpublished(self, reason: str) -> None:
        """Our own players stay until the stream ends."""

    def on_missing(self, reason: str) -> None:
        """They wait for its publisher."""

    def on_lost(self) -> None:
        """They wait for its return."""

    def on_via(self, via: tuple[str, ...]) -> None:
        """It is all the same to them."""
