"""Which media a stream has, as far as can be told from its beginning."""

from __future__ import annotations

from typing import NamedTuple

from edge.hub.stream import Stream
from edge.media.frame import AUDIO, AUDIO_HEADER, VIDEO, VIDEO_HEADER

#: A medium that has not come by then, counted on the stream's clock, is not waited for.
SETTLED_MS = 1000

_AUDIO_FIELDS = ("audiocodecid", "audiosamplerate", "audiodatarate")
_VIDEO_FIELDS = ("videocodecid", "width", "videodatarate")


class MediaSeen(NamedTuple):
    """What there is of sound and picture.

    Attributes:
        is_settled: all that was announced is there, or has had its time.
    """

    has_audio: bool
    has_video: bool
    is_settled: bool

    def __bool__(self) -> bool:
        return self.has_audio or self.has_video


def media_seen(stream: Stream) -> MediaSeen:
    """What of its present publish has come, or else of the one before, which players are still sent.

    Metadata may promise what never comes, and say nothing of what does; so they
    only tell whether something may still be on its way.
    """
    queue, headers = stream.queue, stream.queue.headers
    first = max(queue.base, queue.publish_seq)
    has_audio = headers.current(AUDIO_HEADER) is not None or queue.last_seq.get(AUDIO, -1) >= first
    has_video = headers.current(VIDEO_HEADER) is not None or queue.last_seq.get(VIDEO, -1) >= first
    if (has_audio and has_video) or first >= queue.end:
        return MediaSeen(has_audio, has_video, has_audio and has_video)
    said = stream.metadata.keys()
    is_audio_said = not said.isdisjoint(_AUDIO_FIELDS)
    is_video_said = not said.isdisjoint(_VIDEO_FIELDS)
    is_settled = queue[queue.end - 1].dts_ms - queue[first].dts_ms >= SETTLED_MS
    if is_audio_said or is_video_said:
        is_settled = is_settled or (has_audio >= is_audio_said and has_video >= is_video_said)
    return MediaSeen(has_audio, has_video, is_settled)
