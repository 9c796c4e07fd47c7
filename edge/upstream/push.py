"""A push: this node forwards a publish of its own to an upstream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import MEDIA
from edge.net.rtmp.client import LinkEnd, RtmpClientConnection
from edge.net.rtmp.stream_writer import StreamWriter
from edge.rtmp.events import ResumePoint
from edge.service.grants import NOT_SERVED, Served
from edge.upstream.link import UpstreamLink
from edge.upstream.retry import REARM_INTERVALS

if TYPE_CHECKING:
    from edge.upstream.manager import UpstreamManager

#: So long an ended stream may take to its upstream, a reconnect included.
_FINISH_MS = 2000
#: How often a push looks at its upstream, and the silence of a publisher from which on it pings every time.
_LOOK_MS = 1000


class Push(UpstreamLink):
    """Forwards one stream for as long as it is published here."""

    what = "push"

    def __init__(self, manager: UpstreamManager, stream: Stream, query: str, hops: tuple[str, ...]) -> None:
        super().__init__(manager, stream.key, query, hops)
        self.stream = stream
        stream.retention.claim()  # also while there is no connection: the next one goes on where the last one stopped
        self._writer: StreamWriter | None = None
        self._finish_timer: asyncio.TimerHandle | None = None
        self._is_known_to_node = False  # a node of ours has accepted it last
        self._live_since_ms = 0
        self._in_vain_since_ms = 0  # when the first of the attempts in vain ended, 0 while it is live
        self._is_established = False
        self._refused_since_ms = 0
        self._pinged_ms = 0
        self._asked_for: Publisher[Stream] | None = None

    def _waits(self) -> bool:
        return True

    def _share(self) -> bool:
        return self.manager.config.share_publish_connection

    def _choose_query(self, now_ms: int) -> None:
        """That of whoever publishes now: it may not be who began."""
        publisher = self.stream.publisher
        if publisher is not None and publisher is not self._asked_for:
            self._asked_for, self.query, self.hops = publisher, publisher.query, publisher.hops
            publish = self.manager.service.publishes.get(publisher)
            self.trace = publish.trace if publish is not None else None
            self.refused_count = 0

    def on_new_publisher(self) -> None:
        """Another one has taken over: what it says may be what the upstream wants to hear."""
        publisher = self.stream.publisher
        if self.state == "retrying" and publisher is not None and publisher.query != self.query:
            self._set_timer(0, self._try_now)

    def _open(self, connection: RtmpClientConnection) -> None:
        hops = (*self.hops, self.manager.service.service_id)
        connection.open_publish(self, self._name(), hops=hops, trace=self._trace_headers(), is_lost=self._is_lost)

    @property
    def _is_lost(self) -> bool:
        """Nobody feeds the stream at present."""
        return self.stream.publisher is None or self.stream.has_lost_publisher

    def _started(self, connection: RtmpClientConnection, info: dict[str, Any]) -> None:
        self.state = "live"
        self.is_useful = True
        self._live_since_ms, self._in_vain_since_ms = self.manager.context.now_ms(), 0
        self._is_known_to_node = bool(connection.edge_id)
        self.policy.on_link_useful()
        self._log_runs()
        self._span.end()
        self.trace = None
        epoch, index = info.get("epoch"), info.get("nextIndex")
        resume = None
        if isinstance(epoch, str) and isinstance(index, (int, float)) and 0 <= index < 2**53:
            resume = ResumePoint(epoch, int(index), is_fresh=info.get("isFresh") is True)
        elif connection.edge_id:
            resume = self._oldest_held()
        self._writer = connection.open_writer(
            self.stream, self.message_stream_id, self.manager.forms.all, resume=resume
        )
        if connection.edge_id:
            self._writer.pass_loss = self._writer.tell_lost
            if self._is_lost:
                self._writer.tell_lost()
        if self.stream.is_ended:
            self._writer.on_end("ended")
        self._pinged_ms = 0
        self._set_timer(_LOOK_MS, self._look_at_upstream)
        self.manager.push_started(self)

    def _oldest_held(self) -> ResumePoint | None:
        """For a node that has nothing of the stream: it may stand in for one that died.

        What the players behind that one have missed we cannot know; what they have they drop.
        """
        queue, epoch = self.stream.queue, self.stream.epoch
        for seq in (*queue.keyframes, *range(queue.base, queue.end)):
            frame = queue[seq]
            if frame.kind == MEDIA and frame.epoch is epoch and epoch is not None:
                return ResumePoint(epoch.id, frame.index, is_fresh=True)
        return None

    def _look_at_upstream(self) -> None:
        """Leave an upstream that has stopped answering; keep one that would take a silent publisher for a lost one.

        What waits in our own queue or the kernel's may hold the ping up, so a
        slow upstream is not judged; a dead one ends by TCP's own time-out.
        """
        connection, config, now = self.connection, self.manager.config, self.manager.context.now_ms()
        if self.state != "live" or connection is None or self._finish_timer is not None:
            return
        if connection.last_read_ms >= self._pinged_ms:
            self._pinged_ms = 0
        quiet_ms, stall_ms = now - connection.last_read_ms, config.upstream_stall_timeout_ms
        publisher = self.stream.publisher
        is_silent = publisher is None or now - publisher.last_media_ms >= _LOOK_MS
        if not self._pinged_ms:
            if is_silent or 0 < stall_ms <= quiet_ms:
                self._pinged_ms = now
                connection.ping()
        elif (
            0 < stall_ms <= quiet_ms
            and now - self._pinged_ms >= config.timeout_ms
            and (connection.has_ponged or connection.edge_id)
            and (connection.is_unheard or not connection.unsent_bytes())
        ):
            connection.close_now("answers no ping")
            return
        self._set_timer(_LOOK_MS, self._look_at_upstream)

    def on_writer_finished(self) -> None:
        """The last frame is queued: tell the upstream that the publish is over."""
        self.manager.push_finished(self)

    def _leave(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            if self.connection is not None:
                self.connection.close_writer(writer)
            else:
                writer.close()
        super()._leave()

    def _is_refused_for_good(self, end: LinkEnd) -> bool:
        """A first refusal stands once the fast retries have met it; a later one may mean our own broken connection.

        An upstream that has not noticed the loss of the connection before holds
        the name for that one, for a while. Who was replaced would replace in turn.
        A refusal of the publisher before says nothing of the one that there is now.
        """
        if end is LinkEnd.KICKED:
            return True
        if self.stream.publisher is not None and self.stream.publisher is not self._asked_for:
            return False
        config = self.manager.config
        if end is not LinkEnd.REFUSED or self.refused_count <= config.fast_retry_count:
            return False
        refused_ms = self.manager.context.now_ms() - self._refused_since_ms
        return not self._is_established or refused_ms >= config.publisher_return_ms

    def _on_attempt_ended(self, end: LinkEnd) -> None:
        if self._finish_timer is not None and not self._is_known_to_node:
            self.manager.push_finished(self)
            return
        now, config = self.manager.context.now_ms(), self.manager.config
        self._in_vain_since_ms = self._in_vain_since_ms or now
        # A node of ours accepts before it has asked its own upstream, so only what lasts is an acceptance.
        if self.is_useful and now - self._live_since_ms >= REARM_INTERVALS * config.retry_interval_ms:
            self._is_established = True
            self.refused_count = int(end is LinkEnd.REFUSED)
        if self.refused_count == 1:
            self._refused_since_ms = now

    @property
    def served(self) -> Served:
        """How far it has come on the connection that there is."""
        writer = self._writer
        if writer is None:
            return NOT_SERVED
        return Served(writer.written_bytes, writer.next_seq, first_seq=writer.first_seq)

    def describe(self, now_ms: int) -> dict[str, Any]:
        """For the pages: how the push stands, where to, since when (s), and how the last attempt in vain ended.

        From the first attempt in vain on it is ``retrying`` until one succeeds, also
        while another is under way: what a reader asks is how long nothing has got through.
        """
        state, since_ms = ("live", self._live_since_ms) if self.state == "live" else ("connecting", self._began_ms)
        if state != "live" and self._in_vain_since_ms:
            state, since_ms = "retrying", self._in_vain_since_ms
        return {
            "push_state": state,
            "push_to": self.server.endpoint if self.server is not None else "",
            "push_state_s": (now_ms - since_ms) // 1000,
            "push_error": self.last_error if state != "live" else "",
        }

    def behind_ms(self) -> int:
        """How much of what its publisher has sent waits for the line to the upstream; 0 while it takes all."""
        writer, connection = self._writer, self.connection
        if writer is None or connection is None:
            return 0
        stats = self.stream.stats
        bytes_per_s = stats.video_bps + stats.audio_bps
        unsent_ms = 1000 * connection.unsent_bytes() // bytes_per_s if bytes_per_s else 0
        return unsent_ms + (self.stream.queue.lag_ms(writer.seq) if writer.is_behind else 0)

    def _give_up(self, why: str) -> None:
        self.manager.push_gave_up(self, why)

    def finish(self) -> None:
        """The publisher has left: what is queued goes up, then the push ends.

        To a node of ours even when the connection is lost just now: its players would
        wait in vain for a publisher whose end nobody tells. For others the stream ended
        with the connection, and would begin anew.
        """
        if self.state != "live" and not self._is_known_to_node:
            self.manager.push_finished(self)
            return
        self._finish_timer = self.manager.context.call_later(_FINISH_MS, lambda: self.manager.push_finished(self))

    def close(self) -> None:
        """Stop pushing."""
        if self.state != "closed":
            self.stream.retention.release()
        super().close()
        if self._finish_timer is not None:
            self._finish_timer.cancel()
