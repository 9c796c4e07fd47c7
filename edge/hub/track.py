"""One track of a stream: how far it has come, and where its pictures begin.

A publish may hold several tracks of one medium (Enhanced RTMP v2, as OBS sends
them), each with keyframes and perhaps a clock of its own. So stamps are
compared within a track only, and a place to start is one from which every
video track begins with a keyframe.
"""

from __future__ import annotations

from edge.media.frame import Frame

#: Keyframe messages in a row that are taken for the slices of one picture; with a clock that stands
#: still a stream of keyframes alone would be one picture for ever.
MAX_PICTURE_MESSAGES = 64

#: So many pictures are looked through for a common place: tracks that have none in so many may have none at all,
#: and a publisher may send thousands of pictures a second.
MAX_LOOKS = 512

#: A pause shorter than this is never a track that was switched off.
LEAST_SILENCE_MS = 1000


class Track:
    """What the queue knows of a track.

    Attributes:
        key: its name, as ``edge.media.frame.tracks_of`` gives it.
        last_seq, last_ms: its newest frame, of video its newest picture; -1 before the first.
        pictures: of each keyframe picture that is held, the seq of the track's frame before it
            (-1: none) and the seq of its first message.
        picture_seq: first message of the newest keyframe picture, -1 for none.
        is_running: its clock has been seen to move.
        run: messages of that picture so far; 0 once another frame has followed.
        pauses: where the track went on after a pause, and for how long (ms) others had gone on meanwhile.
        kept: the messages of the newest picture after the queue has let go of them, while it is the track's newest.
    """

    __slots__ = ("is_running", "kept", "key", "last_ms", "last_seq", "pauses", "picture_seq", "pictures", "run")

    def __init__(self, key: int) -> None:
        self.key = key
        self.last_seq = -1
        self.last_ms = 0
        self.pictures: list[tuple[int, int]] = []  # an empty deque would take more than all else of a track
        self.picture_seq = -1
        self.run = 0
        self.is_running = False
        self.pauses: list[tuple[int, int]] = []
        self.kept: list[Frame] = []

    def add_keyframe(self, seq: int, dts_ms: int) -> None:
        """Note a keyframe message; one with the stamp of the one before it is a slice of the same picture.

        While the clock has never moved that may also be a picture of its own, and the newest is taken for one.
        """
        self._watch_clock(dts_ms)
        if 0 < self.run < MAX_PICTURE_MESSAGES and dts_ms == self.last_ms and self.picture_seq >= 0:
            self.run += 1
            if not self.is_running:
                self.pictures.append((self.last_seq, seq))
            return
        self.pictures.append((self.last_seq, seq))
        self.picture_seq = seq
        self.run = 1
        self.kept = []

    def end_picture(self, dts_ms: int) -> None:
        """Note a frame that is no keyframe: the newest keyframe alone does not show what is to be seen."""
        self._watch_clock(dts_ms)
        self.run = 0
        self.kept = []

    def _watch_clock(self, dts_ms: int) -> None:
        if self.is_running or self.last_seq < 0 or dts_ms == self.last_ms:
            return
        self.is_running = True
        pictures = self.pictures
        if self.run > 1 and pictures and pictures[0][1] <= self.picture_seq:
            while pictures[-1][1] > self.picture_seq:  # so these were slices
                pictures.pop()

    def add_pause(self, seq: int, paused_ms: int) -> None:
        """Note that frame ``seq`` comes after a pause; a longer one makes those before it needless."""
        self.pauses = [pause for pause in self.pauses if pause[1] > paused_ms]
        self.pauses.append((seq, paused_ms))

    def drop_before(self, seq: int) -> None:
        """Forget pictures that begin before ``seq``."""
        pictures = self.pictures
        if pictures and pictures[0][1] < seq:
            del pictures[: next((at for at, (_, start) in enumerate(pictures) if start >= seq), len(pictures))]

    def drop_before_pause(self, least_ms: int) -> None:
        """Forget pictures before a pause of more than ``least_ms``: from there a player would be that far behind."""
        for seq, paused_ms in self.pauses:
            if paused_ms > least_ms:
                self.drop_before(seq)
        self.pauses = []


def common_place(limit: int, tracks: list[Track]) -> int | None:
    """The newest seq up to ``limit`` from which each of ``tracks`` begins with a keyframe; None where there is none.

    From seq s a track begins with a picture when none of its frames lies between
    s and the picture's first message.
    """
    seq, looks = limit, 0
    indexes = [len(track.pictures) - 1 for track in tracks]
    is_settled = False
    while not is_settled:
        is_settled = True
        for n, track in enumerate(tracks):
            pictures, index = track.pictures, indexes[n]
            while index >= 0 and pictures[index][0] >= seq:
                index -= 1
                looks += 1
                if looks > MAX_LOOKS:
                    return None
            if index < 0:
                return None
            indexes[n] = index
            if pictures[index][1] < seq:
                seq = pictures[index][1]
                is_settled = False
    return seq


def next_common_place(first: int, tracks: list[Track]) -> int | None:
    """The oldest picture's seq from ``first`` on from which each of ``tracks`` begins with a keyframe, or None."""
    seq, looks = first, 0
    later = [iter(track.pictures) for track in tracks]
    pictures = [(-1, -1)] * len(tracks)
    is_settled = False
    while not is_settled:
        is_settled = True
        for n, iterator in enumerate(later):
            while pictures[n][1] < seq:
                found = next(iterator, None)
                looks += 1
                if found is None or looks > MAX_LOOKS:
                    return None
                pictures[n] = found
            if pictures[n][0] >= seq:  # before it stands another frame of the track
                seq = pictures[n][0] + 1
                is_settled = False
    return min((start for _, start in pictures), default=None)
