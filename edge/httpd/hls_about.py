"""What a master playlist says of a stream: its codecs, its size, how many bits a second it takes."""

from __future__ import annotations

from typing import NamedTuple

from edge.errors import UnsupportedCodecError
from edge.httpd.hls_shelf import HlsStream
from edge.hub.stream import Stream
from edge.media.codecs.body import MP3, read_audio
from edge.media.fmp4 import Fmp4Muxer
from edge.media.frame import AUDIO, MEDIA, METADATA, TRACK_BIT, VIDEO, Frame, codec_name
from edge.net.ts_form import TsForm

#: Named until something has been measured: players choose by it between several, of which we have one.
_UNKNOWN_BPS = 1_000_000
_CONTAINER = "fragmented MP4"
#: Packets and headers beside the payload, and that a moment may take more than the second before.
_OVERHEAD = 1.2
#: Codecs of sound without a sequence header, as RFC 6381 has them.
_HEADERLESS = {MP3: "mp4a.40.34", b"ac-3": "ac-3", b"ec-3": "ec-3"}


class About(NamedTuple):
    """Of one rendition.

    Attributes:
        bandwidth: bits per second.
        codecs: RFC 6381, "" where it is not known.
        resolution: width and height, (0, 0) where it is not known.
    """

    bandwidth: int
    codecs: str
    resolution: tuple[int, int]


def about(found: HlsStream, kind: str, tracks: int) -> About:
    """Of a stream in ``ts`` or ``m4s``.

    Raises:
        UnsupportedCodecError: there is no place for a track that is wanted.
    """
    stream = found.stream
    headers = _headers(stream, tracks)
    muxer = Fmp4Muxer(tracks)
    for header in headers:
        muxer.take_header(header)
    if kind == "ts":
        TsForm(tracks & (TRACK_BIT[AUDIO] | TRACK_BIT[VIDEO])).require_places(stream.queue)
    else:
        _require_places(stream, muxer, tracks)
    codecs = muxer.codecs
    if not muxer.tracks & TRACK_BIT[AUDIO] and tracks & TRACK_BIT[AUDIO] and (sound := _headerless_sound(stream)):
        codecs = f"{codecs},{sound}" if codecs else sound
    return About(_bandwidth(found), codecs, (muxer.width, muxer.height))


def _headerless_sound(stream: Stream) -> str:
    """The codec of sound that has no sequence header; "" where there is none of that kind."""
    queue = stream.queue
    seq = queue.last_seq.get(AUDIO, -1)
    if seq < queue.base or queue[seq].kind != MEDIA:
        return ""
    return _HEADERLESS.get(read_audio(queue[seq].payload)[0], "")


def _headers(stream: Stream, tracks: int) -> list[Frame]:
    queue = stream.queue
    return [
        header
        for header in queue.headers_at(queue.end)
        if header.kind != METADATA and tracks & TRACK_BIT[header.type_id]
    ]


def _require_places(stream: Stream, muxer: Fmp4Muxer, tracks: int) -> None:
    """Codecs without a sequence header, such as MP3, are known by their frames only."""
    for codec in muxer.unsupported:
        raise UnsupportedCodecError(codec, _CONTAINER)
    queue = stream.queue
    for type_id, seq in queue.last_seq.items():
        if seq < queue.base or not tracks & TRACK_BIT.get(type_id, 0) or type_id not in (AUDIO, VIDEO):
            continue
        frame = queue[seq]
        if frame.kind == MEDIA and not muxer.tracks & TRACK_BIT[type_id]:
            raise UnsupportedCodecError(codec_name(type_id, frame.payload), _CONTAINER)


def _bandwidth(found: HlsStream) -> int:
    stats = found.stream.stats
    measured = [(stats.video_bps + stats.audio_bps) * 8 * _OVERHEAD]
    for segmenter in found.segmenters.values():
        measured += [segment.size * 8000 / segment.duration_ms for segment in segmenter.segments if segment.duration_ms]
    return round(max(measured)) or _UNKNOWN_BPS
