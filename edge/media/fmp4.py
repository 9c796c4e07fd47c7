"""A live stream as fragmented MP4 (ISO/IEC 14496-12 §8.8): frames go in, an initialisation segment and fragments
come out.

One track of video (id 1) and one of audio (id 2), together in each fragment: a moof that lists the samples of
both and an mdat with their data. A muxer keeps the headers in force and nothing else: the bytes of a fragment
follow from them and from what it is asked for, so that the nodes of a fleet give the same bytes for the same
fragment, whichever was their first.

*Clock.* Video counts in 1/90000 s, of which a millisecond has 90. Audio counts samples: within a fragment each
frame follows the one before by just as many as it holds, whatever its timestamp says, since milliseconds are too
coarse for sound; the first one's timestamp tells where that begins. Where timestamps and count come to differ by
more than 100 ms sound is missing: the sample before lasts as long as it takes for both to agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

from edge.errors import MediaError, UnsupportedCodecError
from edge.media.codecs import opus
from edge.media.codecs.body import CODED, HEADER, TS_HEADER, read_audio, read_video
from edge.media.fmp4_boxes import MAX_DURATION, NON_SYNC, SYNC, Run, Track, encode_fragment, encode_init
from edge.media.fmp4_codecs import (
    AUDIO_CODECS,
    VIDEO_CODECS,
    VIDEO_TIMESCALE,
    AudioCodec,
    VideoCodec,
    configure_audio,
    configure_video,
)
from edge.media.frame import AUDIO, TRACK_BIT, VIDEO, Frame, codec_name

VIDEO_TRACK_ID, AUDIO_TRACK_ID = 1, 2

_TICKS_PER_MS = VIDEO_TIMESCALE // 1000
#: Encoders reorder by a few pictures: larger offsets are garbage and taken as none.
_MAX_OFFSET_MS = 10_000
#: How far audio timestamps may stray from the count of samples, as a part of a second.
_MAX_DRIFT_PART = 10
#: Of a picture of which nothing tells how long it is shown: 40 ms.
_USUAL_TICKS = 40 * _TICKS_PER_MS
#: A publisher may invent names without end.
_MAX_NAMES = 16

_Codec = TypeVar("_Codec", VideoCodec, AudioCodec)


class _InForce(Generic[_Codec]):
    """The header in force of one medium.

    Attributes:
        codec: FourCC of the frames that go with it.
        source: what it was read from.
        mp4: how they go into MP4; None while nothing can be sent.
    """

    __slots__ = ("codec", "mp4", "source")

    def __init__(self) -> None:
        self.codec = b""
        self.source: tuple[bytes, int, bytes] | None = None
        self.mp4: _Codec | None = None

    def use(self, source: tuple[bytes, int, bytes], mp4: _Codec | None) -> bool:
        """Take a header, or with None that there is none that we can use; whether another sample entry is in force."""
        before = self.mp4.entry if self.mp4 else b""
        self.source, self.mp4 = source, mp4
        self.codec = source[0] if mp4 else b""
        return before != (mp4.entry if mp4 else b"")


class Fmp4Muxer:
    """One rendition of a stream: at most one video and one audio track.

    Attributes:
        dropped_count: frames left out: malformed, not of the codec whose header is in force, or before any header.
        bad_header_count: sequence headers that could not be read; the ones before stay in force.
        unsupported: names of codecs that we do not put into MP4, the first ones.
    """

    def __init__(self, tracks: int = TRACK_BIT[AUDIO] | TRACK_BIT[VIDEO]) -> None:
        """Begin without any header.

        Args:
            tracks: bits of the media to take (``frame.TRACK_BIT``); others are passed over.
        """
        self.dropped_count = self.bad_header_count = 0
        self.unsupported: set[str] = set()
        self._tracks = tracks
        self._video: _InForce[VideoCodec] = _InForce()
        self._audio: _InForce[AudioCodec] = _InForce()
        self._init_segment: bytes | None = None

    def take_header(self, frame: Frame) -> bool:
        """Put a sequence header in force, in place of the one before of its medium, whichever its codec.

        Returns whether the initialisation segment is now another: what comes after needs it. Frames
        that are no sequence headers are passed over. A header of a codec that we do not put into MP4 ends the track.
        """
        type_id, payload = frame.type_id, frame.payload
        if type_id not in (AUDIO, VIDEO) or not self._tracks & TRACK_BIT[type_id]:
            return False
        codec, what, start, end, _ = read_video(payload) if type_id == VIDEO else read_audio(payload)
        if what not in (HEADER, TS_HEADER):
            return False
        source = codec, what, payload[start:end]
        is_video = type_id == VIDEO
        if source == (self._video if is_video else self._audio).source:
            return False
        try:
            if is_video:
                has_changed = self._video.use(source, configure_video(codec, source[2], is_ts_header=what == TS_HEADER))
            else:
                has_changed = self._audio.use(source, configure_audio(codec, source[2]))
        except UnsupportedCodecError as error:
            self._note_unsupported(error.codec)
            has_changed = self._video.use(source, None) if is_video else self._audio.use(source, None)
        except MediaError:
            self.bad_header_count += 1
            return False
        if has_changed:
            self._init_segment = None
        return has_changed

    @property
    def init_segment(self) -> bytes:
        """The initialisation segment of the headers in force; empty while no track is known."""
        if self._init_segment is None:
            tracks = []
            if video := self._video.mp4:
                tracks.append(Track(VIDEO_TRACK_ID, True, VIDEO_TIMESCALE, video.entry, video.width, video.height))
            if audio := self._audio.mp4:
                tracks.append(Track(AUDIO_TRACK_ID, False, audio.timescale, audio.entry))
            self._init_segment = encode_init(tracks) if tracks else b""
        return self._init_segment

    @property
    def tracks(self) -> int:
        """Bits of the tracks that there are."""
        has_video, has_audio = self._video.mp4 is not None, self._audio.mp4 is not None
        return has_video * TRACK_BIT[VIDEO] | has_audio * TRACK_BIT[AUDIO]

    @property
    def codecs(self) -> str:
        """What is in force, as the CODECS attribute of a playlist names it (RFC 6381 §3.3), video first."""
        return ",".join([mp4.name for mp4 in (self._video.mp4, self._audio.mp4) if mp4])

    @property
    def width(self) -> int:
        """Of the pictures, in luma samples; 0 while not known."""
        return self._video.mp4.width if self._video.mp4 else 0

    @property
    def height(self) -> int:
        """Of the pictures, in luma samples; 0 while not known."""
        return self._video.mp4.height if self._video.mp4 else 0

    def fragment(
        self, frames: Sequence[Frame], sequence_number: int, ends: Mapping[int, int], shift_ms: int = 0
    ) -> bytes:
        """A moof and an mdat of the media among these frames; empty where nothing is left of them.

        Args:
            frames: in order of arrival.
            sequence_number: for mfhd, rises from fragment to fragment.
            ends: by type id the ``dts_ms`` of the medium's next frame, where known. Without it the last
                picture is shown as long as the one before. Sound lasts as long as it lasts, unless there is a gap.
            shift_ms: how much earlier than their ``dts_ms`` frames are decoded.
        """
        runs = []
        if self._tracks & TRACK_BIT[VIDEO] and (run := self._pictures(frames, ends.get(VIDEO), shift_ms)):
            runs.append(run)
        if self._tracks & TRACK_BIT[AUDIO] and (run := self._sound(frames, ends.get(AUDIO), shift_ms)):
            runs.append(run)
        return encode_fragment(sequence_number, runs) if runs else b""

    def _pictures(self, frames: Sequence[Frame], end_ms: int | None, shift_ms: int) -> Run | None:
        """Samples of the video; decode times rise by a tick at least."""
        mp4, wanted = self._video.mp4, self._video.codec
        data: list[bytes | memoryview] = []
        times: list[int] = []
        flags: list[int] = []
        offsets: list[int] = []
        last = -1
        for frame in frames:
            if frame.type_id != VIDEO:
                continue
            payload = frame.payload
            codec, what, start, end, offset_ms = read_video(payload)
            if what != CODED:
                continue
            if mp4 is None or codec != wanted:
                self._leave_out(frame, codec not in VIDEO_CODECS)
                continue
            is_keyframe = frame.is_keyframe
            try:
                sample = mp4.sample(payload, start, end, is_keyframe)
            except MediaError:
                self.dropped_count += 1
                continue
            if not sample:
                continue
            time = (frame.dts_ms - shift_ms) * _TICKS_PER_MS
            last = time if time > last else last + 1
            data.append(sample)
            times.append(last)
            flags.append(SYNC if is_keyframe else NON_SYNC)
            offsets.append(offset_ms * _TICKS_PER_MS if -_MAX_OFFSET_MS <= offset_ms <= _MAX_OFFSET_MS else 0)
        if not data:
            return None
        durations = [after - before for before, after in pairwise(times)]
        if end_ms is not None:
            durations.append(max((end_ms - shift_ms) * _TICKS_PER_MS - last, 1))
        else:
            durations.append(durations[-1] if durations else _USUAL_TICKS)
        return Run(VIDEO_TRACK_ID, times[0], _fitting(durations), data, flags, offsets)

    def _sound(self, frames: Sequence[Frame], end_ms: int | None, shift_ms: int) -> Run | None:
        """Samples of the audio, each as long as it is; gaps lengthen the one before them."""
        mp4, wanted = self._audio.mp4, self._audio.codec
        rate, frame_samples = (mp4.timescale, mp4.frame_samples) if mp4 else (0, 0)
        max_drift = rate // _MAX_DRIFT_PART
        data: list[bytes | memoryview] = []
        durations: list[int] = []
        first = due = 0
        for frame in frames:
            if frame.type_id != AUDIO:
                continue
            payload = frame.payload
            codec, what, start, end, _ = read_audio(payload)
            if what != CODED:
                continue
            if mp4 is None or codec != wanted:
                self._leave_out(frame, codec not in AUDIO_CODECS)
                continue
            try:
                duration = frame_samples or opus.packet_samples(payload, start, end)
            except MediaError:
                self.dropped_count += 1
                continue
            at = ((frame.dts_ms - shift_ms) * rate + 500) // 1000
            if not data:
                first = due = max(at, 0)
            elif not -max_drift <= at - due <= max_drift:
                due += _move_end(durations, at - due)
            data.append(payload[start:end])
            durations.append(duration)
            due += duration
        if not data:
            return None
        if end_ms is not None:
            gap = ((end_ms - shift_ms) * rate + 500) // 1000 - due
            if gap > max_drift:
                durations[-1] += gap
        return Run(AUDIO_TRACK_ID, first, _fitting(durations), data, [SYNC] * len(data))

    def _leave_out(self, frame: Frame, is_unsupported: bool) -> None:
        self.dropped_count += 1
        if is_unsupported:
            self._note_unsupported(codec_name(frame.type_id, frame.payload))

    def _note_unsupported(self, codec: str) -> None:
        if len(self.unsupported) < _MAX_NAMES:
            self.unsupported.add(codec)


def _move_end(durations: list[int], by: int) -> int:
    """Let the last sample end later, or earlier, but not before it has begun; by how much it does."""
    by = max(by, 1 - durations[-1])
    durations[-1] += by
    return by


def _fitting(durations: list[int]) -> list[int]:
    """Durations that fit into 32 bits: a clock may jump by days."""
    return durations if max(durations) <= MAX_DURATION else [min(each, MAX_DURATION) for each in durations]
