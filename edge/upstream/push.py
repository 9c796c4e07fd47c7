"""A push: this node forwards a publish of its own to an upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.hub.stream import Stream
from edge.net.rtmp_client import LinkEnd, RtmpClientConnection
from edge.net.stream_writer import StreamWriter
from edge.rtmp.events import ResumePoint
from edge.upstream.link import UpstreamLink

if TYPE_CHECKING:
    from edge.upstream.manager import UpstreamManager

_FINISH_MS = 2000


class Push(UpstreamLink):
    """Forwards one stream for as long as it is published here."""

    what = "push"

    def __init__(self, manager: UpstreamManager, stream: Stream, query: str, hops: tuple[str, ...]) -> None:
        super().__init__(manager, stream.key, query, hops)
        self.stream = stream
        self._writer: StreamWriter | None = None
        self._is_finishing = False

    def _waits(self) -> bool:
        return True

    def _share(self) -> bool:
        return self.manager.config.share_publish_connection

    def _open(self, connection: RtmpClientConnection) -> None:
        name = self.manager.name_of(self.key, self.query, is_play=False)
        connection.open_publish(self, name, hops=(*self.hops, self.manager.service.service_id))

    def _started(self, connection: RtmpClientConnection, info: dict[str, Any]) -> None:
        self.state = "live"
        self.is_useful = True
        self.refused_count = 0
        self.policy.on_link_useful()
        epoch, index = info.get("epoch"), info.get("nextIndex")
        resume = None
        if isinstance(epoch, str) and isinstance(index, (int, float)) and 0 <= index < 2**53:
            resume = ResumePoint(epoch, int(index))
        self._writer = connection.open_writer(
            self.stream, self.message_stream_id, self.manager.service.forms.all, resume=resume
        )
        if self.stream.is_ended:
            self._writer.on_end("ended")

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
        return end is LinkEnd.REFUSED and self.refused_count > self.manager.config.fast_retry_count

    def _on_attempt_ended(self, end: LinkEnd) -> None:
        if self._is_finishing:
            self.manager.push_finished(self)

    def _give_up(self, why: str) -> None:
        self.manager.push_gave_up(self, why)

    def finish(self) -> None:
        """The publisher has left: what is queued goes up, then the push ends."""
        if self.state != "live":
            self.manager.push_finished(self)
            return
        self._is_finishing = True
        self._set_timer(_FINISH_MS, lambda: self.manager.push_finished(self))
