"""A writer that is replaced by another one at its place: the peer gets what it would have got."""

from __future__ import annotations

import pytest

from edge.errors import HandoverError
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.writer_place import place_of_writer, put_writer_in_place
from tests.net.fakes import Source, decode
from tests.net.writing import CHUNK, open_writer, take


@pytest.mark.parametrize("before", [0, 1, 7, 23])
@pytest.mark.parametrize("budget", [0, 100, 10**9])
@pytest.mark.parametrize("shift", [0, 1000])
def test_the_next_message_follows_the_last_one(before: int, budget: int, shift: int) -> None:
    source = Source()
    source.headers()
    source.run(before, from_ms=500_000)
    stays, moves = open_writer(source), open_writer(source)
    first = [take(writer, budget) for writer in (stays, moves)]
    place = place_of_writer(moves)
    place.seq += shift
    successor = open_writer(source)
    put_writer_in_place(successor, place, lambda seq: seq - shift)
    source.run(30, from_ms=500_000 + before * 40)
    # A chunk stream of its own begins with a full header, so each part is read by itself.
    whole = decode(first[0] + take(stays), CHUNK)
    parts = decode(first[1], CHUNK) + decode(take(successor), CHUNK)
    assert [(each.wire_timestamp, each.payload) for each in parts] == [
        (each.wire_timestamp, each.payload) for each in whole
    ]
    assert successor.written_bytes >= moves.written_bytes


def test_who_has_more_state_than_a_place_stays() -> None:
    source = Source()
    source.headers()
    source.run(5)
    with pytest.raises(HandoverError, match="a node resumes by itself"):
        place_of_writer(open_writer(source, is_hop=True))
    writer = open_writer(source)
    take(writer)
    writer.change_form(RtmpForm(CHUNK, 5))
    with pytest.raises(HandoverError, match="it has switched sound or picture off"):
        place_of_writer(writer)
