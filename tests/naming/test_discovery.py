"""``discovery://``: answers in the form of ``/discovery/fetchs`` (API documentation of bilibili discovery)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from aiohttp import web

from naming.base import NamingContext, NamingError, NamingOptions
from naming.discovery import DiscoveryService, read_instances
from naming.node import ServerNode
from tests.naming.fakes import FakeResolver
from tests.naming.web import FakeWeb, following, serving

METADATA = {"weight": "10", "cluster": ""}
TAG = '{"weight":"10","cluster":""}'


def instances(*addresses: object, metadata: object = METADATA) -> dict[str, object]:
    entry = {
        "zone": "sh001",
        "env": "uat",
        "appid": "admin.test",
        "metadata": metadata,
        "addrs": addresses,
        "status": 1,
    }
    return {"code": 0, "message": "0", "ttl": 1, "data": {"admin.test": {"instances": [entry]}}}


class Cluster:
    """Two paths: the nodes, and the instances."""

    def __init__(self, fake: FakeWeb) -> None:
        self.nodes: object = {"code": 0, "data": [{"addr": "10.0.0.1:1", "status": 1}]}
        self.answer: object = instances("http://127.0.0.1:8999", "grpc://127.0.1.1:9000", "127.0.1.2:9001", "name:1")
        self.status = 200
        fake.handler = self.handle

    async def handle(self, request: web.Request) -> web.Response:
        answer = self.nodes if request.path == "/api/nodes" else self.answer
        return web.Response(text=json.dumps(answer), status=self.status)


async def test_nodes_that_come_back_are_found_while_who_names_them_is_away() -> None:
    async with serving() as api, serving() as fake:
        cluster = Cluster(fake)
        api.answer(json.dumps({"code": 0, "data": [{"addr": f"127.0.0.1:{fake.port}", "status": 0}]}))
        settings = replace(NamingOptions(), discovery_api_addr=f"{api.address}/api/nodes")
        async with following("discovery://admin.test", settings) as followed:
            assert len(followed.servers) == 2
            api.answer("no", 500)
            cluster.status = 500
            await followed.steps.next_round()
            await followed.steps.next_round()
            assert followed.watcher.failed_count == 2
            cluster.status, cluster.answer = 200, instances("127.0.1.9:9001")
            await followed.steps.next_round()
            assert followed.servers == [f"127.0.1.9:9001 {TAG}"]


async def test_N4_nodes_are_asked_for_until_there_are_any_and_again_when_none_answers() -> None:
    async with serving() as fake:
        cluster = Cluster(fake)
        settings = replace(NamingOptions(), discovery_api_addr=f"{fake.address}/api/nodes", discovery_zone="sh 1")
        async with following("discovery://admin.test", settings) as followed:
            assert followed.watcher.failed_count == 1
            cluster.nodes = {"code": 0, "data": [{"addr": f"127.0.0.1:{fake.port}", "status": 0, "zone": ""}, 5, {}]}
            await followed.steps.next_round()
            assert followed.servers == [f"127.0.1.1:9000 {TAG}", f"127.0.1.2:9001 {TAG}"]
            await followed.steps.next_round()
            cluster.status = 500
            await followed.steps.next_round()
            cluster.status = 200
            await followed.steps.next_round()
            fetchs = "GET /discovery/fetchs?appid=admin.test&env=prod&status=1&zone=sh%201"
            nodes = "GET /api/nodes"
            assert fake.asked == [nodes, nodes, fetchs, fetchs, fetchs, nodes, fetchs]
            cluster.answer = {"data": {"admin.test": {"instances": []}}}
            await followed.steps.next_round()
            assert len(followed.servers) == 2 and followed.watcher.empty_count == 1


@pytest.mark.parametrize(
    "found",
    [
        *([], {}, {"data": None}, {"data": {"b": {}}}, {"data": {"a": {"instances": "xy"}}}),
        *({"data": {"a": {"instances": [{}]}}}, {"data": {"a": {"instances": [{"addrs": 5}]}}}),
        {"data": {"a": {"instances": [{"addrs": ["http://10.0.0.1:1", "name:2", "10.0.0.1"]}]}}},
        {"data": {"a": {"instances": {}}}},
    ],
)
def test_N4_answers_of_another_form(found: object) -> None:
    with pytest.raises(NamingError, match='"a"'):
        read_instances(found, "a")


def test_instances_without_metadata() -> None:
    found = {"data": {"a": {"instances": [{"addrs": ["[::1]:2"]}]}}}
    assert read_instances(found, "a") == [ServerNode("::1", 2)]


async def test_settings_and_names_that_can_never_work() -> None:
    context = NamingContext(NamingOptions(), FakeResolver(), lambda detail: None)
    with pytest.raises(NamingError, match="appid"):
        DiscoveryService(context).check_name("")
    for address in ("", "ftp://a/b", "http://a:0x/b"):
        async with following("discovery://a", NamingOptions(discovery_api_addr=address)) as followed:
            assert "-discovery_api_addr" in followed.watcher.fault
