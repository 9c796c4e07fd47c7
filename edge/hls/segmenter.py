"""Makes the segments of one stream in one container, and keeps a window of them; a reader of the stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.hls.builder import Mp4Builder, TsBuilder
from edge.hls.config import HlsConfig
from edge.hls.maker import Maker
from edge.hls.names import SegmentName, epoch_word
from edge.hls.segment import Segment
from edge.hub.cuts import Cut, CutCounter
from edge.hub.stream import Stream
from edge.media.cut_rule import rounded_s
from edge.media.frame import AUDIO, DATA, MEDIA, METADATA, TRACK_BIT, VIDEO, Frame

#: RFC 8216 §6.2.2 wants at least so many listed.
_LEAST_LISTED = 3
#: Segments that are kept when the playlist does not list them any more: viewers hold the playlist before. Who keeps to
#: RFC 8216 §6.3.3 plays three target durations from the end: in a window that is longer, few want the oldest.
_KEPT_BEHIND, _KEPT_BEHIND_LONG = 2, 1
#: Work is done in pieces of about so many bytes and frames, between which something else may be done.
_STEP_BYTES, _STEP_FRAMES = 131072, 64
#: So many frames of a segment without parts wait for each other, or for its end: what is done at once costs less.
_WAITING_FRAMES = 256
#: Most segments begin with a keyframe, which is seen at once. Whether one begins otherwise is looked at this often.
_LOOK_MS = 500
#: What the last frame of a publish is taken to last.
_USUAL_FRAME_MS = 40
_LONGEST_FRAME_MS = 1000


@dataclass(frozen=True, slots=True)
class Window:
    """What a segmenter has, for one in another process that goes on with it.

    Attributes:
        seq: the first frame of the segment in progress, or the next one to be taken.
        segments: those that are complete, oldest first.
        behind: those that were listed before.
        first: number of the first segment that a playlist has told of last.
        inits: decoder configurations by their digest.
        part_target_ms: PART-TARGET, 0 where there are no parts.
    """

    seq: int
    segments: list[Segment]
    behind: list[Segment]
    first: int
    target_s: int
    parts_from_number: int
    was_filled: bool
    inits: dict[str, bytes]
    part_target_ms: int


class Segmenter(Maker):
    """Segments of the tracks that somebody wants.

    Attributes:
        kind: ``ts`` or ``m4s``.
        segments: those that are complete and listed, oldest first.
        current: the one in progress; None before the first cut.
        is_ended: no more will come.
        can_fetch: what this node lacks another one may have: nothing is listed behind a lack until it has told.
        was_filled: another node has been asked for what there was before it began, or while frames did not come.
        told_ms: when it was last told that somebody watches here.
        version: counts up with each change of what is listed.
        target_s: EXT-X-TARGETDURATION, which never falls.
        parts_from_number: segments before this one have been listed without their parts.
        has_caught_up: what the stream held when it began has been taken.
    """

    def __init__(
        self,
        stream: Stream,
        kind: str,
        tracks: int,
        config: HlsConfig,
        on_change: Callable[[], None],
        on_work: Callable[[Segmenter], None] | None = None,
        *,
        window: Window | None = None,
    ) -> None:
        """Begin with what the stream holds.

        Args:
            stream: whose frames it reads.
            kind: ``ts`` or ``m4s``.
            tracks: bits of those that go in.
            config: the window.
            on_change: called when a part or segment is there, when it has caught up, and at the end.
            on_work: called when ``work`` is to be called until it says that all is done; without it all is done at
                once.
            window: of a segmenter before, with which it goes on; its frames' places are those of this stream.
        """
        assert stream.cuts is not None, "the stream does not count its cuts"
        super().__init__(stream)
        self.kind = kind
        self.segments: deque[Segment] = deque()
        self.current: Segment | None = None
        self.is_ended = False
        self.can_fetch = False
        self.was_filled = False
        self.told_ms = 0
        self.version = 0
        self.target_s = 1
        self.parts_from_number = 0
        self._counter: CutCounter = stream.cuts
        self._tracks = tracks
        self._wanted = frozenset(type_id for type_id in (VIDEO, AUDIO) if tracks & TRACK_BIT[type_id])
        self._window_ms = int(config.hls_window_s * 1000)
        self._on_change = on_change
        self._cut: Cut | None = None
        self._is_collecting = False
        self._headers: list[Frame] = []  # of which no frame has come yet
        self._last_ms = self._frame_ms = 0
        self._behind: deque[Segment] = deque()
        self._first = 0  # number of the first segment that a playlist has told of last
        self._parted: list[Segment] = []  # by segments that never began here from those that are listed
        self._was_told = False
        self._mp4 = Mp4Builder(tracks) if kind == "m4s" else None
        self._builder = self._mp4 or TsBuilder(config.ts_pcr_lead_ms)
        self._seq = stream.queue.base
        self._begun: Cut | None = None
        self._began_at = stream.queue.end
        self._looked_at = self._looked_ms = 0  # the end of the queue, and its stamp, when it was last looked for cuts
        self._on_work = on_work
        self._is_asked = self._is_closed = self.has_caught_up = False
        if window is not None:
            self._go_on(window)
        self.attach()

    def _go_on(self, window: Window) -> None:
        self._seq, self._first = window.seq, window.first
        self.segments.extend(window.segments)
        self._behind.extend(window.behind)
        self.target_s, self.parts_from_number = window.target_s, window.parts_from_number
        self.was_filled = window.was_filled
        if self._mp4 is not None:
            self._mp4.inits.update(window.inits)
            if window.part_target_ms:
                self._mp4.learn(window.part_target_ms)

    def window(self) -> Window:
        """What it has now; of the segment in progress where it begins."""
        mp4, cut = self._mp4, self._cut
        return Window(
            seq=self._seq if cut is None else cut.seq,
            segments=list(self.segments),
            behind=[*self._behind, *self._parted],
            first=self._first,
            target_s=self.target_s,
            parts_from_number=self.parts_from_number,
            was_filled=self.was_filled,
            inits=dict(mp4.inits) if mp4 is not None else {},
            part_target_ms=mp4.part_target_ms if mp4 is not None else 0,
        )

    @property
    def mp4(self) -> Mp4Builder | None:
        """What makes fMP4, if it does."""
        return self._mp4

    @property
    def is_collecting(self) -> bool:
        """The segment in progress is being made here."""
        return self._is_collecting

    # --- what there is -------------------------------------------------------

    @property
    def size_bytes(self) -> int:
        """Bytes of all segments that are held."""
        held = [*self._behind, *self._parted, *self.segments]
        return sum(segment.size for segment in held) + (self.current.size if self.current is not None else 0)

    def listed(self) -> list[Segment]:
        """Complete segments, oldest first; what is lacking at the beginning is left out.

        Behind a lack of which another node may tell nothing is listed yet.
        """
        segments = list(self.segments)
        while segments and (
            segments[0].name.number < self._first or segments[0].is_gap or self._is_lacking(segments[0])
        ):
            del segments[0]
        if self.can_fetch:
            hole = next((index for index, segment in enumerate(segments) if self._is_lacking(segment)), len(segments))
            del segments[hole:]
        return segments

    def note_listed(self) -> None:
        """A playlist is given away: nothing comes before its first segment any more, whatever another node tells."""
        listed = self.listed()
        first = listed[0] if listed else self.current
        if first is not None:
            self._first = first.name.number

    @property
    def lacks(self) -> bool:
        """Some of its segments are neither here nor known to be elsewhere."""
        return self._is_parted or any(self._is_lacking(segment) for segment in self.segments)

    @property
    def is_open(self) -> bool:
        """The segment in progress follows what is listed."""
        return not self._is_parted and (not self.segments or not self._is_lacking(self.segments[-1]))

    @property
    def _is_parted(self) -> bool:
        """Another node may tell of segments between those that were listed and those that are."""
        return self.can_fetch and not self.was_filled

    @staticmethod
    def _is_lacking(segment: Segment) -> bool:
        return segment.data is None and not segment.is_elsewhere and not segment.is_gap

    def find(self, name: SegmentName) -> Segment | None:
        """The segment of this name, complete or in progress; None for one that is not known."""
        return next((segment for segment in self._all() if segment.name == name), None)

    def init(self, digest: str) -> bytes | None:
        """A decoder configuration."""
        return self._mp4.inits.get(digest) if self._mp4 is not None else None

    def is_ahead(self, name: SegmentName) -> bool:
        """Whether a segment is the one in progress, or may be the one after that, of which the number is known only."""
        current = self.current
        return current is not None and (name == current.name or name.number == current.name.number + 1)

    def fill(self, told: list[Segment]) -> None:
        """Take what another node tells of its segments, oldest first, for those that are lacking here."""
        for index, segment in enumerate(self.segments):
            if self._is_lacking(segment):
                found = next((other for other in told if other.name == segment.name), None)
                if found is not None:
                    self.segments[index] = found
        if self.segments:
            first = self.segments[0].name.number
        else:
            first = self.current.name.number if self.current is not None else -1
        for segment in reversed(told):
            if segment.name.number == first - 1:
                own = next((parted for parted in self._parted if parted.name == segment.name), segment)
                self.segments.appendleft(own if own.data is not None else segment)
                self.target_s = max(self.target_s, segment.target_s)
                first -= 1
        self._leave_parted()
        if told and not self._was_told:
            # Other nodes know no older ones from there: all list the same.
            while self.segments and self.segments[0].name.number < told[0].name.number:
                self._behind.append(self.segments.popleft())
        self._was_told = True
        longest_ms = max((part.duration_ms for segment in told for part in segment.parts), default=0)
        if self._mp4 is not None and longest_ms:
            self._mp4.learn(longest_ms)
        self._prune()
        self._changed()

    def is_of_window(self, name: SegmentName) -> bool:
        """Whether a segment that is not known here may have been listed a while ago, by this node or another one."""
        current = self.current or (self.segments[-1] if self.segments else None)
        if current is None:
            return False
        return 0 <= current.name.number - name.number <= _LEAST_LISTED + 2 * self._window_ms // 1000

    def knows_epoch(self, name: SegmentName) -> bool:
        """Whether a segment is of a publish that is known here."""
        return any(segment.name.epoch == name.epoch for segment in self._all())

    def names_init(self, digest: str) -> bool:
        """Whether some segment needs this configuration."""
        return any(segment.init == digest for segment in self._all())

    def keep(self, name: SegmentName, data: bytes) -> None:
        """Bytes of a segment that another node has told of."""
        segment = self.find(name)
        if segment is not None and segment is not self.current and segment.data is None:
            segment.data, segment.size = data, len(data)

    def give_up_lacks(self) -> None:
        """Nobody has what is lacking: gaps are said (RFC 8216bis §4.4.4.7)."""
        is_news = False
        self._leave_parted()
        for segment in self.segments:
            if self._is_lacking(segment):
                segment.is_gap = is_news = True
        if is_news:
            self._changed()

    def _leave_parted(self) -> None:
        """What could not be joined is not listed any more."""
        self._behind.extend(self._parted)
        self._parted = []

    def _all(self) -> Iterator[Segment]:
        if self.current is not None:
            yield self.current
        yield from reversed(self.segments)
        yield from reversed(self._parted)
        yield from reversed(self._behind)

    # --- reader of the stream --------------------------------------------------

    def close(self) -> None:
        """Nobody asks any more."""
        super().close()
        self._is_closed = self.has_caught_up = True

    def _give_up(self) -> None:
        self.segments.clear()
        self.current = self._cut = None
        self._changed()

    def on_frames(self) -> None:
        """Take them, or wait for more where nobody wants them yet."""
        if not (self._is_asked or self._may_wait()):
            self._guarded(self._take_new)

    def _may_wait(self) -> bool:
        """Whether the newest frames change nothing as far as one sees without looking at them: this is asked often."""
        if self._mp4 is not None or self._on_work is None or not self.has_caught_up:
            return False
        queue = self.stream.queue
        keyframes = queue.keyframes
        if not keyframes or keyframes[-1] >= self._looked_at or queue.end - self._seq >= _WAITING_FRAMES:
            return False
        return 0 <= queue.frames[-1].dts_ms - self._looked_ms < _LOOK_MS

    def _take_new(self) -> None:
        queue = self.stream.queue
        self._counter.catch_up(queue)
        self._looked_at = queue.end
        if queue.frames:
            self._looked_ms = queue.frames[-1].dts_ms
        if not self._is_due():
            return
        if self._on_work is None:
            self._take_all()
        else:
            self._is_asked = True
            self._on_work(self)

    def _is_due(self) -> bool:
        """Whether there is something to be done with the frames that have come.

        Parts are wanted as soon as they are complete; without them nothing is wanted before the next segment begins.
        """
        seq, end = self._seq, self.stream.queue.end
        if not self.has_caught_up:
            return True
        if self._mp4 is not None or self._on_work is None or end - seq >= _WAITING_FRAMES:
            return seq < end
        cuts = self._counter.cuts
        return bool(cuts) and cuts[-1].seq >= seq and cuts[-1] is not self._begun

    def work(self) -> bool:
        """Do a piece of what is to be done; whether there is more."""
        self._is_asked = not self._is_closed and self._guarded(self._work)
        return self._is_asked

    def _work(self) -> bool:
        self._counter.catch_up(self.stream.queue)
        self._step(_STEP_FRAMES, _STEP_BYTES)
        return self._is_due()

    def _step(self, frame_count: int, byte_count: int) -> None:
        """Take frames up to the next cut, and begin a segment there."""
        counter, queue = self._counter, self.stream.queue
        seq, cut = max(self._seq, queue.base), None
        for each in reversed(counter.cuts):
            if each.seq < seq or each is self._begun:
                break
            cut = each
        end = cut.seq if cut is not None else queue.end
        self._seq = seq = self._take(seq, min(end, seq + frame_count), byte_count)
        if cut is not None and seq == end:
            self._begin(cut)
            self._begun = cut
        if not self.has_caught_up and seq >= self._began_at:
            self.has_caught_up = True
            self._on_change()

    def _take_all(self) -> None:
        """Take all that has come, whatever that takes."""
        queue = self.stream.queue
        self._counter.catch_up(queue)
        while self._seq < queue.end or not self.has_caught_up:
            self._step(queue.end - queue.base, 1 << 62)

    def oldest_seq(self) -> int | None:
        """Frames are kept, as far as they would be for a player, that wait for their turn to be taken.

        So are those of the segment in progress: another process that goes on with the stream makes it anew.
        """
        if self._cut is not None and self._is_collecting:
            return self._cut.seq
        return self._seq if self._is_asked else None

    def on_evict(self, base: int) -> None:
        """What has not been taken of those that go is taken before."""
        if self._seq < base:
            self._guarded(self._take_all)

    def on_unpublished(self, reason: str) -> None:
        """The publish is over, though another may follow: what there is of the last segment need not wait for that."""
        self._guarded(self._take_all)
        if self.current is not None:
            self._finish(None)
            self._changed()

    def on_end(self, reason: str) -> None:
        """The last segment ends with the last frame."""
        if not self.is_ended:
            self._guarded(self._take_all)
            self._finish(None)
            self.is_ended = True
            self._changed()

    # --- making --------------------------------------------------------------

    def _take(self, begin: int, end: int, byte_count: int) -> int:
        """Take frames, about so many bytes of them; where it has ended."""
        cut = self._cut
        if cut is None or begin >= end:
            return max(begin, end)
        if not cut.is_whole:
            self._is_collecting = False  # some of its frames are lost: it has no more parts
        queue, builder, headers = self.stream.queue, self._builder, self._headers
        shift_ms, moved, base = cut.epoch.shift_ms, cut.epoch.moved, queue.base
        wanted = self._wanted if self._is_collecting else frozenset[int]()
        run: list[Frame] = []
        last_ms, frame_ms = self._last_ms + shift_ms, self._frame_ms
        is_news = False
        for seq, frame in enumerate(queue.frames[begin - base : end - base], begin):
            if byte_count < 0:
                end = seq
                break
            byte_count -= len(frame.payload)
            type_id = frame.type_id
            if frame.kind != MEDIA:
                # Before the first frame of a segment it is of that one, not of the one in progress.
                if frame.kind != METADATA and type_id in wanted:
                    headers.append(frame)
                continue
            if frame.track != type_id or type_id == DATA:
                continue
            if headers:
                is_news |= builder.add(run)
                for header in headers:
                    builder.header(header)
                headers.clear()
                run = []
            if moved and frame.index in moved:
                frame = _at_own_stamp(frame, moved[frame.index] + shift_ms)
            dts_ms = frame.dts_ms
            if dts_ms > last_ms:
                if type_id == VIDEO or dts_ms - last_ms > _USUAL_FRAME_MS:
                    frame_ms = dts_ms - last_ms
                last_ms = dts_ms
            if type_id in wanted:
                run.append(frame)
        self._last_ms, self._frame_ms = last_ms - shift_ms, frame_ms
        if builder.add(run) or is_news:
            self._changed()
        return end

    def _begin(self, cut: Cut) -> None:
        """A segment begins; what is before it is complete."""
        self._finish(cut)
        name = SegmentName(epoch_word(cut.epoch.id), cut.number, cut.dts_ms)
        is_next = not self.segments or self.segments[-1].name.number == cut.number - 1
        if not is_next:
            self._leave_parted()
            self._parted = list(self.segments)
            self.segments.clear()
            self.was_filled = False
        segment = Segment(name, cut.wall_ms, cut.discontinuity, cut.target_s, is_discontinuity=cut.is_discontinuity)
        self._cut, self.current, self._is_collecting = cut, segment, cut.is_whole
        self._last_ms, self._frame_ms = cut.dts_ms, _USUAL_FRAME_MS
        self._headers.clear()
        self.target_s = max(self.target_s, cut.target_s)
        if self._mp4 is not None:
            self._mp4.expect(cut.rule.part_ms)
        if cut.is_whole:
            queue = self.stream.queue
            headers = [
                header
                for header in queue.headers_known_at(cut.seq)
                if header.kind != METADATA and self._tracks & TRACK_BIT[header.type_id]
            ]
            self._builder.begin(segment, cut, headers)
        self._changed()

    def _finish(self, following: Cut | None) -> None:
        """The segment in progress is complete: the next one begins there, or none."""
        segment, cut = self.current, self._cut
        if segment is None or cut is None:
            return
        self.current = self._cut = None
        if following is not None and following.epoch is cut.epoch and following.number == cut.number + 1:
            end_ms = following.dts_ms
        else:
            end_ms = self._last_ms + min(max(self._frame_ms, 1), _LONGEST_FRAME_MS)
        duration_ms = max(end_ms - cut.dts_ms, 1)
        if self._is_collecting:
            self._builder.end(end_ms)
            # Sound ahead of the pictures may have ended a part behind the place of the cut.
            duration_ms = max(duration_ms, sum(part.duration_ms for part in segment.parts))
        target_s = max(cut.target_s, rounded_s(duration_ms))
        # A hop that breaks as one publish follows another may have lost the end of the first.
        is_end_known = following is None or following.epoch is cut.epoch or not self.can_fetch
        if self._is_collecting and cut.is_whole and is_end_known and segment.size:
            segment.complete(duration_ms, target_s)
        else:
            segment.pieces, segment.size, segment.parts = [], 0, []
            segment.duration_ms, segment.target_s = duration_ms, target_s
        self.segments.append(segment)
        if self.listed():
            self.target_s = max(self.target_s, target_s)
        self._prune()

    def _prune(self) -> None:
        """Let go of what the window does not hold; three target durations stay (RFC 8216 §6.2.2)."""
        # Where memory is short, what players at the live edge ask for has to do.
        wanted_ms = 0 if self.stream.is_tight else self._window_ms
        segments, window_ms = self.segments, max(wanted_ms, _LEAST_LISTED * self.target_s * 1000)
        total_ms = sum(segment.duration_ms for segment in segments)
        while len(segments) > _LEAST_LISTED and total_ms - segments[0].duration_ms >= window_ms:
            total_ms -= segments[0].duration_ms
            self._behind.append(segments.popleft())
        is_long = total_ms > 2 * _LEAST_LISTED * self.target_s * 1000
        kept = _KEPT_BEHIND_LONG if is_long else _KEPT_BEHIND
        while len(self._behind) > kept:
            self._behind.popleft()
        if self._mp4 is not None and len(self._mp4.inits) > 1:
            self._mp4.forget_inits({segment.init for segment in self._all()})

    def _changed(self) -> None:
        self.version += 1
        self._on_change()


def _at_own_stamp(frame: Frame, dts_ms: int) -> Frame:
    """A frame that could not have its own place at this node, as other nodes have it."""
    return Frame(frame.type_id, dts_ms, frame.payload, frame.kind, frame.is_keyframe)
