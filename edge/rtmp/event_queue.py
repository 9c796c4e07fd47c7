"""The events of a session, in the order in which they came about."""

from __future__ import annotations

from edge.rtmp import events
from edge.rtmp.events import MediaReceived, Noticed, PongReceived, SessionEnded

Event = (
    MediaReceived
    | events.ConnectRequested
    | events.PublishRequested
    | events.PlayRequested
    | events.PublishEnded
    | events.PlayEnded
    | events.PauseRequested
    | events.MediaChosen
    | events.BufferLengthSet
    | events.Connected
    | events.ConnectRefused
    | events.StreamStarted
    | events.StreamStatus
    | events.StreamFailed
    | events.StreamEofReceived
    | events.HandshakeCompleted
    | PongReceived
    | events.ClockAsked
    | events.ClockTold
    | Noticed
    | events.RequestRefused
    | events.WhyAsked
    | events.WhyAnswered
    | events.MayAsked
    | events.MayAnswered
    | events.ReconnectRequested
    | SessionEnded
)


class EventQueue(list[Event]):
    """Events, oldest first; a list, since an empty deque takes 0.7 KB in each of thousands of sessions.

    The owner may also walk it with ``for`` and ``clear()`` it afterwards: what
    its answers append on the way is met by the same walk.
    """

    __slots__ = ()

    def popleft(self) -> Event:
        """Take the oldest event; IndexError when there is none."""
        return self.pop(0)
