"""Counts the cuts of a stream: where its HLS segments begin, and what they are called throughout the tree of nodes.

Cuts follow from the frames alone: their stamps by the origin's clock, their
keyframes and headers. So they are counted when somebody wants to know, or when
frames are about to go, and a node that begins later goes on from what the mark
of its upstream says (``CutState``).
"""

from __future__ import annotations

from collections import deque

from edge.hub.config import HubConfig
from edge.hub.frame_queue import FrameQueue
from edge.media.cut_rule import CutRule, CutState, first_discontinuity, rounded_s
from edge.media.frame import AUDIO, MEDIA, METADATA, VIDEO, Epoch, Frame

#: Headers that come this long after the first frame of a publish, or sooner, belong to its beginning.
_BEGINNING_MS = 1000
#: Pictures that have not come for so long are not waited for: sound ends the segment.
_SILENT_MS = 1000
_MAX_CUTS = 1024
#: Publishes that other nodes tell of before their first frame is counted.
_MAX_ADOPTED = 64


def rule_of(config: HubConfig) -> CutRule:
    """When a segment of a publish that begins at this node has enough."""
    return CutRule(
        int(config.hls_fragment_s * 1000),
        config.hls_td_ratio,
        config.hls_aof_ratio,
        config.hls_wait_keyframe,
        config.hls_max_segment_bytes,
        min(config.hls_part_ms, int(config.hls_fragment_s * 1000)),
    )


class Cut:
    """The beginning of a segment.

    Attributes:
        seq: its first frame in the queue of this node.
        number: of the segment, counts up by one from cut to cut.
        epoch: the publish it is of.
        dts_ms: of its first frame, by the origin's clock.
        wall_ms: of its first frame, by the origin's wall clock (ms since 1970).
        discontinuity: how many discontinuities there were up to its beginning.
        is_discontinuity: it is the first after one: of another publish, or with another decoder configuration.
        target_s: target duration in force when it began.
        rule: the origin's.
        is_whole: this node has its first frame, and none of its frames is missing so far.
        began_ms: first frame of the publish, by the origin's clock.
        before_bytes, picture_ms: what the segment had before ``seq``, where that is not its beginning.
    """

    __slots__ = (
        "before_bytes",
        "began_ms",
        "discontinuity",
        "dts_ms",
        "epoch",
        "is_discontinuity",
        "is_whole",
        "number",
        "picture_ms",
        "rule",
        "seq",
        "target_s",
        "wall_ms",
    )

    def __init__(
        self,
        seq: int,
        number: int,
        epoch: Epoch,
        dts_ms: int,
        wall_ms: int,
        discontinuity: int,
        target_s: int,
        rule: CutRule,
        *,
        is_discontinuity: bool = False,
        is_whole: bool = True,
    ) -> None:
        self.seq = seq
        self.number = number
        self.epoch = epoch
        self.dts_ms = dts_ms
        self.wall_ms = wall_ms
        self.discontinuity = discontinuity
        self.is_discontinuity = is_discontinuity
        self.target_s = target_s
        self.rule = rule
        self.is_whole = is_whole
        self.began_ms = dts_ms
        self.before_bytes = 0
        self.picture_ms = -1


