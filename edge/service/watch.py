"""Hears of grants: what was let in, what is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.hub.key import StreamKey
    from edge.service.grants import Play, Publish
    from edge.service.request import Client, PlayRequest, PublishRequest


class GrantWatcher:
    """Overrides what it minds; called within what it hears of, so that what takes time it begins and leaves."""

    def on_play(self, play: Play) -> None:
        """It has joined its stream; nobody serves it yet."""

    def on_play_paused(self, play: Play) -> None:
        """Its client wants nothing for now."""

    def on_play_over(self, play: Play) -> None:
        """It is being given back, and still tells how far it has come."""

    def on_segment(self, key: StreamKey, peer: str, size_bytes: int, *, is_internal: bool) -> None:
        """A piece of a stream is answered with, to viewers who are no connections."""

    def on_publish(self, publish: Publish) -> None:
        """Its publisher takes media."""

    def on_judged(self, request: PlayRequest | PublishRequest) -> None:
        """Rules have nothing against what is to begin at another node: here it is over with that."""

    def on_publish_over(self, publish: Publish) -> None:
        """It is being given back."""

    def on_moved(self, grant: Play | Publish) -> None:
        """Another process goes on with it: what is said next of its being over is true of this process alone."""

    def on_disconnected(self, client: Client, received_bytes: int, sent_bytes: int) -> None:
        """The connection of a client that had asked whether it may stay is over, whatever the answer was."""

    def export_client(self, client: Client) -> bytes:
        """What this one keeps of such a connection, for another process; b"" for nothing."""
        return b""

    def resume_client(self, client: Client, data: bytes) -> None:
        """What ``export_client`` has said in the process before this one; whoever does not know it leaves it."""

    def on_client_moved(self, client: Client) -> None:
        """Another process goes on with the connection: its end is not told here."""


class SessionWatcher(GrantWatcher):
    """Minds of plays and publishes alike that they begin and end."""

    def on_play(self, play: Play) -> None:
        """It has begun."""
        self._begin(play)

    def on_publish(self, publish: Publish) -> None:
        """It has begun."""
        self._begin(publish)

    def on_play_over(self, play: Play) -> None:
        """It is over."""
        self._end(play)

    def on_publish_over(self, publish: Publish) -> None:
        """It is over."""
        self._end(publish)

    def _begin(self, grant: Play | Publish) -> None:
        """One is let in."""
        raise NotImplementedError

    def _end(self, grant: Play | Publish) -> None:
        """One is being given back."""
        raise NotImplementedError
