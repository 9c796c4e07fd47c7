from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.hub.config import HubConfig
from edge.hub.registry import Registry
from edge.service.config import LimitConfig
from edge.service.grants import Play, Publish
from edge.service.names import StreamName, parse_tc_url
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from edge.service.rules import Rulebook, Rules, Vhost
from tests.service.fakes import NODE, Door, FakeClient


def door_of(**limits: int) -> Door:
    """Two vhosts, of which one has limits."""
    door, root = Door(), Rules([HubConfig()])
    limited = Vhost("a.example", root.with_(LimitConfig(**limits)))
    door.service.rulebook.replace(Rulebook(root, [limited, Vhost("b.example", root)]))
    return door


def name_of(door: Door, vhost: str, stream: str, *, is_play: bool) -> StreamName:
    found = door.service.resolve(stream, parse_tc_url(f"rtmp://{vhost}.example/live"), is_play=is_play)
    assert isinstance(found, StreamName)
    return found


def publish(door: Door, vhost: str, stream: str = "s", client: Any = None) -> Publish | Refusal:
    answers: list[Publish | Refusal] = []
    request = PublishRequest(client or FakeClient(9, "10.1.1.1:5"), name_of(door, vhost, stream, is_play=False))
    door.service.publish(request, answers.append, door.now_ms)
    return answers[0]


def play(door: Door, vhost: str, stream: str = "s", client: Any = None) -> Play | Refusal:
    answers: list[Play | Refusal] = []
    request = PlayRequest(client or FakeClient(1, "10.9.9.9:5"), name_of(door, vhost, stream, is_play=True))
    door.service.play(request, answers.append, door.now_ms)
    return answers[0]


def said(flag: str, limit: int) -> Refusal:
    return Refusal(Reason.LIMIT, f"{flag} {limit}")


@pytest.mark.parametrize("flag", ["max_players", "max_players_per_stream"])
def test_AU36_a_place_that_is_left_is_free_at_once_and_counts_never_go_wrong(flag: str) -> None:
    door = door_of(**{flag: 1})
    for vhost in "ab":
        publish(door, vhost)
    for _ in range(3):  # reconnects: the new connection may come before the old one has gone
        first = play(door, "a")
        assert isinstance(first, Play)
        assert play(door, "a") == said(flag, 1)
        door.service.end_play(first, door.now_ms)
    assert {name: count.places for name, count in door.registry.counts.items()} == {"a.example": 0, "b.example": 0}
    assert all(isinstance(play(door, "b"), Play) for _ in range(3))


def test_max_players_counts_over_the_streams_of_a_vhost() -> None:
    door = door_of(max_players=2)
    for stream in "st":
        publish(door, "a", stream)
    assert isinstance(play(door, "a", "s"), Play)
    assert isinstance(play(door, "a", "t"), Play)
    assert play(door, "a", "s") == said("max_players", 2)


def test_players_of_a_stream_that_has_ended_take_nobodys_place() -> None:
    door = door_of(max_players=1)
    first = publish(door, "a")
    player = play(door, "a")
    assert isinstance(first, Publish)
    assert isinstance(player, Play)
    door.service.end_publish(first, door.now_ms)
    publish(door, "a")
    assert isinstance(play(door, "a"), Play)
    door.service.end_play(player, door.now_ms)
    assert play(door, "a") == said("max_players", 1)


PROVEN = replace(NODE, is_proven=True)


def test_other_nodes_are_no_players_and_no_publishers() -> None:
    door = door_of(max_players=1, max_publishers_per_ip=1)
    publish(door, "a", "s", FakeClient(2, "10.9.9.8:5", edge_id="n", is_proven=True))
    publish(door, "a", "t", FakeClient(3, "10.9.9.8:6", edge_id="n", is_proven=True))
    assert isinstance(play(door, "a"), Play)
    assert isinstance(play(door, "a", "s", PROVEN), Play)


def test_a_node_that_was_there_before_takes_no_players_place() -> None:
    door = door_of(max_players=1, max_players_per_stream=1)
    publish(door, "a")
    clients = (PROVEN, PROVEN, FakeClient(1, "10.9.9.9:5"))
    assert all(isinstance(play(door, "a", "s", client), Play) for client in clients)
    assert play(door, "a") == said("max_players_per_stream", 1)


@pytest.mark.parametrize("flag", ["max_players", "max_players_per_stream", "max_streams"])
def test_a_stranger_gets_no_more_by_saying_that_he_is_a_node(flag: str) -> None:
    door = door_of(**{flag: 1})
    publish(door, "a")
    stream = "other" if flag == "max_streams" else "s"
    first = play(door, "a", "s", NODE)
    assert isinstance(first, Play) and first.takes_place
    refusal = play(door, "a", stream, NODE)
    assert isinstance(refusal, Refusal) and refusal.told == "LimitReached"
    assert refusal.detail.startswith(f"{flag} 1; a node without proof takes a place")
    assert isinstance(play(door, "a", stream, PROVEN), Play)


