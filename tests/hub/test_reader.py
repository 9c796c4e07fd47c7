"""What a stream tells its readers beside frames, and who may leave it unheard."""

from __future__ import annotations

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.reader import QuietReader
from edge.hub.stream import Stream


class Ear(QuietReader):
    """Hears of losses only, and leaves when it does."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.heard: list[str] = []
        stream.readers.append(self)

    def on_frames(self) -> None: ...

    def on_evict(self, base: int) -> None: ...

    def on_end(self, reason: str) -> None:
        self.heard.append(reason)

    def on_lost(self) -> None:
        self.heard.append("lost")
        self.stream.readers.remove(self)


def test_signals_reach_who_minds_them_and_pass_the_others_by() -> None:
    stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
    first, second = Ear(stream), Ear(stream)
    stream.announce_unpublished("gone")
    stream.announce_missing("none")
    stream.announce_via(("a",))
    assert first.heard == second.heard == []
    stream.announce_lost()
    assert first.heard == second.heard == ["lost"], "one that leaves meanwhile takes nobody's turn"
    assert not stream.readers
