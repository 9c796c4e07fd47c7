"""VC14: what becomes of the streams of a vhost that is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.runtime.vhosts_gone import GONE_TEXT
from tests.harness.client import RtmpClient
from tests.net.live import status
from tests.runtime.nodes import RunningNode, running

WITH = "vhost _ { } vhost a.com { }"


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def player(one: RunningNode) -> RtmpClient:
    """Of the default vhost, which has the publisher."""
    await one.publisher()
    return await one.player()


@pytest.mark.parametrize("without", ["vhost a.com { }", "vhost a.com { } vhost _ { enabled off; }"])
async def test_its_streams_end_and_all_are_told_why(tmp_path: Path, without: str) -> None:
    path = tmp_path / "a.conf"
    write(path, WITH)
    async with running(f"-c={path}") as one:
        client = await player(one)
        write(path, without)
        assert (await one.reloader.reload("test")).state == "done"
        told = await status(client, "NetStream.Play.UnpublishNotify")
        assert GONE_TEXT in str(told)
        assert one.node.units[0].registry.streams == {}
        late = await one.client()
        late.play("s")
        assert "VhostNotFound" in str(await status(late, "NetStream.Play.StreamNotFound"))


async def test_with_drain_who_is_here_stays_and_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    write(path, WITH)
    async with running(f"-c={path}", "-vhost_remove_action=drain") as one:
        await player(one)
        write(path, "vhost a.com { }")
        assert (await one.reloader.reload("test")).state == "done"
        (stream,) = one.node.units[0].registry.streams.values()
        assert stream.publisher is not None
        late = await one.client()
        late.play("s")
        assert "VhostNotFound" in str(await status(late, "NetStream.Play.StreamNotFound"))
