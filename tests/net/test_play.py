"""One play on a connection."""

from __future__ import annotations

from edge.hub.key import StreamKey, StreamRequest
from edge.net.play import Play
from tests.net.fakes import Source


def test_play_shows_what_was_asked_for() -> None:
    key = StreamKey("_", "live", "s")
    play = Play(3, StreamRequest(key, is_internal=True), Source().stream, is_hop=True)
    assert (play.key, play.is_internal, play.is_hop, play.message_stream_id) == (key, True, True, 3)
    assert not play.is_paused
    assert play.writer is play.resume is None
