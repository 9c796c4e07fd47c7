"""Health over gRPC, as probes ask for it."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc

from edge.control import health
from edge.control.config import GrpcConfig
from edge.control.context import CALLER, ControlError
from edge.control.server import MAX_PUBLIC_STREAMS
from edge.net.address import Address
from edge.net.h2_frames import END_HEADERS, PREFACE, FrameReader, Kind, encode_frame
from edge.net.splice import Peer
from proto.edge.v1 import clients_pb2, node_pb2, node_pb2_grpc
from tests.control.calling import Calls, calling, channel_to, refusal, within
from tests.harness.ports import free_port

SERVING, NOT_SERVING, UNKNOWN = 1, 2, 3


def stub(calls: Calls) -> Any:
    return health_pb2_grpc.HealthStub(calls.channel)


def asked(service: str = "") -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=service)


async def test_it_says_what_the_pages_say() -> None:
    async with calling() as calls:
        for service in ("", "readiness", "liveness"):
            assert (await stub(calls).Check(asked(service), timeout=within())).status == SERVING
        calls.one.node.is_draining = True
        statuses = (await stub(calls).List(health_pb2.HealthListRequest(), timeout=within())).statuses
        assert {name: status.status for name, status in statuses.items()} == {
            "": NOT_SERVING,
            "readiness": NOT_SERVING,
            "liveness": SERVING,
        }
        code, _ = await refusal(stub(calls).Check(asked("mail"), timeout=within()))
        assert code is grpc.StatusCode.NOT_FOUND


async def test_a_watch_is_told_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LOOK_EVERY_S", 0.02)
    async with calling() as calls:
        watch = stub(calls).Watch(asked(), timeout=within())
        assert (await watch.read()).status == SERVING
        calls.one.node.is_draining = True
        assert (await watch.read()).status == NOT_SERVING
        other = stub(calls).Watch(asked("mail"), timeout=within())
        assert (await other.read()).status == UNKNOWN
        for each in (watch, other):
            each.cancel()


@pytest.mark.parametrize("limit", ["grpc_max_watches", "grpc_max_watches_per_ip", "grpc_max_calls_per_ip"])
async def test_no_more_may_watch_than_there_is_room_for(limit: str) -> None:
    async with calling(f"-{limit}=1") as calls:
        watch = stub(calls).Watch(asked(), timeout=within())
        await watch.read()
        code, _ = await refusal(stub(calls).Watch(asked(), timeout=within()).read())
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        watch.cancel()
        async with asyncio.timeout(within()):
            while True:  # whoever leaves makes room
                try:
                    await stub(calls).Watch(asked(), timeout=within()).read()
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.02)


async def test_one_address_leaves_others_room_to_watch() -> None:
    async with calling() as calls:
        service = health.Health(calls.one.facts, GrpcConfig(grpc_max_watches_per_ip=1))
        watches = []
        for host in ("192.0.2.1", "192.0.2.2"):
            CALLER.set(Peer(Address(host, 1), is_internal=False, is_encrypted=False))
            watches.append(service.Watch(asked(), None))
            assert (await anext(watches[-1])).status == SERVING
        with pytest.raises(ControlError):
            await anext(service.Watch(asked(), None))
        for watch in watches:
            await watch.aclose()  # type: ignore[attr-defined]


async def test_those_who_watch_outside_leave_room_for_those_inside() -> None:
    flags = (f"-internal_port={free_port()}", "-grpc_max_watches=1")
    async with calling(*flags) as calls, channel_to(calls.one.port("internal")) as internal:
        for channel in (calls.channel, internal):
            watch = health_pb2_grpc.HealthStub(channel).Watch(asked(), timeout=within())
            assert (await watch.read()).status == SERVING


async def test_requests_without_an_end_leave_probes_their_places() -> None:
    async with calling(f"-internal_port={free_port()}", "-http_header_timeout_ms=1000") as calls:
        await stub(calls).Check(asked(), timeout=within())
        names = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/grpc.health.v1.Health/Check"))
        fields = (*names, (b":authority", b"a"), (b"te", b"trailers"), (b"content-type", b"application/grpc"))
        block = b"".join(b"\0%c%b%c%b" % (len(name), name, len(value), value) for name, value in fields)
        opened = (encode_frame(Kind.HEADERS, block, flags=END_HEADERS, stream_id=number) for number in range(1, 200, 2))
        reader, writer = await asyncio.open_connection("127.0.0.1", calls.one.port())
        writer.write(PREFACE + encode_frame(Kind.SETTINGS) + b"".join(opened))
        async with asyncio.timeout(within()):
            said = await reader.read()
        writer.close()
        heads = list(FrameReader().frames(said))
        refused = [head for head in heads if head.kind == Kind.RST_STREAM]
        assert len(refused) >= 100 - MAX_PUBLIC_STREAMS
        assert heads[-1].kind == Kind.GOAWAY and heads[-1].payload[8:] == b"h2_request_timeout"


async def test_both_ports_have_it_and_the_public_one_has_nothing_else() -> None:
    async with calling(f"-internal_port={free_port()}") as calls, channel_to(calls.one.port("internal")) as internal:
        for channel in (calls.channel, internal):
            answer = await health_pb2_grpc.HealthStub(channel).Check(asked(), timeout=within())
            assert answer.status == SERVING
        for call in (
            calls.node.Status(node_pb2.StatusRequest(), timeout=within()),
            calls.clients.Kick(clients_pb2.KickRequest(connection=1), timeout=within()),
            reflection_pb2_grpc.ServerReflectionStub(calls.channel).ServerReflectionInfo(iter(()), timeout=within()),
        ):
            code, _ = await refusal(call if hasattr(call, "__await__") else call.read())
            assert code is grpc.StatusCode.UNIMPLEMENTED
        assert (await node_pb2_grpc.NodeStub(internal).Status(node_pb2.StatusRequest(), timeout=within())).services
