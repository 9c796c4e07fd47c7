"""``edge.v1.Clients``: who is connected, who plays, and the end of a client's connection."""

from __future__ import annotations

from typing import Any

from edge.control.context import ControlContext
from edge.control.convert import message_of, messages_of
from edge.control.paging import page_size_of, page_token_after
from edge.facts.orders import Kick
from edge.facts.records import PlayerFacts
from proto.edge.v1 import clients_pb2, clients_pb2_grpc, why_pb2


class Clients(clients_pb2_grpc.ClientsServicer):
    """See ``proto/edge/v1/clients.proto``."""

    def __init__(self, control: ControlContext) -> None:
        self._control = control

    async def ListConnections(self, request: Any, context: Any) -> Any:
        """A page of them."""
        found = await self._control.facts.connections()
        page, token = page_token_after(
            found, request.page_token, page_size_of(request.page_size), lambda connection: [connection.id]
        )
        made = await messages_of(clients_pb2.Connection, page)
        return clients_pb2.ListConnectionsResponse(connections=made, next_page_token=token, connection_count=len(found))

    async def ListPlayers(self, request: Any, context: Any) -> Any:
        """Those of one stream or of all, as far as the limit."""
        limit = page_size_of(request.limit)
        found = await self._players(await self._control.key_of(request.key), limit + 1)
        made = await messages_of(clients_pb2.Player, found[:limit])
        return clients_pb2.ListPlayersResponse(players=made, has_more=len(found) > limit)

    async def _players(self, key: str, limit: int) -> list[PlayerFacts]:
        facts = self._control.facts
        if key:
            return await facts.players(key, limit)
        found: list[PlayerFacts] = []
        for name in sorted({stream.key for stream in await facts.streams() if stream.players}):
            found += await facts.players(name, limit - len(found))
            if len(found) >= limit:
                break
        return found

    async def Kick(self, request: Any, context: Any) -> Any:
        """End the connection of one."""
        return clients_pb2.KickResponse(text=await self._control.carry_out(Kick(request.connection)))

    async def Why(self, request: Any, context: Any) -> Any:
        """What clients of an address were told."""
        answer = await self._control.why.about_address(request.address)
        return clients_pb2.WhyClientResponse(answer=message_of(why_pb2.AddressAnswer, answer))
