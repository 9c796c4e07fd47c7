"""Questions whether a peer is there and what its clock says, and which of them are answered."""

from __future__ import annotations

import math
from typing import Any

import pytest

from edge.errors import ChunkError
from edge.rtmp.commands import Command
from edge.rtmp.events import ClockAsked, ClockTold, Noticed
from edge.rtmp.pings import CLOCK_COMMAND, MAX_PINGS_PER_S, MAX_PONGS_PER_S, PingLimit, clock_event
from tests.harness.link import SIMPLIFIED, Link, Peer, command, connect, connected_peer, new_client


def test_first_of_each_second_are_answered() -> None:
    limit = PingLimit(0)
    assert sum(limit.admits(5) for _ in range(50)) == MAX_PONGS_PER_S
    assert not limit.admits(999)
    assert sum(limit.admits(1001) for _ in range(50)) == MAX_PONGS_PER_S


def test_flood_raises() -> None:
    limit = PingLimit(0)
    for _ in range(MAX_PINGS_PER_S):
        limit.admits(5)
    with pytest.raises(ChunkError):
        limit.admits(5)


@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        ([5.0], ClockAsked(5)),
        ([0.0, None], ClockAsked(0)),
        ([1.8e15, 7.0], ClockTold(1_800_000_000_000_000, 7)),
        ([5.0, 7.0, "more of a later version"], ClockTold(5, 7)),
        ([], None),
        ([None, 7.0], None),
        ([-1.0], None),
        ([math.nan], None),
        ([math.inf], None),
        ([2.0**53], None),
        ([True], None),
        (["5"], None),
        ([5.0, "7"], None),
        ([5.0, -7.0], None),
    ],
)
def test_what_a_clock_command_says(arguments: list[Any], event: object) -> None:
    assert clock_event(Command(CLOCK_COMMAND, 0.0, None, arguments, 0)) == event


# --- in sessions ----------------------------------------------------------------------


def test_clock_is_asked_for_and_told_both_ways() -> None:
    link = Link(client=new_client(edge_id="us"))
    link.pump()
    assert link.client.peer_tells_clock and link.server.peer_tells_clock
    link.client.tell_clock(100)
    link.server.tell_clock(200)
    link.pump()
    assert (link.server_events[-1], link.client_events[-1]) == (ClockAsked(100), ClockAsked(200))
    link.server.tell_clock(100, 1_796_000_000_000_000)
    link.client.tell_clock(200, 7)
    link.pump()
    assert (link.server_events[-1], link.client_events[-1]) == (
        ClockTold(200, 7),
        ClockTold(100, 1_796_000_000_000_000),
    )


@pytest.mark.parametrize("properties", [{}, {"edgeId": "e1"}, {"edgeClock": True}, {"edgeId": "e1", "edgeClock": 1.0}])
def test_peer_that_has_not_announced_it_is_neither_asked_nor_answered(properties: dict[str, Any]) -> None:
    peer = connected_peer(**properties)
    assert not peer.session.peer_tells_clock
    peer.session.tell_clock(5)
    assert peer.received().messages == []
    events = peer.send(command(CLOCK_COMMAND, 0, None, 5))
    assert [type(event) for event in events] == [Noticed]


def test_only_nodes_of_ours_hear_that_the_clock_is_told() -> None:
    for properties, is_told in (({}, False), ({"edgeId": "e1"}, True)):
        peer = Peer()
        peer.send(SIMPLIFIED, connect(**properties))
        assert (peer.received().commands[0][1][2].get("edgeClock") is True) is is_told


def test_clock_is_told_ten_times_a_second_and_a_flood_ends_the_session() -> None:
    peer = connected_peer(edgeId="e1", edgeClock=True)
    events = peer.send(*[command(CLOCK_COMMAND, 0, None, number) for number in range(30)])
    assert events == [ClockAsked(number) for number in range(MAX_PONGS_PER_S)]
    peer.send(*[command(CLOCK_COMMAND, 0, None, number) for number in range(MAX_PINGS_PER_S)])
    assert peer.end_reason == "ping_flood"


def test_clock_before_connect_is_a_command_out_of_order() -> None:
    peer = Peer()
    peer.send(SIMPLIFIED, command(CLOCK_COMMAND, 0, None, 5))
    assert peer.end_reason == "not_connected"
