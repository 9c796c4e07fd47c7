"""Two commands by which peers of ours ask each other why a stream plays or does not.

They go on the connection that carries the stream, either way, and name nothing but
the stream: ``edgeWhy`` with a number and what is asked, ``edgeWhyAnswer`` with the same
number and a text. Each side says in ``connect``, or in its answer, that it knows them.
"""

from __future__ import annotations

from typing import Any

from edge.rtmp.commands import MAX_VIA, Command, is_edge_id, is_number
from edge.rtmp.events import AmfObject, WhyAnswered, WhyAsked
from edge.rtmp.session import Session

WHY = "edgeWhy"
WHY_ANSWER = "edgeWhyAnswer"
KNOWS_WHY = "edgeWhy"
"""Property of ``connect`` and of its answer."""
MAX_WHY_BYTES = 4096
"""Longest answer, in bytes; what is longer is not taken."""
MAX_WHY_WAIT_MS = 5000
_MAX_NUMBER = 2**31
_NAMES = ("vhost", "app", "stream")


class WhySession(Session):
    """The part of both sessions that asks and answers.

    Attributes:
        peer_knows_why: a peer of ours that can be asked.
    """

    __slots__ = ("peer_knows_why",)

    peer_knows_why: bool

    def ask_why(self, number: int, vhost: str, app: str, stream: str, *, hops: tuple[str, ...], within_ms: int) -> None:
        """Ask the peer; ``hops`` are the services asked so far, ours included."""
        question: AmfObject = {
            "vhost": vhost,
            "app": app,
            "stream": stream,
            "hops": ",".join(hops),
            "withinMs": within_ms,
        }
        self._send_command(WHY, number, question)

    def answer_why(self, number: int, text: str) -> None:
        """Answer a ``WhyAsked`` by its number; ``text`` is ASCII of at most ``MAX_WHY_BYTES``."""
        self._send_command(WHY_ANSWER, number, None, text)

    def _receive_why(self, command: Command) -> None:
        """A question or an answer of a peer of ours; from others, and where it makes no sense, it is noticed only."""
        if not self.peer_knows_why or not 0 <= command.transaction_id < _MAX_NUMBER:
            self._notice("unexpected_why", command.name)
            return
        number = int(command.transaction_id)
        if command.name == WHY_ANSWER:
            text = command.text(0)
            if text is not None and len(text) <= MAX_WHY_BYTES:
                self.events.append(WhyAnswered(number, text))
            return
        asked = command.object or {}
        vhost, app, stream = (_name_in(asked, field, self._config.max_name_bytes) for field in _NAMES)
        if not (vhost and app and stream):
            self._notice("unexpected_why", command.name)
            return
        self.events.append(WhyAsked(number, vhost, app, stream, parse_why_hops(asked), _within_ms(asked)))


def parse_why_hops(asked: AmfObject) -> tuple[str, ...]:
    """The service ids of ``hops``; those that are none are left out."""
    text = asked.get("hops")
    ids = text.split(",", MAX_VIA)[:MAX_VIA] if isinstance(text, str) else ()
    return tuple(each for each in ids if is_edge_id(each))


def _within_ms(asked: AmfObject) -> int:
    value: Any = asked.get("withinMs")
    # NaN fails the comparison.
    return int(min(value, MAX_WHY_WAIT_MS)) if is_number(value) and value > 0 else 0


def _name_in(asked: AmfObject, field: str, max_bytes: int) -> str:
    value = asked.get(field)
    return value if isinstance(value, str) and len(value) <= max_bytes else ""
