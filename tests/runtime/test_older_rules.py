"""VC17: a reload asks publishers for a key; who publishes goes on, and is counted until it leaves."""

from __future__ import annotations

import json
from pathlib import Path

from edge.runtime.older_rules import older_rules
from tests.net.live import eventually, pictures, send_video, status
from tests.runtime.nodes import RunningNode, running
from tests.runtime.test_access import KEY, keys_file


async def counts(one: RunningNode) -> dict[str, int]:
    status_code, body = await one.get("/vhosts?format=json")
    assert status_code == 200
    return {vhost["name"]: vhost["older_rules_count"] for vhost in json.loads(body)["vhosts"]}


async def test_VC17_who_was_let_in_before_goes_on_and_is_counted(tmp_path: Path) -> None:
    conf, keys = tmp_path / "a.conf", keys_file(tmp_path, f"live/hall {KEY}")
    conf.write_text("vhost a.example { }\nvhost __defaultVhost__ { }\n")
    async with running(f"-c={conf}") as one:
        publisher = await one.publisher("s?vhost=a.example")
        await one.publisher("s")
        player = await one.player("s?vhost=a.example")
        await pictures(player, 0)
        # Another setting than who may reaches them as it is.
        conf.write_text("vhost a.example { queue_length 5; }\nvhost __defaultVhost__ { }\n")
        await one.reloader.reload("SIGHUP")
        assert await counts(one) == {"a.example": 0, "__defaultVhost__": 0}
        gate = f"publish_auth key; stream_keys_file {keys};"
        conf.write_text(f"vhost a.example {{ queue_length 5; {gate} }}\nvhost __defaultVhost__ {{ }}\n")
        report = await one.reloader.reload("SIGHUP")
        assert not report.error
        assert await counts(one) == {"a.example": 2, "__defaultVhost__": 0}
        _, text = await one.get("/vhosts/a.example")
        assert "1 streams, 2 let in by older rules" in text
        send_video(publisher, 1)
        await pictures(player, 1)
        client = await one.client()
        client.publish("t?vhost=a.example")
        await status(client, "NetStream.Publish.Rejected")
        await one.publisher(f"{KEY}?vhost=a.example")
        assert await counts(one) == {"a.example": 2, "__defaultVhost__": 0}, "newcomers are none of them"
        player.peer.abort()
        publisher.peer.abort()
        units = one.node.units
        await eventually(lambda: not older_rules(units), "those of before to leave")
        assert await counts(one) == {"a.example": 0, "__defaultVhost__": 0}


async def test_rules_that_come_back_are_the_rules_of_those_who_were_there(tmp_path: Path) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text("vhost a.example { }\n")
    async with running(f"-c={conf}") as one:
        await one.publisher("s?vhost=a.example")
        for text, count in (("publish_deny 10.0.0.1;", 1), ("", 0)):
            conf.write_text(f"vhost a.example {{ {text} }}\n")
            await one.reloader.reload("SIGHUP")
            assert await counts(one) == {"a.example": count}
