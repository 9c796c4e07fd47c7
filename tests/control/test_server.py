"""The servers as a whole: a client that knows nothing beforehand, TLS, and new limits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from edge.control import server
from edge.control.config import GrpcConfig
from edge.control.server import options_of, service_names
from proto.edge.v1 import node_pb2, node_pb2_grpc, streams_pb2
from tests.control.calling import calling, refusal, within
from tests.net.live import eventually
from tests.net.tls_pairs import authority, server_pair


class Found:
    """All that reflection tells: names of services, and the definitions behind them."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=(("grpc.enable_http_proxy", 0),))
        self._database = ProtoReflectionDescriptorDatabase(self._channel)
        self._pool = descriptor_pool.DescriptorPool(self._database)
        self.names = sorted(self._database.get_services())

    def call(self, service: str, method: str, **fields: Any) -> Any:
        """Call by what was found alone."""
        found = self._pool.FindServiceByName(service).FindMethodByName(method)
        ask, answer = (message_factory.GetMessageClass(kind) for kind in (found.input_type, found.output_type))
        make = self._channel.unary_unary(
            f"/{service}/{method}", request_serializer=ask.SerializeToString, response_deserializer=answer.FromString
        )
        return make(ask(**fields), timeout=within())

    def close(self) -> None:
        self._channel.close()


async def test_a_client_that_knows_nothing_beforehand_lists_and_calls() -> None:
    async with calling() as calls:
        await calls.one.publisher("s")

        def ask() -> tuple[list[str], Any, Any]:
            found = Found(calls.one.port())
            try:
                listed = found.call("edge.v1.Streams", "List", page_size=5)
                return found.names, listed, found.call("edge.v1.Streams", "End", key=listed.streams[0].key)
            finally:
                found.close()

        names, listed, ended = await asyncio.to_thread(ask)
        assert names == sorted(service_names()) and "edge.v1.Flags" in names
        assert [stream.key for stream in listed.streams] == ["_/live/s"] and ended.text == "_/live/s was ended."


async def test_reflection_knows_each_definition() -> None:
    async with calling() as calls:
        requests = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in service_names()]
        stub = reflection_pb2_grpc.ServerReflectionStub(calls.channel)
        answers = [answer async for answer in stub.ServerReflectionInfo(iter(requests), timeout=within())]
        assert len(answers) == len(requests)
        for name, answer in zip(service_names(), answers, strict=True):
            (data,) = answer.file_descriptor_response.file_descriptor_proto[:1]
            package = FileDescriptorProto.FromString(data).package
            assert name.startswith(package)


async def test_it_is_served_inside_tls_as_well() -> None:
    pair = server_pair()
    roots = authority().pair.cert.read_bytes()
    flags = ("-https", f"-certificate={pair.cert}", f"-private_key={pair.key}")
    async with calling(*flags) as calls:
        options = (("grpc.ssl_target_name_override", "localhost"), ("grpc.enable_http_proxy", 0))
        credentials = grpc.ssl_channel_credentials(roots)
        address = f"127.0.0.1:{calls.one.port()}"
        async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
            answer = await node_pb2_grpc.NodeStub(channel).Status(node_pb2.StatusRequest(), timeout=within())
            assert answer.process.addresses.has_tls
            (seen,) = [one.describe() for one in calls.one.node.context.connections]
            assert seen.protocol == "grpcs"


async def test_new_limits_are_those_of_connections_that_come_from_then_on() -> None:
    async with calling() as calls:
        large = streams_pb2.ListStreamsRequest(key="x" * 5000)
        assert (await calls.streams.List(large, timeout=within())).stream_count == 0
        node = calls.one.node
        before = node.grpc.service
        node.grpc.reconfigure(node.settings.grpc)  # nothing new
        node.grpc.reconfigure(replace(node.settings.grpc, grpc_max_message_bytes=4096))
        await eventually(lambda: node.grpc.service is not before, "new servers", 5)
        async with asyncio.timeout(within()):
            while True:  # the old connection is given notice
                try:
                    code, _ = await refusal(calls.streams.List(large, timeout=within()))
                    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
                        break
                except AssertionError:  # still the old one
                    await asyncio.sleep(0.02)


def test_pings_are_off_with_the_limit_that_they_are_for() -> None:
    names = {name for name, _ in options_of(GrpcConfig(http_keepalive_ms=0))}
    assert names < {name for name, _ in options_of(GrpcConfig())}
    assert dict(options_of(GrpcConfig(http_keepalive_ms=60_000)))["grpc.keepalive_time_ms"] == 20_000


async def test_the_folder_goes_with_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MAX_FOLDER_CHARS", 1)  # as where temporary files lie deep
    async with calling() as calls:
        await calls.node.Status(node_pb2.StatusRequest(), timeout=within())
        service = calls.one.node.grpc.service
        assert service is not None
        folder = service.path(is_public=True).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sorted(path.name for path in folder.iterdir()) == ["internal", "public"]
        await calls.channel.close()
    assert not folder.exists()
