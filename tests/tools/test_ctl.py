"""``edge-ctl`` as a whole, against a chain that lives: an origin, an edge, and an edge of that."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shlex
import signal
import subprocess
import sys
from typing import Any

import grpc
import pytest

from edge.facts.orders import Drain, Outcome, Result
from edge.tools import ctl
from tests.harness.chain import Chain
from tests.harness.client import RtmpClient
from tests.harness.clock import ROOT, deadline
from tests.harness.ports import free_port
from tests.net.live import ended, pictures, send_video


class Terminal:
    """Where somebody types commands."""

    def __init__(self, chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
        self._chain, self._capsys = chain, capsys

    async def run(self, *words: str, at: str = "far", code: int = 0) -> str:
        """What a command prints; all of it is to be on one of the two, as its exit code says."""
        address = f"127.0.0.1:{self._chain.port(at)}"
        arguments = [f"--address={address}", f"--timeout={deadline(5)}", *words]
        found = await asyncio.to_thread(ctl.main, arguments)
        said = self._capsys.readouterr()
        assert found == code, f"exit code {found}: {said.out}{said.err}"
        assert not (said.err and code == 0), said.err
        return said.out + said.err

    async def data(self, *words: str, at: str = "far", code: int = 0) -> Any:
        return json.loads(await self.run(*words, "--json", at=at, code=code))


async def going_on(publisher: RtmpClient) -> None:
    """Pictures without end: a stream that falls silent is said not to play, 2.5 s later."""
    for number in itertools.count(3):
        send_video(publisher, number, is_keyframe=number % 25 == 0)
        await asyncio.sleep(0.04)


async def test_a_chain_is_looked_at_and_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    grpc.aio.init_grpc_aio()
    async with Chain({}) as chain:
        await chain.start()
        terminal = Terminal(chain, capsys)
        publisher = await chain.publisher("cam")
        chain.keep(going_on(publisher))
        player = await chain.player("cam")
        await pictures(player, 2)

        head, row = (await terminal.run("streams")).splitlines()
        assert head.split()[:3] == ["key", "state", "publisher"] and row.split()[:2] == ["_/live/cam", "live"]
        for node in ("origin", "middle", "far"):
            (stream,) = await terminal.data("streams", at=node)
            assert (stream["key"], stream["state"], stream["players"]) == ("_/live/cam", "live", 1)
        assert "no stream _/live/other" in await terminal.run("streams", "_/live/other", code=1)
        assert "edge, 1 stream, 1 player, pulls from" in await terminal.run("status")
        assert (await terminal.data("status"))["process"]["readiness"]["is_ready"] is True
        assert "rtmp" in await terminal.run("players", "_/live/cam")
        assert [one["key"] for one in await terminal.data("players")] == ["_/live/cam"]
        assert "  control  " in await terminal.run("connections")
        (server,) = (await terminal.data("upstreams"))["servers"]
        assert server["endpoint"] == chain.relays["middle"].address and server["state"] == "up"
        assert server["endpoint"] in await terminal.run("upstreams")
        assert await terminal.run("upstreams", at="origin") == "no upstream servers\n"
        assert (await terminal.run("flags", "retry_interval_ms")).splitlines()[1].split()[:3] == [
            *("retry_interval_ms", "300", "1000")
        ]
        assert await terminal.run("flags", "queue_length_s=9") == "Set `queue_length_s' to 9\n"
        assert [flag["value"] for flag in await terminal.data("flags", "queue_length*")] == ["9"]
        assert "long" in await terminal.run("flags", "queue_length_s=long", code=2)
        assert "-save_flagfile" in await terminal.run("flags", "--save", code=1)
        assert "Changed: nothing." in await terminal.run("reload")
        assert "no flag queue_len" in await terminal.run("flags", "queue_len", code=1)
        assert "it plays" in await terminal.run("why", "live/cam")
        assert len((await terminal.data("why", "live/cam"))["nodes"]) == 3
        assert "live/cma" in await terminal.run("why", "live/cma", at="origin", code=1)
        assert "127.0.0.1" in await terminal.run("why", "--client", "127.0.0.1", at="origin")

        (number,) = [one["id"] for one in await terminal.data("connections") if one["role"] == "play"]
        watching = await Watching.begin(chain)
        await watching.until("present", "_/live/cam")
        assert "was disconnected" in await terminal.run("kick", str(number))
        await ended(player)
        assert "no connection 9999" in await terminal.run("kick", "9999", code=1)
        assert "_/live/cam was ended." in await terminal.run("end", "_/live/cam", at="origin")
        await ended(publisher)
        assert "no stream" in await terminal.run("end", "_/live/cam", at="origin", code=1)
        await watching.until("ended", "_/live/cam")
        assert await watching.interrupt() == 0


class Watching:
    """``edge-ctl watch`` as a program of its own, at the origin."""

    def __init__(self, program: asyncio.subprocess.Process) -> None:
        self._program = program

    @classmethod
    async def begin(cls, chain: Chain) -> Watching:
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "edge.tools.ctl", f"--address=127.0.0.1:{chain.port('origin')}"),
                *("watch", "--interval-ms=500", "--json"),
                cwd=ROOT,
                stdout=subprocess.PIPE,
            )
        )

    async def until(self, event: str, key: str) -> None:
        """Wait for an event."""
        assert self._program.stdout is not None
        async with asyncio.timeout(deadline(10)):
            while True:
                found = json.loads(await self._program.stdout.readline())
                if (found["event"], found["stream"]["key"]) == (event, key):
                    return

    async def interrupt(self) -> int:
        """As a person ends it; the exit code."""
        self._program.send_signal(signal.SIGINT)
        async with asyncio.timeout(deadline(10)):
            return await self._program.wait()


async def test_a_node_is_drained_by_order(capsys: pytest.CaptureFixture[str]) -> None:
    grpc.aio.init_grpc_aio()
    async with Chain({}) as chain:
        await chain.start()
        orders: list[Drain] = []

        def taken(order: Drain) -> Outcome:
            orders.append(order)
            return Outcome(Result.DONE, "It drains.")

        chain.nodes["far"].node.on_drain = taken
        terminal = Terminal(chain, capsys)
        assert await terminal.run("drain") == "It drains.\n"
        assert await terminal.data("drain", "--within=3") == {"text": "It drains."}
        assert orders == [Drain(None), Drain(3)]


async def test_a_node_is_upgraded_by_order(capsys: pytest.CaptureFixture[str]) -> None:
    grpc.aio.init_grpc_aio()
    async with Chain({}) as chain:
        await chain.start()

        async def upgrade() -> str:
            return "handed over to process 7"

        chain.nodes["far"].node.upgrade = upgrade
        assert await Terminal(chain, capsys).run("upgrade") == "handed over to process 7\n"


async def test_the_public_port_says_where_control_is(capsys: pytest.CaptureFixture[str]) -> None:
    grpc.aio.init_grpc_aio()
    async with Chain({"origin": (f"-internal_port={free_port()}",)}) as chain:
        await chain.start()
        said = await Terminal(chain, capsys).run("streams", at="origin", code=2)
        assert "Control is on the internal port (-internal_port)" in said


def test_a_watch_without_anybody_there_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main([f"--address=127.0.0.1:{free_port()}", "watch"]) == 2
    assert "no edge answers there" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("jump",), ("kick",), ("kick", "x"), ("why",), ("--timeout=0", "streams")])
def test_commands_that_are_none_are_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ctl.main(words)
    assert caught.value.code == 2 and "usage: edge-ctl" in capsys.readouterr().err


def documented() -> list[list[str]]:
    """The words of each ``edge-ctl`` line of the guides, without what stands behind a pipe or a remark."""
    texts = [path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    lines = [line for text in texts for line in re.findall(r"^\$ edge-ctl ([^|\n]*)", text, re.MULTILINE)]
    return [shlex.split(line, comments=True) for line in lines]


def test_guides_use_commands_that_are_there() -> None:
    lines = documented()
    assert len(lines) > 5
    for words in lines:
        ctl.parser().parse_args(words)  # leaves the process with a usage where one is wrong


def test_each_command_stands_in_the_guide() -> None:
    commands = re.findall(r"^    ([a-z-]+) ", ctl.parser().format_help(), re.MULTILINE)
    assert "streams" in commands and "key" in commands
    table = (ROOT / "docs" / "control.md").read_text()
    assert [name for name in commands if f"| `{name}" not in table] == []


def test_the_console_script_is_there() -> None:
    done = subprocess.run([sys.executable, "-m", "edge.tools.ctl", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and all(word in done.stdout for word in ("streams", "kick", "drain", "watch", "why"))
