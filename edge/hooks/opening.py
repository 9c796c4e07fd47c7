"""Sessions that hooks know of, from their beginning to their end, be that in another process."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from edge.hooks.answer import Yes
from edge.hooks.config import HookConfig
from edge.hooks.event import Event


class Resumed(NamedTuple):
    """What ``export`` writes.

    Attributes:
        app, stream: the name that it goes on under.
        was_asked: the servers were; ``yes`` is what they have said.
        came: the same of how the client came to where its name led it, b"" where it was there.
    """

    asked: Event
    app: str
    stream: str
    is_told: bool
    was_asked: bool
    yes: Yes
    came: bytes = b""


class Opening:
    """One session.

    Attributes:
        asked: what the servers were asked.
        event: the same under the name that it goes on under.
        config: whom to call; that of its beginning, whatever is reloaded.
        is_told: its end is told too: the servers were called for it, or are called for ends alone.
        question: under which the answer is remembered, None where nobody was asked.
        yes: what they have said.
        since_ms: when it has begun.
        came: how the client came to where its name led it, which ends with the session; None where it was there.
    """

    __slots__ = ("asked", "came", "config", "event", "is_told", "question", "since_ms", "yes")

    def __init__(self, asked: Event, config: HookConfig) -> None:
        self.asked = self.event = asked
        self.config = config
        self.is_told = True
        self.question: Hashable = None
        self.yes = Yes()
        self.since_ms = 0
        self.came: Opening | None = None

    def export(self) -> bytes:
        """See ``resumed``; settings are those of the other process."""
        import msgspec

        event, was_asked = self.event, self.question is not None
        came = self.came.export() if self.came is not None else b""
        state = Resumed(self.asked, event.app, event.stream, self.is_told, was_asked, self.yes, came)
        return msgspec.msgpack.encode(state)


def resumed(data: bytes) -> Resumed:
    """What ``export`` has written; raises ValueError for what another version has."""
    import msgspec

    return msgspec.msgpack.decode(data, type=Resumed)
