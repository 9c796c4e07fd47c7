"""Frames in order, and what is known of their tracks: the ground that ``FrameQueue`` stands on.

The clocks of two tracks may drift apart, stand still or step back, so stamps
are compared within a track only. A track is *silent* when another has gone on
by ``log_retain_ms`` of its own clock since: then nothing waits for it, and
its keyframes are no places to start. See ``track.py``.
"""

from __future__ import annotations

from bisect import bisect_left

from edge.hub.config import HubConfig
from edge.hub.track import LEAST_SILENCE_MS, Track
from edge.media.frame import (
    ALL_TRACKS,
    AUDIO,
    DATA,
    MEDIA,
    TRACK_BIT,
    VIDEO,
    Epoch,
    Frame,
    has_picture,
    tracks_of,
)

#: Frames of further tracks count as their medium's first: each costs a little at every look at what may go.
MAX_TRACKS = 32
#: Pictures of silent tracks that are kept beyond ``gop_cache_max_bytes``, all tracks together.
MAX_KEPT_BYTES = 8388608

#: A track whose frames are no further apart than this has made no pause.
NEAR_FRAMES = 8
#: A reader behind is judged by the frames that it gets next: several tracks, whose clocks may differ.
_LOOK_FRAMES = 16

_AUDIO_BIT, _VIDEO_BIT, _DATA_BIT = TRACK_BIT[AUDIO], TRACK_BIT[VIDEO], TRACK_BIT[DATA]


