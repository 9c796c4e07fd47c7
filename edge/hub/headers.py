"""The headers of a stream: which of them a player needs before a given frame.

A header is *in force* from its own place on, for the tracks and the codec that
it names. That ends when another header replaces it, when its tracks send
another codec, or when the first frame of the next publish comes and that
publish has not sent the same header. Out of force for the codec's sake it is
*withheld*: when a track is back at that codec, the header is repeated, as
players have come meanwhile. A track that is only silent keeps its header.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.hub.track import Track
from edge.media.frame import (
    AUDIO,
    DATA,
    METADATA,
    UNUSUAL,
    VIDEO,
    VIDEO_HEADER,
    Frame,
    codecs_of,
    header_slot,
    header_tracks,
    is_enhanced,
)

#: A publisher that sends a header for each of countless tracks or codecs must not fill the memory.
MAX_HEADERS = 32

#: Repeats may take as many bytes as what was published, and this much more: a publisher that changes its
#: codec with each frame must not make us send its header with each.
_FREE_REPEAT_BYTES = 65536

_OPEN = 1 << 62

_HEADER_ORDER = {METADATA: 0, VIDEO_HEADER: 1}


class _Header:
    """A header and the frames for which it is in force.

    Attributes:
        start, end: seqs of those frames; ``end`` is ``_OPEN`` while it is in force.
        known_until: frame at which it became known that it is in force no more; ``end`` may be before that.
        what: what it describes (see ``header_tracks``).
        codecs: the tracks, with their codec, for which no later header has come.
    """

    __slots__ = ("codecs", "end", "frame", "is_whole", "known_until", "start", "what")

    def __init__(self, frame: Frame, start: int, what: bytes, codecs: dict[int, bytes]) -> None:
        self.frame = frame
        self.start = start
        self.end = self.known_until = _OPEN
        self.what = what
        self.codecs = dict(codecs)
        self.is_whole = True

    def leave(self, used_until: int, seq: int) -> None:
        """It is in force no more, as is known from ``seq`` on."""
        self.end = min(self.end, max(self.start, used_until))
        self.known_until = min(self.known_until, seq)


class _Track:
    """What a track sends.

    Attributes:
        codec: of its newest frame or header in this publish, None before that.
        last_seq: seq of its newest frame, -1 before that.
        is_settled: its headers have been looked at since ``codec`` changed.
        frames: what the queue knows of the medium's own track, once it has frames.
        fourcc: what its enhanced messages that name no track have behind their first byte, once settled.
    """

    __slots__ = ("codec", "fourcc", "frames", "is_settled", "last_seq")

    def __init__(self) -> None:
        self.codec: bytes | None = None
        self.last_seq = -1
        self.is_settled = False
        self.fourcc: bytes | None = None
        self.frames: Track | None = None


class HeaderHistory:
    """All headers that players of a queue may need.

    Attributes:
        usual: by track type id and first byte of the message, the track of a frame that changes nothing
            (classic codecs, keyframes aside); for any other frame ``repeats`` is called.
    """

    __slots__ = ("_former", "_headers", "_known", "_repeated_bytes", "_tracks", "_trim_at", "usual")

    def __init__(self) -> None:
        self._headers: list[_Header] = []  # in their order, those included that only frames of the past need
        self._known: dict[bytes, _Header] = {}  # by slot, those in force or withheld
        self._former: set[bytes] = set()  # slots whose header is of the publish before
        self._tracks = {(VIDEO, 0): _Track(), (AUDIO, 0): _Track()}
        self.usual: dict[int, dict[bytes, _Track]] = {VIDEO: {}, AUDIO: {}, DATA: {}}
        self._repeated_bytes = 0
        self._trim_at = 2 * MAX_HEADERS

    # --- what comes ----------------------------------------------------------

    def push(self, frame: Frame, seq: int, base: int) -> None:
        """A header is at ``seq`` of a queue that begins with ``base``."""
        what, codecs = header_tracks(frame)
        slot = header_slot(frame)
        used_until = self._used_until(frame.type_id, codecs, seq + 1)
        for other_slot, other in list(self._known.items()):
            if other.what != what:
                continue
            for track_id, codec in codecs.items():
                if other.codecs.get(track_id) == codec:
                    del other.codecs[track_id]
                    other.is_whole = False
            if not other.codecs:
                del self._known[other_slot]
                other.leave(used_until, seq)
        header = self._known[slot] = _Header(frame, seq + 1, what, codecs)
        self._headers.append(header)
        self._former.discard(slot)
        if frame.type_id != DATA:
            for track_id, codec in codecs.items():
                self._unsettle(frame.type_id, track_id, codec)
            self._withhold(frame.type_id, seq)
        if len(self._known) > MAX_HEADERS:
            self._forget_one()
        if len(self._headers) > self._trim_at:
            known = set(map(id, self._known.values()))
            self._headers = [one for one in self._headers if max(one.end, one.known_until) > base or id(one) in known]
            self._trim_at = 2 * (len(self._headers) + MAX_HEADERS)

    def repeats(self, frame: Frame, seq: int, published_bytes: int) -> list[Frame]:
        """Note the sound or picture that comes next, at ``seq``; returns the headers to repeat before it.

        ``published_bytes``: all that has been pushed, repeats included.
        """
        type_id, payload = frame.type_id, frame.payload
        if not payload:
            return []
        plain = self._tracks[type_id, 0]
        if payload[1:5] == plain.fourcc:
            plain.last_seq = seq
            return []
        repeats: list[_Header] = []
        tracks: list[_Track] = []
        codecs = codecs_of(type_id, payload)
        for track_id, codec in codecs.items():
            track = self._track(type_id, track_id)
            tracks.append(track)
            if track.is_settled and track.codec == codec:
                continue
            self._unsettle(type_id, track_id, codec)
            self._withhold(type_id, seq)
            withheld = [
                header
                for header in self._known.values()
                if header.end != _OPEN and header.frame.type_id == type_id and header.codecs.get(track_id) == codec
            ]
            size = sum(len(header.frame.payload) for header in withheld)
            if 2 * self._repeated_bytes + size <= published_bytes + _FREE_REPEAT_BYTES:
                self._repeated_bytes += size
                repeats += [header for header in withheld if header not in repeats]
                track.is_settled = True
        for track in tracks:
            track.last_seq = seq + len(repeats)
        if plain.is_settled and codecs.keys() == {0}:
            if payload[1:5] == codecs[0]:
                plain.fourcc = codecs[0]
            elif plain.frames is not None and not is_enhanced(type_id, payload) and payload[0] not in UNUSUAL[type_id]:
                self.usual[type_id][payload[:1]] = plain
        return [_copy(header.frame, frame) for header in repeats]

    def begin_publish(self) -> None:
        """Another publisher takes over: what it does not send again ends with its first frame."""
        self._former = set(self._known)
        for type_id, track_id in self._tracks:
            self._unsettle(type_id, track_id, None)

    def end_former(self, seq: int) -> None:
        """The first sound or picture of the publish comes next, at ``seq``."""
        for slot in self._former:
            header = self._known.pop(slot, None)
            if header is not None:
                header.leave(self._used_until(header.frame.type_id, header.codecs, seq), seq)
        self._former.clear()

    def confirm(self, frame: Frame) -> bool:
        """Whether the very same header is in force already; it is this publish's from now on."""
        slot = header_slot(frame)
        header = self._known.get(slot)
        if header is None or header.end != _OPEN or not header.is_whole or header.frame.payload != frame.payload:
            return False
        self._former.discard(slot)
        return True

    def found(self, track: Track) -> None:
        """The queue has the first frame of a medium's own track."""
        plain = self._tracks.get((track.key, 0))
        if plain is not None:
            plain.frames = track

    # --- what is in force ----------------------------------------------------

    def at(self, seq: int) -> list[Frame]:
        """Headers that a player needs before frame ``seq``: metadata, video, audio, each kind in its order."""
        found = [header.frame for header in self._headers if header.start <= seq < header.end]
        found.sort(key=lambda frame: _HEADER_ORDER.get(frame.kind, 2))
        return found

    def known_at(self, seq: int) -> list[Frame]:
        """Headers that had come, and had not been replaced, when frame ``seq`` came, used or not."""
        found = [header.frame for header in self._headers if header.start <= seq < header.known_until]
        found.sort(key=lambda frame: _HEADER_ORDER.get(frame.kind, 2))
        return found

    def between(self, after: int, seq: int) -> list[Frame]:
        """Those of them that stand at or behind frame ``after``."""
        found = [header.frame for header in self._headers if after < header.start <= seq < header.end]
        found.sort(key=lambda frame: _HEADER_ORDER.get(frame.kind, 2))
        return found

    def current(self, kind: int) -> Frame | None:
        """The header of a kind that is in force now, of the lowest track; None without one."""
        open_ones = [header for header in self._known.values() if header.end == _OPEN and header.frame.kind == kind]
        lowest = min(open_ones, key=lambda header: (header.what, min(header.codecs)), default=None)
        return lowest.frame if lowest is not None else None

    def slots(self) -> set[bytes]:
        """Slots with a header of this publish in force."""
        return {slot for slot, header in self._known.items() if header.end == _OPEN} - self._former

    def of_publish(self) -> dict[bytes, Frame]:
        """By slot, the headers of this publish, those of codecs included that it may go back to."""
        return {slot: header.frame for slot, header in self._known.items() if slot not in self._former}

    # --- within --------------------------------------------------------------

    def _track(self, type_id: int, track_id: int) -> _Track:
        track = self._tracks.get((type_id, track_id))
        if track is None:
            track = self._tracks[type_id, track_id] = _Track()
        return track

    def _unsettle(self, type_id: int, track_id: int, codec: bytes | None) -> None:
        """Look at the headers of a track again with its next frame."""
        track = self._track(type_id, track_id)
        track.codec, track.is_settled, track.fourcc = codec, False, None
        if track_id == 0:
            self.usual[type_id].clear()

    def _withhold(self, type_id: int, seq: int) -> None:
        """Headers of codecs that none of their tracks sends any more are out of force from their last use on."""
        for header in self._known.values():
            if header.end != _OPEN or header.frame.type_id != type_id:
                continue
            now = [(self._track(type_id, track_id).codec, codec) for track_id, codec in header.codecs.items()]
            if all(sent is not None and sent != codec for sent, codec in now):
                header.leave(self._used_until(type_id, header.codecs, 0), seq)

    def _used_until(self, type_id: int, tracks: Iterable[int], default: int) -> int:
        """Seq behind the newest frame of these tracks; ``default`` for metadata, which has none."""
        if type_id == DATA:
            return default
        return max(self._track(type_id, track_id).last_seq for track_id in tracks) + 1

    def _forget_one(self) -> None:
        """The header that has been withheld longest."""
        withheld = [slot for slot, header in self._known.items() if header.end != _OPEN]
        if withheld:
            oldest = min(withheld, key=lambda slot: self._known[slot].end)
            del self._known[oldest]
            self._former.discard(oldest)


def _copy(header: Frame, before: Frame) -> Frame:
    """The same header, to stand before the frame ``before``."""
    copy = Frame(header.type_id, before.dts_ms, header.payload, header.kind)
    copy.epoch = before.epoch
    return copy
