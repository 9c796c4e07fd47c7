"""The servers of gRPC, on private unix sockets: one with health alone, one with all services and reflection."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from edge.control.clients import Clients
from edge.control.config import GrpcConfig
from edge.control.context import ControlContext
from edge.control.flags import Flags
from edge.control.guard import MAX_STREAM_S, Guard, Limits
from edge.control.health import Health
from edge.control.node import Node
from edge.control.streams import Streams
from edge.control.upstreams import Upstreams
from edge.net.context import NetContext
from edge.net.splice import Peer, Splicer
from proto.edge.v1 import (
    clients_pb2,
    clients_pb2_grpc,
    flags_pb2,
    flags_pb2_grpc,
    node_pb2,
    node_pb2_grpc,
    streams_pb2,
    streams_pb2_grpc,
    upstreams_pb2,
    upstreams_pb2_grpc,
)

#: Calls in progress on all connections of a server; more are answered RESOURCE_EXHAUSTED.
MAX_CALLS = 1000
#: Streams of a connection that may have no more than health, at most: calls that it leaves open are of all probes.
MAX_PUBLIC_STREAMS = 10
#: Of headers, names and values together.
MAX_METADATA_BYTES = 32768
#: Where all definitions of ours are.
FILES: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR for module in (streams_pb2, clients_pb2, upstreams_pb2, flags_pb2, node_pb2)
)
_PUBLIC, _INTERNAL = "public", "internal"
_MAX_FRAME_BYTES = 16384
_PING_TIMEOUT_MS = 10_000
_AGE_GRACE_MS = 60_000
# A path of a unix socket has 104 bytes on some systems, with a zero behind it.
_MAX_FOLDER_CHARS = 80


def changing_methods() -> frozenset[str]:
    """The paths of all methods that may change something: those that are not said to have no side effects."""
    return frozenset(
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
        if method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS
    )


def service_names() -> tuple[str, ...]:
    """Those of the internal server."""
    ours = [service.full_name for file in FILES for service in file.services_by_name.values()]
    health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    return (*ours, health, reflection.SERVICE_NAME)


def options_of(config: GrpcConfig, *, is_public: bool = False) -> list[tuple[str, int]]:
    """What the library is told; the rest is watched outside (``edge/net/h2_watch.py``)."""
    streams = config.h2_max_concurrent_streams
    options = [
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", min(streams, MAX_PUBLIC_STREAMS) if is_public else streams),
        ("grpc.max_receive_message_length", config.grpc_max_message_bytes),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.http2.max_frame_size", _MAX_FRAME_BYTES),
        ("grpc.http2.bdp_probe", 0),
        # What hangs for whatever reason ends with its connection.
        ("grpc.max_connection_age_ms", int(MAX_STREAM_S * 1000)),
        ("grpc.max_connection_age_grace_ms", _AGE_GRACE_MS),
        # Nothing is inflated: a message of a kilobyte may become one of a gigabyte.
        ("grpc.compression_enabled_algorithms_bitset", 1),
    ]
    if config.http_keepalive_ms:
        # A client that lives answers each ping, so that who is silent may be taken for gone.
        options += [
            ("grpc.max_connection_idle_ms", config.http_keepalive_ms),
            ("grpc.keepalive_time_ms", max(config.http_keepalive_ms // 3, 1000)),
            ("grpc.keepalive_timeout_ms", _PING_TIMEOUT_MS),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
    return options


class ControlServers:
    """Both servers with what joins connections to them; ``start`` them inside the loop that serves.

    Attributes:
        splicer: joins accepted connections to them.
        config: the one that they were made with.
    """

    def __init__(self, control: ControlContext, net: NetContext, config: GrpcConfig) -> None:
        self.config = config
        self._folder = _new_folder()
        self.splicer = Splicer(net, self._folder)
        limits = Limits(config.grpc_default_timeout_ms / 1000 or None, calls_per_host=config.grpc_max_calls_per_ip)
        self._guard = Guard(self._peer_of, changing_methods(), limits)
        self._control = control
        self._servers: list[Any] = []

    @property
    def failed_count(self) -> int:
        """Calls that ended with an exception of ours."""
        return self._guard.failed_count

    def path(self, *, is_public: bool) -> Path:
        """Where a server listens."""
        return self._folder / (_PUBLIC if is_public else _INTERNAL)

    def _peer_of(self, name: str) -> Peer | None:
        """Who is at the other end, by what the library says of the unix socket."""
        return self.splicer.peers.get(name.rpartition("/")[2])

    def _new_server(self, *, is_public: bool) -> Any:
        options = options_of(self.config, is_public=is_public)
        server = grpc.aio.server(interceptors=(self._guard,), options=options, maximum_concurrent_rpcs=MAX_CALLS)
        server.add_insecure_port(f"unix:{self.path(is_public=is_public)}")
        return server

    async def start(self) -> None:
        """Listen on the unix sockets."""
        control = self._control
        public, internal = self._new_server(is_public=True), self._new_server(is_public=False)
        self._servers = [public, internal]
        for server in self._servers:
            # Each has its own, so that strangers do not take the places of those who watch inside.
            health_pb2_grpc.add_HealthServicer_to_server(Health(control.facts, self.config), server)
        streams_pb2_grpc.add_StreamsServicer_to_server(Streams(control), internal)
        clients_pb2_grpc.add_ClientsServicer_to_server(Clients(control), internal)
        upstreams_pb2_grpc.add_UpstreamsServicer_to_server(Upstreams(control), internal)
        flags_pb2_grpc.add_FlagsServicer_to_server(Flags(control), internal)
        node_pb2_grpc.add_NodeServicer_to_server(Node(control), internal)
        reflection.enable_server_reflection(service_names(), internal)
        for server in self._servers:
            await server.start()

    async def close(self, *, grace_s: float = 0.0) -> None:
        """Take no more calls, give those in progress ``grace_s``, then end all. Once more, with less, is harmless."""
        await asyncio.gather(*(server.stop(grace_s) for server in self._servers))
        self.splicer.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _new_folder() -> Path:
    """One that nobody else may enter."""
    made = tempfile.mkdtemp(prefix="edge-grpc-")
    if len(made) > _MAX_FOLDER_CHARS:
        shutil.rmtree(made, ignore_errors=True)
        made = tempfile.mkdtemp(prefix="edge-grpc-", dir="/tmp")
    return Path(made)
