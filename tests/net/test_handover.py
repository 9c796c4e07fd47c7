"""Which players over HTTP move, and which stay."""

from __future__ import annotations

from typing import Any

import pytest

from edge.errors import HandoverError
from edge.net.handover import export_log
from edge.net.log_connection import LogConnection
from tests.harness.clock import wait_until
from tests.harness.http_media import FlvReader, TsReader, WsFlvReader
from tests.httpd.feeding import Source
from tests.runtime.handing import move_all
from tests.runtime.nodes import running


def player_of(node: Any) -> Any:
    (found,) = [one for one in node.context.connections if isinstance(one, LogConnection)]
    return found


@pytest.mark.parametrize(("kind", "query"), [(FlvReader, ""), (WsFlvReader, ""), (FlvReader, "?only-audio=1")])
async def test_players_of_flv_move_as_they_are(kind: type[FlvReader], query: str) -> None:
    scheme = "ws" if kind is WsFlvReader else "http"
    async with running() as old:
        source = await Source.at(old)
        source.push(30)
        async with kind(f"{scheme}://127.0.0.1:{old.port()}/live/s.flv{query}") as reader:
            await reader.wait_items(5, 3)
            before, sent = player_of(old.node), player_of(old.node).total_sent_bytes()
            was = str(before)
            async with running() as new:
                assert move_all(old.node, new.node).left_behind == {}
                moved = player_of(new.node)
                assert (moved.peer, moved.protocol, moved.keys) == (before.peer, before.protocol, before.keys)
                assert str(moved).partition(" ")[2] == was.partition(" ")[2]
                assert moved.total_sent_bytes() >= sent
                assert (type(moved), moved.play.name) == (type(before), before.play.name)
                count = len(reader.items)
                source.push(10)
                await wait_until(lambda: len(reader.items) > count + 5, 10, "it plays on")
                assert reader.error is None
                moved.close_gracefully("done")
                await reader.wait_end(2)
                assert (reader.error, reader.cut_bytes) == (None, 0)


async def test_a_player_of_ts_stays_and_is_told_apart() -> None:
    async with running() as one:
        source = await Source.at(one)
        source.push(30)
        async with TsReader(f"http://127.0.0.1:{one.port()}/live/s.ts"):
            await wait_until(lambda: any(isinstance(c, LogConnection) for c in one.node.context.connections), 10, "it")
            connection = player_of(one.node)
            with pytest.raises(HandoverError, match="state of its own"):
                export_log(connection)
            connection.close_gracefully("done")
            with pytest.raises(HandoverError, match="leaving"):
                export_log(connection)
