"""Streams between nodes of ours: frames that bear the origin's numbers and clock.

On such a hop every media message has an index within its epoch. The sender
puts a *mark*, a data message, before the first one and at every change; the
messages after it count up by themselves. Headers have no index: they are
recognised by their content. Timestamps are the origin's stream clock.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import AmfError
from edge.hub.frame_queue import FrameQueue
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import (
    AUDIO,
    DATA,
    MEDIA,
    METADATA,
    VIDEO,
    Epoch,
    Frame,
    classify_audio,
    classify_video,
)
from edge.media.mark import Mark, decode_mark
from edge.media.metadata import decode_metadata
from edge.media.timeline import signed_difference


def find_resume(queue: FrameQueue, epoch: Epoch | None, epoch_id: str, next_index: int) -> int | None:
    """Seq of the frame that a peer wants next, or None when it is not held any more.

    That is what follows the frame before it, so that headers in between go
    along, and a peer that has all of an epoch goes on with the next one.
    """
    wanted = queue.end if epoch is not None and epoch.id == epoch_id and next_index == epoch.next_index else None
    for seq in range(queue.end - 1, queue.base - 1, -1):
        frame = queue[seq]
        if frame.kind != MEDIA or frame.epoch is None or frame.epoch.id != epoch_id:
            continue
        if frame.index < next_index:
            return seq + 1 if frame.index == next_index - 1 else wanted
        if frame.index == next_index:
            wanted = seq
    return wanted


class HopReceiver:
    """Feeds a stream from a node of ours: drops what it has, counts what it misses.

    Attributes:
        is_lost: the sender has lost its publisher: what it holds of an epoch before ours is no news.
    """

    __slots__ = (
        "_epoch",
        "_index",
        "_mark",
        "_on_lost",
        "_origin_ms",
        "_pending",
        "_publisher",
        "_wanted_epoch",
        "is_lost",
    )

    def __init__(
        self, publisher: Publisher, *, wanted_epoch: str = "", on_lost: Callable[[Stream], None] | None = None
    ) -> None:
        """Begin with nothing; a mark must come first.

        Args:
            publisher: in whose name the frames come.
            wanted_epoch: what those for whom we ask have been playing, while we have nothing of the stream.
            on_lost: told when the sender says that it has lost its publisher, and ours feeds the stream.
        """
        self.is_lost = publisher.is_lost
        self._on_lost = on_lost
        self._publisher = publisher
        self._wanted_epoch = wanted_epoch
        self._epoch: Epoch | None = None
        self._index = 0
        self._origin_ms = 0
        self._mark: Mark | None = None
        self._pending: dict[bytes, Frame] = {}

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """One message of the hop, marks included; malformed marks are ignored."""
        publisher = self._publisher
        kind, is_keyframe = MEDIA, False
        if type_id == VIDEO:
            kind, is_keyframe = classify_video(payload)
        elif type_id == AUDIO:
            kind = classify_audio(payload)
        elif type_id == DATA:
            try:
                mark = decode_mark(payload)
            except AmfError:
                return
            if mark is not None:
                if mark.is_lost:
                    self._lose()
                else:
                    self._on_mark(mark, now_ms)
                return
            kind = _kind_of_data(payload)
        if kind != MEDIA:
            publisher.stream.hold_header(self._pending, Frame(type_id, 0, payload, kind))
            return
        if not publisher.is_active and not self._takes_back():
            publisher.refused_count += 1
            self._count_on(wire_timestamp)
            return
        publisher.last_media_ms = now_ms
        if self._mark is not None:
            self._on_media(Frame(type_id, 0, payload, MEDIA, is_keyframe), wire_timestamp, now_ms)

    def commit(self) -> None:
        """Show players what was pushed since the last call."""
        self._publisher.commit()

    def _takes_back(self) -> bool:
        """Go on with exactly the frame that the stream waits for, although another node has taken over since.

        Two nodes may push one epoch: one that was cut off comes back with what it had, and may never get more.
        """
        publisher, mark = self._publisher, self._mark
        stream = publisher.stream
        epoch, current = stream.epoch, stream.publisher
        is_open = current.is_hop if current is not None else stream.grace_until_ms > 0
        if not is_open or mark is None or epoch is None:
            return False
        if mark.epoch != epoch.id:
            # A publisher that came after: its node was there already, for the one before.
            if mark.epoch in stream.past_epochs or mark.wall_ms <= epoch.started_wall_ms:
                return False
            self._epoch = None
        elif self._index != epoch.next_index:
            return False
        else:
            self._epoch = epoch
        stream.publisher = publisher
        stream.grace_until_ms = 0
        return True

    def _count_on(self, wire_timestamp: int) -> int:
        """Return the index of the media message at hand, and go on to the next."""
        index = self._index
        self._index = index + 1
        self._origin_ms += signed_difference(wire_timestamp, self._origin_ms & 0xFFFFFFFF)
        return index

    def _on_mark(self, mark: Mark, now_ms: int) -> None:
        self._mark = mark
        self._index = mark.index
        self._origin_ms = mark.dts_ms
        self._epoch = None
        if self._publisher.is_active and not self._is_past(mark, mark.index):
            self._epoch = self._take_up(mark, mark.index, mark.dts_ms, now_ms)

    def _lose(self) -> None:
        """The sender has lost its publisher: who plays the stream here may find it elsewhere."""
        publisher = self._publisher
        self.is_lost = publisher.is_lost = True
        if publisher.is_active and self._on_lost is not None:
            self._on_lost(publisher.stream)

    def _is_past(self, mark: Mark, index: int) -> bool:
        """Whether frame ``index`` is of a publisher before the present one, and none that shows it to be back."""
        stream = self._publisher.stream
        if index < stream.past_epochs.get(mark.epoch, 0):
            return True
        if not self.is_lost:
            return False
        epoch = stream.epoch
        if epoch is None:
            return self._wanted_epoch not in ("", mark.epoch)
        return epoch.id != mark.epoch and mark.wall_ms < epoch.started_wall_ms

    def _take_up(self, mark: Mark, index: int, origin_ms: int, now_ms: int) -> Epoch:
        """Go on with frame ``index`` of the epoch that ``mark`` names; what lies between is lost."""
        stream = self._publisher.stream
        epoch = stream.epoch
        if epoch is None or epoch.id != mark.epoch:
            is_first = epoch is None
            shift_ms = stream.timeline.next_position() - origin_ms
            epoch = Epoch(mark.epoch, shift_ms, index, mark.wall_ms)
            stream.begin_publish(self._publisher, epoch, now_ms)
            if is_first:
                stream.stats.gap_count = 0
        elif index > epoch.next_index:
            stream.stats.gap_count += 1
            epoch.next_index = index
            stream.want_keyframe(now_ms)
        return epoch

    def _on_media(self, frame: Frame, wire_timestamp: int, now_ms: int) -> None:
        stream, mark = self._publisher.stream, self._mark
        if mark is None:
            return
        index = self._count_on(wire_timestamp)
        epoch = self._epoch
        if epoch is None:
            if self._is_past(mark, index):
                stream.stats.duplicate_count += 1
                return
            epoch = self._epoch = self._take_up(mark, index, self._origin_ms, now_ms)
        if index < epoch.next_index:
            stream.stats.duplicate_count += 1
            return
        if self._publisher.is_lost:
            self.is_lost = self._publisher.is_lost = False
        frame.epoch, frame.index = epoch, index
        frame.dts_ms = max(self._origin_ms + epoch.shift_ms, 0)
        epoch.next_index = index + 1
        if self._pending:
            for header in sorted(self._pending.values(), key=lambda pending: pending.kind):
                header.epoch, header.dts_ms = epoch, frame.dts_ms
                stream.push_hop(header, now_ms)
            self._pending.clear()
        stream.push_hop(frame, now_ms)


def _kind_of_data(payload: bytes) -> int:
    """Tell metadata from data that the sender numbers, by the sender's own rule."""
    try:
        return MEDIA if decode_metadata(payload) is None else METADATA
    except AmfError:
        return MEDIA
