"""``edge.v1.Upstreams``: the servers that streams come from and go to."""

from __future__ import annotations

from typing import Any

from edge.control.context import ControlContext
from edge.control.convert import messages_of
from proto.edge.v1 import upstreams_pb2, upstreams_pb2_grpc


class Upstreams(upstreams_pb2_grpc.UpstreamsServicer):
    """See ``proto/edge/v1/upstreams.proto``."""

    def __init__(self, control: ControlContext) -> None:
        self._control = control

    async def List(self, request: Any, context: Any) -> Any:
        """All of them."""
        facts = self._control.facts
        return upstreams_pb2.ListUpstreamsResponse(
            sources=await messages_of(upstreams_pb2.UpstreamSource, await facts.sources()),
            servers=await messages_of(upstreams_pb2.UpstreamServer, await facts.servers()),
        )
