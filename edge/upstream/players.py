"""A link that plays one stream for many players: each attempt carries what one of them said.

Which one, and what the answer means for whom, is decided by ``queries``; here it is done.
Players of brpc are told more than others: they would take silence for a stream that goes on.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from edge.hub.stream import Stream
from edge.net.rtmp.client import LinkEnd
from edge.service.grants import Play
from edge.service.refusal import Reason, Refusal
from edge.upstream.link import UpstreamLink
from edge.upstream.queries import QueryTurns, QueryVerdicts, refusal_of
from edge.upstream.retry import RetryDecision
from naming.node import ServerNode

if TYPE_CHECKING:
    from edge.upstream.manager import UpstreamManager

NOT_FOUND = "NetStream.Play.StreamNotFound"


class PlayersLink(UpstreamLink):
    """The part of a pull that faces its players.

    Attributes:
        was_live: data of it have come once.
        is_missing: it waits at an upstream that knows of no publisher.
        is_end_of_query: the last attempt ended because there is nothing for its query; there may be for another one.
    """

    what = "pull"

    def __init__(self, manager: UpstreamManager, stream: Stream, query: str, hops: tuple[str, ...]) -> None:
        super().__init__(manager, stream.key, query, hops)
        self.stream = stream
        self.was_live = False
        self.is_missing = False
        self.is_end_of_query = False
        self._is_moving = False
        self._way_back: ServerNode | None = None
        self._turns = QueryTurns(stream.roster, manager.config.max_pull_queries)
        self._verdicts = QueryVerdicts(stream.roster)
        self._turn_timer: asyncio.TimerHandle | None = None
        self._has_asked_all = False  # the end is that of the stream, whatever the query
        self._is_nothing_yet = False  # a node of ours says so of the query of the attempt
        self._not_found: str | None = None  # the query for which there was nothing last

    # --- the query of an attempt -----------------------------------------------

    def _choose_query(self, now_ms: int) -> None:
        """That of the player admitted last, or whose turn it is; the same while servers are searched, and on moves."""
        self._has_asked_all = self._is_nothing_yet = False
        if self._is_moving or self._way_back is not None or self._verdicts.next_why == "search":
            return
        query = self._turns.next()
        if query is None or query == self.query:
            return
        self.query = query
        # Another query may be one for another server.
        if self.target.may_be_anywhere and self.manager.may_ask_all(now_ms):
            self._begin_round()

    def on_joined(self, play: Play, is_new: bool) -> None:
        """A player is there; ``is_new``: nobody else says what it says."""
        manager, now = self.manager, self.manager.context.now_ms()
        interval_ms = manager.config.retry_interval_ms
        if self.state != "live":
            is_known = self._not_found == play.query
            if is_known:
                manager.context.call_later(0, partial(play.tell_nothing_yet, is_known=True))
            if play.hears_errors_only:
                self._tell_later(play, is_known=is_known or self.is_missing)
        if not is_new or len(self.stream.roster) == 1:
            return
        if self.state == "retrying" and self._verdicts.next_why == "interval":
            self._set_timer(self._began_ms + interval_ms // 2 - now, self._try_now)
        elif self.state == "waiting":
            self._take_turn_later()

    @property
    def _may_take_turns(self) -> bool:
        """Whether another query may bring what this one has not; a node of ours says when that is so."""
        is_settled = self.was_live or self._is_moving or self.connection is None
        if is_settled or (self.connection is not None and self.connection.edge_id and not self._is_nothing_yet):
            return False
        return self._verdicts.has_others(self.query)

    def _take_turn_later(self) -> None:
        """Let each attempt have its time."""
        if self._may_take_turns and self._turn_timer is None:
            delay_ms = self._began_ms + self.manager.config.retry_interval_ms - self.manager.context.now_ms()
            self._turn_timer = self.manager.context.call_later(max(delay_ms, 0), self._take_turn)

    def _take_turn(self) -> None:
        self._turn_timer = None
        if self.state == "waiting" and self._may_take_turns and (self._is_nothing_yet or self._turns.has_newcomer):
            self._ask_for_another()

    def on_nothing_yet(self, *, is_known: bool) -> None:
        """What is behind the upstream has nothing for the query so far; ``is_known``: it said so."""
        if self.state != "waiting" or self.was_live:
            return
        self._is_nothing_yet = True
        self._tell_nothing_yet(is_known=is_known)
        self._take_turn_later()

    def _ask_for_another(self) -> None:
        """The upstream took the query and has sent nothing: perhaps it does with another one."""
        self._cancel_timer()
        self._leave()
        self._on_attempt_ended(LinkEnd.LOST)
        self.policy.on_link_left(self.manager.context.now_ms())
        self._verdicts.next_why = "query"
        if self.server is not None:
            self._excluded.pop(self.server, None)
        self._try_now()

    def _tell_later(self, play: Play, *, is_known: bool) -> None:
        """A client that does not mind silence would wait for ever."""
        delay_ms = 0 if is_known else self.config.pull_nodata_timeout_ms

        def tell() -> None:
            if self.state not in ("live", "closed"):
                self._tell_not_found(play)

        if is_known or delay_ms:
            self.manager.context.call_later(delay_ms, tell)

    def _tell_nothing_yet(self, *, is_known: bool) -> None:
        """There is nothing for the query of the attempt so far; ``is_known``: an upstream said so. Most wait on."""
        for play in self.stream.roster.plays_of(self.query):
            play.tell_nothing_yet(is_known=is_known)
        if is_known:
            self._not_found = self.query
            self._tell_not_found(*self.stream.roster.who_hear_errors_only(self.query))

    def why_nothing(self, query: str) -> Refusal:
        """Why a player who said ``query`` has got nothing yet."""
        end = self.last_end
        if self.is_missing or self._not_found == query or end in (LinkEnd.NOT_FOUND, LinkEnd.UNPUBLISHED):
            return Refusal(Reason.NOT_FOUND, f"Fail to find key={self.key}")
        if self.state == "waiting" or end is LinkEnd.NO_DATA:
            return Refusal(Reason.SILENT, f"the upstream has sent nothing of key={self.key}")
        return Refusal(Reason.UNREACHABLE, f"no upstream of key={self.key} could be reached")

    def _tell_not_found(self, *plays: Play) -> None:
        for play in plays:
            play.stop(Refusal(Reason.UPSTREAM, f"Fail to find key={self.key}", NOT_FOUND))

    # --- what an answer means ---------------------------------------------------

    def on_ended(self, end: LinkEnd, text: str) -> None:
        """The stream or its connection has ended; a refusal is one of the query, unless it ran there."""
        is_asked = self.state in ("connecting", "waiting") and not self._is_moving
        if end is LinkEnd.REFUSED and is_asked and self.connection is not None and self.connection.is_connected:
            refusal = refusal_of(text)
            if refusal is not None:
                self._verdicts.refuse(refusal)
        super().on_ended(end, text)

    def _is_search(self, end: LinkEnd) -> bool:
        return super()._is_search(end) or (end is LinkEnd.REFUSED and self._verdicts.is_refused)

    def _decide(self, end: LinkEnd, now_ms: int) -> RetryDecision:
        if self.is_useful:
            self._turns.restart()
        decision = super()._decide(end, now_ms)
        if end not in (LinkEnd.REFUSED, LinkEnd.NOT_FOUND):
            self._verdicts.lapse()
        has_hung_up = end in (LinkEnd.LOST, LinkEnd.TIMEOUT) and self.was_connected  # some say no by that
        if has_hung_up and not self.was_live:
            self._tell_nothing_yet(is_known=False)
        self.is_end_of_query = (end is LinkEnd.NOT_FOUND or has_hung_up) and not self._has_asked_all
        if decision.why == "never_useful" and self.is_end_of_query and self._verdicts.has_others(self.query):
            self._verdicts.refuse(Refusal(Reason.UPSTREAM, self.manager.words_for(self, decision.why), NOT_FOUND))
        config, chance = self.manager.config, self.manager.jitter()
        return self._verdicts.decide(decision, self.query, now_ms, interval_ms=config.retry_interval_ms, chance=chance)

    def _is_of_all(self, end: LinkEnd) -> bool:
        """Whether the stream has ended for all, and not just for one query of several."""
        is_said = end is LinkEnd.UNPUBLISHED or self._has_asked_all
        return is_said or self.query == self._turns.proven or self._turns.is_over(self.query)

    def _query_worked(self) -> None:
        """Data have come for the query of the attempt."""
        self._turns.proven, self._not_found = self.query, None
        self._verdicts.worked()

    def _tell_verdict(self, *, is_not_found: bool) -> None:
        """End those whom the end of the attempt concerns; ``is_not_found``: nobody has the stream for its query."""
        if is_not_found:
            self._tell_nothing_yet(is_known=True)
        verdict = self._verdicts.take_verdict()
        if verdict is not None:
            self.manager.query_refused(self, verdict)

    def _leave(self) -> None:
        if self._turn_timer is not None:
            self._turn_timer.cancel()
            self._turn_timer = None
        super()._leave()
