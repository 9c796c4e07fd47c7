"""``edge.v1.Node``: the process as a whole."""

from __future__ import annotations

from typing import Any

import grpc

from edge.control.context import ControlContext, ControlError
from edge.control.convert import message_of, messages_of
from edge.facts.orders import Drain, Reload, Upgrade
from proto.edge.v1 import node_pb2, node_pb2_grpc


class Node(node_pb2_grpc.NodeServicer):
    """See ``proto/edge/v1/node.proto``."""

    def __init__(self, control: ControlContext) -> None:
        self._control = control

    async def Status(self, request: Any, context: Any) -> Any:
        """What it is and how it does."""
        facts = self._control.facts
        return node_pb2.StatusResponse(
            process=message_of(node_pb2.Process, await facts.process()),
            services=await messages_of(node_pb2.ServiceInfo, await facts.services()),
        )

    async def Reload(self, request: Any, context: Any) -> Any:
        """Read the files again."""
        return node_pb2.ReloadResponse(text=await self._control.carry_out(Reload()))

    async def Drain(self, request: Any, context: Any) -> Any:
        """Begin to see everybody off."""
        within_s = request.within_s if request.HasField("within_s") else None
        if within_s is not None and within_s < 0:
            raise ControlError(grpc.StatusCode.INVALID_ARGUMENT, f"within_s {within_s}: expected 0 or more")
        return node_pb2.DrainResponse(text=await self._control.carry_out(Drain(within_s)))

    async def Upgrade(self, request: Any, context: Any) -> Any:
        """Have a new process take over."""
        return node_pb2.UpgradeResponse(text=await self._control.carry_out(Upgrade()))
