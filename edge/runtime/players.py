"""Who plays a stream, and what is told of one stream alone: looked at only when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge.facts.records import DetailFacts, PlayerFacts, QualityFacts
from edge.hub.stream import Stream
from edge.media.frame import AUDIO_HEADER, VIDEO_HEADER
from edge.runtime.unit import ServiceUnit
from edge.service.grants import NOT_SERVED, Play

if TYPE_CHECKING:
    from edge.upstream.push import Push

#: A publisher may send thousands of values, each of any length.
MAX_METADATA_NAMES = 64
_MAX_VALUE_CHARS = 200
#: What media-server shows of a message.
_MAX_HEADER_BYTES = 64


def kind_of(protocol: str) -> str:
    """media-server's word for whoever plays by ``protocol``; it has none for HTTP-TS, which has one of its make."""
    if protocol.startswith("rtmp"):
        return "RtmpForwarder"
    if protocol.startswith("hls"):
        return "TsQueue"
    return "TsDownloader" if "ts" in protocol.split("-")[1:] else "FlvDownloader"


def players_of(unit: ServiceUnit, stream: Stream, now_ms: int) -> Iterator[PlayerFacts]:
    """Its plays, the oldest first, then its push."""
    for play in stream.roster.plays():
        yield _facts_of(unit, stream, play, now_ms)
    push = unit.upstream.pushes.get(stream.key) if unit.upstream is not None else None
    if push is not None and push.stream is stream:
        yield _push_facts(unit, stream, push, now_ms)


def _facts_of(unit: ServiceUnit, stream: Stream, play: Play, now_ms: int) -> PlayerFacts:
    served = play.owner.served(play) if play.owner is not None else NOT_SERVED
    kind = kind_of(play.client.protocol)
    return PlayerFacts(
        key=str(stream.key),
        service=unit.name,
        connection=play.client.number if kind != "TsQueue" else None,
        peer=play.client.peer,
        protocol=play.client.protocol,
        kind=kind,
        is_node=play.is_internal,
        age_ms=now_ms - play.since_ms,
        play_delay_ms=play.since_ms - play.asked_ms,
        sent_bytes=served.sent_bytes,
        behind_ms=stream.queue.lag_ms(served.next_seq) if served.next_seq is not None else 0,
        jump_count=served.jump_count,
    )


def _push_facts(unit: ServiceUnit, stream: Stream, push: Push, now_ms: int) -> PlayerFacts:
    connection = push.connection
    return PlayerFacts(
        key=str(stream.key),
        service=unit.name,
        connection=connection.number if connection is not None else None,
        peer=push.server.endpoint if push.server is not None else "",
        protocol=connection.protocol if connection is not None else "rtmp",
        kind="PublishProxy",
        is_node=True,
        age_ms=now_ms - stream.created_ms,
        play_delay_ms=None,
        sent_bytes=connection.total_sent_bytes() if connection is not None else 0,
        behind_ms=0,
        jump_count=0,
    )


def details_of(unit: ServiceUnit, stream: Stream, now_ms: int, quality: QualityFacts | None = None) -> DetailFacts:
    """What is told of ``stream`` alone."""
    publisher, queue = stream.publisher, stream.queue
    last_ms = publisher.last_media_ms if publisher is not None else 0
    return DetailFacts(
        key=str(stream.key),
        service=unit.name,
        index=queue.end,
        publisher=publisher.peer if publisher is not None else "",
        age_ms=now_ms - stream.created_ms,
        publisher_age_ms=now_ms - publisher.since_ms if publisher is not None else None,
        last_media_age_ms=now_ms - last_ms if last_ms else None,
        last_dts_ms=max(queue.last_dts.values(), default=0),
        frames_held=len(queue.frames),
        keyframes_held=len(queue.keyframes),
        metadata=tuple(
            (str(name)[:_MAX_VALUE_CHARS], str(value)[:_MAX_VALUE_CHARS])
            for name, value in list(stream.metadata.items())[:MAX_METADATA_NAMES]
        ),
        video_header=_header(stream, VIDEO_HEADER),
        audio_header=_header(stream, AUDIO_HEADER),
        quality=quality,
    )


def _header(stream: Stream, kind: int) -> str:
    frame = stream.queue.headers.current(kind)
    return bytes(frame.payload[:_MAX_HEADER_BYTES]).hex() if frame is not None else ""
