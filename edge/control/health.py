"""``grpc.health.v1.Health``: what ``/readyz`` and ``/healthz`` say, for probes that speak gRPC."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edge.control.config import GrpcConfig
from edge.control.context import CALLER, ControlError
from edge.facts.facts import Facts

#: Names that are asked for: the server as a whole and whether traffic may come are the same.
WHOLE, READINESS, LIVENESS = "", "readiness", "liveness"
NAMES = (WHOLE, READINESS, LIVENESS)

_LOOK_EVERY_S = 1.0
_Status = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """See the gRPC health checking protocol."""

    def __init__(self, facts: Facts, config: GrpcConfig) -> None:
        self._facts = facts
        self._config = config
        self._watchers: Counter[str] = Counter()

    async def _status(self, name: str) -> Any:
        process = await self._facts.process()
        is_well = process.health.is_ok if name == LIVENESS else process.readiness.is_ready
        return _Status.SERVING if is_well else _Status.NOT_SERVING

    async def Check(self, request: Any, context: Any) -> Any:
        """How one is."""
        if request.service not in NAMES:
            raise ControlError(grpc.StatusCode.NOT_FOUND, f"no service {request.service[:80]!r}")
        return _Status(status=await self._status(request.service))

    async def List(self, request: Any, context: Any) -> Any:
        """How all are."""
        statuses = {name: _Status(status=await self._status(name)) for name in NAMES}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """How one is, and again whenever that has changed."""
        caller, watchers, config = CALLER.get(None), self._watchers, self._config
        host = caller.address.host if caller is not None else ""  # it may have hung up already
        if watchers.total() >= config.grpc_max_watches or watchers[host] >= config.grpc_max_watches_per_ip:
            text = f"{watchers.total()} watch already, {watchers[host]} from your address: ask with Check"
            raise ControlError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        watchers[host] += 1
        try:
            told = None
            while True:
                is_known = request.service in NAMES
                status = await self._status(request.service) if is_known else _Status.SERVICE_UNKNOWN
                if status != told:
                    told = status
                    yield _Status(status=status)
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            watchers[host] -= 1
            if not watchers[host]:
                del watchers[host]
