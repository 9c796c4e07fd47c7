"""``edge.v1.Flags``: the flags of the process."""

from __future__ import annotations

from typing import Any

import grpc

from edge.control.context import ControlContext, ControlError
from edge.control.convert import message_of, messages_of
from edge.facts.orders import SaveFlags, SetFlag
from edge.facts.patterns import MAX_PATTERNS, Patterns
from proto.edge.v1 import flags_pb2, flags_pb2_grpc


class Flags(flags_pb2_grpc.FlagsServicer):
    """See ``proto/edge/v1/flags.proto``."""

    def __init__(self, control: ControlContext) -> None:
        self._control = control

    async def List(self, request: Any, context: Any) -> Any:
        """Those that are asked for, by name."""
        if len(request.names) > MAX_PATTERNS:
            text = f"{len(request.names)} names: expected {MAX_PATTERNS} at most"
            raise ControlError(grpc.StatusCode.INVALID_ARGUMENT, text)
        patterns = Patterns(",".join(request.names))
        found = [flag for flag in self._control.flags.facts() if patterns.matches(flag.name)]
        return flags_pb2.ListFlagsResponse(flags=await messages_of(flags_pb2.Flag, found))

    async def Get(self, request: Any, context: Any) -> Any:
        """One of them."""
        found = next((flag for flag in self._control.flags.facts() if flag.name == request.name), None)
        if found is None:
            raise ControlError(grpc.StatusCode.NOT_FOUND, f"no flag {request.name[:80]!r}")
        return flags_pb2.GetFlagResponse(flag=message_of(flags_pb2.Flag, found))

    async def Set(self, request: Any, context: Any) -> Any:
        """Give one of them another value."""
        order = SetFlag(request.name, request.value, way="control")
        return flags_pb2.SetFlagResponse(text=await self._control.carry_out(order))

    async def Save(self, request: Any, context: Any) -> Any:
        """Keep what was set for the next start."""
        return flags_pb2.SaveFlagsResponse(text=await self._control.carry_out(SaveFlags()))
