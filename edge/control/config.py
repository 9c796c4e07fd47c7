"""Settings of control by gRPC; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GrpcConfig:
    """The fields bear the names of the flags that set them.

    Attributes:
        grpc_default_timeout_ms: the longest that a call takes, whatever its client says; 0 for no limit.
        http_keepalive_ms: connections without a call are ended after so long; 0 for never.
        grpc_max_watches: of health, at the same time, on all connections of a kind of port.
        grpc_max_watches_per_ip: of them, those of one address.
        grpc_max_calls_per_ip: calls in progress of one address that comes by no internal port; 0 for no limit.
        is_internal_port_set: only that port has more than health.
    """

    grpc_max_message_bytes: int = 4194304
    grpc_default_timeout_ms: int = 30000
    grpc_max_watches: int = 64
    grpc_max_watches_per_ip: int = 16
    grpc_max_calls_per_ip: int = 100
    h2_max_concurrent_streams: int = 100
    http_keepalive_ms: int = 60000
    is_internal_port_set: bool = False
