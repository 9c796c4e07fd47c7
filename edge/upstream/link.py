"""What pulls and pushes have in common: attempts, time-outs, retries.

One *attempt* picks a server and opens a stream there. It ends in success,
and then lasts until the stream or the connection ends; or it fails. The retry
policy says when the next one comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.errors import NoServerError, UpstreamTlsError
from edge.hub.key import StreamKey
from edge.net.rtmp.client import LinkEnd, RtmpClientConnection
from edge.rtmp.commands import NO_TRACE, Trace
from edge.rtmp.events import MediaReceived
from edge.service.hiding import hide_query
from edge.service.source import NodePlace
from edge.service.spans import CLIENT, NO_SPAN
from edge.service.trace_context import TraceContext
from edge.upstream.in_vain import InVain
from edge.upstream.redirect import Redirect, parse_redirect
from edge.upstream.retry import RetryDecision, RetryPolicy
from naming.base import NamingError
from naming.endpoint import name_of
from naming.node import ServerNode

if TYPE_CHECKING:
    from edge.upstream.config import UpstreamConfig
    from edge.upstream.manager import UpstreamManager
    from edge.upstream.target import Target

logger = logging.getLogger(__name__)

#: An attempt whose turn has not come on a shared connection waits this many times ``timeout_ms`` in all.
_MAX_TURNS = 10


#: Ends that are no fault of anybody.
ORDERLY = (LinkEnd.NOT_FOUND, LinkEnd.UNPUBLISHED)


class UpstreamLink:
    """One stream towards an upstream, over as many attempts as it takes.

    Attributes:
        state: ``connecting``, ``waiting`` (accepted, no data yet), ``live``,
            ``retrying`` or ``closed``.
        server: of the attempt in progress or the last one.
        query: what the attempt carries of what a client said.
        trace: the span for whose sake it was begun; None once it has run, for what comes later is for all.
        attempt_count: attempts so far.
        last_error: why the last one ended.
        failed_at: the server of the last one that failed, "" for none.
        was_connected: its upstream had accepted ``connect``.
    """

    what = "link"

    def __init__(self, manager: UpstreamManager, key: StreamKey, query: str, hops: tuple[str, ...]) -> None:
        self.manager = manager
        self.target = manager.target_of(key, is_play=self.what == "pull")
        self.key = key
        self.query = query
        self.hops = hops
        self.trace: TraceContext | None = None
        self.state = "retrying"
        self.server: ServerNode | None = None
        self.connection: RtmpClientConnection | None = None
        self._awaited: RtmpClientConnection | None = None  # is being set up, and perhaps carries us too
        self.message_stream_id = 0
        self.attempt_count = 0
        self.last_error = ""
        self.failed_at = ""
        self.last_end: LinkEnd | None = None
        self.was_connected = False
        self.is_useful = False
        self.refused_count = 0
        now = manager.context.now_ms()
        self.policy = RetryPolicy(self.config, now_ms=now, jitter=manager.jitter, waits_for_stream=self._waits())
        self._excluded: dict[ServerNode, None] = {}  # in the order of their last attempt
        self._asked: set[str] = set()  # endpoints, since it was live or began to look for something better
        self._looping: set[ServerNode] = set()
        self._is_paced = False
        self._place: Redirect | None = None
        self._visited: set[tuple[str, bool]] = set()  # endpoints, and whether by TLS, which may have the same port
        self._timer: asyncio.TimerHandle | None = None
        self._began_ms = now
        self._in_vain = InVain(now)
        self._attempt = 0
        self._span = NO_SPAN

    @property
    def config(self) -> UpstreamConfig:
        """What holds for the stream."""
        return self.manager.config_of(self.key)

    def aim(self, target: Target) -> None:
        """Choose among the servers of ``target`` from now on; what runs goes over as after a change of the list."""
        if target is self.target:
            return
        if self.message_stream_id and self.server is not None:
            self.target.vacate(self.server)
            target.occupy(self.server)
        self.target = target

    def _waits(self) -> bool:
        raise NotImplementedError

    def _open(self, connection: RtmpClientConnection) -> None:
        raise NotImplementedError

    def _share(self) -> bool:
        raise NotImplementedError

    def _give_up(self, why: str) -> None:
        raise NotImplementedError

    @property
    def began_ms(self) -> int:
        """When the attempt in progress, or the last one, began to connect."""
        return self._began_ms

    # --- attempts ------------------------------------------------------------

    def start(self) -> None:
        """Make the first attempt."""
        self._try_now()

    def _try_now(self) -> None:
        if self.state == "closed":
            return
        manager, now = self.manager, self.manager.context.now_ms()
        self._choose_query(now)
        self.state = "connecting"
        self.is_useful = False
        self.message_stream_id = 0
        self.connection = None
        self.attempt_count += 1
        self._attempt += 1
        self._is_paced = False
        self._place = None
        self._visited.clear()
        self._began_ms = now
        self.policy.on_link_created(now)
        try:
            server = self._choose(now)
        except NoServerError as error:
            self.server = None
            self._fail(LinkEnd.LOST, error.detail)
            return
        self.server = server
        if server is None:
            self._fail(LinkEnd.LOST, "no server")
            return
        self._begin_span(server)
        delay_ms = 0 if self._may_join(server) else manager.pace(server, now)
        if delay_ms > 0:
            self._is_paced = True
            self._set_timer(delay_ms, self._connect)
        else:
            self._connect()

    def _begin_span(self, server: ServerNode) -> None:
        """Of the attempt: until it brings what it is for, or fails."""
        spans = self.manager.context.spans
        self._span.end("replaced")
        self._span = NO_SPAN
        if spans.are_made:
            subject, method = str(self.key), f"upstream.{self.what}"
            self._span = spans.begin(CLIENT, method, subject, peer=server.endpoint, hops=self.hops, parent=self.trace)

    def _trace_headers(self) -> Trace:
        """Of the attempt, for a node of ours; where no spans are made it goes on as it came."""
        trace = self._span.context or self.trace
        return trace.headers if trace is not None else NO_TRACE

    def _choose_query(self, now_ms: int) -> None:
        """For a subclass whose clients bring several queries."""

    def _choose(self, now_ms: int) -> ServerNode | None:
        """The server to ask, None for none; raises NoServerError."""
        # A server without the data of a stream is one to push it to all the same.
        return self.target.select(self.key.text, self._excluded, now_ms=now_ms, passed_over_for=str(self.key))

    def _tc_url_of(self, server: ServerNode) -> tuple[str, str]:
        """As its target says, which may be that of a vhost that has none any more."""
        return self.manager.tc_url_of(self.key, server, is_play=self.what == "pull", is_tls=self.target.is_tls)

    def _may_join(self, server: ServerNode) -> bool:
        tc_url, app = self._tc_url_of(server)
        is_tls, is_simplified = self.target.is_tls, self._is_simplified()
        return self._share() and self.manager.pool.has_shared(
            server, tc_url, app, is_tls=is_tls, is_simplified=is_simplified
        )

    def _is_simplified(self) -> bool:
        return self.what == "pull" and self.manager.config.simplified_rtmp_play

    def on_recovered(self, server: ServerNode) -> None:
        """``server`` works again: who waits for a turn to connect to it need not where a connection can be shared."""
        ours = self.server
        if not self._is_paced or self.state != "connecting" or ours is None or ours.endpoint != server.endpoint:
            return
        if self._may_join(ours):
            self._give_turn_back()
            self._connect()

    def _give_turn_back(self) -> None:
        if self._is_paced and self.server is not None:
            self._is_paced = False
            self.manager.give_turn_back(self.server)

    def _connect(self) -> None:
        self._is_paced = False
        server, place = self.server, self._place
        if server is None or self.state == "closed":
            return
        manager = self.manager
        self._began_ms = manager.context.now_ms()
        self._set_timer(manager.config.timeout_ms, self._on_open_timeout)
        if place is None:
            manager.story.asked(self)
        else:
            manager.story.redirected(self, f"{place.host}:{place.port}")
            manager.resolve(place.host, partial(self._connect_to_place, self._attempt, place))
            return
        tc_url, app = self._tc_url_of(server)
        self._acquire(server, tc_url, app, is_simplified=self._is_simplified())

    @property
    def _is_tls(self) -> bool:
        """Whether the place that is asked is reached over TLS."""
        return self._place.is_tls if self._place is not None else self.target.is_tls

    def node_place(self) -> NodePlace | None:
        """Where the server that is connected to is, for more than the stream; None after it has been left."""
        server = self.server
        if server is None:
            return None
        if not self._is_tls:
            return NodePlace(server.host, server.port)
        return NodePlace(server.host, server.port, server.name or server.host, self.manager.pool.tls_context())

    def _acquire(self, server: ServerNode, tc_url: str, app: str, *, is_simplified: bool) -> None:
        manager = self.manager
        self._awaited = manager.pool.acquire(
            self,
            server,
            tc_url=tc_url,
            app=app,
            is_tls=self._is_tls,
            is_simplified=is_simplified,
            share=self._share(),
        )
        connection = self.connection
        if connection is not None and connection.is_connecting and self.state == "connecting":
            limit_ms = manager.config.effective_connect_timeout_ms
            attempt = self._attempt
            manager.context.call_later(limit_ms, lambda: self._on_connect_timeout(attempt, connection))

    def _on_connect_timeout(self, attempt: int, connection: RtmpClientConnection) -> None:
        if attempt == self._attempt and self.state == "connecting" and connection.is_connecting:
            connection.close_now("connect timeout")

    def _on_open_timeout(self) -> None:
        limit_ms, now = self.manager.config.timeout_ms, self.manager.context.now_ms()
        if now - self._began_ms < limit_ms and self.policy.deadline_ms is None:  # we did not run meanwhile
            self._set_timer(self._began_ms + limit_ms - now, self._on_open_timeout)
            return
        connection, in_setup = self.connection, self.connection or self._awaited
        deadline_ms = self.policy.deadline_ms
        if deadline_ms is not None and now >= deadline_ms:
            self._give_up("publisher_gone")  # of a server that has not had its time nothing is to be said
            return
        if connection is not None:
            # A busy server that is asked for many streams at once answers them in turn.
            left_ms = connection.last_turn_ms(self) + limit_ms - now
            if left_ms > 0 and now - self._began_ms < _MAX_TURNS * limit_ms:
                self._set_timer(left_ms, self._on_open_timeout)
                return
            self.manager.pool.distrust(connection)
        is_tls_slow = in_setup is not None and in_setup.is_shaking_hands
        what = f"{UpstreamTlsError.reason}: no end of the handshake" if is_tls_slow else "no answer"
        self._fail(LinkEnd.TIMEOUT, f"{what} in {now - self._began_ms} ms")

    def _set_timer(self, delay_ms: int, callback: Any) -> None:
        self._cancel_timer()
        deadline_ms = self.policy.deadline_ms
        if deadline_ms is not None:
            delay_ms = min(delay_ms, deadline_ms - self.manager.context.now_ms())
        self._timer = self.manager.context.call_later(max(delay_ms, 0), callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_servers_found(self) -> None:
        """There are servers to ask now, and were none before."""
        if self.state == "retrying" and self.server is None:
            self._cancel_timer()
            self._try_now()

    # --- the connection's side -----------------------------------------------

    def on_connected(self, connection: RtmpClientConnection) -> None:
        """A connection is there, perhaps still being set up; its session queues what is asked."""
        if self.state != "connecting":
            return
        self._awaited = None
        self.connection = connection
        self._span.note(f"connection c{connection.number} {'shared' if connection.is_connected else 'new'}")
        self._open(connection)

    def on_started(self, connection: RtmpClientConnection, message_stream_id: int, info: dict[str, Any]) -> None:
        """The upstream accepted the stream."""
        if self.state != "connecting":
            return
        now = self.manager.context.now_ms()
        self._cancel_timer()
        self.message_stream_id = message_stream_id
        self.manager.connect_ms.observe(now - self._began_ms)
        if self.server is not None:
            self.target.report(self.server, True, now - self._began_ms, now)
            self.target.occupy(self.server)
            self.manager.succeeded(self.server)
        self._excluded.clear()
        self._span.note("accepted")
        self._started(connection, info)

    def _started(self, connection: RtmpClientConnection, info: dict[str, Any]) -> None:
        raise NotImplementedError

    def on_media(self, event: MediaReceived, now_ms: int) -> None:
        """A message of a pulled stream."""

    def on_commit(self) -> None:
        """All messages at hand have been delivered."""

    def on_via(self, via: tuple[str, ...]) -> None:
        """The services through which the upstream gets a pulled stream have changed."""

    def on_publisher_lost(self) -> None:
        """The upstream has lost the publisher of a pulled stream, and waits for it."""

    def on_nothing_yet(self, *, is_known: bool) -> None:
        """The upstream waits as well: what is behind it has nothing for the query so far, and perhaps said so."""

    def on_writer_finished(self) -> None:
        """A push has written all of its ended stream."""

    def on_ended(self, end: LinkEnd, text: str) -> None:
        """The stream or its connection has ended."""
        if self.state in ("closed", "retrying"):
            return
        self._fail(end, text)

    # --- redirects -----------------------------------------------------------

    def on_redirect(self, url: str, text: str) -> None:
        """The upstream names another place: ask there at once, ``max_redirects`` times in an attempt at most."""
        if self.state in ("closed", "retrying"):
            return
        manager, server = self.manager, self.server
        if self.is_useful:
            # It has run there, so this is no step of the same search, and what comes is to be judged anew.
            self.is_useful = False
            self._search_anew(manager.context.now_ms())
            self._visited.clear()
        if self._place is None and server is not None:
            self._visited.add((server.endpoint, self._is_tls))
        if len(self._visited) > manager.config.max_redirects:
            last = url.partition("?")[0]
            self._fail(
                LinkEnd.REFUSED, f"more than {manager.config.max_redirects} redirects, the last to {last}: {text}"
            )
            return
        try:
            place = parse_redirect(url, self.key, self.query, default_vhost=manager.service.hub.default_vhost)
        except NamingError as error:
            self._fail(LinkEnd.REFUSED, f"{error}: {text}")
            return
        if self._is_tls and not place.is_tls:
            where = f"rtmp://{place.host}:{place.port}"
            why = f"{UpstreamTlsError.reason}: redirected to plain text at {where}, which is not followed"
            self._fail(LinkEnd.REFUSED, f"{why}: {text}")
            return
        if self.message_stream_id:
            self._on_attempt_ended(LinkEnd.REFUSED)
            if self.state == "closed":
                return
        self._cancel_timer()
        self._leave()
        self._span.note(f"redirected to {place.host}:{place.port}")
        self.state = "connecting"
        self._attempt += 1
        self._place = place
        self._connect()

    def _connect_to_place(self, attempt: int, place: Redirect, addresses: Sequence[str]) -> None:
        """The host of a redirect has been looked up."""
        if attempt != self._attempt or self.state != "connecting":
            return
        if not addresses:
            self._fail(LinkEnd.LOST, f"redirected to {place.host}, which has no address")
            return
        node = ServerNode(addresses[0], place.port, name=name_of(place.host))
        if (node.endpoint, place.is_tls) in self._visited:
            self._fail(LinkEnd.LOOP, f"redirected in a circle, to {node.endpoint}")
            return
        self._visited.add((node.endpoint, place.is_tls))
        self._acquire(node, place.tc_url, place.app, is_simplified=False)

    def _name(self) -> str:
        """The stream name to ask for."""
        if self._place is not None:
            return self._place.name
        return self.manager.name_of(self.key, self.query, is_play=self.what == "pull")

    # --- ends of attempts ----------------------------------------------------

    def _search_anew(self, now_ms: int) -> None:
        """What runs in order is left for something better."""
        self.policy.on_link_left(now_ms)
        self._asked.clear()

    def _is_notice(self, end: LinkEnd) -> bool:
        """Whether an upstream in working order has said that there is no such stream, or no more."""
        return end in ORDERLY

    def _is_search(self, end: LinkEnd) -> bool:
        """Whether other servers may say otherwise than the last one."""
        return end is LinkEnd.NOT_FOUND

    def _decide(self, end: LinkEnd, now_ms: int) -> RetryDecision:
        if self.is_useful:
            self._asked.clear()
        if self.server is not None:
            self._asked.add(self.server.endpoint)
        decision = self.policy.on_link_ended(
            now_ms,
            was_useful=self.is_useful,
            is_notice=self._is_notice(end),
            is_search=self._is_search(end) and self.target.has_unasked(self._asked, now_ms),
        )
        if decision.why == "interval" and self._may_begin_round(now_ms):
            self._begin_round()
        return decision

    def _begin_round(self) -> None:
        """All servers are to be asked once more."""
        self._asked.clear()
        self.policy.search_again()

    def _may_begin_round(self, now_ms: int) -> bool:
        """Whether the next attempt is to begin a new round of all servers; only one is asked else."""
        return False

    def _fail(self, end: LinkEnd, text: str) -> None:
        manager, now = self.manager, self.manager.context.now_ms()
        was_started = self.message_stream_id != 0
        self.last_error, self.last_end = hide_query(text, self.query), end
        self.failed_at = self.server.endpoint if self.server is not None else ""
        text = self.last_error
        self._span.end(f"{end.value}: {text}")
        self._cancel_timer()
        self.was_connected = self.connection is not None and self.connection.is_connected
        self._leave()
        self.state = "retrying"
        server = self.server
        if server is not None:
            self._excluded.pop(server, None)
            self._excluded[server] = None
            if not was_started:
                # A server that has sent us elsewhere works, whatever is wrong there.
                # One that takes connects and closes at a play says no to that play, as nginx-rtmp does.
                is_answer = end in (LinkEnd.REFUSED, LinkEnd.NOT_FOUND, LinkEnd.LOOP) or self._place is not None
                is_answer = is_answer or (end is LinkEnd.LOST and self.was_connected)
                self.target.report(server, is_answer, now - self._began_ms, now, text)
                if not is_answer:
                    manager.failed(server)
            elif end in (LinkEnd.LOST, LinkEnd.TIMEOUT) and self._place is None:
                self.target.suspect(server, now)
            if not self.is_useful or end is LinkEnd.LOOP:
                self.target.disable(server, str(self.key), now)
            if end is LinkEnd.LOOP:
                self._looping.add(server)
            else:
                self._looping.discard(server)
        if end in (LinkEnd.REFUSED, LinkEnd.NOT_FOUND):
            self.refused_count += 1
        manager.story.ended(self, end, text)
        decision = self._decide(end, now)
        self._log_end(end, text, decision.why, decision.at_ms - now)
        self._on_attempt_ended(end)
        if self.state != "retrying":
            return
        if self._looping and self._looping.issuperset(self.target.servers):
            self._give_up(LinkEnd.LOOP.value)
            return
        if decision.give_up or self._is_refused_for_good(end):
            why = end.value if end is LinkEnd.KICKED else "upstream_refused"
            self._give_up(decision.why if decision.give_up else why)
            return
        deadline_ms = self.policy.deadline_ms
        at_ms = decision.at_ms
        if deadline_ms is not None and deadline_ms < at_ms:
            self._set_timer(deadline_ms - now, lambda: self._give_up("publisher_gone"))
        else:
            self._set_timer(at_ms - now, self._try_now)

    def _is_refused_for_good(self, end: LinkEnd) -> bool:
        return False

    def _on_attempt_ended(self, end: LinkEnd) -> None:
        """For what a subclass has to do before the next attempt."""

    def _log_end(self, end: LinkEnd, text: str, why: str, delay_ms: int) -> None:
        endpoint, now = self.server.endpoint if self.server is not None else "-", self.manager.context.now_ms()
        is_first = self.is_useful or self.attempt_count == 1
        if not self._in_vain.add(now, endpoint, end.value, was_in_order=self.is_useful):
            return
        self.manager.context.counters.log_limited(
            logging.INFO if end in ORDERLY or not is_first else logging.WARNING,
            f"{self.what}_ended",
            "%s%s key=%s upstream=%s ended end=%s next=%s in_ms=%d attempts=%d %s",
            self.manager.service.log_prefix,
            self.what,
            self.key,
            endpoint,
            end.value,
            why,
            delay_ms,
            self._in_vain.attempt_count,
            text,
            cause=endpoint,
        )

    def _log_runs(self) -> None:
        """Say where it runs now: at the first time, and after attempts in vain."""
        self.manager.story.runs(self)
        in_vain = self._in_vain
        word = "works again" if in_vain.has_run else "runs"
        if not in_vain.is_over and self.server is not None:
            now = self.manager.context.now_ms()
            self.manager.context.counters.log_limited(
                logging.INFO,
                f"{self.what}_runs",
                "%s%s key=%s upstream=%s %s after_ms=%d attempts=%d",
                self.manager.service.log_prefix,
                self.what,
                self.key,
                self.server.endpoint,
                word,
                now - in_vain.since_ms,
                in_vain.attempt_count + 1,
            )
        in_vain.succeed()

    def _leave(self) -> None:
        connection, self.connection = self.connection or self._awaited, None
        self._awaited = None
        if self.message_stream_id and self.server is not None:
            self.target.vacate(self.server)
        self.message_stream_id = 0
        if connection is not None:
            connection.close_link(self)

    def close(self) -> None:
        """Nobody needs it any more."""
        if self.state == "closed":
            return
        self.state = "closed"
        self._span.end("closed")
        self._give_turn_back()
        self._cancel_timer()
        self._leave()