class CutCounter:
    """The cuts of one stream.

    Attributes:
        cuts: those of the frames that are held, and the one before them.
        seq: the first frame that has not been looked at.
    """

    __slots__ = (
        "_adopted",
        "_dts_ms",
        "_due_ms",
        "_epoch",
        "_is_header_new",
        "_limit_ms",
        "_max_bytes",
        "_next_index",
        "_picture_ms",
        "_rule",
        "_size_bytes",
        "_started_ms",
        "cuts",
        "seq",
    )

    def __init__(self, rule: CutRule) -> None:
        """``rule``: for publishes that begin at this node."""
        self._rule = rule
        self.cuts: deque[Cut] = deque(maxlen=_MAX_CUTS)
        self.seq = 0
        self._epoch: Epoch | None = None
        self._next_index = 0
        self._adopted: dict[str, tuple[int, CutState]] = {}
        # Of the segment in progress, by the origin's clock: when a keyframe may end it, when anything does.
        self._due_ms = self._limit_ms = 0
        self._dts_ms = 0
        self._size_bytes = 0
        self._picture_ms = -1  # stamp of its newest picture
        self._max_bytes = rule.max_bytes
        self._is_header_new = False  # since the last frame
        self._started_ms = 0  # first frame of the publish, by the origin's clock

    def adopt(self, epoch_id: str, index: int, state: CutState) -> None:
        """Another node says how far the segment in progress is before frame ``index`` of a publish."""
        self._adopted[epoch_id] = (index, state)
        while len(self._adopted) > _MAX_ADOPTED:
            del self._adopted[next(iter(self._adopted))]

    def catch_up(self, queue: FrameQueue) -> None:
        """Count what has been pushed since the last call."""
        seq, end = max(self.seq, queue.base), queue.end
        while seq < end:
            seq = self._skip(queue, seq)
            if seq < end:
                self._look_at(queue[seq], seq)
                seq += 1
        self.seq = end

    def _skip(self, queue: FrameQueue, seq: int) -> int:
        """Step over frames that end no segment, nearly all of them; returns the next one that may.

        What ``_look_at`` would do with each, in a quarter of the time.
        """
        epoch, next_index = self._epoch, self._next_index
        if epoch is None or self._is_header_new or next_index <= epoch.moved_index:
            return seq
        if not self.cuts[-1].rule.waits_for_keyframe:
            return seq
        shift_ms, due_ms, limit_ms = epoch.shift_ms, self._due_ms, self._limit_ms
        newest_ms, picture_ms, size = self._dts_ms, self._picture_ms, self._size_bytes
        frames, base = queue.frames, queue.base
        while seq < queue.end:
            frame = frames[seq - base]
            if frame.is_keyframe or frame.kind != MEDIA or frame.epoch is not epoch or frame.index != next_index:
                break
            track = frame.track
            if track in (VIDEO, AUDIO):
                dts_ms, with_it = frame.dts_ms - shift_ms, size + len(frame.payload)
                if with_it > self._max_bytes or dts_ms >= limit_ms:
                    break
                if track == VIDEO:
                    picture_ms = max(picture_ms, dts_ms)
                elif dts_ms >= due_ms and picture_ms < dts_ms - _SILENT_MS:
                    break
                newest_ms, size = max(newest_ms, dts_ms), with_it
            next_index += 1
            seq += 1
        self._next_index, self._dts_ms, self._picture_ms, self._size_bytes = next_index, newest_ms, picture_ms, size
        return seq

    def _look_at(self, frame: Frame, seq: int) -> None:
        """One frame."""
        if frame.kind != MEDIA:
            if frame.kind != METADATA and frame.epoch is self._epoch and self._epoch is not None:
                # One that comes later than the beginning has the decoder begin anew.
                late_ms = frame.dts_ms - self._epoch.shift_ms - self._started_ms
                self._is_header_new = self._is_header_new or late_ms > _BEGINNING_MS
            return
        epoch = frame.epoch
        if epoch is None:
            return
        if epoch is not self._epoch or frame.index != self._next_index:
            self._change(epoch, frame.index, epoch.origin_ms(frame), seq)
        self._next_index = frame.index + 1
        track = frame.track
        if track != VIDEO and track != AUDIO:
            return
        dts_ms = epoch.origin_ms(frame)
        size = len(frame.payload)
        if dts_ms >= self._due_ms and (
            frame.is_keyframe
            or dts_ms >= self._limit_ms
            or (track == AUDIO and self._picture_ms < dts_ms - _SILENT_MS)
            or self._is_any_due(track)
        ):
            self._cut(seq, dts_ms)
        elif self._is_header_new or self._size_bytes + size > self._max_bytes:
            self._cut(seq, dts_ms, is_discontinuity=self._is_header_new)
        if track == VIDEO:
            self._picture_ms = max(self._picture_ms, dts_ms)
        self._size_bytes += size
        if dts_ms > self._dts_ms:
            self._dts_ms = dts_ms

    def _is_any_due(self, track: int) -> bool:
        return track == VIDEO and not self.cuts[-1].rule.waits_for_keyframe

    def _change(self, epoch: Epoch, index: int, dts_ms: int, seq: int) -> None:
        """The frame at hand does not follow the one before: of another publish, or some are missing."""
        told_index, state = self._adopted.get(epoch.id, (-1, None))
        is_new = epoch is not self._epoch
        if is_new:
            self._epoch, self._is_header_new, self._started_ms = epoch, False, dts_ms
        if state is not None and (told_index == index or (is_new and told_index < index)):
            del self._adopted[epoch.id]
            self._go_on(epoch, seq, state, is_exact=told_index == index)
        elif is_new:
            self._begin(epoch, seq, dts_ms)
        elif self.cuts:
            self.cuts[-1].is_whole = False

    def _begin(self, epoch: Epoch, seq: int, dts_ms: int) -> None:
        """The first frame of a publish of which nothing was said."""
        rule, wall_ms = self._rule, epoch.started_wall_ms
        last = self.cuts[-1] if self.cuts else None
        if last is not None:  # a publisher may send faster than time goes; dates do not go back
            passed_ms = dts_ms + epoch.shift_ms - last.dts_ms - last.epoch.shift_ms
            wall_ms = max(wall_ms, last.wall_ms + max(passed_ms, 1))
        number = last.number + 1 if last is not None else rule.first_number(wall_ms)
        discontinuity = last.discontinuity + 1 if last is not None else first_discontinuity(wall_ms)
        target_s = max(self._target_s(), rule.least_target_s)
        cut = Cut(seq, number, epoch, dts_ms, wall_ms, discontinuity, target_s, rule, is_discontinuity=last is not None)
        self._start(cut)

    def _go_on(self, epoch: Epoch, seq: int, state: CutState, *, is_exact: bool) -> None:
        """Somewhere in a segment that another node has counted."""
        last = self.cuts[-1] if self.cuts else None
        if last is not None and last.epoch is epoch and last.number == state.number:
            last.is_whole = False
        else:
            if last is not None and (last.epoch is epoch or state.number != last.number + 1):
                last.is_whole = False  # its end is among what is missing
            cut = Cut(
                seq,
                state.number,
                epoch,
                state.dts_ms,
                state.wall_ms,
                state.discontinuity,
                state.target_s,
                state.rule,
                is_discontinuity=state.is_discontinuity,
                is_whole=is_exact and state.size_bytes == 0,
            )
            self._start(cut)
            cut.began_ms, cut.before_bytes, cut.picture_ms = state.began_ms, state.size_bytes, state.picture_ms
        self._started_ms = state.began_ms
        self._size_bytes, self._picture_ms = state.size_bytes, state.picture_ms

    def _cut(self, seq: int, dts_ms: int, *, is_discontinuity: bool = False) -> None:
        last = self.cuts[-1]
        passed_ms = dts_ms - last.dts_ms
        if passed_ms <= 0:  # at the very stamp at which it began: what has changed belongs to its beginning
            self._is_header_new = False
            return
        cut = Cut(
            seq,
            last.number + 1,
            last.epoch,
            dts_ms,
            last.wall_ms + passed_ms,
            last.discontinuity + is_discontinuity,
            max(last.target_s, rounded_s(passed_ms)),
            last.rule,
            is_discontinuity=is_discontinuity,
        )
        cut.began_ms = last.began_ms
        self._start(cut)

    def _start(self, cut: Cut) -> None:
        self.cuts.append(cut)
        rule = cut.rule
        self._due_ms, self._limit_ms = cut.dts_ms + rule.due_ms, cut.dts_ms + rule.limit_ms
        self._dts_ms, self._max_bytes = cut.dts_ms, rule.max_bytes
        self._size_bytes, self._picture_ms, self._is_header_new = 0, -1, False

    def _target_s(self) -> int:
        """With the segment in progress, which ends where the publish does."""
        if not self.cuts:
            return 1
        last = self.cuts[-1]
        return max(last.target_s, rounded_s(self._dts_ms - last.dts_ms))

    def state_at(self, queue: FrameQueue, seq: int) -> CutState | None:
        """How far the segment in progress is before frame ``seq`` of the queue; None before anything is counted."""
        self.catch_up(queue)
        cut = next((cut for cut in reversed(self.cuts) if cut.seq <= seq), None)
        if cut is None:
            return None
        size, picture_ms = cut.before_bytes, cut.picture_ms
        for at in range(max(cut.seq, queue.base), min(seq, queue.end)):
            frame = queue[at]
            if frame.kind == MEDIA and frame.track in (VIDEO, AUDIO):
                size += len(frame.payload)
                if frame.track == VIDEO:
                    picture_ms = max(picture_ms, cut.epoch.origin_ms(frame))
        if cut.seq < queue.base:
            # Its first frames are gone: who begins here has not the whole of it.
            size = max(size, 1)
            if queue.has_video and picture_ms < 0:
                picture_ms = cut.dts_ms
        return CutState(
            cut.number,
            cut.dts_ms,
            cut.wall_ms,
            cut.discontinuity,
            cut.is_discontinuity,
            cut.target_s,
            size,
            picture_ms,
            cut.rule,
            cut.began_ms,
        )

    def evict(self, base: int) -> None:
        """Frames before ``base`` are gone: forget the cuts among them, but for the newest."""
        cuts = self.cuts
        while len(cuts) > 1 and cuts[1].seq <= base:
            cuts.popleft()
