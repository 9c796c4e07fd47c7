"""How frames look to players of MPEG-TS over HTTP: packets of one muxer per log.

Continuity counters, tables and the clock are the log's. A player that begins
at a keyframe finds there all it needs. One that begins elsewhere gets the
tables first; one that has been sent anything before is told on each PID that
counters jump, since receivers take what is right for corrupt otherwise. Sequence
headers are not sent: the muxer repeats what they say where decoding may begin.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from edge.hub.frame_queue import FrameQueue
from edge.hub.wire_form import Piece, Place
from edge.media.frame import MEDIA, Frame
from edge.media.mpegts import TsMuxer
from edge.media.ts_codecs import require_place
from edge.media.ts_packets import PACKET_BYTES, announce_jump, pid_of
from edge.media.ts_tables import PAT_PID, PMT_PID
from edge.net.track_filter import AUDIO_BIT, VIDEO_BIT, TrackFilter

#: So many packets are looked through for the first one of each PID: seconds of most streams, a millisecond of ours.
_LOOK_PACKETS = 4096


@dataclass(frozen=True, slots=True)
class TsForm(TrackFilter):
    """TS packets, sound and picture or one of them only.

    Attributes:
        tracks: bits of the tracks that this form carries; there is no place for data.
        pcr_lead_ms: how far the clock runs behind.
    """

    tracks: int = AUDIO_BIT | VIDEO_BIT
    pcr_lead_ms: int = 700

    def require_places(self, queue: FrameQueue) -> None:
        """Say whether TS can carry what a stream sends now.

        Meant to be asked before a player is answered. Of a codec that comes later the frames are left out.

        Raises:
            UnsupportedCodecError: it has no place for a track that this form carries.
        """
        newest = (queue[track.last_seq] for track in queue.tracks.values() if track.last_seq >= queue.base)
        for frame in (*queue.headers_at(queue.end), *newest):
            if self.accepts(frame):
                require_place(frame)

    def new_encoder(self, headers: Sequence[Frame]) -> TsEncoder:
        """For one log."""
        return TsEncoder(headers, self.pcr_lead_ms)

    def opening(self) -> TsOpening:
        """For one new player."""
        return TsOpening()


class TsEncoder:
    """The muxer of one log."""

    __slots__ = ("muxer",)

    def __init__(self, headers: Sequence[Frame], pcr_lead_ms: int) -> None:
        self.muxer = TsMuxer(pcr_lead_ms=pcr_lead_ms)
        for header in headers:
            self.muxer.set_header(header)

    def encode(self, frame: Frame, delta_ms: int) -> tuple[Piece, ...]:
        """Whole packets; none for headers and for what TS cannot carry."""
        packets = self.muxer.encode(frame)
        return (packets,) if packets else ()


class TsOpening:
    """Tables and pictures that are not ahead, and where counters jump."""

    __slots__ = ("_has_begun",)

    missing = 0

    def __init__(self) -> None:
        self._has_begun = False

    @property
    def likeness(self) -> None:
        """All are alike."""
        return None

    def go_on_like(self, begun: TsOpening) -> None:
        """The first packets have been sent."""
        self._has_begun = begun._has_begun

    def start(self, place: Place) -> bytes:
        """What goes before the packets of ``place``."""
        encoder = place.encoder
        if not isinstance(encoder, TsEncoder):
            raise TypeError(f"a log of {type(encoder).__name__}")
        muxer = encoder.muxer
        pictures = _encode_pictures(place)
        private = muxer.tables() + pictures if pictures or not _are_tables_ahead(place) else b""
        is_first, self._has_begun = not self._has_begun, True
        if is_first and not private:
            return b""
        firsts, is_all = _first_packets(place, muxer.counters().keys())
        before = b"" if is_first else announce_jump(private)
        return before + private + announce_jump(b"".join(firsts.values()), muxer.counters() if is_all else {})

    def first(self, frame: Frame) -> bytes:
        """Never asked for: no track misses anything."""
        return b""


def _are_tables_ahead(place: Place) -> bool:
    """They are the first packets that the player will get."""
    ahead = (pid_of(piece) for pieces in place.ahead() for piece in pieces)
    return next(ahead, None) == PAT_PID


def _first_packets(place: Place, pids: Set[int]) -> tuple[dict[int, bytes], bool]:
    """The first packet ahead of each PID, in their order; and whether all that is ahead was looked at."""
    found: dict[int, bytes] = {}
    count = 0
    for pieces in place.ahead():
        for piece in pieces:
            for start in range(0, len(piece), PACKET_BYTES):
                pid = pid_of(piece, start)
                if pid not in found:
                    found[pid] = bytes(piece[start : start + PACKET_BYTES])
            count += len(piece) // PACKET_BYTES
        if pids <= found.keys():
            break
        if count >= _LOOK_PACKETS:
            return found, False
    return found, True


def _encode_pictures(place: Place) -> bytes:
    """Packets of pictures that stand still, shown with the frame at ``place``; a muxer of their own makes them."""
    pictures = place.pictures
    if not pictures:
        return b""
    muxer, dts_ms = TsMuxer(), place.frame.dts_ms
    for header in place.in_force:
        muxer.set_header(header)
    packets = b"".join(
        muxer.encode(Frame(picture.type_id, dts_ms, picture.payload, MEDIA, picture.is_keyframe))
        for picture in pictures
    )
    starts = range(0, len(packets), PACKET_BYTES)
    coded = (start for start in starts if pid_of(packets, start) not in (PAT_PID, PMT_PID))
    return b"".join(packets[start : start + PACKET_BYTES] for start in coded)
