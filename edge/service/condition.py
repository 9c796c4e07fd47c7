"""What is wrong with a stream at this moment, as its frames show: looked at only when somebody asks."""

from __future__ import annotations

from typing import NamedTuple

from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO, VIDEO_HEADER
from edge.media.metadata import number_field
from edge.service.story import Kind

#: A publisher that has sent nothing for so long is silent.
SILENT_MS = 2500
#: Players begin at keyframes: so many pictures without one are a fault, at whatever rate.
_MANY_PICTURES = 50
#: Pictures further apart than this from keyframe to keyframe make each newcomer wait.
_LONG_GOP_S = 10
#: Media that come at less than this part of their own clock make all players stall.
_LEAST_PACE_PCT = 90
_MOST_DRIFT_MS = 1000
#: Codecs that browsers and common players show; others may be wanted, and are told of.
_KNOWN_VIDEO = frozenset({"H264", "HEVC", "AV1", "avc1", "hvc1", "av01", "vp09", "vp08", "VP6"})
_KNOWN_AUDIO = frozenset({"AAC", "MP3", "mp4a", "Opus", "ac-3", "ec-3", "fLaC", "Speex", "G711A", "G711U"})


class Condition(NamedTuple):
    """A fault that there is now."""

    kind: Kind
    text: str


def conditions_of(stream: Stream, now_ms: int) -> list[Condition]:
    """What is wrong with what feeds ``stream`` and with what it sends, the worst first; none of a sound one.

    Whether its upstream is reached the source knows, see ``Source.way_of``.
    """
    publisher = stream.publisher
    if publisher is None:
        if stream.feed.grace_until_ms > now_ms:
            left_s = (stream.feed.grace_until_ms - now_ms) // 1000
            return [Condition(Kind.PUBLISHER_LOST, f"its publisher is gone, and is waited for {left_s} s more")]
        return [Condition(Kind.ABSENT, "nobody publishes it here")]
    if stream.pull is not None and not publisher.peer:
        return []  # it is on its way to a server, or between two
    found = list(_of_feeding(stream, now_ms))
    return found or [*_of_pictures(stream), *_of_clocks(stream)]


def _of_feeding(stream: Stream, now_ms: int) -> list[Condition]:
    publisher = stream.publisher
    if publisher is None or stream.pull is not None:
        return []
    who = "the node that pushes it" if publisher.is_hop else "its publisher"
    if publisher.is_lost:
        return [Condition(Kind.PUBLISHER_LOST, f"{who} has lost the publisher, and waits for it")]
    if not publisher.last_media_ms:
        for_s = (now_ms - publisher.since_ms) // 1000
        return [Condition(Kind.NO_MEDIA, f"{who} has been connected for {for_s} s and has sent no media")]
    silent_ms = now_ms - publisher.last_media_ms
    if silent_ms >= SILENT_MS:
        return [Condition(Kind.SILENT, f"{who} has sent nothing for {silent_ms // 1000} s")]
    return []


def _of_pictures(stream: Stream) -> list[Condition]:
    found = []
    queue, headers = stream.queue, stream.queue.headers
    codecs = stream.codec_of(VIDEO), stream.codec_of(AUDIO)
    for codec, known, what in ((codecs[0], _KNOWN_VIDEO, "pictures"), (codecs[1], _KNOWN_AUDIO, "sound")):
        if codec and codec not in known:
            found.append(Condition(Kind.CODEC, f"its {what} come in codec {codec}, which common players do not know"))
    has_pictures = queue.last_seq.get(VIDEO, -1) >= max(queue.base, queue.publish_seq)
    if codecs[0] in ("H264", "HEVC", "AV1") and has_pictures and headers.current(VIDEO_HEADER) is None:
        found.append(Condition(Kind.NO_HEADER, "its pictures come without the header that they are decoded with"))
    if has_pictures and not queue.keyframes:
        waiting = sum(len(getattr(reader, "waiting_for_keyframe", ())) for reader in stream.readers)
        who = f"; {waiting} players wait for one" if waiting else ""
        found.append(Condition(Kind.NO_KEYFRAME, f"none of its pictures is a keyframe{who}"))
    elif has_pictures and stream.stats.gop > _MANY_PICTURES:
        rate = stream.stats.fps or number_field(dict(stream.metadata), "framerate") or 0
        if rate > 1 and stream.stats.gop / rate > _LONG_GOP_S:
            apart_s = round(stream.stats.gop / rate)
            found.append(Condition(Kind.WAITS, f"its keyframes are {apart_s} s apart: who comes waits so long"))
    return found


def _of_clocks(stream: Stream) -> list[Condition]:
    found = []
    pace_pct, drift_ms = stream.stats.pace_pct, stream.stats.clock_drift_ms
    if pace_pct is not None and 0 < pace_pct < _LEAST_PACE_PCT:
        found.append(
            Condition(Kind.SLOW_LINE, f"its pictures come at {pace_pct} % of the speed at which they are shown")
        )
    if abs(drift_ms) > _MOST_DRIFT_MS:
        which = "ahead of" if drift_ms > 0 else "behind"
        found.append(
            Condition(Kind.CLOCK, f"its sound's clock runs {abs(drift_ms) / 1000:.1f} s {which} its pictures'")
        )
    jumps = stream.timeline.jump_count
    if jumps:
        found.append(Condition(Kind.CLOCK, f"its timestamps have jumped {jumps} times"))
    return found
