"""What a publisher sent in one read becomes frames in one pass.

Nearly all messages are *usual*: coded sound, or a picture that is no keyframe, of the codec that the track has
had so far (``HeaderHistory.usual``). They change nothing but the ends of queue, clock and counters, which are held
in locals here. Whatever may change more goes the careful way of ``Stream.push``, one by one, in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from edge.hub.feed import Feed
from edge.hub.frame_queue import FrameQueue
from edge.hub.held_frames import NEAR_FRAMES
from edge.hub.publisher import Received
from edge.hub.stats import StreamStats
from edge.hub.track import LEAST_SILENCE_MS
from edge.media.frame import MEDIA, VIDEO, Frame
from edge.media.timeline import Timeline


class Taking(Protocol):
    """A stream, as it is filled here."""

    queue: FrameQueue
    feed: Feed
    timeline: Timeline
    stats: StreamStats

    @property
    def takes_usual(self) -> bool:
        """Nothing waits for the next frame, so that one which changes nothing is taken as it is."""
        ...

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """One message, whatever it is."""
        ...


def push_all(stream: Taking, run: Iterable[Received], now_ms: int) -> None:
    """Push the messages of the publisher that is seen, in their order; bodies are not empty."""
    queue, epoch, map_time = stream.queue, stream.feed.epoch, stream.timeline.map
    frames, usual, last_dts, last_seq = queue.frames, queue.usual, queue.last_dts, queue.last_seq
    pictures = picture_bytes = sounds = sound_bytes = 0
    is_plain = stream.takes_usual and epoch is not None
    for type_id, wire_timestamp, payload in run:
        track = usual[type_id].get(payload[:1]) if is_plain else None
        # A body whose second byte is 0 may be a codec's header.
        if track is None or (kept := track.frames) is None or not payload[1:2] > b"\0":
            if pictures or sounds:
                stream.stats.count_usual(pictures, picture_bytes, sounds, sound_bytes, last_dts)
                pictures = picture_bytes = sounds = sound_bytes = 0
            stream.push(type_id, wire_timestamp, payload, now_ms)
            is_plain = stream.takes_usual and epoch is not None
            continue
        assert epoch is not None
        dts_ms = map_time(type_id, wire_timestamp, now_ms)
        if dts_ms < last_dts[type_id]:
            dts_ms = last_dts[type_id]
        else:
            last_dts[type_id] = dts_ms
        index = epoch.next_index
        epoch.next_index = index + 1
        frame = Frame(type_id, dts_ms, payload, MEDIA, False, epoch, index)
        seq = queue.end
        frames.append(frame)
        queue.end = seq + 1
        last_seq[type_id] = track.last_seq = seq
        size = len(payload)
        queue.size_bytes += size
        if type_id == VIDEO:
            if kept.run or seq - kept.last_seq > NEAR_FRAMES or dts_ms - kept.last_ms > LEAST_SILENCE_MS:
                queue.note_picture(kept, frame, seq)
            pictures += 1
            picture_bytes += size
        else:
            sounds += 1
            sound_bytes += size
        kept.last_seq, kept.last_ms = seq, dts_ms
    if pictures or sounds:
        stream.stats.count_usual(pictures, picture_bytes, sounds, sound_bytes, last_dts)
