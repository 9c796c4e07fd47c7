"""The server by which hooks are tried."""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys

import aiohttp
import pytest

from edge.tools.hook_demo import HookDemo, answer_of, hook_demo
from tests.harness.clock import ROOT, deadline


async def test_it_answers_as_it_is_bid_and_keeps_what_it_was_told() -> None:
    demo = HookDemo()
    await demo.start()
    try:
        async with aiohttp.ClientSession() as session:
            for command, status, body in (
                ("yes", 200, '{"code": 0, "data": null}'),
                ("no not paid", 200, '{"code": 1, "data": {"reason": "not paid"}}'),
                ("wrong", 200, "<html>OK</html>"),
                ("status 403", 403, '{"code": 0, "data": null}'),
                ("rename hall", 200, '{"code": 0, "data": {"stream": "hall"}}'),
                ('data {"lifetime_s": 5}', 200, '{"code": 0, "data": {"lifetime_s": 5}}'),
                ("slow 0.01", 200, '{"code": 0, "data": null}'),
            ):
                demo.say(command)
                async with session.post(demo.url(), json={"action": "on_play", "client_id": "1"}) as answer:
                    assert (answer.status, await answer.text()) == (status, body)
            demo.say("redirect other", "publish")
            form = {"call": "publish", "name": "s"}
            async with session.post(demo.url("/x?y=1"), data=form, allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (302, "other")
        assert demo.actions() == ["on_play"] * 7 + ["publish"]
        assert demo.told[-1].path == "/x?y=1"
        assert demo.told[-1].what == form
    finally:
        await demo.close()


@pytest.mark.parametrize("command", ["", "maybe", "slow", "slow x", "status x", "data {"])
def test_what_is_no_command(command: str) -> None:
    with pytest.raises(ValueError):
        answer_of(command)


def test_a_bad_answer_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    options = argparse.Namespace(host="127.0.0.1", port=0, answer="maybe")
    assert hook_demo(options) == 2
    assert "commands are" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert hook_demo(argparse.Namespace(host="127.0.0.1", port=port, answer="yes")) == 2
    assert capsys.readouterr().err == f"edge-ctl: port {port} is taken: choose another one with --port\n"


async def test_the_program_takes_commands_from_its_input() -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.tools.ctl", "hook-demo", "--port=0", "--answer=no"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert program.stdin is not None and program.stdout is not None
    try:
        async with asyncio.timeout(deadline(20)):
            line = (await program.stdout.readline()).decode()
            assert line.startswith("listening on http://127.0.0.1:")
            url = line.split()[2]
            program.stdin.write(b"nonsense\nrename hall\n")
            await program.stdin.drain()
            assert (await program.stdout.readline()).startswith(b"commands are yes")
            assert await program.stdout.readline() == b"answering 'rename hall'\n"
            async with aiohttp.ClientSession() as session, session.post(url, json={"action": "on_play"}) as answer:
                assert await answer.text() == '{"code": 0, "data": {"stream": "hall"}}'
            assert await program.stdout.readline() == b'on_play / {"action": "on_play"}\n'
    finally:
        program.kill()
        await program.wait()
