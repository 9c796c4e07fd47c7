"""Asks the upstream about one client, before it is let in here: may it play, or publish, what it wants to?

A node of ours is asked by a command, on the connection that carries streams, and grants nothing. Any other server is
asked by a play like any other, which is closed as soon as it is answered; many accept a play first and look at it
then, so that a yes is one when media come, or nothing for a moment. What cannot be asked of such a server is a
publish: the push of the stream is the question there, and while one runs nobody else is let in beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from edge.errors import NoServerError
from edge.hub.key import StreamKey
from edge.net.rtmp.client import LinkEnd, RtmpClientConnection
from edge.net.rtmp.may import CANNOT_SAY
from edge.rtmp.events import MayAnswered, MayAsked, MediaReceived
from edge.rtmp.messages import MessageType
from edge.service.hiding import hide_query
from edge.service.refusal import WORDS, Reason, Refusal, clean_words
from naming.node import ServerNode

if TYPE_CHECKING:
    from edge.upstream.manager import UpstreamManager

#: Servers that are asked one after the other, while none says anything.
MAX_SERVERS = 3
#: A play that another server has accepted, and not ended for so long, it grants.
SETTLED_MS = 500
#: How often it is looked whether a naming service has named servers.
_LOOK_MS = 20
_NOT_FOUND = "NetStream.Play.StreamNotFound"
_MEDIA = (MessageType.AUDIO, MessageType.VIDEO)
#: By its word; of reasons with the same word the first.
_BY_WORD = {word: reason for reason, word in reversed(tuple(WORDS.items()))}


class NoAnswer(NamedTuple):
    """The upstream has said nothing of the client.

    Attributes:
        why: for the log.
        is_said: it has answered all the same, with what is no answer to this question.
    """

    why: str
    is_said: bool = False


#: None is a yes.
Said = Refusal | NoAnswer | None


class Question(NamedTuple):
    """About one client.

    Attributes:
        query: what it has said behind the name.
        asked: the rest, without number and name.
    """

    key: StreamKey
    query: str
    asked: MayAsked


def refusal_in(code: str, words: str, query: str) -> Refusal:
    """What a client is told that an upstream refuses in these words."""
    detail = f"the upstream says no: {hide_query(f'{code} {words}'.strip(), query)}"
    word, _, rest = words.partition(": ")
    reason = _BY_WORD.get(word)
    if reason is not None:
        return Refusal(reason, detail, said=clean_words(rest))
    if code == _NOT_FOUND:
        return Refusal(Reason.NOT_FOUND, clean_words(hide_query(words, query)) or "the upstream does not have it", code)
    return Refusal(Reason.TOKEN_INVALID, detail, said=clean_words(hide_query(words, query)))


async def ask_upstream(manager: UpstreamManager, question: Question, within_ms: int) -> Said:
    """What the upstream says, within that time."""
    answer: asyncio.Future[Said] = asyncio.get_running_loop().create_future()

    def said(what: Said) -> None:
        if not answer.done():
            answer.set_result(what)

    asking = Asking(manager, question, said)
    try:
        async with asyncio.timeout(within_ms / 1000):
            asking.start()
            return await answer
    except TimeoutError:
        return NoAnswer(f"no answer in {within_ms} ms")
    finally:
        asking.close()


class Asking:
    """A question, on its way to one server after the other: a :class:`Link` of each connection that it comes to."""

    what = "pull"

    def __init__(self, manager: UpstreamManager, question: Question, then: Callable[[Said], None]) -> None:
        """``then`` is called once, unless it is closed before."""
        self._manager = manager
        self._question = question
        self._then = then
        self._is_publish = question.asked.is_publish
        if self._is_publish:
            self.what = "push"  # a connection for it looks like an encoder's
        self._tried: dict[ServerNode, None] = {}
        self._server: ServerNode | None = None
        self._connection: RtmpClientConnection | None = None
        self._awaited: RtmpClientConnection | None = None
        self._number: int | None = None
        self._has_played = self._was_started = self._is_over = False
        self._began_ms = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Ask the server that the stream comes from, or goes to, or else the one that it would."""
        manager, key = self._manager, self._question.key
        self._began_ms = now = manager.context.now_ms()
        try:
            target = manager.target_of(key, is_play=not self._is_publish)
            link = manager.push_of(key) if self._is_publish else manager.pulls.get(key)
            is_there = link is not None and link.message_stream_id and link.server not in self._tried
            server = link.server if link is not None and is_there else None
            server = server or target.select(key.text, self._tried, now_ms=now)
        except NoServerError as error:
            self._end(NoAnswer(error.detail))
            return
        if server is None and not target.has_answer:  # as that of a vhost, which is followed from the first client on
            self._timer = manager.context.call_later(_LOOK_MS, self.start)
            return
        if server is None or server in self._tried or len(self._tried) >= MAX_SERVERS:
            self._end(NoAnswer("no server" if server is None else f"{server.endpoint} gives no answer"))
            return
        self._server = server
        self._tried[server] = None
        tc_url, app = manager.tc_url_of(key, server, is_play=not self._is_publish, is_tls=target.is_tls)
        config = manager.config
        self._awaited = manager.pool.acquire(
            self,
            server,
            tc_url=tc_url,
            app=app,
            is_tls=target.is_tls,
            is_simplified=config.simplified_rtmp_play and not self._is_publish,
            share=config.share_publish_connection if self._is_publish else config.share_play_connection,
        )

    # --- the connection's side -----------------------------------------------

    def on_connected(self, connection: RtmpClientConnection) -> None:
        """A connection is there; how to ask is known when it has answered ``connect``."""
        self._awaited, self._connection = None, connection
        if not connection.is_connected:
            connection.waiting.append(self)
            return
        question, manager = self._question, self._manager
        name = manager.name_of(question.key, question.query, is_play=not self._is_publish)
        if connection.edge_id:
            hops = (*question.asked.hops, manager.service.service_id)
            asked = replace(question.asked, stream_name=name, hops=hops)
            self._number = connection.ask_may(asked, self._answered)
            if self._number is None:
                self._end(NoAnswer(f"{connection.endpoint} is an older node, which cannot be asked", is_said=True))
        elif not self._is_publish:
            self._has_played = True
            connection.open_play(self, name)
        elif manager.push_of(question.key) is None:
            self._end(None)
        else:
            self._end(Refusal(Reason.BUSY, "the upstream cannot be asked about another publisher beside the first"))

    def _answered(self, answer: MayAnswered | None) -> None:
        self._number = None
        if answer is None:
            self.on_ended(LinkEnd.LOST, "the connection has ended")
        elif answer.code == CANNOT_SAY:
            self._end(NoAnswer(f"the upstream cannot say: {clean_words(answer.words)}", is_said=True))
        else:
            query = self._question.query
            self._end(refusal_in(answer.code, answer.words, query) if answer.code else None)

    def on_started(self, connection: RtmpClientConnection, message_stream_id: int, info: dict[str, Any]) -> None:
        """Another server has accepted the play, and may look at it only now."""
        self._was_started = True
        self._timer = self._manager.context.call_later(SETTLED_MS, lambda: self._end(None))

    def on_media(self, event: MediaReceived, now_ms: int) -> None:
        """Nobody is sent media who may not play."""
        if event.type_id in _MEDIA and self._was_started:
            self._end(None)

    def on_commit(self) -> None:
        """Nothing is kept of the media."""

    def on_ended(self, end: LinkEnd, text: str) -> None:
        """The play, or the connection, is over."""
        connection, query = self._connection, self._question.query
        if self._is_over:
            return
        if end is LinkEnd.UNPUBLISHED and self._was_started:
            self._end(None)  # the broadcast, and not the play, has ended
        elif end is LinkEnd.LOST or text.startswith("NetConnection."):
            if self._has_played and connection is not None and not connection.is_multiplexing and end is LinkEnd.LOST:
                # Some say no in no other way. Nothing else was on that connection.
                self._end(Refusal(Reason.TOKEN_INVALID, "the upstream has closed the connection at the play"))
            else:
                self._ask_next(text)
        else:
            self._end(refusal_in(*text.partition(" ")[::2], query))

    def _ask_next(self, why: str) -> None:
        if not self._is_connected():
            self._report(is_ok=False, why=why)
        self._connection = None
        self._has_played = self._was_started = False
        self._cancel_timer()
        self._timer = self._manager.context.call_later(0, self.start)

    def _is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_connected

    def _report(self, *, is_ok: bool, why: str = "") -> None:
        """What balancers go by."""
        server, now = self._server, self._manager.context.now_ms()
        if server is None:
            return
        try:
            target = self._manager.target_of(self._question.key, is_play=not self._is_publish)
        except NoServerError:
            return  # a reload has made this node the origin meanwhile
        target.report(server, is_ok, now - self._began_ms, now, why)

    def on_redirect(self, url: str, text: str) -> None:
        """Where the stream is, is not where its clients are known."""
        self._end(NoAnswer("the upstream redirects, which is not followed to ask about a client", is_said=True))

    def on_via(self, via: tuple[str, ...]) -> None:
        """Of no interest here."""

    def on_publisher_lost(self) -> None:
        """Of no interest here."""

    def on_nothing_yet(self, *, is_known: bool) -> None:
        """Of no interest here."""

    def on_writer_finished(self) -> None:
        """Nothing is pushed."""

    # --- the end -------------------------------------------------------------

    def _end(self, said: Said) -> None:
        if self._is_over:
            return
        if self._is_connected():
            self._report(is_ok=True)
        self.close()
        self._then(said)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Nobody waits for the answer any more. Safe to call again."""
        self._is_over = True
        self._cancel_timer()
        connection, self._connection = self._connection or self._awaited, None
        self._awaited = None
        if connection is not None:
            if self._number is not None:
                connection.give_up_may(self._number)
            connection.close_link(self)