class HeldFrames:
    """Frames ``base`` .. ``end - 1``, their keyframes and their tracks.

    Attributes:
        base: seq of the oldest frame held.
        end: seq that the next frame gets.
        size_bytes: sum of the payloads held.
        last_seq: per medium (type id), seq of its newest frame.
        tracks: by key, what is known of each track that had media.
    """

    __slots__ = ("base", "end", "frames", "keyframes", "last_seq", "size_bytes", "tracks")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.base = 0
        self.end = 0
        self.size_bytes = 0
        self.keyframes: list[int] = []
        self.last_seq: dict[int, int] = {}
        self.tracks: dict[int, Track] = {}

    def __getitem__(self, seq: int) -> Frame:
        return self.frames[seq - self.base]

    def newest(self) -> Frame | None:
        """The frame pushed last, or None."""
        return self.frames[-1] if self.frames else None

    def evict(self, count: int) -> None:
        """Drop the ``count`` oldest frames."""
        base = self.base + count
        for track in self.tracks.values():
            if track.run and self.base <= track.picture_seq < base:
                self._keep_picture(track)
        self.size_bytes -= sum([len(frame.payload) for frame in self.frames[:count]])
        del self.frames[:count]
        self.base = base
        if self.keyframes and self.keyframes[0] < base:
            del self.keyframes[: bisect_left(self.keyframes, base)]
        for track in self.tracks.values():
            track.drop_before(base)

    # --- tracks --------------------------------------------------------------

    def _push_unusual(self, frame: Frame, seq: int) -> None:
        """The rest of ``push`` for a message that names its tracks, or may have no picture."""
        tracks = self._tracks_of(frame)
        frame.track = tracks[0].key
        is_video = frame.type_id == VIDEO
        if is_video and not frame.is_keyframe and not has_picture(frame.payload):
            return
        for track in tracks:
            if is_video:
                self.note_picture(track, frame, seq)
            track.last_seq = seq
            track.last_ms = frame.dts_ms

    def _tracks_of(self, frame: Frame) -> list[Track]:
        found: list[Track] = []
        for key in tracks_of(frame.type_id, frame.payload):
            if key not in self.tracks and len(self.tracks) >= MAX_TRACKS:
                key = frame.type_id
            track = self.tracks.get(key)
            if track is None:
                track = self.tracks[key] = Track(key)
            if track not in found:
                found.append(track)
        return found

    def note_picture(self, track: Track, frame: Frame, seq: int) -> None:
        """A picture has come at ``seq``: a keyframe, the first after one, or one after a pause."""
        is_pause = seq - track.last_seq > NEAR_FRAMES or frame.dts_ms - track.last_ms > LEAST_SILENCE_MS
        if is_pause and track.last_seq >= 0:
            paused_ms = self._silence_ms(track)
            if paused_ms > LEAST_SILENCE_MS:
                track.add_pause(seq, paused_ms)
        if frame.is_keyframe:
            if not self.keyframes or self.keyframes[-1] != seq:
                self.keyframes.append(seq)
            track.add_keyframe(seq, frame.dts_ms)
        else:
            track.end_picture(frame.dts_ms)

    @property
    def has_video(self) -> bool:
        """A picture has come."""
        return any(key & 0xFF == VIDEO for key in self.tracks)

    @property
    def has_media(self) -> bool:
        """Sound or picture has come."""
        return any(key & 0xFF != DATA for key in self.tracks)

    def _silence_ms(self, track: Track) -> int:
        """How far others have gone on, each by its own clock, since the newest frame of ``track``.

        Of a track that has no frames any more, as far as it can be seen from those held.
        """
        base, frames, tracks = self.base, self.frames, self.tracks
        count = self.end - 1 - max(track.last_seq, base - 1)
        if count <= 1:
            return 0  # to go on takes two frames
        if count <= _LOOK_FRAMES:
            return max(
                tracks[frame.track].last_ms - frame.dts_ms if frame.kind == MEDIA else 0 for frame in frames[-count:]
            )
        awaited = {key for key, other in tracks.items() if other.last_seq > track.last_seq and other.last_seq >= base}
        silence_ms = 0
        position = max(track.last_seq + 1 - base, 0)
        while awaited and position < len(frames):
            frame = frames[position]
            if frame.kind == MEDIA and frame.track in awaited:
                awaited.remove(frame.track)
                silence_ms = max(silence_ms, tracks[frame.track].last_ms - frame.dts_ms)
            position += 1
        return silence_ms

    def _is_silent(self, track: Track, config: HubConfig) -> bool:
        if track.last_seq < self.base:
            return True
        return self._silence_ms(track) > max(config.log_retain_ms, LEAST_SILENCE_MS)

    def _live_video(self, config: HubConfig) -> list[Track]:
        """Video tracks that are not silent; of a publish before the present one only until this has a picture."""
        least_ms = max(config.log_retain_ms, LEAST_SILENCE_MS)
        live = []
        for track in self.tracks.values():
            if track.key & 0xFF == VIDEO and not self._is_silent(track, config):
                if track.pauses:
                    track.drop_before_pause(least_ms)
                live.append(track)
        if len(live) > 1:
            epoch = self.frames[-1].epoch
            present = [track for track in live if self[track.last_seq].epoch is epoch]
            if any(track.pictures for track in present):
                return present
        return live

    def video_tracks(self) -> set[int]:
        """Keys of the video tracks that have frames here."""
        return {key for key, track in self.tracks.items() if key & 0xFF == VIDEO and track.last_seq >= self.base}

    def lag_ms(self, seq: int) -> int:
        """How far a reader at frame ``seq`` is behind: by the own clock of each track that it gets next, the farthest.

        Data counts only where there is nothing else.
        """
        has_media = self.has_media
        begin = max(seq - self.base, 0)
        lag_ms = 0
        for frame in self.frames[begin : begin + _LOOK_FRAMES]:
            if frame.kind == MEDIA and (frame.type_id != DATA or not has_media):
                lag_ms = max(lag_ms, self.tracks[frame.track].last_ms - frame.dts_ms)
        return lag_ms

    def clock_at(self, key: int, seq: int) -> int:
        """Stamp of the first frame of a track at or after ``seq``, else of its newest."""
        for position in range(max(seq - self.base, 0), len(self.frames)):
            frame = self.frames[position]
            if frame.kind == MEDIA and frame.track == key:
                return frame.dts_ms
        track = self.tracks.get(key)
        return track.last_ms if track is not None else 0

    def tracks_from(self, seq: int, among: int = ALL_TRACKS) -> int:
        """Bits (``TRACK_BIT``) of the tracks in ``among`` that have a frame at or after ``seq``."""
        bits = 0
        last_seq = self.last_seq
        if among & _AUDIO_BIT and last_seq.get(AUDIO, -1) >= seq:
            bits |= _AUDIO_BIT
        if among & _VIDEO_BIT and last_seq.get(VIDEO, -1) >= seq:
            bits |= _VIDEO_BIT
        if among & _DATA_BIT and last_seq.get(DATA, -1) >= seq:
            bits |= _DATA_BIT
        return bits

    # --- the picture of a silent track ---------------------------------------

    def _keep_picture(self, track: Track) -> None:
        track.kept = self._picture_of(track)
        self._bound_kept(track)

    def _bound_kept(self, track: Track) -> None:
        if sum(len(frame.payload) for other in self.tracks.values() for frame in other.kept) > MAX_KEPT_BYTES:
            track.kept = []

    def _picture_of(self, track: Track) -> list[Frame]:
        """Messages of the track's newest keyframe picture, when no frame has followed it."""
        if not track.run or track.kept:
            return track.kept
        if track.picture_seq < self.base:
            return []
        begin, end = track.picture_seq - self.base, track.last_seq + 1 - self.base
        return [frame for frame in self.frames[begin:end] if frame.is_keyframe and track in self._tracks_of(frame)]

    def hold_pictures(self, pictures: list[Frame]) -> None:
        """Take in what is to be seen of tracks that send nothing at present: newcomers get it.

        It comes from the node that feeds us and has no number, so it is no frame of this
        queue. A track of which frames are held shows these.
        """
        new: dict[Track, list[Frame]] = {}
        for frame in pictures:
            for track in self._tracks_of(frame):
                new.setdefault(track, []).append(frame)
        for track, frames in new.items():
            if track.last_seq < self.base:
                track.kept, track.run, track.picture_seq = frames, len(frames), -1
                self._bound_kept(track)

    def pictures_at(self, seq: int, after: int = -1) -> list[Frame]:
        """What is seen at frame ``seq`` of video tracks whose newest frame, before that, is itself a keyframe.

        So a newcomer to slides sees the present one. With ``after`` only those that came from there
        on: what a player has missed that jumps.
        """
        return self.pictures_of(self[seq].epoch, seq, after)

    def pictures_of(self, epoch: Epoch | None, seq: int | None = None, after: int = -1) -> list[Frame]:
        """The same of one publish, at frame ``seq`` or behind the newest one."""
        found: list[Frame] = []
        before = self.end if seq is None else seq
        for track in self.tracks.values():
            if track.run and track.last_seq < before and track.picture_seq >= after:
                found.extend(f for f in self._picture_of(track) if f.epoch is epoch and f not in found)
        return found
