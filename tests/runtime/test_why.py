"""What a node answers when somebody asks it why, over its page."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from tests.harness.client import RtmpClient
from tests.harness.ports import free_port
from tests.net.live import eventually, send_video
from tests.runtime.nodes import RunningNode, running


@asynccontextmanager
async def fed(one: RunningNode, name: str) -> AsyncIterator[None]:
    """Somebody publishes all the while."""
    client = await one.publisher(name, pictures=3)
    task = asyncio.create_task(_sends(client))
    try:
        await eventually(lambda: media_of(one, name), "media")
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _sends(client: RtmpClient) -> None:
    for number in itertools.count(3):
        send_video(client, number)
        await asyncio.sleep(0.04)


def media_of(one: RunningNode, name: str) -> int:
    """Frames of a stream that have come so far."""
    streams = one.node.units[0].registry.streams
    return sum(stream.queue.end for key, stream in streams.items() if key.stream_name == name)


async def why(one: RunningNode, **asked: str) -> dict[str, Any]:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())
    status, body = await one.get(f"/why.json?{query}")
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


async def test_stream_that_plays_and_one_that_is_not_there() -> None:
    async with running() as one, fed(one, "cam"):
        found = (await why(one, stream="live/cam"))["about_stream"]
        assert found["plays"] and found["stream"] == "_/live/cam"
        assert found["nodes"][0]["role"] == "origin"
        found = (await why(one, stream="live/cm"))["about_stream"]
        assert not found["plays"] and found["near"] == ["_/live/cam"]


async def test_name_that_may_not_be_used() -> None:
    async with running() as one:
        found = (await why(one, stream="live//cam"))["about_stream"]
        assert not found["plays"] and "the name may not be used" in found["verdict"]


async def test_merge_tier_is_a_node_of_its_own() -> None:
    async with running(f"-cdn_merge_to=list://127.0.0.1:{free_port()}") as one:
        await one.publisher("cam")
        front, merge = (unit.registry for unit in one.node.units)
        await eventually(lambda: front.streams and merge.streams, "the push to the merge service")
        found = (await why(one, stream="live/cam"))["about_stream"]
        assert [(node["role"], node["publisher"]) for node in found["nodes"]] == [
            ("edge", "client"),
            ("origin", "node"),
        ]


async def test_address_of_a_client() -> None:
    async with running() as one:
        client = await one.client()
        client.peer.send_command(0, "connect", 1, {"app": "live"})
        await eventually(lambda: one.node.context.counters["error_connect_twice_count"], "the fault")
        found = (await why(one, address="127.0.0.1:5"))["about_address"]
        assert found["address"] == "127.0.0.1" and "connect_twice" in found["verdict"]
        assert [cause["kind"] for cause in found["causes"]] == ["protocol"]
        assert all(cause["advice"] for cause in found["causes"])
        player = await one.client()
        found = (await why(one, address="127.0.0.1"))["about_address"]
        assert any(row["protocol"] == "rtmp" for row in found["connections"])
        player.peer.abort()


async def test_nothing_is_known_of_an_address() -> None:
    async with running() as one:
        found = (await why(one, address="10.0.0.9"))["about_address"]
        assert found["verdict"] == "nothing is known of this address" and found["connections"] == []


async def test_token_of_a_player_is_nowhere_in_the_answer() -> None:
    async with running("-proxy_to=127.0.0.1:1") as one:
        await one.client()
        client = one.clients[0]
        client.play("cam?token=secret77")
        stories = one.node.units[0].service.chronicle.stories
        await eventually(lambda: stories.of_stream("_/live/cam"), "the story")
        url = "rtmp://127.0.0.1/live/cam?token=secret77"
        for found in (await why(one, stream=url), await why(one, address="127.0.0.1")):
            assert "secret77" not in json.dumps(found)


async def test_page_is_hidden_from_the_public_where_there_is_an_internal_port() -> None:
    async with running(f"-internal_port={free_port()}") as one:
        assert (await one.get("/why?stream=live/cam"))[0] == 403
        status, body = await one.get("/why?stream=live/cam", "internal")
        assert status == 200 and body.startswith("_/live/cam: it does not play")
