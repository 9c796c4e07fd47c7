"""One play on a connection."""

from __future__ import annotations

from edge.hub.key import StreamKey
from edge.net.rtmp.play import Plays, RtmpPlay
from edge.service.grants import Play
from edge.service.names import StreamName
from edge.service.request import PlayRequest
from tests.net.fakes import Source
from tests.service.fakes import NODE, VIEWER


def test_play_shows_what_was_asked_for() -> None:
    key = StreamKey("_", "live", "s")
    grant = Play(PlayRequest(NODE, StreamName(key, is_internal=True)), Source().stream, 0)
    play = RtmpPlay(3, grant)
    assert (play.key, play.grant.is_internal, play.is_hop, play.message_stream_id) == (key, True, True, 3)
    assert not play.is_paused
    assert play.writer is play.resume is None


def test_plays_are_found_listed_and_taken_out() -> None:
    key, stream, plays = StreamKey("_", "live", "s"), Source().stream, Plays()
    assert (len(plays), list(plays), plays.values(), plays.get(1), plays.pop(1)) == (0, [], [], None, None)
    grant = Play(PlayRequest(VIEWER, StreamName(key)), stream, 0)
    each = {number: RtmpPlay(number, grant) for number in (1, 2, 3)}
    for play in each.values():
        plays.add(play)
    assert (len(plays), list(plays)) == (3, [1, 2, 3])
    assert plays.get(2) is each[2]
    assert plays.pop(1) is each[1]
    assert (len(plays), plays.get(1), plays.pop(1)) == (2, None, None)
    plays.add(each[1])
    assert (sorted(plays), plays.pop(3)) == ([1, 2, 3], each[3])
    for number in (1, 2):
        assert plays.pop(number) is each[number]
    assert not plays
