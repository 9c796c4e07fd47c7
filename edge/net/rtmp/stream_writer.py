"""Writes one stream onto a connection that carries several, or that leads to another node.

Such a connection cannot read the shared log: a type-1 header inherits stream
id and clock from its chunk stream. Payloads are the queue's own; headers are
made here, on a chunk stream per message stream. Towards a node of ours the
clock is the origin's and marks name the frames (see ``hub/hop.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from edge.hub.delay import TimedFrame
from edge.hub.hop import find_resume
from edge.hub.reader import BEHIND_PLAYERS
from edge.media.frame import DATA, MEDIA, VIDEO, Epoch, Frame
from edge.media.mark import Mark, MarkDelay
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.opening import FAR_BEHIND_MS
from edge.net.rtmp.switched import Switched
from edge.rtmp.chunk_writer import ChunkWriter
from edge.rtmp.events import ResumePoint

if TYPE_CHECKING:
    from edge.hub.stream import Stream

#: Media of message stream n go on chunk stream 8 + n mod 24: below 8 are the session's own,
#: and nginx-rtmp takes none from 32 on.
_FIRST_CHUNK_STREAM = 8
_CHUNK_STREAM_COUNT = 24
#: A node that holds nothing yet is given this much before the frame asked for: its players stopped at different ones.
_FRESH_LEAD_MS = 2000


class WriterOwner(Protocol):
    """The connection that a writer fills."""

    def writer_has_frames(self) -> None:
        """Something may be written."""
        ...

    def now_ms(self) -> int:
        """Monotonic clock."""
        ...

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """A writer of ``stream`` fell behind and leaves frames out."""
        ...

    def count_first_frame(self, waited_ms: int) -> None:
        """A viewer, who asked so long ago, is sent media."""
        ...

    def note_stuck(self, stream: Stream, message_stream_id: int, first_seq: int, end_seq: int) -> None:
        """These frames it leaves out."""
        ...


class StreamWriter:
    """A cursor into a stream's queue; a reader of the stream.

    Attributes:
        seq: next frame to write.
        first_seq: the frame that it has begun with; None before that.
        written_bytes: so far, with the headers of messages.
        has_run: the peer is a node of ours that has played the stream, from us or from another one.
        is_told_early: the peer hears of an end at once, since it runs a clock of its own.
        asked_ms: when a viewer asked for it, until it is sent something; 0 for none.
        tells_delay: the peer is a node of ours that understands delays in marks.
        pass_via: called when the services that the stream comes through change; set for hops.
        pass_loss: called when the connection of the publisher has broken, here or on the way; set for hops.
    """

    __slots__ = (
        "_are_pictures_due",
        "_base_ms",
        "_chunk_stream_id",
        "_chunks",
        "_expected",
        "_form",
        "_headed_epoch",
        "_is_early",
        "_is_loss_due",
        "_left_at",
        "_low_bases",
        "_offset_ms",
        "_owner",
        "_placed_lag_ms",
        "_resume",
        "_switched",
        "_timed",
        "_timed_from",
        "_waiting_since_ms",
        "asked_ms",
        "end_reason",
        "first_seq",
        "has_run",
        "is_hop",
        "is_told_early",
        "message_stream_id",
        "pass_loss",
        "pass_via",
        "seq",
        "stream",
        "tells_delay",
        "written_bytes",
    )

    def __init__(
        self,
        owner: WriterOwner,
        stream: Stream,
        message_stream_id: int,
        chunks: ChunkWriter,
        form: RtmpForm,
        *,
        is_hop: bool,
        resume: ResumePoint | None = None,
        timestamp_offset: int = 0,
        place: tuple[int, int] | None = None,
        low_bases: dict[int, int] | None = None,
    ) -> None:
        """``place``: where a player that changes over goes on, the next frame's seq and its stream clock at 0.

        ``low_bases``: the latter of media whose clock is far behind, by type id.
        """
        self._owner = owner
        self.stream = stream
        self.message_stream_id = message_stream_id
        self._chunks = chunks
        self._chunk_stream_id = _FIRST_CHUNK_STREAM + message_stream_id % _CHUNK_STREAM_COUNT
        self._form = form
        self.is_hop = self.is_told_early = is_hop
        self.has_run = is_hop and resume is not None
        self.asked_ms = 0
        self.tells_delay = False
        # The timed frame that is to be written next, and the first one that may be: what was here before the peer came
        # is late by no fault of ours.
        self._timed: TimedFrame | None = None
        self._timed_from = stream.queue.end
        self.written_bytes = 0
        self.first_seq: int | None = None
        self.pass_loss: Callable[[], None] | None = None
        self.pass_via: Callable[[tuple[str, ...]], None] | None = None
        self._offset_ms = timestamp_offset
        self._base_ms: int | None = None
        self._low_bases = dict(low_bases or {})
        # How far behind we put the peer ourselves: for that it is not late.
        self._placed_lag_ms = 0
        # Frame at which it jumped, -1 when it begins.
        self._left_at = -1
        self._are_pictures_due = False
        self._expected: tuple[Epoch | None, int] = (None, -1)
        self._waiting_since_ms: int | None = owner.now_ms()
        self._is_loss_due = False
        # A player may change over while the rest of an ended stream is still on its way to it.
        self.end_reason = stream.end_reason
        self.seq = stream.queue.end
        if place is not None:
            self.seq, self._base_ms = place
            self._placed_lag_ms = stream.queue.lag_ms(self.seq)
            self._waiting_since_ms = None
        # Id of the epoch whose headers the peer has.
        self._headed_epoch = ""
        self._switched: Switched | None = None
        self._resume = resume if is_hop else None
        # Of a burst that comes later a node needs all: frames that came one by one it would have, too.
        self._is_early = is_hop and stream.queue.newest() is None
        self._try_to_resume()
        stream.readers.append(self)
        if is_hop:
            stream.retention.claim()

    def close(self) -> None:
        """Stop reading the stream."""
        if self in self.stream.readers:
            self.stream.readers.remove(self)
            if self.is_hop:
                self.stream.retention.release()

    def _try_to_resume(self) -> None:
        """Begin where the peer stopped; a stream without frames yet may bring them from further up."""
        queue, resume = self.stream.queue, self._resume
        if resume is None or queue.newest() is None:
            return
        self._resume = None
        seq = find_resume(queue, self.stream.epoch, resume.epoch, resume.next_index)
        if seq is None:
            return
        if resume.is_fresh:
            seq = queue.seq_before(seq, _FRESH_LEAD_MS, silent_ms=self.stream.config.log_retain_ms)
            self._are_pictures_due = True
        else:
            self._headed_epoch = resume.epoch
        while seq > queue.base and queue[seq - 1].kind != MEDIA:
            seq -= 1
        self.seq = seq
        self._base_ms = 0
        self._placed_lag_ms = queue.lag_ms(seq)
        self._waiting_since_ms = None

    # --- the stream's side ---------------------------------------------------

    def on_frames(self) -> None:
        """New frames are there."""
        self._owner.writer_has_frames()

    def on_evict(self, base: int) -> None:
        """Jump when the next frame is about to go."""
        if self._waiting_since_ms is None and self.seq < base:
            self._jump()

    def oldest_seq(self) -> int | None:
        """Some before the next frame, unless it waits for one to begin with."""
        return self.seq - BEHIND_PLAYERS if self._waiting_since_ms is None else None

    def on_end(self, reason: str) -> None:
        """Write the rest, then finish."""
        self.end_reason = reason
        self._owner.writer_has_frames()

    def on_unpublished(self, reason: str) -> None:
        """Tell another node at once; it keeps its own players as long as it likes."""
        if self.is_told_early:
            self.on_end(reason)

    def on_missing(self, reason: str) -> None:
        """For a node that has played the stream it has ended, as far as the origin knows."""
        if self.has_run:
            self.on_unpublished(reason)

    def on_lost(self) -> None:
        """A node may find the publisher elsewhere."""
        if self.pass_loss is not None:
            self.pass_loss()

    def on_via(self, via: tuple[str, ...]) -> None:
        """A node learns the way, and passes it on."""
        if self.pass_via is not None:
            self.pass_via(via)

    def tell_lost(self) -> None:
        """Say behind the last frame that is held that the publisher has been lost, unless it is back by then."""
        self._is_loss_due = self.is_hop
        self._owner.writer_has_frames()

    def change_form(self, form: RtmpForm) -> None:
        """Write other tracks from the next frame on; a picture that is wanted again is shown as to a newcomer."""
        before, self._form = self._form.tracks, form
        if self._switched is None:
            self._switched = Switched(self.stream)
        is_running = self._waiting_since_ms is None
        self.seq = self._switched.change(before, form.tracks, self.seq, is_running=is_running)
        self._owner.writer_has_frames()

    # --- bytes ---------------------------------------------------------------

    def fill(self, parts: list[bytes | memoryview], budget_bytes: int) -> int:
        """Append whole messages to ``parts``, about ``budget_bytes`` at most; returns the bytes appended."""
        queue = self.stream.queue
        size = 0
        if self._waiting_since_ms is not None:
            size += self._begin(parts)
        elif self._is_too_late():
            self._jump()
            size += self._begin(parts)
        if self._waiting_since_ms is None:
            if self.first_seq is None:
                self.first_seq = self.seq
            if self._switched is not None:
                size += self._fill_switched(self._switched, parts, budget_bytes - size)
            timed = self._timed_ahead() if self.tells_delay else None
            if timed is not None:
                size += self._fill_up_to(timed.seq, parts, budget_bytes - size)
                if self.seq == timed.seq:
                    size += self._emit_delay(parts, timed)
            size += self._fill_up_to(queue.end, parts, budget_bytes - size)
            if self.seq >= queue.end:
                self._placed_lag_ms = 0
        if self._is_loss_due and self.seq >= queue.end:
            size += self._emit_loss(parts)
        self.written_bytes += size
        return size

    def _fill_up_to(self, end: int, parts: list[bytes | memoryview], budget_bytes: int) -> int:
        """Frames before ``end``; returns the bytes appended."""
        queue, form, size = self.stream.queue, self._form, 0
        while self.seq < end and size < budget_bytes:
            frame = queue[self.seq]
            self.seq += 1
            if form.accepts(frame):
                size += self._emit(parts, frame)
        return size

    def _timed_ahead(self) -> TimedFrame | None:
        """The timed frame that is still to be written; where the peer is behind, one at a time."""
        timed = self._timed
        if timed is None or timed.seq < self.seq:
            timed = self.stream.delay.timed
            if timed is None or timed.seq < max(self.seq, self._timed_from):
                return None
            self._timed = timed
        return timed

    @property
    def next_seq(self) -> int | None:
        """The next frame; None while it waits for one to begin with."""
        return self.seq if self._waiting_since_ms is None else None

    @property
    def is_finished(self) -> bool:
        """The stream has ended and all of it has been taken."""
        return self.end_reason is not None and (self._waiting_since_ms is not None or not self.is_behind)

    @property
    def is_behind(self) -> bool:
        """Whole frames are ready to be written."""
        return self._waiting_since_ms is None and self.seq < self.stream.queue.end

    def _is_too_late(self) -> bool:
        """Whether the peer has fallen too far behind since it was placed, and gains by a jump."""
        queue, config = self.stream.queue, self.stream.config
        if self.seq + 1 >= queue.end or queue.lag_ms(self.seq) - self._placed_lag_ms <= config.queue_length_s * 1000:
            return False
        target = queue.start_seq(config)
        return target is not None and target > self.seq

    def _begin(self, parts: list[bytes | memoryview]) -> int:
        self._try_to_resume()
        if self._waiting_since_ms is None:
            return 0
        queue = self.stream.queue
        waited_ms = self._owner.now_ms() - (self._waiting_since_ms or 0)
        after = self.seq if self._base_ms is not None else 0
        seq = queue.start_seq(self.stream.config, waited_ms=waited_ms, after=after)
        if seq is None:
            return 0
        self._waiting_since_ms = None
        if self.asked_ms:
            self._owner.count_first_frame(self._owner.now_ms() - self.asked_ms)
            self.asked_ms = 0
        if self._base_ms is None:
            if self._is_early:
                seq = next((at for at in range(queue.base, seq) if _may_begin(queue[at])), seq)
            self._base_ms = queue[seq].dts_ms
            self._are_pictures_due = self.is_hop
        else:
            self._owner.count_left_out(self.stream, seq - self.seq)
        self.seq = seq
        self._placed_lag_ms = queue.lag_ms(seq)
        size = self._write_headers(parts, seq)
        return size if self.is_hop else size + self._write_pictures(parts, seq)

    def _fill_switched(self, switched: Switched, parts: list[bytes | memoryview], budget_bytes: int) -> int:
        """Go on with media that have been switched on, until all of them go on by themselves."""
        queue, now_ms = self.stream.queue, self._owner.now_ms()
        size = 0
        if switched.is_picture_due:
            self.seq, pieces = switched.begin_picture(self.seq, self._base_ms or 0, now_ms)
            self._placed_lag_ms = queue.lag_ms(self.seq)
            size += sum(self._write(parts, frame, at) for frame, at in pieces)
        while not switched.is_settled and self.seq < queue.end and size < budget_bytes:
            frame = queue[self.seq]
            if self._form.accepts(frame):
                size += sum(self._write(parts, piece, at) for piece, at in switched.pieces_of(frame, self.seq, now_ms))
            self.seq += 1
        return size

    def _write_headers(self, parts: list[bytes | memoryview], seq: int) -> int:
        queue = self.stream.queue
        frame = queue[seq]
        self._headed_epoch = frame.epoch.id if frame.epoch is not None else ""
        # A node is given those that this one had then, even if no frame was of them: its segments are as ours.
        headers = queue.headers_known_at(seq) if self.is_hop else queue.headers_at(seq)
        return sum(self._write(parts, header, frame) for header in headers if self._form.accepts(header))

    def _write_pictures(self, parts: list[bytes | memoryview], seq: int) -> int:
        """What is to be seen at frame ``seq`` of tracks that send nothing at present."""
        queue = self.stream.queue
        pictures = queue.pictures_at(seq, self._left_at)
        return sum(self._write(parts, picture, queue[seq]) for picture in pictures if self._form.accepts(picture))

    def _jump(self) -> None:
        """Go to the newest place to start, or to the end and wait for one."""
        queue = self.stream.queue
        self._left_at = self.seq
        target = queue.start_seq(self.stream.config)
        seq = target if target is not None and target > self.seq else queue.end
        self._owner.count_left_out(self.stream, seq - self.seq, jump_count=1)
        if self.stream.stats.stuck is not None:
            self._owner.note_stuck(self.stream, self.message_stream_id, self.seq, seq)
        self.seq = seq
        self._waiting_since_ms = self._owner.now_ms()

    def _emit(self, parts: list[bytes | memoryview], frame: Frame) -> int:
        size = 0
        if self.is_hop and frame.kind == MEDIA:
            if self._are_pictures_due:
                # Before the first mark: they are no frames of their epoch that come next, and a node that has them
                # leaves them out.
                self._are_pictures_due = False
                size += self._write_pictures(parts, self.seq - 1)
            epoch = frame.epoch
            if self._expected != (epoch, frame.index) and epoch is not None:
                origin_ms = epoch.origin_ms(frame)
                mark = self._mark_of(epoch, frame.index, max(origin_ms, 0))
                size += self._append(parts, DATA, origin_ms, mark.encode())
                if epoch.id != self._headed_epoch:
                    # Of a new publisher's headers the queue holds those that differ from the one's before; the peer,
                    # which cannot know, would take the others for out of date.
                    size += self._write_headers(parts, self.seq - 1)
            self._expected = (epoch, frame.index + 1)
        return size + self._write(parts, frame, frame)

    def _emit_delay(self, parts: list[bytes | memoryview], timed: TimedFrame) -> int:
        """Say of the next frame how long it has been on its way; nothing where another mark comes before it."""
        frame = self.stream.queue[timed.seq]
        epoch = frame.epoch
        self._timed, self._timed_from = None, timed.seq + 1
        if epoch is None or self._expected != (epoch, frame.index):
            return 0
        mark = self._mark_of(epoch, frame.index, max(frame.dts_ms - epoch.shift_ms, 0), delay=timed.way)
        return self._append(parts, DATA, frame.dts_ms - epoch.shift_ms, mark.encode())

    def _emit_loss(self, parts: list[bytes | memoryview]) -> int:
        self._is_loss_due = False
        newest, (epoch, index) = self.stream.queue.newest(), self._expected
        if epoch is None and self.stream.epoch is not None:  # nothing was written, as after a cut in a silence
            epoch, index = self.stream.epoch, self.stream.epoch.next_index
        if epoch is None or not self.stream.has_lost_publisher:
            return 0
        dts_ms = max(newest.dts_ms - epoch.shift_ms, 0) if newest is not None else 0
        mark = self._mark_of(epoch, index, dts_ms, is_lost=True)
        return self._append(parts, DATA, dts_ms, mark.encode())

    def _mark_of(
        self, epoch: Epoch, index: int, dts_ms: int, *, is_lost: bool = False, delay: MarkDelay | None = None
    ) -> Mark:
        age_ms = max(self._owner.now_ms() - epoch.began_ms, 0)
        cut = None if is_lost or delay is not None else self.stream.cut_at(self.seq - 1)
        return Mark(epoch.id, index, dts_ms, epoch.started_wall_ms, age_ms, is_lost, cut, delay)

    def _write(self, parts: list[bytes | memoryview], frame: Frame, at: Frame) -> int:
        if self.is_hop:
            wire_ms = at.epoch.origin_ms(at) if at.epoch is not None else at.dts_ms
        else:
            wire_ms = self._player_ms(frame, at) + self._offset_ms
        return self._append(parts, frame.type_id, wire_ms, self._form.payload_of(frame))

    def _player_ms(self, frame: Frame, at: Frame) -> int:
        """The player's clock at ``at``; a medium far behind when it begins has a clock of its own, from 0."""
        base_ms, type_id, dts_ms = self._base_ms or 0, frame.type_id, at.dts_ms
        if self._low_bases and type_id in self._low_bases:
            if frame is not at and type_id != at.type_id:
                dts_ms = self.stream.queue.clock_at(type_id, self.seq)
            base_ms = self._low_bases[type_id]
        elif dts_ms < base_ms - FAR_BEHIND_MS:
            base_ms = self._low_bases[type_id] = dts_ms
        return max(dts_ms - base_ms, 0)

    def _append(self, parts: list[bytes | memoryview], type_id: int, wire_ms: int, payload: bytes) -> int:
        pieces = self._chunks.pieces(
            self._chunk_stream_id, type_id, self.message_stream_id, wire_ms & 0xFFFFFFFF, payload
        )
        parts.extend(pieces)
        return sum(map(len, pieces))


def _may_begin(frame: Frame) -> bool:
    """Whether a player can show a stream from here."""
    return frame.kind == MEDIA and (frame.is_keyframe or frame.type_id != VIDEO)
