"""media-server's low-latency scheme: short segments, sent while they grow, and named before they exist.

A playlist names a few segments ahead of the one that is being written; who
asks for one of these gets its bytes as they are made. So no request waits for
a segment to be complete. Segments are this node's own: they bear an epoch that
it made up, and continuity counters run on from one to the next.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.hls.config import HlsConfig
from edge.hls.maker import Maker
from edge.hls.names import Uris
from edge.hub.stream import Stream
from edge.media.cut_rule import rounded_s
from edge.media.frame import MEDIA, METADATA, TRACK_BIT, VIDEO, Epoch, Frame
from edge.media.mpegts import TsMuxer

_LONGEST_FRAME_MS = 1000
#: Whoever is sent a segment that grows is woken no more often.
_GROWTH_MS = 100


class GrowingSegment:
    """A segment, complete or not.

    Attributes:
        pieces: its bytes so far.
        duration_ms: 0 until it is complete.
        is_independent: it begins with a keyframe, or the stream has no pictures.
        is_discontinuity: it is the first of another publish.
    """

    __slots__ = (
        "begin_ms",
        "duration_ms",
        "has_video",
        "is_complete",
        "is_discontinuity",
        "is_independent",
        "number",
        "pieces",
        "size",
    )

    def __init__(self, number: int, begin_ms: int, *, is_independent: bool, is_discontinuity: bool) -> None:
        self.number = number
        self.begin_ms = begin_ms
        self.is_independent = is_independent
        self.is_discontinuity = is_discontinuity
        self.is_complete = False
        self.has_video = False
        self.duration_ms = 0
        self.pieces: list[bytes] = []
        self.size = 0


@dataclass(frozen=True, slots=True)
class TwoLevelWindow:
    """What a segmenter has, for one in another process that goes on with it.

    Attributes:
        seq: the next frame to be taken.
        segments: those that are kept, all of them complete.
        next_number: of the segment that begins next.
        discontinuities: before the first segment that is kept.
        last_ms, frame_ms: stamp of the newest frame, and how far it is from the one before.
        is_present: the last segment is of the present publish.
    """

    seq: int
    segments: deque[GrowingSegment]
    next_number: int
    discontinuities: int
    target_s: int
    last_ms: int
    frame_ms: int
    is_present: bool


class TwoLevelSegmenter(Maker):
    """Numbers segments from 1 and keeps the newest; a reader of the stream.

    Attributes:
        epoch: what its segments' names bear.
        segments: those that are kept, the last one in progress unless the stream has ended.
        is_ended: no more bytes will come.
        version: counts up when a segment begins or the stream ends.
        target_s: EXT-X-TARGETDURATION, which never falls.
    """

    def __init__(
        self,
        stream: Stream,
        tracks: int,
        config: HlsConfig,
        epoch: str,
        on_change: Callable[[], None],
        *,
        at_keyframes: bool,
        max_bytes: int,
        began_wall_ms: int = 0,
        window: TwoLevelWindow | None = None,
    ) -> None:
        """Begin where a new player would.

        Args:
            stream: whose frames it reads.
            tracks: bits of those that go in.
            config: lengths and counts.
            epoch: a word of this segmenter alone.
            on_change: called when there are more bytes.
            at_keyframes: segments of a stream with pictures end at keyframes only, for players that must find one.
            max_bytes: a segment ends at this size.
            began_wall_ms: the wall clock, by which numbers go on from those of a segmenter before.
            window: of a segmenter before, with which it goes on in place of that; its frame's place is that of
                this stream.
        """
        super().__init__(stream)
        self.epoch = epoch
        self.segments: deque[GrowingSegment] = deque()
        self.is_ended = False
        self.version = 0
        self.target_s = math.ceil(config.ts_duration_ms / 1000)
        self._tracks = tracks
        self._config = config
        self._on_change = on_change
        self._at_keyframes = at_keyframes
        self._max_bytes = max_bytes
        self._muxer = TsMuxer(pcr_lead_ms=config.ts_pcr_lead_ms)
        self._publish: Epoch | None = None
        self._is_news = False
        self._told_ms = 0
        self._next_number = 1 + began_wall_ms // config.ts_duration_ms
        self._discontinuities = 0  # before the first segment that is kept
        self._keyframes = 0  # of the segment in progress
        self._last_ms = self._frame_ms = 0
        queue = stream.queue
        seq = queue.start_seq(stream.config)
        self._seq = queue.end if seq is None else seq
        if window is not None:
            self._go_on(window)
        self.attach()

    def _go_on(self, window: TwoLevelWindow) -> None:
        self.segments.extend(window.segments)
        self._seq, self._next_number = window.seq, window.next_number
        self._discontinuities, self.target_s = window.discontinuities, window.target_s
        self._last_ms, self._frame_ms = window.last_ms, window.frame_ms
        if window.is_present:
            self._begin_muxer(self.stream.feed.epoch, self._seq, is_jump=True)

    def window(self) -> TwoLevelWindow:
        """What it has now; the segment in progress as if it ended here."""
        segments = deque(self.segments)
        if segments and not segments[-1].is_complete:
            last = segments[-1]
            ended = GrowingSegment(
                last.number,
                last.begin_ms,
                is_independent=last.is_independent,
                is_discontinuity=last.is_discontinuity,
            )
            ended.is_complete, ended.duration_ms = True, max(self._end_ms() - last.begin_ms, 1)
            ended.pieces, ended.size = list(last.pieces), last.size
            segments[-1] = ended
        longest_s = max((rounded_s(segment.duration_ms) for segment in segments), default=0)
        return TwoLevelWindow(
            seq=self._seq,
            segments=segments,
            next_number=self._next_number,
            discontinuities=self._discontinuities,
            target_s=max(self.target_s, longest_s),
            last_ms=self._last_ms,
            frame_ms=self._frame_ms,
            is_present=self._publish is not None and self._publish is self.stream.feed.epoch,
        )

    def let_go(self) -> None:
        """Another process goes on: the segment in progress ends as ``window`` has told, and no other begins."""
        self._complete(self._end_ms())
        self.version += 1
        self._tell()
        self.close()

    def _end_ms(self) -> int:
        """Where the segment in progress ends when no frame follows."""
        return self._last_ms + min(max(self._frame_ms, 1), _LONGEST_FRAME_MS)

    # --- what there is -------------------------------------------------------

    @property
    def has_begun(self) -> bool:
        """There is something to list."""
        return bool(self.segments)

    @property
    def newest(self) -> int:
        """Number of the segment in progress, or of the last one."""
        return self.segments[-1].number if self.segments else 0

    @property
    def size_bytes(self) -> int:
        """Of all segments that are kept."""
        return sum(segment.size for segment in self.segments)

    def find(self, number: int) -> GrowingSegment | None:
        """A segment that has begun and is kept."""
        first = self.segments[0].number if self.segments else 0
        index = number - first
        return self.segments[index] if 0 <= index < len(self.segments) else None

    def is_ahead(self, number: int) -> bool:
        """Whether a playlist has named it, or will next, though it has not begun."""
        return not self.is_ended and 0 < number - self.newest <= self._config.ts_pre_generated + 1

    def playlist(self, uris: Uris) -> str:
        """The media playlist; media-server's comment says which segment is being written."""
        config, segments = self._config, list(self.segments)
        ahead = 0 if self.is_ended else config.ts_pre_generated
        room = max(config.ts_max_stored - config.ts_pre_generated, 1)
        discontinuities = self._discontinuities
        for segment in segments[:-room]:
            discontinuities += segment.is_discontinuity
        segments = segments[-room:]
        usual_s = config.ts_duration_ms / 1000
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-MEDIA-SEQUENCE:{segments[0].number}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}",
            f"#WRITE-SEQUENCE:{self.newest}",
            f"#EXT-X-TARGETDURATION:{self.target_s}",
        ]
        for segment in segments:
            if segment.is_discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            lines.append(f"#EXTINF:{segment.duration_ms / 1000 if segment.is_complete else usual_s:.3f},")
            lines.append(uris.two_level(self.epoch, segment.number))
        for number in range(self.newest + 1, self.newest + 1 + ahead):
            lines.append(f"#EXTINF:{usual_s:.3f},")
            lines.append(uris.two_level(self.epoch, number))
        if self.is_ended:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"

    # --- reader of the stream --------------------------------------------------

    def _give_up(self) -> None:
        self.is_ended = True
        self._tell()

    def _take_new(self) -> None:
        queue = self.stream.queue
        for seq in range(max(self._seq, queue.base), queue.end):
            frame = queue[seq]
            if frame.kind == METADATA or frame.type_id not in TRACK_BIT or not self._tracks & TRACK_BIT[frame.type_id]:
                continue
            if frame.kind != MEDIA:
                self._add(self._muxer.encode(frame))
            elif frame.track == frame.type_id:
                self._take(frame, seq)
        self._seq = queue.end
        if self._is_news and (self._last_ms - self._told_ms >= _GROWTH_MS or self._told_ms > self._last_ms):
            self._tell()

    def on_unpublished(self, reason: str) -> None:
        """The publish is over, though another may follow: the last segment need not wait for that."""
        self.on_frames()
        self._complete(self._end_ms())
        self.version += 1
        self._tell()

    def on_end(self, reason: str) -> None:
        """The last segment ends with the last frame."""
        if self.is_ended:
            return
        self.on_frames()
        self._complete(self._end_ms())
        self.is_ended = True
        self.version += 1
        self._tell()

    def _tell(self) -> None:
        self._is_news, self._told_ms = False, self._last_ms
        self._on_change()

    # --- making --------------------------------------------------------------

    def _take(self, frame: Frame, seq: int) -> None:
        is_new_publish = frame.epoch is not self._publish
        current = self.segments[-1] if self.segments and not self.segments[-1].is_complete else None
        if current is None or is_new_publish or self._is_cut(current, frame):
            self._begin(frame, seq, is_discontinuity=is_new_publish and self.has_begun)
            current = self.segments[-1]
        if frame.type_id == VIDEO:
            current.has_video = True
            if frame.is_keyframe:
                self._keyframes += 1
        dts_ms = frame.dts_ms
        if dts_ms > self._last_ms:
            self._frame_ms = dts_ms - self._last_ms
            self._last_ms = dts_ms
        self._add(self._muxer.encode(frame))

    def _is_cut(self, current: GrowingSegment, frame: Frame) -> bool:
        """Whether a segment begins with ``frame``.

        At a keyframe where the next group of pictures, as long as those before, would not fit; else when
        the segment is long enough.
        """
        length_ms = self._config.ts_duration_ms
        passed_ms = frame.dts_ms - current.begin_ms
        if passed_ms <= 0:
            return False
        if current.size >= self._max_bytes:
            return True
        is_keyframe = frame.type_id == VIDEO and frame.is_keyframe
        if passed_ms >= length_ms:
            waits = self._at_keyframes and current.has_video and passed_ms < 10 * length_ms
            return is_keyframe or not waits
        if not is_keyframe:
            return False
        if not current.is_independent or not self._keyframes:
            return True
        return passed_ms + passed_ms // self._keyframes > length_ms

    def _begin(self, frame: Frame, seq: int, *, is_discontinuity: bool) -> None:
        self._complete(frame.dts_ms if not is_discontinuity else self._last_ms + max(self._frame_ms, 1))
        if self._publish is not frame.epoch:
            self._begin_muxer(frame.epoch, seq, is_jump=is_discontinuity)
        self._muxer.repeat_tables()
        is_independent = frame.is_keyframe or (frame.type_id != VIDEO and not self.stream.queue.has_video)
        segment = GrowingSegment(
            self._next_number, frame.dts_ms, is_independent=is_independent, is_discontinuity=is_discontinuity
        )
        self._next_number += 1
        self._keyframes = 0
        self._last_ms = frame.dts_ms
        self.segments.append(segment)
        while len(self.segments) > self._config.ts_max_stored:
            self._discontinuities += self.segments.popleft().is_discontinuity
        self.version += 1

    def _begin_muxer(self, publish: Epoch | None, seq: int, *, is_jump: bool) -> None:
        """Counters and tables begin anew; ``is_jump``: after others, which receivers are told."""
        self._publish = publish
        self._muxer = TsMuxer(pcr_lead_ms=self._config.ts_pcr_lead_ms, is_segment=is_jump)
        for header in self.stream.queue.headers_at(seq):
            if header.kind != METADATA and self._tracks & TRACK_BIT[header.type_id]:
                self._muxer.set_header(header)

    def _complete(self, end_ms: int) -> None:
        current = self.segments[-1] if self.segments else None
        if current is not None and not current.is_complete:
            self._add(self._muxer.flush())
            current.duration_ms = max(end_ms - current.begin_ms, 1)
            current.is_complete = True
            self.target_s = max(self.target_s, rounded_s(current.duration_ms))

    def _add(self, piece: bytes) -> None:
        if piece and self.segments:
            self.segments[-1].pieces.append(piece)
            self.segments[-1].size += len(piece)
            self._is_news = True
