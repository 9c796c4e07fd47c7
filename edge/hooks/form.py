"""A form: how an event is told, and how the answer is read."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from edge.hooks.answer import Answer
from edge.hooks.event import Event

JSON = "application/json"
URL_ENCODED = "application/x-www-form-urlencoded"


class Call(NamedTuple):
    """One request."""

    method: str
    url: str
    content_type: str = ""
    body: bytes = b""


class Form(Protocol):
    """One way to say it all; pure."""

    def call(self, event: Event, url: str) -> Call:
        """The request that tells ``event`` to ``url``."""
        ...

    def read(self, event: Event, status: int, location: str, body: bytes) -> Answer:
        """What an answer means; ``location`` is that of its header, ""  without one."""
        ...
