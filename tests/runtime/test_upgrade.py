"""Who may have a process replaced, and how the new one is started."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import HandoverError
from edge.facts.orders import Result, Upgrade
from edge.handover.channel import Channel
from edge.handover.frames import Kind
from edge.runtime import upgrade
from edge.runtime.taking import open_channel
from edge.runtime.upgrade import Upgrader, new_command
from tests.harness.clock import deadline
from tests.net.live import eventually, pictures, send_video
from tests.runtime.nodes import RunningNode, running


def test_the_new_process_is_started_as_this_one_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/python")
    monkeypatch.setattr(
        sys, "orig_argv", ["python", "-m", "edge", "-port=1", "--takeover=/x", "-takeover", "/y", "-v=1"]
    )
    assert new_command(7) == ["/opt/python", "-m", "edge", "-port=1", "-v=1", "-takeover=fd:7"]


async def order(one: RunningNode, upgrader: Upgrader) -> tuple[Result, str]:
    one.node.upgrade = upgrader.upgrade
    outcome = await one.orders.carry_out(Upgrade(), "127.0.0.1:5")
    return outcome.result, outcome.text


async def test_process_1_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as one:
        monkeypatch.setattr(os, "getpid", lambda: 1)
        assert await order(one, Upgrader(one.node, lambda: None)) == (
            Result.REFUSED,
            "as process 1 of its container it cannot be replaced: roll the container instead",
        )


@pytest.mark.parametrize(
    ("program", "said"),
    [("raise SystemExit(3)", "has gone"), ("import time; time.sleep(600)", "it said nothing within 1000 ms")],
    ids=["crashes", "hangs"],
)
async def test_a_new_version_that_crashes_or_hangs_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    async with running("-upgrade_timeout_ms=1000") as one:
        publisher, player = await one.publisher(pictures=2), await one.player()
        await pictures(player, 1)
        monkeypatch.setattr(upgrade, "new_command", lambda _: [sys.executable, "-c", program])
        upgrader = Upgrader(one.node, lambda: pytest.fail("it has not been given away"))
        result, text = await order(one, upgrader)
        assert result is Result.REFUSED
        assert said in text
        send_video(publisher, 2, is_keyframe=True)
        await pictures(player, 2)
        assert not upgrader.is_over


async def test_a_new_version_that_hangs_ends_with_the_process_that_started_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = upgrade._start

    def watched_start(inherited: int) -> subprocess.Popen[bytes]:
        started.append(start(inherited))
        return started[0]

    monkeypatch.setattr(upgrade, "new_command", lambda _: [sys.executable, "-c", "import time; time.sleep(600)"])
    monkeypatch.setattr(upgrade, "_start", watched_start)
    async with running() as one:
        asked = asyncio.create_task(order(one, Upgrader(one.node, lambda: None)))
        await eventually(lambda: bool(started), "it is started")
    asked.cancel()
    assert started[0].wait(deadline(5)) == -signal.SIGKILL


async def test_the_socket_is_private_and_hears_of_ends(tmp_path: Path) -> None:
    path = tmp_path / "upgrade"
    async with running() as one:
        upgrader = Upgrader(one.node, lambda: None)
        upgrader.listen(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        channel = open_channel(str(path))
        channel.send(Kind.READY)  # nothing that one begins with

        def refused() -> str:
            channel.set_deadline(60_000)
            with pytest.raises(HandoverError) as error:
                channel.receive()
            return error.value.detail

        async with asyncio.timeout(deadline(5)):
            assert "READY" in await asyncio.to_thread(refused)
        channel.close()
        await eventually(lambda: not any(task.get_name() == "upgrade" for task in asyncio.all_tasks()), "it is over")
        upgrader.close()
        assert not path.exists()
        upgrader.close()


async def test_the_one_that_has_taken_over_takes_the_path(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "upgrade"
    async with running() as one, running() as other:
        old, new = (Upgrader(each.node, lambda: None) for each in (one, other))
        old.listen(str(path))
        new.listen(str(path), old_pid=os.getpid())
        old.close()
        assert path.exists()
        channel: Channel = open_channel(str(path))
        channel.close()
        await eventually(lambda: not any(task.get_name() == "upgrade" for task in asyncio.all_tasks()), "it is over")
        new.close()
        assert not path.exists()
        assert not caplog.records, "who only looks whether somebody is there is no failed upgrade"
        with pytest.raises(OSError):
            new.listen(str(tmp_path / "no" / "such"))
