"""A player switches the sound or the picture off and on again (RTMP 1.0 §7.2.2.4, §7.2.2.5).

Sound comes back with the next frame, behind its header. The picture comes back
as to a newcomer: the writer goes back to where one would begin, and what came
since is written once more, the pictures alone. So it is to be seen at once,
however far apart keyframes are, and each of several tracks begins on one.
"""

from __future__ import annotations

from edge.hub.stream import Stream
from edge.media.frame import AUDIO, MEDIA, TRACK_BIT, VIDEO, Frame, tracks_of

_AUDIO_BIT, _VIDEO_BIT = TRACK_BIT[AUDIO], TRACK_BIT[VIDEO]

#: A frame to write, and the one with whose stamp.
Piece = tuple[Frame, Frame]


class Switched:
    """What is due of the media that one player has switched on.

    Attributes:
        is_picture_due: ``begin_picture`` is to be called.
    """

    __slots__ = (
        "_begun",
        "_floor_ms",
        "_is_sound_due",
        "_left_ms",
        "_queue",
        "_replay_end",
        "_since_ms",
        "_stream",
        "is_picture_due",
    )

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._queue = stream.queue
        self.is_picture_due = False
        self._is_sound_due = False
        # Video tracks that have begun since the picture was switched on, None once all have.
        self._begun: set[int] | None = None
        self._since_ms = 0
        # Frames before this one are written once more.
        self._replay_end = 0
        # Stamp of the last picture before it was switched off, and the lowest of what is written once more.
        self._left_ms = -1
        self._floor_ms = 0

    @property
    def is_settled(self) -> bool:
        """All that is wanted goes on by itself."""
        return self._begun is None and not self._is_sound_due

    def change(self, before: int, after: int, seq: int, *, is_running: bool) -> int:
        """Other media are wanted (masks of ``TRACK_BIT``); returns the frame to go on with.

        ``seq``: the next frame. A player that does not run yet begins with all that it wants.
        """
        on, off = after & ~before, before & ~after
        if off & _AUDIO_BIT:
            self._is_sound_due = False
        if off & _VIDEO_BIT:
            seq = max(seq, self._replay_end)
            self.is_picture_due, self._begun = False, None
            self._left_ms = max(self._left_ms, self._last_picture_ms(seq))
        if is_running:
            self._is_sound_due = self._is_sound_due or bool(on & _AUDIO_BIT)
            self.is_picture_due = self.is_picture_due or bool(on & _VIDEO_BIT)
        return seq

    def _last_picture_ms(self, seq: int) -> int:
        queue = self._queue
        seqs = range(min(seq, queue.end) - 1, queue.base - 1, -1)
        return next((queue[at].dts_ms for at in seqs if queue[at].type_id == VIDEO), -1)

    def begin_picture(self, seq: int, base_ms: int, now_ms: int) -> tuple[int, list[Piece]]:
        """Show the picture to a player at frame ``seq``; returns the one to go on with, and what comes first.

        ``base_ms``: the stream's clock at the player's 0. Stamps stay where the picture was
        switched off until it has come so far.
        """
        queue = self._queue
        self.is_picture_due = False
        self._begun, self._since_ms = set(), now_ms
        if not queue.frames:
            return seq, []
        start = queue.start_seq(self._stream.config)
        if start is not None and start < seq:
            self._replay_end, seq = max(seq, self._replay_end), start
        newest_ms = queue[max(queue.last_seq.get(VIDEO, -1), queue.base)].dts_ms
        self._floor_ms = min(max(self._left_ms, base_ms), newest_ms)
        place = min(seq, queue.end - 1)
        at = self._restamped(queue[place]) if queue[place].type_id == VIDEO else queue[place]
        headers = [header for header in queue.headers_at(seq) if header.type_id == VIDEO]
        return seq, [(frame, at) for frame in (*headers, *queue.pictures_at(place))]

    def pieces_of(self, frame: Frame, seq: int, now_ms: int) -> list[Piece]:
        """What to write for ``frame``, number ``seq``, while not all is settled."""
        if frame.type_id == VIDEO and self._begun is not None:
            if not self._may_show(frame, self._begun, now_ms):
                return []
            if seq >= self._replay_end and self._queue.video_tracks() <= self._begun:
                self._begun = None
            frame = self._restamped(frame)
            return [(frame, frame)]
        if seq < self._replay_end:
            return []  # the player has it
        headers: list[Piece] = []
        if frame.type_id == AUDIO and self._is_sound_due:
            if frame.kind != MEDIA:
                return []
            self._is_sound_due = False
            headers = [(header, frame) for header in self._queue.headers_at(seq) if header.type_id == AUDIO]
        return [*headers, (frame, frame)]

    def _may_show(self, frame: Frame, begun: set[int], now_ms: int) -> bool:
        """Each track begins on a keyframe of its own; without keyframes at all it may begin after a while."""
        if frame.kind != MEDIA:
            return True
        tracks = tracks_of(VIDEO, frame.payload)
        has_waited = now_ms - self._since_ms >= self._stream.config.keyframe_wait_ms
        if frame.is_keyframe or (has_waited and not self._queue.keyframes):
            begun.update(tracks)
        return not begun.isdisjoint(tracks)

    def _restamped(self, frame: Frame) -> Frame:
        """A frame of the picture, not before the last one that the player got."""
        if frame.dts_ms >= self._floor_ms:
            return frame
        return Frame(VIDEO, self._floor_ms, frame.payload, frame.kind, frame.is_keyframe)
