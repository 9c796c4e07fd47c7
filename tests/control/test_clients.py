"""Connections and players over gRPC, and the end of one."""

from __future__ import annotations

import grpc

from proto.edge.v1 import clients_pb2
from tests.control.calling import calling, refusal, within
from tests.net.live import ended, pictures


async def test_players_are_listed_of_one_stream_or_of_all_as_far_as_is_asked() -> None:
    async with calling() as calls:
        for name in ("a", "b"):
            await calls.one.publisher(name)
            await pictures(await calls.one.player(name), 0)
        ask = calls.clients.ListPlayers
        of_all = await ask(clients_pb2.ListPlayersRequest(), timeout=within())
        assert [player.key for player in of_all.players] == ["_/live/a", "_/live/b"] and not of_all.has_more
        of_one = await ask(clients_pb2.ListPlayersRequest(key="live/b"), timeout=within())
        assert [(player.key, player.protocol) for player in of_one.players] == [("_/live/b", "rtmp")]
        some = await ask(clients_pb2.ListPlayersRequest(limit=1), timeout=within())
        assert len(some.players) == 1 and some.has_more
        code, _ = await refusal(ask(clients_pb2.ListPlayersRequest(limit=-1), timeout=within()))
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_client_is_kicked_by_the_number_of_its_connection() -> None:
    async with calling() as calls:
        await calls.one.publisher("s")
        player = await calls.one.player("s")
        listed = await calls.clients.ListConnections(clients_pb2.ListConnectionsRequest(), timeout=within())
        by_role = {one.role: one for one in listed.connections}
        assert set(by_role) == {"publish", "play", "control"} and by_role["control"].protocol == "grpc"
        kick = calls.clients.Kick
        answer = await kick(clients_pb2.KickRequest(connection=by_role["play"].id), timeout=within())
        assert answer.text == f"{by_role['play'].peer} was disconnected."
        await ended(player)
        gone = await refusal(kick(clients_pb2.KickRequest(connection=999), timeout=within()))
        assert gone[0] is grpc.StatusCode.NOT_FOUND
        refused = await refusal(kick(clients_pb2.KickRequest(connection=by_role["control"].id), timeout=within()))
        assert refused[0] is grpc.StatusCode.FAILED_PRECONDITION and "neither publishes nor plays" in refused[1]


async def test_what_a_client_was_told_is_known_by_its_address() -> None:
    async with calling() as calls:
        await calls.one.publisher("s")
        request = clients_pb2.WhyClientRequest(address="127.0.0.1:99")
        answer = (await calls.clients.Why(request, timeout=within())).answer
        assert answer.address == "127.0.0.1" and answer.verdict
        assert "publish" in [connection.role for connection in answer.connections]
