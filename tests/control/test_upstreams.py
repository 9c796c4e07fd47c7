"""Upstream servers over gRPC."""

from __future__ import annotations

from proto.edge.v1 import upstreams_pb2
from tests.control.calling import calling, within


async def test_an_origin_has_none_and_an_edge_has_those_of_its_list() -> None:
    async with calling() as calls:
        answer = await calls.upstreams.List(upstreams_pb2.ListUpstreamsRequest(), timeout=within())
        assert not answer.servers and not answer.sources
    async with calling("-proxy_to=list://127.0.0.1:1,127.0.0.1:2", "-proxy_lb=rr") as calls:
        answer = await calls.upstreams.List(upstreams_pb2.ListUpstreamsRequest(), timeout=within())
        assert sorted(server.endpoint for server in answer.servers) == ["127.0.0.1:1", "127.0.0.1:2"]
        assert [source.servers_count for source in answer.sources] == [2]
