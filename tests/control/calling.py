"""A node with control by gRPC, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from proto.edge.v1 import clients_pb2_grpc, flags_pb2_grpc, node_pb2_grpc, streams_pb2_grpc, upstreams_pb2_grpc
from tests.harness.clock import deadline
from tests.runtime.nodes import RunningNode, running

WITHIN_S = 10.0


class Calls:
    """Stubs of all services of a node.

    Attributes:
        one: the node.
        channel: to its port, as from this machine.
    """

    def __init__(self, one: RunningNode, channel: grpc.aio.Channel) -> None:
        self.one = one
        self.channel = channel
        self.streams: Any = streams_pb2_grpc.StreamsStub(channel)
        self.clients: Any = clients_pb2_grpc.ClientsStub(channel)
        self.upstreams: Any = upstreams_pb2_grpc.UpstreamsStub(channel)
        self.flags: Any = flags_pb2_grpc.FlagsStub(channel)
        self.node: Any = node_pb2_grpc.NodeStub(channel)


def channel_to(port: int) -> grpc.aio.Channel:
    """A connection of its own, and no proxy of the environment."""
    options = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)


@asynccontextmanager
async def calling(*flags: str, role: str = "public") -> AsyncIterator[Calls]:
    """For the length of a test."""
    grpc.aio.init_grpc_aio()  # what the library keeps for good is there before the sockets are counted
    async with running(*flags) as one, channel_to(one.port(role)) as channel:
        yield Calls(one, channel)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    """Code and text of a call that is refused."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError(f"not refused: {answer}")


def within() -> float:
    """Seconds that a call may take."""
    return deadline(WITHIN_S)
