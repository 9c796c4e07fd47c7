"""The frames that a stream still holds, in order, for players that come or fall behind.

Frames are addressed by ``seq``, which counts up for the life of the stream.
What is kept: at least ``log_retain_ms`` and the group of pictures in progress,
and as many of both as media-server's own rules ask for; at most
``max_cached_frames`` and ``gop_cache_max_bytes``. Wire logs read the same
frames, so they hold no payloads of their own (see ``log.py``).
"""

from __future__ import annotations

from collections import deque

from edge.hub.config import HubConfig
from edge.hub.headers import HeaderHistory
from edge.media.frame import (
    ALL_TRACKS,
    AUDIO,
    DATA,
    MEDIA,
    TRACK_BIT,
    VIDEO,
    Frame,
)

#: Frames are taken out in lots, so that the list is not shifted for each one.
_EVICT_LOT = 32

_AUDIO_BIT, _VIDEO_BIT, _DATA_BIT = TRACK_BIT[AUDIO], TRACK_BIT[VIDEO], TRACK_BIT[DATA]


class FrameQueue:
    """Frames ``base`` .. ``end - 1``, their keyframes, and the headers in force at each.

    Attributes:
        base: seq of the oldest frame held.
        end: seq that the next frame gets.
        size_bytes: sum of the payloads held.
        last_seq: per track type id, seq of its newest frame.
        headers: those that players need before a frame.
        publish_seq: seq of the first sound or picture of the present publish.
        has_video: a picture of it has come.
    """

    __slots__ = (
        "_evicted_bytes",
        "_last_dts",
        "_usual",
        "base",
        "end",
        "frames",
        "has_video",
        "headers",
        "keyframes",
        "last_seq",
        "publish_seq",
        "size_bytes",
    )

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.base = 0
        self.end = 0
        self.size_bytes = 0
        self.keyframes: deque[int] = deque()
        self.last_seq: dict[int, int] = {}
        self.has_video = False
        self.headers = HeaderHistory()
        self._usual = self.headers.usual
        self.publish_seq = 0
        self._evicted_bytes = 0
        self._last_dts: dict[int, int] = {}

    def push(self, frame: Frame) -> int:
        """Append ``frame`` and return its seq; within a track the clock never goes back.

        A codec that was away comes with its header again, as a frame of its own.
        """
        type_id = frame.type_id
        if frame.kind == MEDIA and type_id != DATA:
            track = self._usual[type_id].get(frame.payload[:1])
            if track is not None:
                track.last_seq = self.end
            else:
                for header in self.headers.repeats(frame, self.end, self._evicted_bytes + self.size_bytes):
                    self.push(header)
        seq = self.end
        last_ms = self._last_dts.get(type_id, 0)
        if frame.dts_ms < last_ms:
            frame.dts_ms = last_ms
        else:
            self._last_dts[type_id] = frame.dts_ms
        self.last_seq[type_id] = seq
        self.frames.append(frame)
        self.end = seq + 1
        self.size_bytes += len(frame.payload)
        if frame.kind == MEDIA:
            if type_id == VIDEO:
                self.has_video = True
                if frame.is_keyframe:
                    self.keyframes.append(seq)
        else:
            self.headers.push(frame, seq, self.base)
        return seq

    def __getitem__(self, seq: int) -> Frame:
        return self.frames[seq - self.base]

    def newest(self) -> Frame | None:
        """The frame pushed last, or None."""
        return self.frames[-1] if self.frames else None

    def begin_publish(self) -> None:
        """The first sound or picture of another publish comes next: what belongs to the one before ends here."""
        self.headers.end_former(self.end)
        self.publish_seq = self.end
        self.has_video = False

    def headers_at(self, seq: int) -> list[Frame]:
        """Headers that a player needs before frame ``seq``: metadata, video, audio."""
        return self.headers.at(seq)

    def headers_between(self, after: int, seq: int) -> list[Frame]:
        """Headers at or after ``after`` and before ``seq``: what a player misses that jumps over them."""
        return self.headers.between(after, seq)

    def evictable(self, config: HubConfig) -> int:
        """How many of the oldest frames may go now, 0 or at least a lot of them."""
        frames, keyframes = self.frames, self.keyframes
        count = len(frames)
        over = max(count - config.max_cached_frames, 0)
        if self.size_bytes > min(config.gop_cache_max_bytes, config.log_max_bytes):
            over = max(over, self._over_bytes(min(config.gop_cache_max_bytes, config.log_max_bytes)))
        if over:
            return over
        if count < _EVICT_LOT:
            return 0
        newest_ms = frames[-1].dts_ms
        if newest_ms - frames[_EVICT_LOT - 1].dts_ms <= config.log_retain_ms:
            return 0
        limit = self.base + count - 1
        if keyframes:
            limit = self._oldest_wanted_keyframe(config, newest_ms)
        elif not self.has_video:
            limit = max(self.base, self.end - config.min_cached_frames_without_keyframes)
        oldest_ms = newest_ms - config.log_retain_ms
        wanted = 0
        last = min(limit - self.base, count - 1)
        while wanted < last and frames[wanted].dts_ms < oldest_ms:
            wanted += 1
        return wanted if wanted >= _EVICT_LOT else 0

    def _oldest_wanted_keyframe(self, config: HubConfig, newest_ms: int) -> int:
        index = max(len(self.keyframes) - max(config.max_cached_keyframes, 1), 0)
        buffering_ms = max(config.min_buffering_ms, 0)
        while index > 0 and self[self.keyframes[index]].dts_ms + buffering_ms > newest_ms:
            index -= 1
        return self.keyframes[index]

    def _over_bytes(self, cap: int) -> int:
        """Frames to drop to get under ``cap``: whole groups of pictures where there are several."""
        size, count = self.size_bytes, 0
        while size > cap and count < len(self.frames) - 1:
            size -= len(self.frames[count].payload)
            count += 1
        seq = self.base + count
        later = next((keyframe for keyframe in self.keyframes if keyframe >= seq), None)
        return later - self.base if later is not None else count

    def evict(self, count: int) -> None:
        """Drop the ``count`` oldest frames."""
        before_bytes = self.size_bytes
        for frame in self.frames[:count]:
            self.size_bytes -= len(frame.payload)
        self._evicted_bytes += before_bytes - self.size_bytes
        del self.frames[:count]
        self.base += count
        while self.keyframes and self.keyframes[0] < self.base:
            self.keyframes.popleft()

    def seq_before(self, seq: int, lead_ms: int) -> int:
        """The newest keyframe at least ``lead_ms`` before frame ``seq``, else the oldest one before it.

        Without such a keyframe the frame at that distance; of what is held. ``seq`` may be ``end``.
        """
        if not self.frames:
            return seq
        limit_ms = self[min(seq, self.end - 1)].dts_ms - lead_ms
        before = [at for at in self.keyframes if at <= seq]
        if before:
            return next((at for at in reversed(before) if self[at].dts_ms <= limit_ms), before[0])
        while seq > self.base and self[seq - 1].dts_ms >= limit_ms:
            seq -= 1
        return seq

    def start_seq(self, config: HubConfig, *, waited_ms: int = 0, after: int = 0) -> int | None:
        """Where a new player begins, or None while it should wait for a keyframe.

        The newest keyframe at least ``min_buffering_ms`` old, else the oldest
        keyframe; without keyframes the newest frame of that age, else the very
        newest, for a stream with video only after ``keyframe_wait_ms``.

        A player that fell behind goes on at frame ``after`` at the earliest; when
        no picture at all comes for ``keyframe_wait_ms`` it goes on with the sound.
        """
        seq = self._newest_start(config, waited_ms)
        if seq is not None and seq < self.publish_seq:
            seq = self._start_of_publish()
        if seq is None or seq >= after:
            return seq
        if waited_ms < config.keyframe_wait_ms or self.last_seq.get(VIDEO, -1) >= after:
            return None
        return max((at for type_id, at in self.last_seq.items() if at >= after and type_id != DATA), default=None)

    def _start_of_publish(self) -> int | None:
        """The first keyframe of the present publish, else its newest sound or picture."""
        keyframe = next((at for at in self.keyframes if at >= self.publish_seq), None)
        if keyframe is not None:
            return keyframe
        newest = max(self.last_seq.get(VIDEO, -1) if self.has_video else -1, self.last_seq.get(AUDIO, -1))
        return newest if newest >= self.publish_seq else None

    def _newest_start(self, config: HubConfig, waited_ms: int) -> int | None:
        if not self.frames:
            return None
        newest_ms = self.frames[-1].dts_ms
        buffering_ms = max(config.min_buffering_ms, 0)
        if self.keyframes:
            for seq in reversed(self.keyframes):
                if self[seq].dts_ms + buffering_ms <= newest_ms:
                    return seq
            return self.keyframes[0]
        if self.has_video and waited_ms < config.keyframe_wait_ms:
            return None
        newest = None
        for seq in range(self.end - 1, self.base - 1, -1):
            frame = self[seq]
            if frame.kind == MEDIA:
                if frame.dts_ms + buffering_ms <= newest_ms:
                    return seq
                if newest is None:
                    newest = seq
        return newest

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