def test_nodes_at_a_merge_port_are_believed_unless_they_have_to_prove_it() -> None:
    door = door_of(max_players=1, max_publishers_per_ip=1)
    door.service.limits.believes_nodes = True
    publish(door, "a")
    assert all(isinstance(play(door, "a", "s", NODE), Play) for _ in range(3))
    door.service.limits.needs_proof = lambda: True
    assert isinstance(play(door, "a", "s", NODE), Play)
    assert isinstance(play(door, "a", "s", NODE), Refusal)


def test_who_marks_its_play_as_a_nodes_takes_a_place_unless_its_address_is_trusted() -> None:
    door = door_of(max_players=1)
    door.service.trusts = {"10.7.7.7", "fd00::7"}.__contains__
    publish(door, "a")
    for peer in ("10.7.7.7:5", "[fd00::7]:5"):
        assert isinstance(play(door, "a", "s?idcpassed=1", FakeClient(4, peer)), Play)
    assert isinstance(play(door, "a", "s?idcpassed=1"), Play)
    assert play(door, "a", "s?idcpassed=1") == play(door, "a") == said("max_players", 1)


def test_who_says_that_it_is_a_node_proves_it_where_nodes_have_to() -> None:
    door = door_of(max_players=1, max_publishers_per_ip=1)
    door.service.limits.needs_proof = lambda: True
    nodes = [FakeClient(number, "10.9.9.8:5", edge_id="n", is_proven=number > 4) for number in range(3, 7)]
    claimed, proven = nodes[:2], nodes[2:]
    assert all(isinstance(publish(door, "a", f"p{node.number}", node), Publish) for node in proven)
    assert isinstance(publish(door, "a", "s", claimed[0]), Publish)
    refused = publish(door, "a", "t", claimed[1])
    assert isinstance(refused, Refusal) and refused.detail.startswith("max_publishers_per_ip 1; a node without proof")
    assert all(isinstance(play(door, "a", "s", node), Play) for node in proven)
    assert isinstance(play(door, "a", "s", claimed[0]), Play)
    assert isinstance(play(door, "a", "s", claimed[1]), Refusal)


def test_a_stream_more_than_may_be_is_refused_but_not_who_comes_back() -> None:
    door = door_of(max_streams=1)
    publish(door, "a", "s")
    assert publish(door, "a", "t") == said("max_streams", 1)
    door.now_ms += 5000
    assert isinstance(publish(door, "a", "s"), Publish)
    assert isinstance(publish(door, "b", "t"), Publish)


def test_an_address_publishes_so_many_streams_and_its_encoder_may_come_back() -> None:
    door = door_of(max_publishers_per_ip=2)
    for stream in "st":
        assert isinstance(publish(door, "a", stream), Publish)
    assert publish(door, "a", "u") == said("max_publishers_per_ip", 2)
    door.now_ms += 5000
    assert isinstance(publish(door, "a", "t"), Publish)
    assert isinstance(publish(door, "a", "u", FakeClient(8, "10.1.1.2:5")), Publish)
    assert isinstance(publish(door, "b", "u"), Publish)


def test_output_above_the_limit_for_ten_seconds_keeps_newcomers_out_and_nobody_is_cut() -> None:
    door = door_of(max_out_kbps=1000)
    for vhost in "ab":
        publish(door, vhost)
    players = [play(door, vhost) for vhost in "aab"]
    for stream in door.registry.streams.values():
        stream.stats.video_bps = 100_000  # twice 800 kbit/s
    for _ in range(10):
        assert isinstance(play(door, "b"), Play)
        assert door.service.limits.out_kbps("a.example") == 0, "a peak is none"
        door.service.limits.tick()
    assert door.service.limits.out_kbps("a.example") > 1000
    assert play(door, "a") == said("max_out_kbps", 1000)
    assert isinstance(play(door, "b"), Play)
    assert all(isinstance(player, Play) and player.stopped is None for player in players)
    for stream in door.registry.streams.values():
        stream.stats.video_bps = 0
    for _ in range(10):
        door.service.limits.tick()
    assert isinstance(play(door, "a"), Play)


def test_without_vhosts_another_name_of_one_gives_no_more_places() -> None:
    door = Door()
    root = door.service.rulebook.root
    door.service.rulebook.replace(Rulebook(root.with_(LimitConfig(max_players=1, max_streams=2))))
    for vhost in "ab":
        publish(door, vhost)
    assert isinstance(play(door, "a"), Play)
    assert play(door, "b") == said("max_players", 1)
    assert publish(door, "c") == said("max_streams", 2)


def test_nothing_is_counted_twice_when_streams_come_and_go() -> None:
    door = Door()
    for _ in range(3):
        first = publish(door, "a")
        assert isinstance(first, Publish)
        door.service.end_publish(first, door.now_ms)
    assert isinstance(door.registry, Registry)
    assert door.registry.counts == {}
