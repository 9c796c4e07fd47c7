"""An answer whose connection goes on without HTTP: a media stream after its head."""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Mapping

from aiohttp import web

from edge.net.byte_stream import ByteStream

Take = Callable[[ByteStream, bytes, bytes], None]
"""Takes the wire over, with what is to be sent first and what the client has sent behind its request.

Nobody watches it until its new owner does, who reads at once: the wire may hold bytes already.
"""


class Detached(web.StreamResponse):
    """What a handler returns to take a connection over: aiohttp writes nothing, and forgets it.

    ``take`` or ``give_up`` is called, one of them and once. ``take`` owns the wire, and sends first
    what it is handed: answers to earlier requests that are not out yet, and the head of this one.
    ``give_up`` is called when the client has gone, or has asked for the head alone, which is then
    sent as any other. Requests that a client has sent behind this one are dropped; what follows a
    request to upgrade is handed over.
    """

    def __init__(
        self, take: Take, give_up: Callable[[], None], *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status=status, headers=headers)
        self._take: Take | None = take
        self._give_up = give_up

    def head(self, request: web.BaseRequest) -> bytes:
        """Status line and headers; the end of the connection is the end of the body, unless it is upgraded."""
        if "Upgrade" not in self.headers:
            self.headers["Connection"] = "close"
        self.headers.setdefault("Date", email.utils.formatdate(usegmt=True))
        version = request.version
        lines = [f"HTTP/{version.major}.{version.minor} {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if any("\r" in line or "\n" in line or "\0" in line for line in lines):
            raise ValueError("a line break in a header")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def hand_over(self, wire: ByteStream, unsent: bytes, unread: bytes) -> None:
        """Give the connection to whoever takes it."""
        take, self._take = self._take, None
        assert take is not None, "it has been taken, or given up"
        take(wire, unsent, unread)

    def give_up(self) -> None:
        """Nobody is to be served; nothing when it has been taken."""
        if self._take is not None:
            self._take = None
            self._give_up()
