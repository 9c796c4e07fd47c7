"""The hot upgrade: a new process takes over from this one, started by it or by an operator."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from edge.errors import HandoverError
from edge.handover.channel import Channel
from edge.handover.frames import Frame, Kind
from edge.net.aio import call_in_thread, now_ms, spawn
from edge.runtime.giving import give, greet, next_frame
from edge.runtime.upgrade_socket import UpgradeSocket

if TYPE_CHECKING:
    from edge.runtime.node import Node

logger = logging.getLogger(__name__)

_TAKEOVER = "takeover"
_SAYS_WITHIN_S = 5.0
_TOLD_WITHIN_MS = 1000


def new_command(inherited: int) -> list[str]:
    """How this process was started, and that it is to take over by descriptor ``inherited``.

    The interpreter is the one that runs; the program is what is installed now.
    """
    words: list[str] = []
    is_value = False
    for word in sys.orig_argv[1:]:
        name, is_whole, _ = word.lstrip("-").partition("=")
        if not is_value and name != _TAKEOVER:
            words.append(word)
        is_value = not is_value and name == _TAKEOVER and not is_whole
    return [sys.executable, *words, f"-{_TAKEOVER}=fd:{inherited}"]


class Upgrader:
    """Hands all over to a new process, once.

    Attributes:
        is_over: that has been done, and the process ends.
    """

    def __init__(self, node: Node, on_given: Callable[[], object]) -> None:
        """``on_given`` is called when nothing of what moves is left."""
        self.is_over = False
        self._node = node
        self._on_given = on_given
        self._is_busy = False
        self._listening: UpgradeSocket | None = None

    # --- started by this process -----------------------------------------------

    async def upgrade(self) -> str:
        """Start a new process and hand over to it; returns what was done, in words.

        It goes on when whoever has asked does not wait for it.

        Raises:
            HandoverError: it has failed, and nothing has changed.
        """
        self._begin()
        task = spawn(self._upgrade(), name="upgrade", owner=self._node.tasks)
        done: str | HandoverError = await asyncio.shield(task)
        if isinstance(done, HandoverError):
            raise done
        return done

    async def _upgrade(self) -> str | HandoverError:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        channel, process = Channel(ours), None
        try:
            with theirs:
                process = _start(theirs.fileno())
            timeout_ms = self._node.settings.net.upgrade_timeout_ms
            try:
                async with asyncio.timeout(timeout_ms / 1000):
                    hello = await next_frame(channel, self._node.loop)
            except TimeoutError:
                raise HandoverError(f"it said nothing within {timeout_ms} ms", reason="handover_broken") from None
            return await self._hand_over(channel, hello, process.pid)
        except (HandoverError, OSError) as error:
            _tell_failed(error)
            await _end(process)
            return error if isinstance(error, HandoverError) else HandoverError(str(error))
        finally:
            if process is not None and not self.is_over:  # this one may be ending, and the other one hang
                with suppress(ProcessLookupError):
                    process.kill()
            self._is_busy = False
            channel.close()

    def _begin(self) -> None:
        if os.getpid() == 1:
            raise HandoverError("as process 1 of its container it cannot be replaced: roll the container instead")
        if self._is_busy or self.is_over or self._node.is_draining:
            raise HandoverError("it is ending, or being upgraded, already", reason="handover_busy")
        self._is_busy = True

    async def _hand_over(self, channel: Channel, hello: Frame, pid: int) -> str:
        node, net = self._node, self._node.settings.net
        if hello.kind is not Kind.HELLO:
            raise HandoverError(f"{hello.kind.name}: {hello.body[:200].decode(errors='replace')}")
        said = await greet(node, channel, hello, within_ms=net.upgrade_timeout_ms)
        if node.is_draining:
            raise HandoverError("the old process is ending", reason="handover_busy")
        began_ms = now_ms()
        moving = give(node, channel, within_ms=net.upgrade_pause_ms, pid=pid, hls_version=said.hls_version)
        self.is_over = True
        stay = ", ".join(f"{count} ({why})" for why, count in moving.left_behind.items()) or "none"
        text = f"handed over to process {pid}: {len(moving.parcels)} connections in {now_ms() - began_ms} ms"
        logger.info("%s; left behind: %s", text, stay)
        self._on_given()
        return f"{text}; left behind: {stay}"

    # --- by -upgrade_socket ------------------------------------------------------

    def listen(self, path: str, *, old_pid: int | None = None) -> None:
        """Serve ``-upgrade_socket``; arguments and errors are those of ``UpgradeSocket``."""

        def on_accepted(sock: socket.socket) -> None:
            spawn(self._serve(Channel(sock)), name="upgrade", owner=self._node.tasks)

        self._listening = UpgradeSocket(path, self._node.loop, on_accepted, old_pid=old_pid)

    async def _serve(self, channel: Channel) -> None:
        """One that has come: a tool with an order, or a new process."""
        try:
            pid = channel.check_user("upgrade")
            try:
                async with asyncio.timeout(_SAYS_WITHIN_S):
                    first = await next_frame(channel, self._node.loop)
            except HandoverError:
                if not channel.has_heard:  # somebody who looked whether this one is there
                    return
                raise
            if first.kind is Kind.ORDER:
                outcome = await self.upgrade()
                channel.set_deadline(_TOLD_WITHIN_MS)
                with suppress(HandoverError):  # who has asked may have left
                    channel.send(Kind.OUTCOME, outcome.encode())
                return
            self._begin()
            try:
                await self._hand_over(channel, first, pid)
            finally:
                self._is_busy = False
        except (HandoverError, TimeoutError) as error:
            _tell_failed(error)
            with suppress(HandoverError):
                channel.set_deadline(_TOLD_WITHIN_MS)
                channel.send(Kind.REFUSED, str(error).encode())
        finally:
            channel.close()

    def close(self) -> None:
        """Hear nobody any more."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None


def _tell_failed(error: Exception) -> None:
    logger.error("upgrade refused or failed, this process goes on: %s", error)


def _start(inherited: int) -> subprocess.Popen[bytes]:
    """The new process, which has what this one writes to and reads from."""
    return subprocess.Popen(new_command(inherited), pass_fds=[inherited])


async def _end(process: subprocess.Popen[bytes] | None) -> None:
    """A new process that was of no use."""
    if process is not None:
        with suppress(ProcessLookupError):
            process.kill()
        await call_in_thread(process.wait, name="upgrade-end")
