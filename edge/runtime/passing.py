"""How much of a stream has come in, and how much has gone to somebody who stands at a place of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.hub.stream import Stream
from edge.logbook.conn_stats import Counts
from edge.logbook.stream_table import NOWHERE
from edge.media.frame import AUDIO, MEDIA, VIDEO
from edge.service.grants import Served

if TYPE_CHECKING:
    from edge.runtime.unit import ServiceUnit

#: Of viewers who are no connections: what they are sent is counted by the segment.
HLS_PROTOCOLS = frozenset({"hls", "hls-https"})


def received(stream: Stream) -> Counts:
    """Message bodies that have come in, headers among them."""
    stats = stream.stats
    return Counts(
        stats.video_bytes + stats.video_header_bytes, stats.audio_bytes + stats.audio_header_bytes, stats.video_frames
    )


def received_bytes(stream: Stream) -> int:
    """The same in all."""
    counts = received(stream)
    return counts.video_bytes + counts.audio_bytes


def source_of(unit: ServiceUnit, stream: Stream) -> str:
    """``ip:port`` of the upstream or publisher of a stream, ``NOWHERE`` while there is none."""
    pull = unit.upstream.pulls.get(stream.key) if unit.upstream is not None else None
    if pull is not None and (pull.state != "live" or pull.connection is None):
        return NOWHERE
    return stream.publisher.peer if stream.publisher is not None else NOWHERE


class Passed:
    """What has passed each place of one stream, for many who stand at few places.

    Headers are left out: whoever plays was sent those that were in force. What is taken of a place
    that has left the queue is that of the oldest frame.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._known: dict[int, Counts] = {}

    def at(self, seq: int) -> Counts:
        """Media before frame ``seq`` of the queue."""
        queue, stats = self._stream.queue, self._stream.stats
        seq = min(max(seq, queue.base), queue.end)
        counts = self._known.get(seq)
        if counts is None:
            video_bytes, audio_bytes, frames = stats.video_bytes, stats.audio_bytes, stats.video_frames
            for frame in (queue[place] for place in range(seq, queue.end)):
                if frame.kind == MEDIA and frame.type_id == VIDEO:
                    video_bytes -= len(frame.payload)
                    frames -= 1
                elif frame.kind == MEDIA and frame.type_id == AUDIO:
                    audio_bytes -= len(frame.payload)
            counts = self._known[seq] = Counts(video_bytes, audio_bytes, frames)
        return counts

    def of(self, served: Served) -> Counts:
        """What has passed somebody who takes some of its media, and stands at ``next_seq``."""
        counts = self.at(served.next_seq if served.next_seq is not None else self._stream.queue.end)
        return Counts(
            counts.video_bytes if served.has_video else 0,
            counts.audio_bytes if served.has_audio else 0,
            counts.video_frames if served.has_video else 0,
        )
