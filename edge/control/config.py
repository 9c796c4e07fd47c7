"""Settings of control by gRPC; frozen, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GrpcConfig:
    """The fields bear the names of the flags that set them.

    Attributes:
        grpc_default_timeout_ms: the longest that a call takes, whatever its client says; 0 for no limit.
        http_keepalive_ms: connections without a call are ended after so long; 0 for never.
        is_internal_port_set: only that port has more than health.
    """

    grpc_max_message_bytes: int = 4194304
    grpc_default_timeout_ms: int = 30000
    h2_max_concurrent_streams: int = 100
    http_keepalive_ms: int = 60000
    is_internal_port_set: bool = False
