"""Two commands by which a node of ours asks the next one whether a client of its own may play or publish.

``edgeMay`` has a number and what the client has said, ``edgeMayAnswer`` the same number, a status code, "" for
yes, and words. They go on the connection that carries streams, or would; a server says in its answer to ``connect``
that it knows them.
"""

from __future__ import annotations

from edge.rtmp.commands import Command, check_stream_name
from edge.rtmp.events import AmfObject, MayAnswered, MayAsked
from edge.rtmp.why import WHY, WHY_ANSWER, WhySession, parse_why_hops

MAY = "edgeMay"
MAY_ANSWER = "edgeMayAnswer"
KNOWS_MAY = "edgeMay"
"""Property of the answer to ``connect``."""
NODE_COMMANDS = frozenset((WHY, WHY_ANSWER, MAY, MAY_ANSWER))
"""What nodes of ours say to each other beside the streams."""
_MAX_NUMBER = 2**31
_MAX_WORDS = 512
_PUBLISH = "publish"


class MaySession(WhySession):
    """The part of both sessions that asks and answers.

    Attributes:
        peer_knows_may: a peer of ours that can be asked; servers ask nobody.
    """

    __slots__ = ("peer_knows_may",)

    peer_knows_may: bool
    peer_edge_id: str

    def ask_may(self, asked: MayAsked) -> None:
        """Ask the peer; its answer bears the same number."""
        question: AmfObject = {
            "action": _PUBLISH if asked.is_publish else "play",
            "name": asked.stream_name,
            "address": asked.address,
            "pageUrl": asked.page_url,
            "authorization": asked.authorization,
            "suffix": asked.suffix,
            "protocol": asked.protocol,
            "userAgent": asked.user_agent,
            "hops": ",".join(asked.hops),
        }
        self._send_command(MAY, asked.number, {name: value for name, value in question.items() if value})

    def answer_may(self, number: int, code: str, words: str) -> None:
        """Answer a ``MayAsked`` by its number; ``code`` is that of a status, "" for yes."""
        self._send_command(MAY_ANSWER, number, None, code, words[:_MAX_WORDS])

    def _receive_of_node(self, command: Command) -> None:
        """One of ``NODE_COMMANDS``."""
        if command.name in (WHY, WHY_ANSWER):
            self._receive_why(command)
            return
        is_answer = command.name == MAY_ANSWER
        is_of_ours = self.peer_knows_may if is_answer else bool(self.peer_edge_id)
        if not is_of_ours or not 0 <= command.transaction_id < _MAX_NUMBER:
            self._notice("unexpected_may", command.name)
            return
        number = int(command.transaction_id)
        if is_answer:
            code, words = command.text(0), command.text(1)
            if code is not None:
                self.events.append(MayAnswered(number, code, (words or "")[:_MAX_WORDS]))
            return
        self._asked_may(number, command.object or {})

    def _asked_may(self, number: int, asked: AmfObject) -> None:
        name = asked.get("name")
        if not isinstance(name, str) or check_stream_name(name, self._config) is not None:
            self.answer_may(number, "NetStream.Play.StreamNotFound", "bad_name")
            return
        address, page_url, authorization, suffix, protocol, user_agent = (
            self._words_of(asked, field)
            for field in ("address", "pageUrl", "authorization", "suffix", "protocol", "userAgent")
        )
        self.events.append(
            MayAsked(
                number,
                asked.get("action") == _PUBLISH,
                name,
                address,
                page_url,
                authorization,
                suffix,
                protocol,
                user_agent,
                parse_why_hops(asked),
            )
        )

    def _words_of(self, asked: AmfObject, field: str) -> str:
        """What a client has said, which may be too long for anything, as it would be here; it is none then."""
        value = asked.get(field)
        return value if isinstance(value, str) and len(value) <= self._config.max_url_bytes else ""
