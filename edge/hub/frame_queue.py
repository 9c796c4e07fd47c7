"""The frames that a stream still holds, in order, for players that come or fall behind.

Frames are addressed by ``seq``, which counts up for the life of the stream.
What is kept: at least the group of pictures in progress, and as many of them
as media-server's own rules ask for; ``log_retain_ms`` where a node may come
back for it (``retention.py``), else of that what readers still stand on; at
most ``max_cached_frames`` and ``gop_cache_max_bytes``. Wire logs read the same
frames, so they hold no payloads of their own (see ``log.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from math import inf

from edge.hub.config import HubConfig
from edge.hub.headers import HeaderHistory
from edge.hub.held_frames import NEAR_FRAMES, HeldFrames
from edge.hub.track import LEAST_SILENCE_MS, Track, common_place, next_common_place
from edge.media.frame import (
    AUDIO,
    DATA,
    MEDIA,
    VIDEO,
    Frame,
)

#: Frames are taken out in lots, so that the list is not shifted for each one.
_EVICT_LOT = 32


class FrameQueue(HeldFrames):
    """The frames, and the headers in force at each.

    Attributes:
        headers: those that players need before a frame.
        last_dts: by medium, stamp of its newest frame; within it the clock never goes back.
        usual: that of the headers: frames that change nothing (see ``intake.py``).
        publish_seq: seq of the first sound or picture of the present publish.
    """

    __slots__ = ("_evicted_bytes", "headers", "last_dts", "publish_seq", "usual")

    def __init__(self) -> None:
        super().__init__()
        self.headers = HeaderHistory()
        self.usual = self.headers.usual
        self.publish_seq = 0
        self._evicted_bytes = 0
        self.last_dts: dict[int, int] = {}

    def push(self, frame: Frame) -> int:
        """Append ``frame`` and return its seq; within a medium the clock never goes back.

        A codec that was away comes with its header again, as a frame of its own.
        """
        type_id, kind = frame.type_id, frame.kind
        usual = self.usual[type_id].get(frame.payload[:1]) if kind == MEDIA else None
        if usual is None and kind == MEDIA and type_id != DATA:
            for header in self.headers.repeats(frame, self.end, self._evicted_bytes + self.size_bytes):
                self.push(header)
        seq = self.end
        dts_ms = frame.dts_ms
        last_ms = self.last_dts.get(type_id, 0)
        if dts_ms < last_ms:
            frame.dts_ms = dts_ms = last_ms
        else:
            self.last_dts[type_id] = dts_ms
        self.last_seq[type_id] = seq
        self.frames.append(frame)
        self.end = seq + 1
        self.size_bytes += len(frame.payload)
        if usual is not None and (track := usual.frames) is not None:
            usual.last_seq = seq
            if type_id == VIDEO and (
                track.run or seq - track.last_seq > NEAR_FRAMES or dts_ms - track.last_ms > LEAST_SILENCE_MS
            ):
                self.note_picture(track, frame, seq)
            track.last_seq = seq
            track.last_ms = dts_ms
        elif kind == MEDIA:
            self._push_unusual(frame, seq)
        else:
            self.headers.push(frame, seq, self.base)
        return seq

    def _push_unusual(self, frame: Frame, seq: int) -> None:
        """The rest of ``push`` for a keyframe, or a message that may change something: its tracks are looked at."""
        is_first = frame.type_id not in self.tracks
        super()._push_unusual(frame, seq)
        if is_first and (track := self.tracks.get(frame.type_id)) is not None:
            self.headers.found(track)

    def begin_publish(self) -> None:
        """The first sound or picture of another publish comes next: what belongs to the one before ends here."""
        self.headers.end_former(self.end)
        self.publish_seq = self.end

    def headers_at(self, seq: int) -> list[Frame]:
        """Headers that a player needs before frame ``seq``: metadata, video, audio."""
        return self.headers.at(seq)

    def headers_known_at(self, seq: int) -> list[Frame]:
        """Headers that had come, and had not been replaced, when frame ``seq`` came: nothing later changes that."""
        return self.headers.known_at(seq)

    def headers_between(self, after: int, seq: int) -> list[Frame]:
        """Headers at or after ``after`` and before ``seq``: what a player misses that jumps over them."""
        return self.headers.between(after, seq)

    # --- what may go ---------------------------------------------------------

    def evictable(self, config: HubConfig, oldest_read: Callable[[], int | None] | None = None) -> int:
        """How many of the oldest frames may go now, 0 or at least a lot of them.

        ``oldest_read``: gives the oldest frame that a reader needs, if any; without it all
        of ``log_retain_ms`` is kept, whoever reads.
        """
        count = len(self.frames)
        over = max(count - config.max_cached_frames, 0)
        cap = min(config.gop_cache_max_bytes, config.log_max_bytes)
        if self.size_bytes > cap:
            return self._to_a_place(max(over, self._over_bytes(cap)), config)
        if over:
            tracks = [track for track in self._live_video(config) if track.pictures]
            is_place_kept = not tracks or self._place(config, tracks) >= self.base + over
            return over if is_place_kept else self._to_a_place(over, config)
        if oldest_read is None:
            return self._evictable_after(config.log_retain_ms, config)
        buffering_ms = min(max(config.min_buffering_ms, 0), config.log_retain_ms)
        count = self._evictable_after(buffering_ms, config, is_for_newcomers=True)
        read = oldest_read() if count else None
        if read is not None:
            count = min(count, read - self.base)
        # What would not be kept for a node is not kept for a player.
        count = max(count, self._evictable_after(config.log_retain_ms, config))
        return count if count >= _EVICT_LOT else 0

    def _evictable_after(self, retain_ms: int, config: HubConfig, *, is_for_newcomers: bool = False) -> int:
        """The same where all of ``retain_ms`` is kept; ``is_for_newcomers``: and what these begin at."""
        count = len(self.frames)
        if count < _EVICT_LOT:
            return 0
        last = self.frames[_EVICT_LOT - 1]
        if last.dts_ms >= self._kept_from(last, retain_ms, config):
            return 0
        limit = count - 1
        live = self._live_video(config)
        with_pictures = [track for track in live if track.pictures]
        if with_pictures:
            limit = min(limit, self._oldest_wanted(config, with_pictures) - self.base)
        elif not live or is_for_newcomers:
            limit = min(limit, max(count - config.min_cached_frames_without_keyframes, 0))
            if is_for_newcomers and retain_ms:  # the newest frame of that age may be one that is older
                start = self._newest_start(config, config.keyframe_wait_ms)
                limit = limit if start is None else min(limit, start - self.base)
        wanted = self._outdated(limit, retain_ms, config) if limit >= _EVICT_LOT else 0
        return wanted if wanted >= _EVICT_LOT else 0

    def _outdated(self, limit: int, retain_ms: int, config: HubConfig) -> int:
        """Of the ``limit`` oldest frames, how many stand at the front whose track is long past them, or silent."""
        kept_from: dict[int, float] = {}

        def is_outdated(frame: Frame) -> bool:
            kept_from_ms = kept_from.get(frame.track)
            if kept_from_ms is None:
                kept_from_ms = kept_from[frame.track] = self._kept_from(frame, retain_ms, config)
            return frame.dts_ms < kept_from_ms

        # Within a track the clock never goes back: where the last frame of each may go, all may.
        for frame in reversed(self.frames[:limit]):
            if frame.track in kept_from:
                continue
            if not is_outdated(frame):
                break
            if kept_from.keys() >= self.tracks.keys():
                return limit
        return next((count for count, frame in enumerate(islice(self.frames, limit)) if not is_outdated(frame)), limit)

    def _kept_from(self, frame: Frame, retain_ms: int, config: HubConfig) -> float:
        """Stamp from which frames of this one's track are kept; infinite when none need be.

        Data has odd stamps: beside sound and picture it goes with these.
        """
        track = self.tracks.get(frame.track)
        if track is None or (frame.type_id == DATA and self.has_media) or self._is_silent(track, config):
            return inf
        return track.last_ms - retain_ms

    def _oldest_wanted(self, config: HubConfig, tracks: list[Track]) -> int:
        """Seq of the oldest place to start that is to be kept."""
        wanted = self._place(config, tracks)
        count = max(config.max_cached_keyframes, 1)
        for track in tracks:
            wanted = min(wanted, track.pictures[max(len(track.pictures) - count, 0)][1])
        return wanted

    def _over_bytes(self, cap: int) -> int:
        """Frames to drop to get under ``cap``."""
        size, count = self.size_bytes, 0
        while size > cap and count < len(self.frames) - 1:
            size -= len(self.frames[count].payload)
            count += 1
        return count

    def _to_a_place(self, count: int, config: HubConfig) -> int:
        """Frames to drop, at least ``count``: up to a place to start, where there is one."""
        seq = self.base + count
        tracks = [track for track in self._live_video(config) if track.pictures]
        if not tracks:
            return count
        place = next_common_place(seq, tracks)
        if place is None:
            nexts = (next((start for _, start in track.pictures if start >= seq), None) for track in tracks)
            place = min((start for start in nexts if start is not None), default=seq)
        return place - self.base

    def evict(self, count: int) -> None:
        """Drop the ``count`` oldest frames."""
        before_bytes = self.size_bytes
        super().evict(count)
        self._evicted_bytes += before_bytes - self.size_bytes

    # --- where to begin ------------------------------------------------------

    def seq_before(self, seq: int, lead_ms: int, *, silent_ms: int = 10_000) -> int:
        """A place to start at least ``lead_ms`` before frame ``seq``, else the oldest one before it.

        Without such a place the frame at that distance; of what is held. ``seq`` may be ``end``.
        Keyframes of a track that has been silent for more than ``silent_ms`` are none.
        """
        if not self.frames:
            return seq
        starts: list[int] = []
        tracks: list[Track] = []
        for track in self.tracks.values():
            before = [start for _, start in track.pictures if start <= seq]
            if before and self._silence_ms(track) <= max(silent_ms, LEAST_SILENCE_MS):
                limit_ms = self.clock_at(track.key, seq) - lead_ms
                starts.append(next((at for at in reversed(before) if self[at].dts_ms <= limit_ms), before[0]))
                tracks.append(track)
        if starts:
            place = common_place(min(starts), tracks) if len(tracks) > 1 else None
            return min(starts) if place is None else place
        at = self[min(seq, self.end - 1)]
        limits = {at.track: at.dts_ms - lead_ms}
        while seq > self.base:
            frame = self[seq - 1]
            if frame.dts_ms < limits.setdefault(frame.track, frame.dts_ms - lead_ms):
                break
            seq -= 1
        return seq

    def start_seq(self, config: HubConfig, *, waited_ms: int = 0, after: int = 0) -> int | None:
        """Where a new player begins, or None while it should wait for a keyframe.

        The newest place at least ``min_buffering_ms`` old from which each video track that is not
        silent begins with a keyframe, else the oldest of these tracks' keyframes of that age;
        without keyframes the newest frame of that age, else the very newest, for a stream whose
        video is not silent only after ``keyframe_wait_ms``.

        A player that fell behind goes on at frame ``after`` at the earliest; when
        no picture at all comes for ``keyframe_wait_ms`` it goes on with the sound.
        """
        seq = self._newest_start(config, waited_ms)
        if seq is not None and waited_ms > 0:
            seq = self._first_slice(seq, after)
        if seq is not None and seq < self.publish_seq:
            seq = self._start_of_publish()
        if seq is None or seq >= after:
            return seq
        if waited_ms < config.keyframe_wait_ms or self.last_seq.get(VIDEO, -1) >= after:
            return None
        return max((at for type_id, at in self.last_seq.items() if at >= after and type_id != DATA), default=None)

    def newest_seq(self) -> int | None:
        """The newest sound or picture of the present publish, else the newest data of a stream without either."""
        tracks = [track for key, track in self.tracks.items() if key & 0xFF != DATA] or list(self.tracks.values())
        newest = max((track.last_seq for track in tracks), default=-1)
        return newest if newest >= max(self.base, self.publish_seq) else None

    def _first_slice(self, seq: int, after: int) -> int:
        """Where the picture at ``seq`` may begin: on a clock that has not moved yet it may be a slice of it.

        For players that waited for it, so that none is older than they are.
        """
        for track in self.tracks.values():
            if track.pictures and track.pictures[-1][1] == seq and after <= track.picture_seq < seq:
                return track.picture_seq
        return seq

    def _start_of_publish(self) -> int | None:
        """The first keyframe of the present publish, else its newest sound or picture."""
        first = self.publish_seq
        keyframe = next((at for at in self.keyframes if at >= first), None)
        if keyframe is not None:
            return keyframe
        newest = max((track.last_seq for key, track in self.tracks.items() if key & 0xFF != DATA), default=-1)
        return newest if newest >= first else None

    def _newest_start(self, config: HubConfig, waited_ms: int) -> int | None:
        if not self.frames:
            return None
        live = self._live_video(config)
        tracks = [track for track in live if track.pictures]
        if tracks:
            return self._place(config, tracks)
        if live and waited_ms < config.keyframe_wait_ms:
            return None
        buffering_ms = max(config.min_buffering_ms, 0)
        # The times of data may be odd; where there is sound a player goes by that.
        has_sound = any(
            track.key & 0xFF == AUDIO and not self._is_silent(track, config) for track in self.tracks.values()
        )
        newest = None
        for seq in range(self.end - 1, self.base - 1, -1):
            frame = self[seq]
            if frame.kind == MEDIA and (frame.type_id != DATA or not has_sound):
                if frame.dts_ms + buffering_ms <= self.tracks[frame.track].last_ms:
                    return seq
                if newest is None:
                    newest = seq
        return newest

    def _newest_picture(self, track: Track, least_age_ms: int) -> int:
        """Seq of the track's newest keyframe picture of that age, else of the oldest."""
        if not least_age_ms:
            return track.pictures[-1][1]
        limit_ms = track.last_ms + self._silence_ms(track) - least_age_ms
        starts = (start for _, start in reversed(track.pictures) if self[start].dts_ms <= limit_ms)
        return next(starts, track.pictures[0][1])

    def _place(self, config: HubConfig, tracks: list[Track]) -> int:
        """Where to begin with ``tracks``, which all have pictures; see ``start_seq``."""
        oldest = min([self._newest_picture(track, max(config.min_buffering_ms, 0)) for track in tracks])
        if len(tracks) == 1:
            return oldest
        place = common_place(oldest, tracks)
        if place is None:
            return oldest
        # Groups of different lengths rarely begin together: then a clean start is not worth so old a one.
        lead_ms = self.clock_at(self[place].track, oldest) - self[place].dts_ms
        return place if lead_ms <= max(config.log_retain_ms, LEAST_SILENCE_MS) else oldest
