"""A pull: this node plays a stream from an upstream for its own players.

Silence is judged by the peer, not by the media: an upstream that answers
pings is kept although its stream is silent, so that a whole tree can wait for
its publisher, and nobody asks again and again for what is not there.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.hub.hop import HopReceiver
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import Epoch
from edge.net.rtmp.client import LinkEnd, RtmpClientConnection
from edge.rtmp.commands import parse_via
from edge.rtmp.events import MediaReceived, ResumePoint
from edge.service.refusal import Refusal
from edge.service.request import Resume
from edge.service.spans import FIRST_FRAME
from edge.upstream.foreign import ForeignReceiver
from edge.upstream.link import ORDERLY
from edge.upstream.ordered_foreign import OrderedForeignReceiver
from edge.upstream.players import PlayersLink
from edge.upstream.retry import JITTER, RetryDecision
from naming.node import ServerNode

if TYPE_CHECKING:
    from edge.upstream.manager import UpstreamManager

logger = logging.getLogger(__name__)

#: Time for a foreign server to stop playing from us after we have stopped playing from it.
_LET_GO_MS = 1000
#: A stream that more than these play is not kept by a loop alone.
_MAX_LOOP_PLAYERS = 4
#: How often a pull whose time-outs are switched off looks for the other reasons to end.
_RECHECK_MS = 1000
#: When a node dies, pulls and pushes through it go to another one, and the pull may be there first.
_MISSING_WAIT_MS = 300
#: Looks, that long after each other, for whether a publisher that was lost is back.
_LOST_LOOKS = 4
#: The way of a stream that a server of others feeds: so nodes below know that it is not published where they play it.
FOREIGN = ("foreign",)


class Pull(PlayersLink):
    """Feeds one stream from upstream; lives while somebody plays it.

    Attributes:
        via: ids of the services of ours that it comes through, the nearest first; ``FOREIGN`` for a server of others.
        refusal: why it was given up, for who asked for the stream just now.
        is_suspect: one for the same stream has just ended without data.
    """

    what = "pull"

    def __init__(
        self,
        manager: UpstreamManager,
        stream: Stream,
        query: str,
        hops: tuple[str, ...],
        resume: Resume | None = None,
    ) -> None:
        """``resume``: where the node of ours for whose sake we pull has stopped; later ours is what counts."""
        super().__init__(manager, stream, query, hops)
        self.publisher = Publisher(stream, "", manager.context.now_ms())
        self._first_resume = resume
        self._hop: HopReceiver | None = None
        self._foreign: ForeignReceiver | None = None
        self._last_data_ms = 0
        self._pinged_ms = 0
        self._switched_ms = 0
        self._lost_ms = 0
        self._is_announced = False
        self._home: ServerNode | None = None  # where it last came from
        self._is_home_lost = False
        self._is_wait_told = False
        self._lost_timer: asyncio.TimerHandle | None = None
        self._round_timer: asyncio.TimerHandle | None = None
        self.via: tuple[str, ...] = ()
        self.refusal: Refusal | None = None
        self.is_suspect = False
        self._loop_timer: asyncio.TimerHandle | None = None
        stream.pull = self
        stream.see(self.publisher, manager.context.now_ms())

    def _waits(self) -> bool:
        return self.config.pull_wait_for_stream

    def _share(self) -> bool:
        return self.manager.config.share_play_connection

    def _choose(self, now_ms: int) -> ServerNode | None:
        """Where it came from after a move in vain, else where this node itself pushes the stream to."""
        back, pushed_to = self._way_back, self._pushed_to()
        if back is not None and not self._is_moving:
            self._way_back = None
            return back
        if pushed_to is not None and pushed_to not in self._excluded:
            return pushed_to
        return super()._choose(now_ms)

    def _pushed_to(self) -> ServerNode | None:
        """The server that gets the stream from this node, if one does."""
        push = self.manager.push_of(self.key)
        return push.server if push is not None and push.state == "live" and push.target is self.target else None

    def on_pushed(self) -> None:
        """This node itself pushes the stream now."""
        server = self._pushed_to()
        is_there = self.state in ("connecting", "waiting") and self.server == server
        if server is None or is_there or self.state in ("live", "closed"):
            return
        self._give_turn_back()
        self._cancel_timer()
        self._leave()
        self._on_attempt_ended(LinkEnd.LOST)
        self.policy.on_link_left(self.manager.context.now_ms())
        self._excluded.pop(server, None)
        self._try_now()

    def on_publisher_left(self) -> None:
        """The publisher at this node has ended; where the upstream is away nobody else tells us so."""
        if self.was_live and self.state not in ("live", "closed"):
            self.policy.on_notice(self.manager.context.now_ms())

    def _open(self, connection: RtmpClientConnection) -> None:
        epoch = self.stream.epoch
        first, resume = self._first_resume, None
        if first is not None:
            # Others may come whose players stopped a little earlier, and all need the headers.
            resume = ResumePoint(first.epoch, first.next_index, is_fresh=True)
        if epoch is not None:  # one that began with a foreign upstream nobody else knows
            # Of a publish that has only been announced we have no headers yet.
            resume = ResumePoint(epoch.id, epoch.next_index, is_fresh=not self.stream.has_begun)
        hops, trace = (*self.hops, self.manager.service.service_id), self._trace_headers()
        connection.open_play(self, self._name(), hops=hops, trace=trace, resume=resume)

    def _started(self, connection: RtmpClientConnection, info: dict[str, Any]) -> None:
        is_unwanted = info.get("missing") is True and self._minds_missing(connection)
        if is_unwanted and (self._is_moving or not self._is_failover() or self._has_others_to_ask()):
            self._fail_missing()
            return
        self._take_via((connection.edge_id, *parse_via(info)) if connection.edge_id else FOREIGN)
        if self.connection is None:
            return
        self.state = "waiting"
        self.publisher.peer = connection.endpoint
        self._last_data_ms = self.manager.context.now_ms()
        self._pinged_ms = 0
        if connection.edge_id:
            resume = self._first_resume
            wanted = resume.epoch if resume is not None else ""
            self._hop = HopReceiver(self.publisher, wanted_epoch=wanted, peer_clock=connection.peer_clock())
            self._foreign = None
        else:
            self._hop = None
            self.publisher.tells_delay = False
            if self._foreign is None:
                kind = OrderedForeignReceiver if self.stream.config.mix_correct else ForeignReceiver
                self._foreign = kind(self.publisher, self._new_epoch)
            self._foreign.begin()
        if is_unwanted:
            self._set_timer(_MISSING_WAIT_MS, self._fail_missing)
        elif self._is_moving:
            self._set_timer(self.manager.config.timeout_ms, self._move_back)
        else:
            self._set_timer(self.manager.config.first_data_timeout_ms, self._on_silence)
        self.is_missing = info.get("missing") is True
        if self.is_missing and not is_unwanted and not self.was_live:
            self._wait_for_publisher(connection)
        if info.get("lost") is True:
            self.on_publisher_lost()
        if self.is_suspect:
            self.is_suspect = False
            self.watch_for_loop()

    # --- a publisher that has not come yet -----------------------------------

    def _wait_for_publisher(self, connection: RtmpClientConnection) -> None:
        """All that are up have been asked, and this one knows of none either."""
        self.manager.story.waits(self)
        self._hand_on_end()
        self._tell_not_found(*self.stream.roster.who_hear_errors_only())
        if self.connection is None:
            return  # nobody is left who waits
        self._tell_wait(connection.endpoint)
        if self.target.may_be_anywhere:
            self._ask_all_later()

    def _tell_wait(self, endpoint: str) -> None:
        if self._is_wait_told:
            return
        self._is_wait_told = True
        text = "%spull key=%s upstream=%s waits for its publisher"
        prefix = self.manager.service.log_prefix
        self.manager.context.counters.log_limited(logging.INFO, "pull_waits", text, prefix, self.key, endpoint)

    def _ask_all_later(self) -> None:
        interval_ms = self.manager.config.retry_interval_ms
        delay_ms = interval_ms + int(JITTER * self.manager.jitter() * interval_ms)
        self._round_timer = self.manager.context.call_later(delay_ms, self._ask_all)

    def _ask_all(self) -> None:
        """The publisher may come to any server of the list, and the one that we wait at hears of none but its own.

        It costs an answer of each. Servers that are no nodes of ours do not say that
        they have no publisher: there we stay, and look elsewhere now and then.
        """
        self._round_timer = None
        server, now = self.server, self.manager.context.now_ms()
        if self.state != "waiting" or not self.is_missing or server is None:
            return
        if not self.target.has_unasked({server.endpoint}, now) or not self.manager.may_ask_all(now):
            self._ask_all_later()
            return
        self._begin_round()
        self._fail_missing()

    def _has_others_to_ask(self) -> bool:
        """Whether a server is up that may have the stream and has not been asked yet."""
        here = {self.server.endpoint} if self.server is not None else set()
        return self.target.has_unasked(self._asked | here, self.manager.context.now_ms())

    def _is_failover(self) -> bool:
        """Whether players here or further down had the stream: its publisher is probably on the same way."""
        return self.was_live or self._first_resume is not None

    def _may_begin_round(self, now_ms: int) -> bool:
        """A publisher that was lost comes back soon, to any server; beyond that nobody is asked more than needs be."""
        if not self._lost_ms or now_ms - self._lost_ms >= self.config.publisher_return_ms:
            return False
        return self.manager.may_ask_all(now_ms)

    def _fail_missing(self) -> None:
        self._has_asked_all = True
        self._fail(LinkEnd.NOT_FOUND, "the upstream has no publisher of it")

    # --- a publisher that the upstream has lost ------------------------------

    def on_publisher_lost(self) -> None:
        """The publisher, or the node that pushed it, may be at another server by now.

        What the upstream still holds comes first: the search begins when nothing new has come for a moment.
        """
        if self._hop is not None and self._lost_timer is None and self.state in ("waiting", "live"):
            self._hop.is_lost = True
            self._look_later(_LOST_LOOKS)

    def _look_later(self, looks_left: int) -> None:
        look = partial(self._look_elsewhere, self._position(), looks_left)
        self._lost_timer = self.manager.context.call_later(_MISSING_WAIT_MS, look)

    def _look_elsewhere(self, position: tuple[Epoch | None, int, int], looks_left: int) -> None:
        self._lost_timer = None
        server, now = self.server, self.manager.context.now_ms()
        if self.state not in ("waiting", "live") or server is None or self._hop is None:
            return
        has_news = self._position() != position
        if has_news and looks_left > 1:
            self._look_later(looks_left - 1)
            return
        self._hop.is_lost = False
        if has_news:
            return  # it is back
        if self.target.has_alternative(server, self.key.text, now_ms=now):
            self._fail(LinkEnd.NO_DATA, "its publisher is lost there")
            return
        # No better place; the next look elsewhere is that of any silent stream.
        self._search_anew(now)
        self.is_useful = False
        self._lost_ms = self._lost_ms or (now if self.was_live else 0)
        self.state = "waiting"
        self._set_timer(self.manager.config.first_data_timeout_ms, self._on_silence)

    def _leave(self) -> None:
        if self._lost_timer is not None:
            self._lost_timer.cancel()
            self._lost_timer = None
        if self._round_timer is not None:
            self._round_timer.cancel()
            self._round_timer = None
        super()._leave()

    # --- another server while all is well ------------------------------------

    @property
    def is_running(self) -> bool:
        """It has data now."""
        return self.state == "live"

    @property
    def last_data_ms(self) -> int:
        """When its upstream last sent something, or accepted it."""
        return self._last_data_ms

    def is_away(self, now_ms: int) -> bool:
        """Whether it should run at another server, and can: from a node of ours it goes on without a loss.

        A stream that is published here is pulled from where it is pushed to.
        """
        connection, server = self.connection, self.server
        if connection is None or not connection.edge_id or server is None or self.manager.push_of(self.key) is not None:
            return False
        return self.target.is_away(server, self.key.text, now_ms)

    def move(self) -> bool:
        """Ask the balancer again and go on there, or come back at once.

        Returns False and stays without data, and while the owner of the key is passed over.
        """
        server, now = self.server, self.manager.context.now_ms()
        home = self.target.home_of(self.key.text, now)
        if self.state != "live" or server is None:
            return False
        if home is not None and self.target.is_passed_over(home, self.key.text, now):
            return False
        logger.info("%spull moves key=%s from=%s", self.manager.service.log_prefix, self.key, server.endpoint)
        self._excluded.clear()
        self._try_elsewhere(server, now, "it belongs elsewhere")
        return True

    def leave_server(self) -> None:
        """The server, a node of ours, will stop: go on at another one, where there is one, from the very next frame.

        What it gets from elsewhere others can get. What is published there they cannot, and it takes nobody back.
        """
        server, connection, now = self.server, self.connection, self.manager.context.now_ms()
        is_published_there = len(self.via) < 2
        if self.state != "live" or server is None or connection is None or is_published_there:
            return
        if self._pushed_to() != server and self.target.has_alternative(server, self.key.text, now_ms=now):
            self._excluded[server] = None
            self._try_elsewhere(server, now, "its server is being stopped")

    def _try_elsewhere(self, server: ServerNode, now_ms: int, why: str) -> None:
        """Go on at another server than ``server`` if it has data, or come back at once."""
        self.manager.story.moved(self, why)
        self._cancel_timer()
        self._leave()
        self._on_attempt_ended(LinkEnd.LOST)
        self._search_anew(now_ms)
        self._is_moving, self._way_back = True, server
        self._try_now()

    def _move_back(self) -> None:
        self._fail(LinkEnd.NO_DATA, "no data here, and there was elsewhere")

    def _fail(self, end: LinkEnd, text: str) -> None:
        if self._is_moving:
            self._is_moving = False
            if end in ORDERLY:
                end = LinkEnd.REFUSED  # no end of the stream: it runs where it came from
        super()._fail(end, text)

    def _decide(self, end: LinkEnd, now_ms: int) -> RetryDecision:
        """Back at once to where it was in order: that is no retry, of which there may be none."""
        if self._way_back is not None:
            return RetryDecision(False, now_ms, "back")
        return super()._decide(end, now_ms)

    def _is_notice(self, end: LinkEnd) -> bool:
        """Others know nothing of the publisher while the server that had the stream is out of reach.

        It may be that only this server, or the way to it, is gone. One that has left the list will not come back.
        """
        home = self._home
        if home is not None and self.server is not None and self.server.endpoint == home.endpoint:
            self._is_home_lost = end in (LinkEnd.LOST, LinkEnd.TIMEOUT)
        return super()._is_notice(end) and self._is_of_all(end) and not self._is_home_out_of_reach

    @property
    def _is_home_out_of_reach(self) -> bool:
        return self._is_home_lost and self._home is not None and self.target.has(self._home)

    # --- loops through foreign servers ---------------------------------------

    def watch_for_loop(self) -> None:
        """A foreign server up the way may be among our players, so that all wait for each other.

        It passes no hop list on, and no property of its play tells it from a
        viewer's. But it leaves when it is left. So ``first_data_timeout_ms`` after a
        player has left, a pull without data lets go of its upstream for a moment: where
        that takes the last player away, there is nobody to pull for; else it goes on.
        """
        limit_ms = self.manager.config.first_data_timeout_ms
        if self.state == "waiting" and self._loop_timer is None and limit_ms:
            self._loop_timer = self.manager.context.call_later(limit_ms, self._let_go)

    def _let_go(self) -> None:
        self._loop_timer = None
        if self.state != "waiting" or self.stream.player_count > _MAX_LOOP_PLAYERS:
            return
        self._cancel_timer()
        self._leave()
        self._take_via(())
        self.state, self._verdicts.next_why = "retrying", "let_go"
        self._set_timer(_LET_GO_MS, self._go_on)

    def _go_on(self) -> None:
        if self.stream.player_count:
            self._try_now()
        else:  # with -keep_pulling_seconds it is still there
            self.manager.pull_in_vain(self)

    def on_via(self, via: tuple[str, ...]) -> None:
        """The upstream gets the stream another way now."""
        if self.connection is not None and self.state in ("waiting", "live"):
            self._take_via((self.connection.edge_id, *via))

    def _take_via(self, via: tuple[str, ...]) -> None:
        """Remember the way of the stream and tell the nodes that play it here; a way through us is a ring.

        Hop lists tell of one player's way only: nodes whose own players all come at
        once join what the next one waits for, and none would see that it is a ring.
        """
        if self.manager.service.service_id in via:
            self._fail(LinkEnd.LOOP, f"{self.key} comes to the upstream from here")
            return
        if via != self.via:
            self.via = via
            self.stream.announce_via(via)

    def _minds_missing(self, connection: RtmpClientConnection) -> bool:
        """Whether to ask elsewhere, or give up, rather than wait on an origin for its publisher."""
        if not self.config.pull_wait_for_stream and not self.was_live:
            return True
        server, now = self.server, self.manager.context.now_ms()
        if self.was_live and self.policy.deadline_ms is None:
            return True
        if server is None:
            return False
        # The publisher of a stream that ran may return to any server that is up, and those who wait are ended soon.
        is_to_go_on = self.target.has_unasked({server.endpoint}, now) if self.was_live else self._has_others_to_ask()
        return is_to_go_on or self.target.has_alternative(server, self.key.text, now_ms=now)

    # --- data ----------------------------------------------------------------

    def on_media(self, event: MediaReceived, now_ms: int) -> None:
        """A message of the stream."""
        self._last_data_ms = now_ms
        before = None if self.is_useful else self._position()
        receiver = self._hop or self._foreign
        if receiver is not None:
            receiver.push(event.type_id, event.wire_timestamp, event.payload, now_ms)
        if before is not None and self._position() != before:
            self._on_news(now_ms)

    def _position(self) -> tuple[Epoch | None, int, int]:
        stream, epoch = self.stream, self.stream.epoch
        return epoch, epoch.next_index if epoch is not None else 0, stream.queue.end

    def _on_news(self, now_ms: int) -> None:
        """The first message of this attempt that we did not have.

        Repeats tell nothing of the publisher: a server that has lost it holds, for a while, what it had.
        """
        self.is_useful = True
        self.was_live = True
        self.is_missing = False
        self._home, self._is_home_lost = self.server, False
        self._is_announced = False
        self._query_worked()
        self.policy.on_link_useful()
        if self._is_moving and self._way_back is not None and self.server is not None:
            text = "%spull moved key=%s from=%s to=%s"
            old, new = self._way_back.endpoint, self.server.endpoint
            logger.info(text, self.manager.service.log_prefix, self.key, old, new)
        self._is_moving, self._way_back = False, None
        self._log_runs()
        self.state = "live"
        self._span.note(FIRST_FRAME)
        self._span.end(hops=self.via)
        self.trace = None
        self._set_timer(self.manager.config.upstream_stall_timeout_ms, self._on_silence)
        if self._lost_ms:
            self.stream.stats.upstream_gap_ms += now_ms - self._lost_ms
            self._lost_ms = 0

    def on_commit(self) -> None:
        """Show players what has come."""
        (self._hop or self.publisher).commit()

    def _new_epoch(self) -> Epoch:
        """Of frames that no node of ours has numbered."""
        return Epoch(self.manager.new_id(), 0, 0, self.manager.wall_ms(), self.manager.context.now_ms())

    # --- silence -------------------------------------------------------------

    def _on_silence(self) -> None:
        manager, config = self.manager, self.config
        now = manager.context.now_ms()
        connection, server = self.connection, self.server
        limit_ms = config.upstream_stall_timeout_ms if self.state == "live" else config.first_data_timeout_ms
        if connection is None or server is None:
            return
        deadline_ms = self.policy.deadline_ms
        if deadline_ms is not None and now >= deadline_ms and self.state == "waiting":
            self._give_up("publisher_gone")
            return
        silent_ms = now - self._last_data_ms
        is_too_long = not config.pull_wait_for_stream and not self.was_live
        if is_too_long and now - self._began_ms >= config.pull_nodata_timeout_ms:
            self._fail(LinkEnd.NO_DATA, f"no data in {config.pull_nodata_timeout_ms} ms")
            self._give_up("no_data")
            return
        if not limit_ms or silent_ms < limit_ms:
            self._set_timer(limit_ms - silent_ms if limit_ms else _RECHECK_MS, self._on_silence)
            return
        if self._pinged_ms == 0:
            self._pinged_ms = now
            connection.ping()
            self._set_timer(config.timeout_ms, self._on_silence)
            return
        if now - self._pinged_ms < config.timeout_ms:  # we did not run meanwhile
            self._set_timer(self._pinged_ms + config.timeout_ms - now, self._on_silence)
            return
        if not self.was_live:
            self._tell_wait(server.endpoint)
            if not connection.edge_id:
                self._tell_nothing_yet(is_known=False)
        pinged_ms, self._pinged_ms = self._pinged_ms, 0
        has_alternative = self.target.has_alternative(server, self.key.text, now_ms=now)
        is_node = connection.has_ponged or bool(connection.edge_id)
        # Bytes of whatever stream are a sign of life. One that answers no ping may have lost this stream all the same.
        is_alive = connection.last_pong_ms >= pinged_ms or connection.last_read_ms > pinged_ms
        may_switch = now - self._switched_ms >= config.disable_server_duration * 1000 and self._pushed_to() != server
        may_take_turns = self._may_take_turns
        if is_alive and (is_node or has_alternative or may_take_turns):
            if not may_switch or not (has_alternative or may_take_turns):
                self._set_timer(limit_ms, self._on_silence)
                return
            self._switched_ms = now
            if may_take_turns:
                self._ask_for_another()
            elif self.was_live and deadline_ms is None:
                # Its publisher may be elsewhere by now: not every server says so. Or it is silent, and has not ended.
                self._excluded[server] = None
                self._try_elsewhere(server, now, "it is silent")
            else:
                self._fail(LinkEnd.NO_DATA, "no data, trying another server")
        elif is_node or (has_alternative and not is_alive):
            # Else the next attempt would share it again. Of one that has never answered others may live on.
            manager.pool.distrust(connection)
            self._fail(LinkEnd.TIMEOUT, f"silent for {silent_ms} ms and answers no ping")
            if is_node and connection.state == "open":
                connection.close_now("answers no ping")
        else:
            wait_ms = max(config.upstream_stall_timeout_ms, 5 * config.retry_interval_ms)
            if silent_ms >= wait_ms:
                self._fail(LinkEnd.TIMEOUT, "asking again")
            else:
                self._set_timer(wait_ms - silent_ms, self._on_silence)

    # --- the end -------------------------------------------------------------

    def _on_attempt_ended(self, end: LinkEnd) -> None:
        self.publisher.peer = ""
        self._take_via(())
        if self.was_live and not self._lost_ms:
            self._lost_ms = self.manager.context.now_ms()
        self.is_missing = False
        if end in ORDERLY and self._foreign is not None:
            self._foreign.flush(self.manager.context.now_ms())
        if end in ORDERLY and self._is_of_all(end) and not self._is_home_out_of_reach:
            self._hand_on_end()
        is_known = end is LinkEnd.NOT_FOUND and not self.was_live and not self._has_others_to_ask()
        self._tell_verdict(is_not_found=is_known)

    def _hand_on_end(self) -> None:
        """Tell the nodes that play it from here: all that it has ended, or those that had it from elsewhere before."""
        if not self.was_live:
            if not self._has_others_to_ask():
                self.stream.announce_missing("the upstream has no publisher of it")
        elif not self._is_announced:
            self._is_announced = True
            self.stream.announce_unpublished(f"publisher on key={self.key} is gone")

    def _give_up(self, why: str) -> None:
        self.manager.pull_gave_up(self, why)

    def close(self) -> None:
        """Stop pulling."""
        super().close()
        if self._foreign is not None:
            self._foreign.flush(self.manager.context.now_ms())
        if self._loop_timer is not None:
            self._loop_timer.cancel()
            self._loop_timer = None
        if self.stream.pull is self:
            self.stream.pull = None
        self.stream.feed.leave(self.publisher)
