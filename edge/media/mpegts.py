"""A live stream as an MPEG transport stream (ISO/IEC 13818-1): frames go in, whole 188-byte packets come out.

One programme: video on PID 0x100, audio on 0x101, tables on 0 and 0x1001. The
state of a muxer (continuity counters, what the tables say, decoder
configurations) belongs to one sequence of bytes, so there is one muxer per
shared log or segment. A player may begin at any keyframe: tables, parameter
sets and the clock are there.

*Clock.* PTS and DTS are the stream's clock plus a lead, PCR is the clock: a
decoder gets that much time to buffer, and PTS never falls below zero where
composition offsets are negative. TS wants DTS <= PTS, so DTS of such a video
moves back for good. That must be known before the first negative offset comes:
pictures decoded ahead of others, behind a keyframe shown when it is decoded,
tell that those others will be late, by no more than their own offset.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.errors import MediaError, UnsupportedCodecError
from edge.media.codecs.body import AAC, CODED, NOTHING, TS_HEADER, read_audio, read_video
from edge.media.frame import AUDIO, VIDEO, Frame, codec_name
from edge.media.ts_codecs import HEADERLESS, SUPPORTED, TsCodec, configure
from edge.media.ts_packets import PidWriter, adaptation, pes_header
from edge.media.ts_tables import PAT_PID, PMT_PID, encode_pat, encode_pmt

VIDEO_PID, AUDIO_PID = 0x100, 0x101

_TICKS_PER_MS = 90
#: Tables are repeated at each keyframe and at least this often.
_TABLES_TICKS = 500 * _TICKS_PER_MS
#: The clock must be there every 100 ms (§2.7.2); the frame after one that comes too early may be 46 ms later.
_PCR_TICKS = 50 * _TICKS_PER_MS
#: Encoders reorder by a few pictures: larger offsets are garbage and taken as none. Those that would move DTS
#: back may do less harm, since a decoder must buffer as much for good.
_MAX_OFFSET_MS, _MAX_SHIFT_MS = 10_000, 2000
#: Sound that begins further than this from the end of the frame before begins a PES packet of its own.
_MAX_DRIFT_TICKS = 5 * _TICKS_PER_MS
#: A PES packet of sound must say its length, in 16 bits.
_MAX_SOUND_BYTES = 0xFFFF - 8
#: A publisher may invent names without end.
_MAX_NAMES = 16
_MAX_SHIFT = _MAX_SHIFT_MS * _TICKS_PER_MS
_LONG_AGO = -1 << 62
#: First byte of a classic message of AAC, but for what it says of rate and channels.
_CLASSIC_AAC = 10

_PAT = encode_pat()


class _Track:
    """One elementary stream.

    Attributes:
        codec: FourCC of the frames that are sent now; ``b""`` before the first.
        ts: how they go into TS; None while nothing can be sent.
        known: header and what it says, of each codec that had one.
        last_dts: of the newest access unit, 90 kHz.
    """

    __slots__ = ("codec", "known", "last_dts", "ts", "writer")

    def __init__(self, pid: int, *, is_jump: bool) -> None:
        self.writer = PidWriter(pid, is_jump=is_jump)
        self.codec = b""
        self.ts: TsCodec | None = None
        self.known: dict[bytes, tuple[bytes, TsCodec]] = {}
        self.last_dts = _LONG_AGO


class TsMuxer:
    """Turns the frames of one stream into TS.

    Attributes:
        dropped_count: frames left out: malformed, before their codec's sequence header, or of no codec of TS.
        bad_header_count: sequence headers that could not be read; the ones before stay in force.
        unsupported: names of codecs that TS has no place for, the first ones.
    """

    def __init__(
        self, *, pcr_lead_ms: int = 700, audio_hold_ms: int = 0, shift_ms: int = 0, is_segment: bool = False
    ) -> None:
        """Begin a sequence of bytes.

        Args:
            pcr_lead_ms: how far the clock runs behind DTS: the time that a decoder has to buffer.
            audio_hold_ms: sound waits up to this long for more, to share PES packets: fewer bytes, and
                later ones; should be less than the lead. With 0 each frame goes at once. What waits at
                the end comes by ``flush``.
            shift_ms: what the frames' clock is ahead of that of the sequence.
            is_segment: receivers come from another sequence, and are told so on each PID.
        """
        self.dropped_count = self.bad_header_count = 0
        self.unsupported: set[str] = set()
        self._lead = pcr_lead_ms * _TICKS_PER_MS
        self._hold = audio_hold_ms * _TICKS_PER_MS
        self._clock_shift_ms = shift_ms
        self._video, self._audio = _Track(VIDEO_PID, is_jump=is_segment), _Track(AUDIO_PID, is_jump=is_segment)
        self._pat, self._pmt = PidWriter(PAT_PID, is_jump=is_segment), PidWriter(PMT_PID, is_jump=is_segment)
        self._streams: list[tuple[int, int, bytes]] = []
        self._section = b""
        self._version = -1
        self._is_stale = False
        self._tables_at = _LONG_AGO
        self._pcr = _LONG_AGO
        self._shift = 0
        self._is_undelayed = False
        self._held: list[bytes] = []
        self._held_bytes = self._held_dts = 0
        self._before: list[bytes] = []  # packets that go before those of the frame at hand

    def set_header(self, frame: Frame) -> None:
        """Take a sequence header that was in force before the first frame, so that the first tables name its track.

        Metadata are passed over.
        """
        self.encode(frame)

    def expect(self, frame: Frame) -> None:
        """A frame like this is to come: the first tables name its track, if its codec needs no header."""
        is_video = frame.type_id == VIDEO
        track = self._video if is_video else self._audio
        if track.ts is not None:
            return
        codec, what, start, end, _ = read_video(frame.payload) if is_video else read_audio(frame.payload)
        if what == CODED and codec in HEADERLESS:
            self._switch(track, codec, frame, start, end)

    def tables(self) -> bytes:
        """PAT and PMT as they are now, for a player that begins between two of them; empty while no track is known.

        They are no part of the sequence, and those that follow in it go on from their counters.
        """
        if self._is_stale:
            self._update_tables()
        if not self._streams:
            return b""
        for writer in (self._pat, self._pmt):
            writer.counter = writer.counter - 1 & 15
        return self._pat.write_section(_PAT) + self._pmt.write_section(self._section)

    def repeat_tables(self) -> None:
        """Let them go before the next frame: here somebody may begin."""
        self._tables_at = _LONG_AGO

    def counters(self) -> dict[int, int]:
        """Continuity counter of the next packet of each PID that there is now; see ``announce_jump``."""
        writers = [track.writer for track in (self._video, self._audio) if track.ts is not None]
        return {writer.pid: writer.counter for writer in (self._pat, self._pmt, *writers)}

    def encode(self, frame: Frame) -> bytes:
        """Packets for one frame; none for headers, for data, and for what TS cannot carry."""
        type_id = frame.type_id
        payload = frame.payload
        if type_id == VIDEO:
            track = self._video
            codec, what, start, end, offset_ms = read_video(payload)
        elif type_id == AUDIO:
            track = self._audio
            codec, what, start, end, offset_ms = read_audio(payload)
        else:
            return b""
        if what != CODED:
            if what != NOTHING:
                self._take_header(track, codec, payload[start:end], is_ts_header=what == TS_HEADER)
            return self._taken()
        if codec != track.codec or track.ts is None:
            self._switch(track, codec, frame, start, end)
        ts = track.ts
        if ts is None or codec != track.codec:
            self.dropped_count += 1
            return b""
        try:
            unit, is_random_access = ts.access_unit(payload, start, end, frame.is_keyframe)
        except MediaError:
            self.dropped_count += 1
            return b""
        if not unit:
            return b""
        if track is self._video:
            packets = self._picture(ts, frame.dts_ms - self._clock_shift_ms, offset_ms, unit, is_random_access)
        else:
            packets = self._sound(ts, frame.dts_ms - self._clock_shift_ms, unit)
        return self._taken() + packets if self._before else packets

    def encode_run(self, frames: Iterable[Frame]) -> bytes:
        """Packets for frames that come together, as ``encode`` gives them one by one; of usual sound at less cost."""
        pieces: list[bytes] = []
        audio, encode, sound, shift_ms = self._audio, self.encode, self._sound, self._clock_shift_ms
        for frame in frames:
            payload = frame.payload
            ts = audio.ts
            if (
                frame.type_id != AUDIO
                or ts is None
                or audio.codec != AAC
                or len(payload) < 3
                or payload[0] >> 4 != _CLASSIC_AAC
                or not payload[1]
            ):
                packets = encode(frame)
            else:
                try:
                    unit, _ = ts.access_unit(payload, 2, len(payload), False)
                except MediaError:
                    self.dropped_count += 1
                    continue
                packets = sound(ts, frame.dts_ms - shift_ms, unit)
                if self._before:
                    pieces += self._before
                    self._before = []
            if packets:
                pieces.append(packets)
        return b"".join(pieces)

    def flush(self) -> bytes:
        """Packets of the sound that waits."""
        self._flush()
        return self._taken()

    def _taken(self) -> bytes:
        packets = b"".join(self._before)
        self._before = []
        return packets

    def _take_header(self, track: _Track, codec: bytes, header: bytes, *, is_ts_header: bool) -> None:
        known = track.known.get(codec)
        if known is not None and known[0] == header:
            return
        try:
            ts = configure(codec, header, is_ts_header=is_ts_header)
        except UnsupportedCodecError as error:
            self._note_unsupported(error.codec)
            track.known.pop(codec, None)
            if codec == track.codec:
                self._use(track, codec, None)
            return
        except MediaError:
            self.bad_header_count += 1
            return
        track.known[codec] = header, ts
        if codec == track.codec or track.ts is None:
            self._use(track, codec, ts)

    def _switch(self, track: _Track, codec: bytes, frame: Frame, start: int, end: int) -> None:
        """Go over to the codec of a frame, if what is needed for that is known."""
        known = track.known.get(codec)
        if known is not None:
            self._use(track, codec, known[1])
        elif codec in HEADERLESS:
            try:
                ts = configure(codec, frame.payload[start:end])
            except MediaError:
                return
            track.known[codec] = b"", ts
            self._use(track, codec, ts)
        elif codec not in SUPPORTED:
            self._note_unsupported(codec_name(frame.type_id, frame.payload))

    def _note_unsupported(self, codec: str) -> None:
        if len(self.unsupported) < _MAX_NAMES:
            self.unsupported.add(codec)

    def _use(self, track: _Track, codec: bytes, ts: TsCodec | None) -> None:
        if track is self._audio:
            self._flush()
        track.codec, track.ts = codec, ts
        self._is_stale = True

    def _update_tables(self) -> None:
        """Make the PMT anew if the tracks have changed; it is due at once then."""
        self._is_stale = False
        streams = [
            (track.ts.stream_type, track.writer.pid, track.ts.descriptors)
            for track in (self._video, self._audio)
            if track.ts is not None
        ]
        if streams == self._streams:
            return
        self._streams = streams
        self._tables_at = _LONG_AGO
        self._version += 1
        self._section = encode_pmt(self._version, streams[0][1], streams) if streams else b""

    def _write_tables(self, clock: int) -> None:
        self._tables_at = clock
        self._before.append(self._pat.write_section(_PAT))
        self._before.append(self._pmt.write_section(self._section))

    def _picture(self, ts: TsCodec, dts_ms: int, offset_ms: int, unit: bytes, is_random_access: bool) -> bytes:
        if not -_MAX_SHIFT_MS <= offset_ms <= _MAX_OFFSET_MS:
            offset_ms = 0
        offset = offset_ms * _TICKS_PER_MS
        if is_random_access:
            self._is_undelayed = offset <= 0
        if -offset > self._shift or (self._is_undelayed and self._shift < offset <= _MAX_SHIFT):
            self._shift = abs(offset)
        clock = dts_ms * _TICKS_PER_MS
        track = self._video
        dts = clock + self._lead - self._shift
        if dts <= track.last_dts:
            dts = track.last_dts + 1
        track.last_dts = dts
        pts = clock + self._lead + offset
        if pts < dts:
            pts = dts
        if self._is_stale:
            self._update_tables()
        if is_random_access or clock >= self._tables_at + _TABLES_TICKS:
            self._write_tables(clock)
        if self._held and (is_random_access or clock + self._lead >= self._held_dts + self._hold):
            self._flush()
        pcr = dts - self._lead
        flags = ts.random_access if is_random_access else 0
        if pcr > self._pcr:
            self._pcr = pcr
            field = adaptation(flags, pcr)
        else:
            field = adaptation(flags) if flags else b""
        return track.writer.write(pes_header(ts.stream_id, len(unit), pts, dts) + unit, field)

    def _sound(self, ts: TsCodec, dts_ms: int, unit: bytes) -> bytes:
        if len(unit) > _MAX_SOUND_BYTES:
            self.dropped_count += 1
            return b""
        clock = dts_ms * _TICKS_PER_MS
        track = self._audio
        dts = clock + self._lead
        if dts <= track.last_dts:
            dts = track.last_dts + 1
        track.last_dts = dts
        if self._is_stale:
            self._update_tables()
        if clock >= self._tables_at + _TABLES_TICKS:
            self._write_tables(clock)
        unit_ticks = ts.unit_ticks
        if self._hold and unit_ticks:
            # It waits for more; the decoder tells the time of what follows in a packet by its length.
            held, size = self._held, len(unit)
            if held:
                drift = dts - self._held_dts - len(held) * unit_ticks
                if not -_MAX_DRIFT_TICKS <= drift <= _MAX_DRIFT_TICKS or self._held_bytes + size > _MAX_SOUND_BYTES:
                    self._flush()
                    held = self._held
            if not held:
                self._held_dts = dts
            held.append(unit)
            self._held_bytes += size
            if dts + unit_ticks >= self._held_dts + self._hold:
                self._flush()
            packets = b""
        else:
            packets = self._sound_packets(ts, dts, unit)
        pcr = clock - self._shift
        if pcr >= self._pcr + _PCR_TICKS:
            self._pcr = pcr
            writer = track.writer if self._video.ts is None else self._video.writer
            packets += writer.write_clock(pcr)
        return packets

    def _flush(self) -> None:
        held, ts = self._held, self._audio.ts
        if held and ts is not None:
            self._held, self._held_bytes = [], 0
            self._before.append(self._sound_packets(ts, self._held_dts, b"".join(held)))

    def _sound_packets(self, ts: TsCodec, dts: int, units: bytes) -> bytes:
        """One PES packet; where there is no picture it bears the clock."""
        field = b""
        if self._video.ts is None and dts - self._lead >= self._pcr + _PCR_TICKS:
            self._pcr = dts - self._lead
            field = adaptation(ts.random_access, self._pcr)
        return self._audio.writer.write(pes_header(ts.stream_id, len(units), dts, dts) + units, field)
