"""``edge-ctl hook-demo``: a server for hooks to be tried with, which prints what it is told and answers as it is bid.

It serves the paths of SRS's demonstration server, ``/api/v1/clients``, ``streams``, ``sessions``, ``dvrs`` and
``hls``, and any other; bodies may be of any form. Lines of its input change the answer while it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO
from urllib.parse import parse_qsl

from aiohttp import web

from edge.net.aio import TaskOwner, call_in_thread, spawn

#: As SRS's own one.
DEFAULT_PORT = 8085
COMMANDS = (
    "yes | no [REASON] | nothing | slow SECONDS | wrong | status CODE | redirect NAME | rename STREAM | data JSON"
)


@dataclass(slots=True)
class Told:
    """One call.

    Attributes:
        what: fields of its body, of JSON or of a form.
    """

    path: str
    body: bytes
    headers: dict[str, str]
    what: dict[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """The event, as its form calls it."""
        return str(self.what.get("action") or self.what.get("call") or "?")


def answer_of(command: str) -> Callable[[], tuple[float, int, str, str]]:
    """What a command means: delay in seconds (below 0: for ever), status, body and Location.

    Raises:
        ValueError: it is none.
    """
    word, _, rest = command.strip().partition(" ")
    delay_s, status, body, location = 0.0, 200, json.dumps({"code": 0, "data": None}), ""
    if word == "no":
        body = json.dumps({"code": 1, "data": {"reason": rest}})
    elif word == "nothing":
        delay_s = -1.0
    elif word == "slow":
        delay_s = float(rest)
    elif word == "wrong":
        body = "<html>OK</html>"
    elif word == "status":
        status = int(rest)
    elif word == "redirect":
        status, location = 302, rest
    elif word == "rename":
        body = json.dumps({"code": 0, "data": {"stream": rest}})
    elif word == "data":
        body = json.dumps({"code": 0, "data": json.loads(rest)})
    elif word != "yes":
        raise ValueError(f"commands are {COMMANDS}")
    return lambda: (delay_s, status, body, location)


class HookDemo:
    """The server.

    Attributes:
        told: all calls, the newest last.
        on_told: called with each; None for nobody.
    """

    def __init__(self, command: str = "yes") -> None:
        self.told: list[Told] = []
        self.on_told: Callable[[Told], object] | None = None
        self._answers: dict[str, Callable[[], tuple[float, int, str, str]]] = {}
        self._answer = answer_of(command)
        self._runner: web.ServerRunner | None = None
        self.port = 0

    def say(self, command: str, action: str = "") -> None:
        """From now on answer so, to one event or to all; raises ValueError for what is no command."""
        if action:
            self._answers[action] = answer_of(command)
        else:
            self._answer = answer_of(command)
            self._answers.clear()

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen; ``port`` 0 is one of the kernel's choice."""
        self._runner = web.ServerRunner(web.Server(self._serve, handler_cancellation=True), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """No more answers."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def url(self, path: str = "/api/v1/streams") -> str:
        """Of a path here."""
        return f"http://127.0.0.1:{self.port}{path}"

    def actions(self) -> list[str]:
        """The events in their order."""
        return [each.action for each in self.told]

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        told = Told(request.path_qs, body, {name.lower(): value for name, value in request.headers.items()})
        with contextlib.suppress(ValueError):
            if request.content_type == "application/json":
                told.what = dict(json.loads(body))
            else:
                told.what = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.told.append(told)
        if self.on_told is not None:
            self.on_told(told)
        delay_s, status, text, location = self._answers.get(told.action, self._answer)()
        await asyncio.sleep(delay_s if delay_s >= 0 else 86400)
        headers = {"Location": location} if location else {}
        return web.Response(status=status, text=text, headers=headers, content_type="application/json")


async def serve(host: str, port: int, command: str, lines: TextIO) -> None:
    """Print calls and take commands, until there are no more lines or it is cancelled."""
    demo, tasks = HookDemo(command), TaskOwner("hook-demo")
    demo.on_told = lambda told: print(told.action, told.path, told.body.decode("utf-8", "replace"), flush=True)
    await demo.start(port, host)
    print(f"listening on http://{host}:{demo.port}/ and answering {command!r}; {COMMANDS}", flush=True)

    async def take_commands() -> None:
        while line := await call_in_thread(lines.readline, name="commands"):
            try:
                demo.say(line)
                print(f"answering {line.strip()!r}", flush=True)
            except ValueError as error:
                print(error, flush=True)

    try:
        if lines.isatty():
            await take_commands()
        else:
            spawn(take_commands(), name="commands", owner=tasks)
            await asyncio.Event().wait()
    finally:
        await tasks.close()
        await demo.close()


def hook_demo(options: argparse.Namespace) -> int:
    """The command; returns the exit code."""
    try:
        answer_of(options.answer)
        asyncio.run(serve(options.host, options.port, options.answer, sys.stdin))
    except (ValueError, OSError) as error:
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        said = f"port {options.port} is taken: choose another one with --port" if is_taken else error
        print(f"edge-ctl: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0
