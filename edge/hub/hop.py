"""Streams between nodes of ours: frames that bear the origin's numbers and clock.

On such a hop every media message has an index within its epoch. The sender
puts a *mark*, a data message, before the first one and at every change; the
messages after it count up by themselves. Headers have no index: they are
recognised by their content. Timestamps are the origin's stream clock. The mark
also says how old the publish is: of several the youngest is seen (``feed.py``).

About once a second a mark stands before a message that it need not name, and says
how long this one has been on its way (``delay.py``); it changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge.errors import AmfError
from edge.hub.frame_queue import FrameQueue
from edge.hub.peer_clock import PeerClock
from edge.hub.publisher import Publisher
from edge.hub.shown import Shown
from edge.hub.stream import Stream, take_headers
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
    header_slot,
)
from edge.media.mark import Mark, decode_mark
from edge.media.metadata import decode_metadata
from edge.media.timeline import signed_difference

#: A timed message is among the newest so many, or has not been taken.
_LOOKED_AT = 256


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
        "_is_back",
        "_is_loss_told",
        "_mark",
        "_on_lost",
        "_origin_ms",
        "_passed",
        "_peer_clock",
        "_pending",
        "_pictures",
        "_publisher",
        "_timed",
        "_wanted_epoch",
        "is_lost",
    )

    def __init__(
        self,
        publisher: Publisher[Stream],
        *,
        wanted_epoch: str = "",
        on_lost: Callable[[Stream], None] | None = None,
        peer_clock: PeerClock | None = None,
    ) -> None:
        """Begin with nothing; a mark must come first.

        Args:
            publisher: in whose name the frames come.
            wanted_epoch: what those for whom we ask have been playing, while we have nothing of the stream.
            on_lost: told when the sender says that it has lost its publisher, and ours feeds the stream.
            peer_clock: the sender's; None for one that does not say how long messages have been on their way.
        """
        self.is_lost = publisher.is_lost
        self._on_lost = on_lost
        self._publisher = publisher
        self._peer_clock = peer_clock
        self._timed: Mark | None = None  # its message has not been committed yet
        publisher.tells_delay = peer_clock is not None
        publisher.shown.begin()
        self._wanted_epoch = wanted_epoch
        self._epoch: Epoch | None = None
        self._index = 0
        self._origin_ms = 0
        self._mark: Mark | None = None
        self._is_loss_told = False
        self._pending: dict[bytes, Frame] = {}
        self._passed: set[bytes] = set()  # slots of pending headers that stood before a frame which was not taken
        # What came before the first mark: what is to be seen of tracks that send nothing at present.
        self._pictures: Shown | None = Shown()
        self._is_back = False  # it was muted until the message at hand

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
                    self._lose(now_ms)
                elif mark.delay is not None and self._is_next(mark):
                    self._time(mark)
                else:
                    self._on_mark(mark, now_ms)
                return
            kind = _kind_of_data(payload)
        if kind != MEDIA:
            header = Frame(type_id, 0, payload, kind)
            publisher.stream.hold_header(self._pending, header)
            self._passed.discard(header_slot(header))
            return
        publisher.last_media_ms = publisher.last_frame_ms = now_ms
        frame = Frame(type_id, 0, payload, MEDIA, is_keyframe)
        if self._mark is None:
            if is_keyframe and self._pictures is not None:
                self._pictures.note(frame)
        elif publisher.is_active or self._takes_back(now_ms):
            self._on_media(frame, wire_timestamp, now_ms)
        else:
            publisher.refused_count += 1
            self._hold_pictures()
            if type_id == VIDEO:
                frame.dts_ms = wire_timestamp
                publisher.shown.note(frame)
            self._count_on(wire_timestamp)

    def push_all(self, run: list[tuple[int, int, bytes]], now_ms: int) -> None:
        """Audio and video messages that came together."""
        for type_id, wire_timestamp, payload in run:
            self.push(type_id, wire_timestamp, payload, now_ms)

    def commit(self) -> None:
        """Show players what was pushed since the last call."""
        if self._timed is not None and self._index > self._timed.index:
            self._note_delay(self._timed)
        self._publisher.commit()

    def _is_next(self, mark: Mark) -> bool:
        """Whether ``mark`` names the message that comes next anyway."""
        return self._mark is not None and mark.epoch == self._mark.epoch and mark.index == self._index

    def _time(self, mark: Mark) -> None:
        """The next message is timed, unless it is here already: of that its first arrival counts, which is past."""
        epoch = self._epoch
        if epoch is not None and mark.index >= epoch.next_index:
            self._timed = mark

    def _note_delay(self, mark: Mark) -> None:
        """The message that ``mark`` told the delay of has come, whole; nothing where it was not taken."""
        self._timed = None
        clock, publisher, stream = self._peer_clock, self._publisher, self._publisher.stream
        came_us = stream.delay.now_us()
        if clock is None or mark.delay is None or came_us is None:
            return
        clock.keep()
        began_us = clock.ours(mark.delay.began_us)
        if began_us is None or not publisher.is_active:
            return
        queue = stream.queue
        for seq in range(queue.end - 1, max(queue.base, queue.end - _LOOKED_AT) - 1, -1):
            frame = queue[seq]
            if frame.kind == MEDIA and frame.index <= mark.index:
                if frame.index == mark.index and frame.epoch is self._epoch:
                    stream.delay.receive(seq, came_us, replace(mark.delay, began_us=began_us))
                return

    def _takes_back(self, now_ms: int) -> bool:
        """Whether the muted publisher is seen from the message at hand on.

        Two nodes may push one epoch: one that was cut off comes back with what it had, and
        may never get more. Of these the one is seen that has exactly the frame that is missing.
        """
        publisher, mark = self._publisher, self._mark
        stream = publisher.stream
        epoch = stream.epoch
        if mark is None or stream.is_ended:
            return False
        if self._is_loss_told:  # all that the sender held is through: what comes now is news
            self._is_loss_told = self.is_lost = publisher.is_lost = False
        if epoch is not None and mark.epoch == epoch.id and stream.feed.is_of_hop:
            if self._index < epoch.next_index:
                return False
            if self._index == epoch.next_index:
                stream.see(publisher, now_ms)
        elif self._index < stream.feed.past_epochs.get(mark.epoch, 0):
            return False
        if not publisher.is_active and not stream.offer(publisher, now_ms):
            return False
        self._epoch = None
        self._pending = {**take_headers(publisher), **self._pending}
        self._hold_pictures()
        self._is_back = True
        return True

    def _hold_pictures(self) -> None:
        """What came before the first mark is what a muted publish shows."""
        if self._pictures is not None:
            self._publisher.shown.begin(self._pictures.take())
            self._pictures = None

    def _count_on(self, wire_timestamp: int) -> int:
        """Return the index of the media message at hand, and go on to the next."""
        index = self._index
        self._index = index + 1
        if self._pending:
            self._passed.update(self._pending)
        self._origin_ms += signed_difference(wire_timestamp, self._origin_ms & 0xFFFFFFFF)
        return index

    def _on_mark(self, mark: Mark, now_ms: int) -> None:
        publisher, began_ms = self._publisher, now_ms - mark.age_ms
        if self._mark is not None and self._mark.epoch == mark.epoch:
            began_ms = min(began_ms, publisher.began_ms)  # the mark that was under way for less time
        else:
            publisher.stream.feed.arrive(publisher)
            publisher.headers.clear()  # they belong to the publish before
            if self._mark is not None:
                self._pictures = None
                publisher.shown.begin()
            for slot in self._passed:
                self._pending.pop(slot, None)
            self._passed.clear()
        is_news = publisher.epoch_id != mark.epoch
        publisher.began_ms, publisher.epoch_id = began_ms, mark.epoch
        if is_news and not publisher.is_active:
            publisher.stream.tell_settled(publisher, now_ms)
        if mark.cut is not None:
            publisher.stream.adopt_cut(mark.epoch, mark.index, mark.cut)
        self._mark, self._timed = mark, None
        self._index = mark.index
        self._origin_ms = mark.dts_ms
        self._epoch = None
        if self._publisher.is_active and not self._is_past(mark, mark.index):
            self._epoch = self._take_up(mark, mark.index, mark.dts_ms, now_ms)

    def _lose(self, now_ms: int) -> None:
        """The sender has lost its publisher: who plays the stream here may find it elsewhere."""
        publisher = self._publisher
        self.is_lost = publisher.is_lost = True
        self._is_loss_told, publisher.lost_ms = True, now_ms
        if publisher.is_active and self._on_lost is not None:
            self._on_lost(publisher.stream)

    def _is_past(self, mark: Mark, index: int) -> bool:
        """Whether frame ``index`` is of a publisher before the present one, and none that shows it to be back."""
        stream = self._publisher.stream
        if index < stream.feed.past_epochs.get(mark.epoch, 0):
            return True
        if not self.is_lost:
            return False
        epoch = stream.epoch
        if epoch is None:
            return self._wanted_epoch not in ("", mark.epoch)
        return epoch.id != mark.epoch and self._publisher.began_ms < epoch.began_ms

    def _take_up(self, mark: Mark, index: int, origin_ms: int, now_ms: int) -> Epoch:
        """Go on with frame ``index`` of the epoch that ``mark`` names; what lies between is lost."""
        stream = self._publisher.stream
        epoch = stream.epoch
        if epoch is None or epoch.id != mark.epoch:
            is_first = epoch is None
            shift_ms = stream.timeline.next_position() - origin_ms
            epoch = Epoch(mark.epoch, shift_ms, index, mark.wall_ms, self._publisher.began_ms)
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
            self._is_loss_told = self.is_lost = self._publisher.is_lost = False
        frame.epoch, frame.index = epoch, index
        own_ms = self._origin_ms + epoch.shift_ms
        frame.dts_ms = max(own_ms, 0)
        epoch.next_index = index + 1
        if self._pictures is not None:
            pictures = self._pictures.take()
            for picture in pictures:
                picture.epoch = epoch
            stream.queue.hold_pictures(pictures)
            self._pictures = None
        if self._pending:
            for header in sorted(self._pending.values(), key=lambda pending: pending.kind):
                header.epoch, header.dts_ms = epoch, frame.dts_ms
                stream.push_hop(header, now_ms)
            self._pending.clear()
            self._passed.clear()
        if self._is_back:
            self._is_back = False
            self._show_again(frame, epoch, now_ms)
        stream.push_hop(frame, now_ms)
        if frame.dts_ms != own_ms:
            epoch.note_moved(index, self._origin_ms)

    def _show_again(self, frame: Frame, epoch: Epoch, now_ms: int) -> None:
        """What the publish shows comes before its ``frame``, in the place of those that were refused.

        Of a publish that somebody else has brought on meanwhile, or that has no such places, it is left out.
        """
        stream = self._publisher.stream
        pictures = self._publisher.shown.take(frame.type_id, frame.payload)
        first = frame.index - len(pictures)
        if stream.has_begun or first < stream.feed.past_epochs.get(epoch.id, 0):
            return
        for index, picture in enumerate(pictures, first):
            again = Frame(VIDEO, frame.dts_ms, picture.payload, MEDIA, is_keyframe=True)
            again.epoch, again.index = epoch, index
            stream.push_hop(again, now_ms)


def _kind_of_data(payload: bytes) -> int:
    """Tell metadata from data that the sender numbers, by the sender's own rule."""
    try:
        return MEDIA if decode_metadata(payload) is None else METADATA
    except AmfError:
        return MEDIA
