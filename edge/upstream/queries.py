"""Which player's query an attempt of a pull carries, and what the answer means for whom.

An upstream may judge a stream by the query. A pull has as many as its players brought, and
one of them must not decide for the others. So each attempt carries the query of the player
admitted last; after one in vain they take turns, newest first. A query that the upstream
refuses ends those who brought it, and only them.

Anybody can bring new queries, as fast as connections are made. So a round of turns has a
limit: where more are there, two places are for the newest, two for the oldest, and the rest
goes through those between, all of them, in as many rounds as it takes. Those who come
meanwhile get every other attempt at most, the newest of them and the oldest by turns. What
worked last is the third of a round at the latest.
"""

from __future__ import annotations

from collections import deque

from edge.hub.roster import Roster
from edge.service.grants import Play
from edge.service.refusal import Reason, Refusal
from edge.upstream.retry import JITTER, RetryDecision

#: Refused queries in a row, after which the upstream is left alone for a moment.
REFUSALS_IN_A_ROW = 3
#: In a round that has not room for all: places of the newest, and of the oldest.
_NEWEST_PLACES = _OLDEST_PLACES = 2
#: Where the query that worked last stands in a round at the latest.
_PROVEN_PLACE = 2


class QueryTurns:
    """The order in which a pull asks with the queries of its players.

    Attributes:
        proven: the query that brought data last, None before that.
    """

    __slots__ = (
        "_is_anew",
        "_is_newcomers_turn",
        "_is_newest_first",
        "_known",
        "_limit",
        "_place",
        "_roster",
        "_round",
        "_taken",
        "proven",
    )

    def __init__(self, roster: Roster[Play], limit: int) -> None:
        """``limit``: the queries of one round."""
        self._roster = roster
        self._limit = limit
        self._round: deque[str] = deque()
        self._place = 0  # how far the rounds have come among those between: the number of the last one
        # Newcomers are those behind number _known, but for _taken.
        self._known = 0
        self._taken: set[int] = set()
        self._is_anew = self._is_newcomers_turn = self._is_newest_first = True
        self.proven: str | None = None

    def restart(self) -> None:
        """Begin again with the newest."""
        self._round.clear()
        self._is_anew = True

    def is_over(self, asked: str) -> bool:
        """Whether nobody is left to be asked for in this round, where ``asked`` was the last."""
        self._skip_who_left()
        return not self._round and all(query == asked for query in self._newcomers())

    @property
    def has_newcomer(self) -> bool:
        """Whether somebody has come since the round began with a query that has not been asked with."""
        return bool(self._newcomers())

    def next(self) -> str | None:
        """The query of the next attempt; None when nobody is there."""
        self._skip_who_left()
        newcomers = self._newcomers() if self._is_newcomers_turn and not self._is_anew else []
        self._is_newcomers_turn = not newcomers
        if newcomers:
            query = newcomers[-1 if self._is_newest_first else 0]
            if not self._is_newest_first:
                self._known = self._roster.first_number(query)
            self._is_newest_first = not self._is_newest_first
        else:
            if not self._round:
                self._begin_round()
            if not self._round:
                return None
            query = self._round.popleft()
        self._taken.add(self._roster.first_number(query))
        return query

    def _begin_round(self) -> None:
        if self._is_anew:
            self._is_anew = False
            self._known = self._roster.last_number
        there = {number for number, _ in self._roster.since(self._known)}
        self._taken &= there
        self._round.extend(self._order())

    def _newcomers(self) -> list[str]:
        """The oldest first."""
        if self._roster.last_number <= self._known:
            return []
        newer = self._roster.since(self._known)
        return [query for number, query in newer if number not in self._taken and query not in self._round]

    def _skip_who_left(self) -> None:
        while self._round and self._round[0] not in self._roster:
            self._round.popleft()

    def _order(self) -> list[str]:
        order = self._choose(self._roster.newest_first())
        proven = self.proven
        if proven is not None and proven in self._roster and proven not in order[:_PROVEN_PLACE]:
            order = [query for query in order if query != proven]
            order.insert(_PROVEN_PLACE, proven)
        return order[: self._limit]

    def _choose(self, queries: list[str]) -> list[str]:
        """At most ``limit`` of them."""
        if len(queries) <= self._limit:
            return queries
        number_of = self._roster.first_number
        newest = queries[:_NEWEST_PLACES]
        by_age = sorted(queries[_NEWEST_PLACES:], key=number_of)
        oldest, between = by_age[:_OLDEST_PLACES], by_age[: _OLDEST_PLACES - 1 : -1]
        # From the newest to the oldest; those who came since this began are met when it begins anew.
        below = [query for query in between if number_of(query) < self._place]
        chosen = (below or between)[: self._limit - _NEWEST_PLACES - _OLDEST_PLACES]
        self._place = number_of(chosen[-1])
        return [*newest, oldest[0], *chosen, *oldest[1:]]


class QueryVerdicts:
    """What refusals of queries mean for a pull: who is ended, and when the next query is tried.

    Attributes:
        next_why: the word for what follows the last attempt, "" while none has ended.
    """

    __slots__ = ("_refusal", "_refused_count", "_roster", "_verdict", "next_why")

    def __init__(self, roster: Roster[Play]) -> None:
        self._roster = roster
        self._refusal: Refusal | None = None
        self._verdict: Refusal | None = None
        self._refused_count = 0
        self.next_why = ""

    @property
    def is_refused(self) -> bool:
        """A server has refused the query of the attempt; others may not have been asked yet."""
        return self._refusal is not None

    def has_others(self, query: str) -> bool:
        """Whether somebody is there who said something else."""
        return len(self._roster) > (query in self._roster)

    def refuse(self, refusal: Refusal) -> None:
        """A server has refused the query."""
        self._refusal = refusal

    def worked(self) -> None:
        """Data have come."""
        self._refusal = None
        self._refused_count = 0

    def decide(
        self, decision: RetryDecision, query: str, now_ms: int, *, interval_ms: int, chance: float
    ) -> RetryDecision:
        """What follows an attempt with ``query``, for which the retry policy has made ``decision``."""
        self.next_why = decision.why
        if decision.why in ("search", "back"):
            return decision  # with the same query; what a server said is remembered
        refusal, self._refusal = self._refusal, None
        if refusal is None or decision.why in ("publisher_gone", "retry_expired"):
            return decision
        self._verdict = refusal
        if not self.has_others(query):
            return RetryDecision(True, now_ms, "upstream_refused")
        self._refused_count += 1
        if self._refused_count < REFUSALS_IN_A_ROW:
            decision = RetryDecision(False, now_ms, "query")
        else:
            self._refused_count = 0
            decision = RetryDecision(False, now_ms + int(interval_ms * (1 + JITTER * chance)), "pause")
        self.next_why = decision.why
        return decision

    def lapse(self) -> None:
        """The last server was not heard: what others said of the query does not stand alone."""
        self._refusal = None

    def take_verdict(self) -> Refusal | None:
        """The refusal that is to be told to those who brought the query of the attempt; once."""
        verdict, self._verdict = self._verdict, None
        return verdict


def refusal_of(text: str) -> Refusal | None:
    """The refusal that ``text``, the code and description of a status, is; None when it is not one of a query.

    What concerns the connection, such as a createStream that was not to be, says nothing of a query.
    """
    code, _, description = text.partition(" ")
    if code.startswith("NetConnection."):
        return None
    return Refusal(Reason.UPSTREAM, description, code if code.startswith("NetStream.") else "NetStream.Play.Failed")
