"""What names mean on an origin and on an edge, and what an absent stream means."""

from __future__ import annotations

import pytest

from edge.hub.key import LIVE_REALM, PUBLISH_REALM, StreamKey
from edge.hub.stream import Stream
from edge.service.names import BadNameError, parse_tc_url
from tests.net.serving import Node, Nodes

TC_URL = parse_tc_url("rtmp://10.0.0.1/live")


def find(node: Node, name: str = "s", *, is_hop: bool = False) -> Stream | str:
    request = node.service.resolve(name, TC_URL, is_play=True)
    return node.service.stream_for_play(request, (), 0, is_hop=is_hop)


async def test_origin_knows_what_is_published_and_nothing_else() -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        assert find(node) == "Fail to find key=_/live/s"
        key = StreamKey("_", "live", "s")
        assert node.service.publish_key(key).realm == LIVE_REALM
        claim = node.registry.claim_publisher(node.service.publish_key(key), "p", 0)
        assert find(node) is claim.publisher.stream


async def test_node_of_ours_may_wait_on_an_origin_and_is_told_so() -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        stream = find(node, is_hop=True)
        assert isinstance(stream, Stream)
        assert node.service.waiting_info(stream) == {"waiting": True, "missing": True}
        node.registry.claim_publisher(stream.key, "p", 0)
        assert node.service.waiting_info(stream) is None


async def test_node_of_ours_is_told_of_a_lost_publisher() -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        stream = find(node, is_hop=True)
        assert isinstance(stream, Stream)
        publisher = node.registry.claim_publisher(stream.key, "p", 0, is_hop=True, is_lost=True).publisher
        assert node.service.waiting_info(stream) == {"lost": True}
        publisher.is_lost = False
        assert node.service.waiting_info(stream) is None
        node.registry.release_publisher(publisher, 0, "gone", is_loss=True)
        assert node.service.waiting_info(stream) == {"lost": True}


async def test_edge_asks_its_upstream_once_and_keeps_publishes_apart() -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        node.service.is_edge = True
        asked = []
        node.service.request_pull = lambda stream, request, hops, resume: asked.append((stream.key, request.query))
        stream = find(node, "s?token=1")
        assert asked == [(StreamKey("_", "live", "s"), "token=1")]
        assert find(node) is stream
        assert node.service.publish_key(StreamKey("_", "live", "s")).realm == PUBLISH_REALM


async def test_local_copy_of_a_publish_may_be_played_by_its_suffix() -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        node.service.is_edge = True
        key = node.service.publish_key(StreamKey("_", "live", "s"))
        stream = node.registry.claim_publisher(key, "p", 0).publisher.stream
        assert find(node, "s.pubproxy") is stream


async def test_M19_refusal_of_the_negative_cache_is_passed_on() -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        node.service.is_edge = True
        node.service.why_missing = lambda request: "too_many_pulls"
        assert find(node) == "too_many_pulls"
        assert node.registry.streams == {}


async def test_limits_of_names_come_from_the_settings() -> None:
    async with Nodes() as nodes:
        node = nodes.add(hub={"max_name_bytes": 4})
        with pytest.raises(BadNameError):
            node.service.resolve("abcde", TC_URL, is_play=True)


async def test_lines_of_a_process_with_two_services_begin_with_the_name() -> None:
    async with Nodes() as nodes:
        service = nodes.add().service
        assert (service.name, service.log_prefix) == ("", "")
        service.name = "merge"
        assert service.log_prefix == "merge "


async def test_pull_that_gives_up_at_once_is_no_stream_to_play() -> None:
    async with Nodes() as nodes:
        node = nodes.add()
        node.service.is_edge = True
        node.service.request_pull = lambda stream, *_: node.registry.end_stream(stream, "nobody to ask")
        assert find(node) == "nobody to ask"
        assert node.registry.streams == {}
