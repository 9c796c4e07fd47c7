"""What happens to the streams of a service, for whoever has an interest in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.hub.publisher import Publisher
    from edge.hub.roster import Admitted
    from edge.hub.stream import Stream


class HubObserver:
    """Hears of streams in the order in which things happen; overrides what it minds.

    There may be several. They are called within what they hear of: what takes time they begin and leave.
    """

    def on_published(self, stream: Stream) -> None:
        """A publisher is seen that was not before, and has been told so."""

    def on_seen(self, stream: Stream, old: Publisher[Stream] | None, new: Publisher[Stream]) -> None:
        """``old``, if any, is muted from now on, and ``new`` is seen; not where a new publish comes to this node."""

    def on_joined(self, stream: Stream, play: Admitted, is_new: bool) -> None:
        """A play has been admitted; ``is_new``: nobody who is there says the same as it."""

    def on_left(self, stream: Stream) -> None:
        """A player has left a stream that others still play."""

    def on_idle(self, stream: Stream, now_ms: int) -> None:
        """The last player of a stream has left."""

    def on_jumped(self, stream: Stream, frame_count: int) -> None:
        """A player was too far behind, and left so many frames out."""

    def on_ended(self, stream: Stream) -> None:
        """A broadcast is over, and its readers know."""
